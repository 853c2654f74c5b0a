// nnmnist/images/prepare.py, step by step and by the same names: a picture of one digit, as MNIST's were made.
// Ink is { rows, columns, pixels } of numbers, from 0 up.

const SIDE = 28;
const BOX = 20;
const [SMALLEST_SIDE, WORKING_SIDE] = [128, 256]; // pixels of the longer side at which a digit is looked for
const SAMPLE_SIDE = 100; // pixels of the longer side that are enough to find the light of the paper
const MIN_PAPER = 0.55; // the part of a picture that is paper, at the least
const MIN_INK = 0.001; // of the picture is ink
// The border is paper where this share of it is within CLOSE of its median; a digit crowds a picture with less of that.
const [UNIFORM, CROWDED, CLOSE] = [0.6, 0.75, 40];
const MARGIN = 1 / 8; // of the longer side
const MIN_CONTRAST = 12; // grey values by which ink must differ from paper, and five times the noise
const MIN_PART = 0.08; // parts smaller than this share of the largest are dirt
const EDGE = 0.3; // a part with more of its outline on the border is a table or a shadow
const INSIDE = 0.4; // other parts on the border go if this share of the ink is elsewhere
const [THINNEST, THICKEST] = [2, 4.2]; // pixels of a line in the box, as they occur in MNIST
const NO_INK_FOUND = "no ink found: nothing stands out from the background";

class NoInk extends Error {}

// (784,) bytes, white on black, of a grey picture, dark on light or light on dark. Throws NoInk.
function prepare(grey) {
  const side = Math.max(grey.rows, grey.columns);
  const small = scaled(grey, Math.min(Math.max(1, SMALLEST_SIDE / side), WORKING_SIDE / side));
  const { soft, mask } = find(flatten(small));
  const { labels, n } = components(soft);
  const sizes = new Float64Array(n);
  for (let at = 0; at < labels.length; at++) if (mask.pixels[at]) sizes[labels[at]]++;
  const least = Math.max(1, MIN_PART * Math.max(...sizes));
  for (let at = 0; at < labels.length; at++) {
    if (sizes[labels[at]] < least) soft.pixels[at] = mask.pixels[at] = 0;
  }
  return toMnistImage(soft, mask);
}

// (784,) bytes of the ink, 0 to 1, of a digit, and its mask.
function toMnistImage(soft, digit) {
  const bytes = new Uint8Array(soft.pixels.map((each) => rint(255 * each)));
  return centre(fit(cutOut({ ...soft, pixels: bytes }, digit), thickness(digit)));
}

// How much each pixel is ink, whatever the light; where a digit crowds the picture, there is paper around it.
function flatten(picture) {
  const { rows, columns, pixels } = picture;
  const border = borderOf(picture);
  const paper = median(border);
  const shareOf = (values) => values.reduce((n, each) => n + (Math.abs(each - paper) <= CLOSE), 0) / values.length;
  if (shareOf(border) < UNIFORM || shareOf(pixels) >= CROWDED) return withoutPaper(picture);
  const margin = rint(MARGIN * Math.max(rows, columns));
  const wide = { rows: rows + 2 * margin, columns: columns + 2 * margin };
  wide.pixels = new Float64Array(wide.rows * wide.columns).fill(paper);
  return part(withoutPaper(laid(picture, wide, margin, margin)), margin, margin, rows, columns);
}

// How much each pixel is ink: its distance from the paper, a quadratic surface through most of the pixels.
function withoutPaper({ rows, columns, pixels }) {
  const [ys, xs] = [axis(rows), axis(columns)];
  const { c, noise } = paperOf({ rows, columns, pixels }, ys, xs);
  const ink = new Float64Array(pixels.length);
  const light = new Float64Array(pixels.length);
  let moment = 0;
  for (let row = 0, at = 0; row < rows; row++) {
    const y = ys[row];
    for (let column = 0; column < columns; column++, at++) {
      const x = xs[column];
      light[at] = c[0] + c[1] * x + c[2] * y + c[3] * x * x + c[4] * x * y + c[5] * y * y;
      ink[at] = pixels[at] - light[at];
      moment += ink[at] * ink[at] * ink[at] * (1 - x * x) * (1 - y * y);
    }
  }
  const side = moment < 0 ? -1 : 1;
  for (let at = 0; at < ink.length; at++) ink[at] = Math.max(side * ink[at], 0);
  if (quantile(ink, 1 - MIN_INK / 2) < Math.max(MIN_CONTRAST, 5 * noise)) {
    throw new NoInk(NO_INK_FOUND);
  }
  if (side < 0) for (let at = 0; at < ink.length; at++) ink[at] /= Math.max(light[at], 1);
  return { rows, columns, pixels: ink };
}

