// A picture brought to one slant, width and height by the moments of its ink: nnmnist/images/normalize.py, of (784,) bytes.

const [WIDTH, HEIGHT] = [3.6, 5.3]; // deviations of the ink, in pixels
const [MAX_STRETCH_X, MAX_STRETCH_Y] = [1.6, 1.5];
const MIN_VARIANCE = 0.1;

function normalized(pixels) {
  let [mass, mX, mY, mXX, mXY, mYY] = new Float64Array(6);
  pixels.forEach((pixel, at) => {
    const [x, y] = [at % SIDE, Math.floor(at / SIDE)];
    mass += pixel;
    mX += pixel * x;
    mY += pixel * y;
    mXX += pixel * x * x;
    mXY += pixel * x * y;
    mYY += pixel * y * y;
  });
  if (mass === 0) return pixels;
  [mX, mY, mXX, mXY, mYY] = [mX, mY, mXX, mXY, mYY].map((sum) => sum / mass);
  const [sXX, sXY, sYY] = [mXX - mX * mX, mXY - mX * mY, Math.max(mYY - mY * mY, MIN_VARIANCE)];
  const slant = sXY / sYY;
  const kX = clip(WIDTH / Math.sqrt(Math.max(sXX - slant * sXY, MIN_VARIANCE)), 1 / MAX_STRETCH_X, MAX_STRETCH_X);
  const kY = clip(HEIGHT / Math.sqrt(sYY), 1 / MAX_STRETCH_Y, MAX_STRETCH_Y);
  return Float64Array.from(pixels, (_, at) => {
    const down = (Math.floor(at / SIDE) - SIDE / 2) / kY;
    const across = ((at % SIDE) - SIDE / 2) / kX;
    return between(pixels, mX + slant * down + across, mY + down);
  });
}

// What a picture shows at a point between its pixels, interpolated linearly, with black around it.
function between(pixels, x, y) {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const at = (column, row) =>
    column < 0 || column >= SIDE || row < 0 || row >= SIDE ? 0 : pixels[row * SIDE + column];
  const line = (row) => at(left, row) + (x - left) * (at(left + 1, row) - at(left, row));
  return line(top) + (y - top) * (line(top + 1) - line(top));
}
