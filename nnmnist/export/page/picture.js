// A person's picture file as grey bytes: nnmnist/images/reading.py, in a browser.

// A digit of MNIST has a pixel of at least this grey value, and its centre of mass is at most so many pixels off.
const [WHITE, OFF_CENTRE] = [250, 0.6];
const [ONE_GREY, SIMILAR] = [0.5, 40]; // UNIFORM and CLOSE of nnmnist/images/preparation.py
const LONGEST = 4096; // pixels of a side, all that phones allow; the browser makes a larger picture smaller

// Resolves to an ImageBitmap, turned as its EXIF orientation says. Rejects what is no picture.
function decode(file) {
  return createImageBitmap(file, { colorSpaceConversion: "none", premultiplyAlpha: "none" });
}

// The picture { rows, columns, pixels } of an ImageBitmap.
function greyOf(bitmap) {
  const scale = Math.min(1, LONGEST / Math.max(bitmap.width, bitmap.height));
  const [columns, rows] = [bitmap.width, bitmap.height].map((size) => Math.max(1, Math.round(size * scale)));
  const context = sheet(columns, rows);
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, columns, rows);
  return { rows, columns, pixels: grey(context.getImageData(0, 0, columns, rows).data) };
}

function sheet(columns, rows) {
  const canvas = document.createElement("canvas");
  canvas.width = columns;
  canvas.height = rows;
  return canvas.getContext("2d", { willReadFrequently: true });
}

// Grey bytes of RGBA bytes, as Pillow weighs colours; what is transparent becomes paper that the ink stands out from.
function grey(colours) {
  const paper = isDark(colours) ? 255 : 0;
  const over = (colour, alpha) => {
    const sum = (colour * alpha + paper * (255 - alpha)) * 128 + 0x4000;
    return ((sum >> 8) + sum) >> 15;
  };
  const pixels = new Uint8Array(colours.length / 4);
  for (let i = 0, at = 0; i < pixels.length; i++, at += 4) {
    let [red, green, blue, alpha] = [colours[at], colours[at + 1], colours[at + 2], colours[at + 3]];
    if (alpha < 255) [red, green, blue] = [over(red, alpha), over(green, alpha), over(blue, alpha)];
    pixels[i] = (red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16;
  }
  return pixels;
}

// Whether what is not transparent is dark.
function isDark(colours) {
  let [sum, seen] = [0, 0];
  for (let at = 0; at < colours.length; at += 4) {
    sum += ((colours[at] + colours[at + 1] + colours[at + 2]) / 3) * colours[at + 3];
    seen += colours[at + 3];
  }
  return sum / (seen || 1) < 128;
}

// (784,) bytes as the network takes them; a picture of its own kind is taken as it is. Throws NoInk.
function inputOf(picture, { mode, background, inverts }) {
  if (mode === "digit") return hasLayoutOfMnist(picture) ? picture.pixels : prepare(picture);
  const found = inverts ? backgroundOf(picture) : null;
  const same = found === null || found === background;
  return fitted(same ? picture : { ...picture, pixels: picture.pixels.map((pixel) => 255 - pixel) }, background);
}

// `background_of` of preparation.py: 0 for a dark background, 255 for a light one, null if that is not clear.
function backgroundOf(picture) {
  let [low, high] = [255, 0];
  for (const pixel of picture.pixels) [low, high] = [Math.min(low, pixel), Math.max(high, pixel)];
  const border = borderOf(picture);
  const median = quantile(border, 0.5);
  const close = border.filter((pixel) => Math.abs(pixel - median) <= SIMILAR).length;
  if (high - low < SIMILAR || close < ONE_GREY * border.length) return null;
  return median > (low + high) / 2 ? 255 : 0;
}

// Whether a picture has 28x28 pixels, and a digit of MNIST's size and brightness at its place.
function hasLayoutOfMnist({ rows, columns, pixels }) {
  if (rows !== SIDE || columns !== SIDE || Math.max(...pixels) < WHITE) return false;
  const [down, across] = [new Float64Array(SIDE), new Float64Array(SIDE)]; // the ink of each row, and of each column
  pixels.forEach((pixel, at) => {
    down[Math.floor(at / SIDE)] += pixel;
    across[at % SIDE] += pixel;
  });
  const side = Math.max(...[down, across].map((ink) => ink.findLastIndex(Boolean) - ink.findIndex(Boolean) + 1));
  if (side < BOX - 2 || side > BOX) return false;
  return [down, across].every((ink) => {
    const [moment, mass] = [ink.reduce((sum, each, i) => sum + each * i, 0), ink.reduce((sum, each) => sum + each)];
    return Math.abs(moment / mass - SIDE / 2) <= OFF_CENTRE;
  });
}

// The outermost pixels, the corners twice.
function borderOf({ rows, columns, pixels }) {
  const border = [...pixels.subarray(0, columns), ...pixels.subarray((rows - 1) * columns)];
  for (let row = 0; row < rows; row++) border.push(pixels[row * columns], pixels[(row + 1) * columns - 1]);
  return border;
}