const axis = (n) => Float64Array.from({ length: n }, (_, i) => (n === 1 ? -1 : (2 / (n - 1)) * i - 1));

// The coefficients of 1, x, y, xx, xy, yy of the paper's brightness, and its noise, by least trimmed squares.
function paperOf({ rows, columns, pixels }, ys, xs) {
  const step = 1 + Math.floor(Math.max(rows, columns) / SAMPLE_SIDE);
  const n = Math.ceil(rows / step) * Math.ceil(columns / step);
  const terms = Array.from({ length: 6 }, () => new Float64Array(n)); // of each pixel of the sample
  const values = new Float64Array(n);
  for (let row = 0, i = 0; row < rows; row += step) {
    const y = ys[row];
    for (let column = 0; column < columns; column += step, i++) {
      const x = xs[column];
      terms[0][i] = 1;
      terms[1][i] = x;
      terms[2][i] = y;
      terms[3][i] = x * x;
      terms[4][i] = x * y;
      terms[5][i] = y * y;
      values[i] = pixels[row * columns + column];
    }
  }
  const middle = median(values);
  const difference = values.map((value) => Math.abs(value - middle));
  const fitted = new Float64Array(n);
  let [c, noise] = [[], 0];
  for (const count of [3, 3, 3, 6, 6, 6]) {
    const limit = Math.max(quantile(difference, MIN_PAPER), 2.5 * noise);
    const paper = upTo(limit, difference);
    c = leastSquares(terms.slice(0, count), values, paper);
    fitted.fill(0);
    c.forEach((coefficient, k) => {
      const term = terms[k];
      for (let i = 0; i < n; i++) fitted[i] += term[i] * coefficient;
    });
    for (let i = 0; i < n; i++) difference[i] = Math.abs(values[i] - fitted[i]);
    noise = 1.4826 * median(taken(difference, paper)) + 1;
  }
  return { c, noise };
}

// The places of the values that are not above `limit`.
function upTo(limit, values) {
  const places = new Uint32Array(values.length);
  let count = 0;
  for (let i = 0; i < values.length; i++) if (values[i] <= limit) places[count++] = i;
  return places.subarray(0, count);
}

function taken(values, places) {
  const some = new Float64Array(places.length);
  for (let i = 0; i < places.length; i++) some[i] = values[places[i]];
  return some;
}

// The coefficients of `terms` that come closest to `values`, all of them arrays, at the places `chosen`.
function leastSquares(terms, values, chosen) {
  const some = terms.map((term) => taken(term, chosen));
  const those = taken(values, chosen);
  const A = some.map((one, i) => Float64Array.from(some, (other, j) => (j < i ? 0 : dot(one, other))));
  for (let i = 0; i < A.length; i++) for (let j = 0; j < i; j++) A[i][j] = A[j][i];
  return solve(A, Float64Array.from(some, (one) => dot(one, those)));
}

function dot(a, b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}

// What is written: { soft, mask }, its ink with soft edges, 0 to 1, and the mask of its pixels; no lines, no border.
function find({ rows, columns, pixels }) {
  let { ink, threshold } = scaleInk(pixels);
  const faint = new Uint8Array(ink.length);
  for (let at = 0; at < ink.length; at++) faint[at] = ink[at] > threshold / 2 ? 1 : 0;
  const drawn = { rows, columns, pixels: faint };
  const { labels, n } = components(withoutFrames(drawn, withoutLines(drawn)));
  const isWritten = writtenOf(labels, n, rows, columns);
  const written = labels.map((label) => (label ? isWritten[label] : 0));
  if (faint.some((each, at) => each > written[at])) {
    ({ ink, threshold } = scaleInk(ink.map((each, at) => (faint[at] > written[at] ? 0 : each))));
  }
  const soft = new Float64Array(ink.length);
  const mask = new Uint8Array(ink.length);
  for (let at = 0; at < ink.length; at++) {
    if (!written[at]) continue;
    soft[at] = clip((ink[at] - threshold / 2) / (1 - threshold / 2), 0, 1);
    mask[at] = ink[at] > threshold ? 1 : 0;
  }
  if (!mask.includes(1)) throw new NoInk(NO_INK_FOUND);
  return { soft: { rows, columns, pixels: soft }, mask: { rows, columns, pixels: mask } };
}

// Ink with full ink as 1, however little of it there is, and the threshold that parts it from the paper.
function scaleInk(pixels) {
  let most = 0;
  for (const pixel of pixels) most = Math.max(most, pixel);
  const full = quantile(pixels.filter((each) => each > most / 4), 0.95);
  const ink = new Float64Array(pixels.length);
  for (let at = 0; at < ink.length; at++) ink[at] = clip(pixels[at] / full, 0, 1);
  return { ink, threshold: otsu(ink) };
}

// For each label whether its part is written, and is no table or shadow.
function writtenOf(labels, n, rows, columns) {
  const contact = new Float64Array(n);
  for (let at = 0; at < columns; at++) {
    contact[labels[at]]++;
    contact[labels[(rows - 1) * columns + at]]++;
  }
  for (let row = 0; row < rows; row++) {
    contact[labels[row * columns]]++;
    contact[labels[(row + 1) * columns - 1]]++;
  }
  const sizes = new Float64Array(n);
  for (const label of labels) sizes[label]++;
  contact[0] = sizes[0] = 0;
  const steps = stepsOf(labels, n, rows, columns);
  const written = Uint8Array.from(contact, (count, label) => count <= EDGE * (count + steps[label]));
  const inside = Uint8Array.from(contact, (count) => count === 0);
  const inkOf = (chosen) => sizes.reduce((sum, size, label) => sum + size * chosen[label], 0);
  const chosen = inkOf(inside) >= INSIDE * inkOf(written) ? inside : written;
  return inkOf(chosen) >= MIN_INK * labels.length ? chosen : chosen.fill(1);
}

// The outline of each part inside the picture, in steps between pixels.
function stepsOf(labels, n, rows, columns) {
  const steps = new Float64Array(n);
  const compare = (one, other) => {
    if (one === other) return;
    steps[one]++;
    steps[other]++;
  };
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) {
      if (row) compare(labels[at], labels[at - columns]);
      if (column) compare(labels[at], labels[at - 1]);
    }
  }
  return steps;
}

// The threshold in [0, 1] that parts values into two classes of the largest variance between (Otsu 1979).
function otsu(values) {
  const share = new Float64Array(256);
  for (const value of values) share[Math.min(255, Math.floor(256 * value))]++;
  const levels = share.map((count, k) => (k + 0.5) / 256);
  share.forEach((count, k) => (share[k] = count / values.length));
  const total = share.reduce((sum, each, k) => sum + each * levels[k], 0);
  let [below, mean, largest, best] = [0, 0, -1, 0];
  for (let k = 0; k < 256; k++) {
    below += share[k];
    mean += share[k] * levels[k];
    const between = (total * below - mean) ** 2 / Math.max(below * (1 - below), 1e-12);
    if (between > largest) [largest, best] = [between, k];
  }
  return (best + 1) / 256;
}

// The part of a picture that a mask covers, with a pixel around it.
function cutOut({ rows, columns, pixels }, mask) {
  let [top, bottom, left, right] = [rows, 0, columns, 0];
  mask.pixels.forEach((inside, at) => {
    if (!inside) return;
    const [row, column] = [Math.floor(at / columns), at % columns];
    [top, bottom] = [Math.min(top, row), Math.max(bottom, row)];
    [left, right] = [Math.min(left, column), Math.max(right, column)];
  });
  [top, left] = [Math.max(top - 1, 0), Math.max(left - 1, 0)];
  [bottom, right] = [Math.min(bottom + 2, rows), Math.min(right + 2, columns)];
  return part({ rows, columns, pixels }, top, left, bottom - top, right - left);
}

// A rectangle of a picture.
function part({ columns, pixels }, top, left, rows, width) {
  const cut = { rows, columns: width, pixels: new pixels.constructor(rows * width) };
  for (let row = 0; row < rows; row++) {
    const start = (top + row) * columns + left;
    cut.pixels.set(pixels.subarray(start, start + width), row * width);
  }
  return cut;
}

// The mean width of the lines of a mask, in its pixels: twice its area over the length of its outline.
function thickness({ rows, columns, pixels }) {
  let [area, steps] = [0, 0];
  pixels.forEach((inside, at) => {
    if (!inside) return;
    const column = at % columns;
    area++;
    steps += !pixels[at - columns] + !pixels[at + columns];
    steps += (column === 0 || !pixels[at - 1]) + (column === columns - 1 || !pixels[at + 1]);
  });
  return (2 * area) / ((steps * Math.PI) / 4);
}

// A cut-out digit in a box of 20, its lines neither thinner nor thicker than MNIST's; `width` is theirs, in pixels.
function fit(picture, width) {
  const pixel = Math.max(picture.rows, picture.columns) / BOX;
  const reach = rint((clip(width, THINNEST * pixel, THICKEST * pixel) - width) / 2);
  if (reach > 0) {
    const { rows, columns } = picture;
    picture = extreme(laid(picture, blank(rows + 2 * reach, columns + 2 * reach), reach, reach), reach, Math.max);
  } else if (reach < 0) picture = extreme(picture, -reach, Math.min);
  const small = scaled(picture, BOX / Math.max(picture.rows, picture.columns));
  const inked = small.pixels.filter((pixel) => pixel > 20);
  const full = inked.length ? quantile(inked, 0.95) : 255;
  return { ...small, pixels: small.pixels.map((pixel) => Math.trunc(clip(pixel * (255 / full), 0, 255))) };
}

// (784,) bytes: a box in a black 28x28, its centre of mass on pixel (14, 14) as far as the border allows.
function centre(box) {
  const { rows, columns, pixels } = box;
  let [mass, down, across] = [0, 0, 0];
  pixels.forEach((pixel, at) => {
    mass += pixel;
    down += pixel * Math.floor(at / columns);
    across += pixel * (at % columns);
  });
  const start = (moment, size) => clip(rint(SIDE / 2 - moment / Math.max(mass, 1)), 0, SIDE - size);
  return laid(box, blank(SIDE, SIDE), start(down, rows), start(across, columns)).pixels;
}

const blank = (rows, columns) => ({ rows, columns, pixels: new Uint8Array(rows * columns) });

// A picture laid on a larger one.
function laid({ rows, columns, pixels }, large, top, left) {
  for (let row = 0; row < rows; row++) {
    large.pixels.set(pixels.subarray(row * columns, (row + 1) * columns), (top + row) * large.columns + left);
  }
  return large;
}

// (784,) bytes: `resize` of prepare.py, a whole picture in the middle of a 28x28 image of the grey value `background`.
function fitted(picture, background) {
  const small = scaled(picture, Math.min(SIDE / picture.rows, SIDE / picture.columns));
  const image = blank(SIDE, SIDE);
  image.pixels.fill(background);
  return laid(small, image, (SIDE - small.rows) >> 1, (SIDE - small.columns) >> 1).pixels;
}

// A picture at `scale`, each pixel the mean of what it covers, or interpolated where it grows.
function scaled(picture, scale) {
  const size = (n) => Math.max(1, rint(n * scale));
  return resize(picture, size(picture.rows), size(picture.columns), scale < 0.7 ? AREA : LANCZOS);
}
