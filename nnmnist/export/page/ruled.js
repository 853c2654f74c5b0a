// nnmnist/images/ruled.py: paper's own lines, straight, thin, and from one border of the picture to the other.

const STEEPEST = 0.25; // how much a line may rise, in pixels a pixel
const BROADEST = 1 / 30; // of the longer side of the picture
const BORDER = 0.03; // a line as near to the border may be the bar of a 7 that was cut out closely
const UNBROKEN = 0.9; // the least part of its way through the picture on which a line shows
// The longer side of a frame is at least this share of the picture's, and that of a part in it of its own.
const [FRAME, FRAMED] = [1 / 3, 1 / 20];
const THINNEST_PART = 1 / 64; // a piece of a line is thinner than this share of the frame
const ROUNDS = 6; // in each, lines of one slope are removed
const SAMPLE_RUNS = 4000; // that are enough to find the slope by

// The ink `without` lines, of the ink `mask`, without frames and tables: what surrounds parts other than itself.
function withoutFrames(mask, without) {
  const { rows, columns } = mask;
  const { labels, n } = components(mask);
  const parts = components(without);
  const owner = new Int32Array(parts.n); // of each part: the component that it belongs to
  parts.labels.forEach((part, at) => {
    if (part) owner[part] = labels[at];
  });
  const boxes = boxesOf(parts.labels, parts.n, columns);
  const isFrame = new Uint8Array(n);
  boxesOf(labels, n, columns).forEach((box, i) => {
    const side = sideOf(box);
    if (side < FRAME * Math.max(rows, columns)) return;
    const isLarge = (part) => sideOf(part) >= FRAMED * side && widthOf(part) >= THINNEST_PART * side;
    const others = boxes.filter((part, k) => owner[k + 1] !== i + 1 && isLarge(part));
    const onBorder = box[0] === 0 || box[1] === 0 || box[2] === columns || box[3] === rows;
    const surrounded = others.filter((part) => isSurrounded(labels, columns, i + 1, part)).length;
    isFrame[i + 1] = surrounded >= (onBorder ? 1 : 2) ? 1 : 0;
  });
  const pixels = without.pixels.map((pixel, at) => (isFrame[labels[at]] ? 0 : pixel));
  return pixels.some(Boolean) ? { rows, columns, pixels } : without;
}

const sideOf = ([left, top, right, bottom]) => Math.max(right - left, bottom - top);
const widthOf = ([left, top, right, bottom]) => Math.min(right - left, bottom - top);

// Whether the middle of a box has ink of this label above and below, left and right of it.
function isSurrounded(labels, columns, label, [left, top, right, bottom]) {
  const [x, y] = [Math.floor((left + right) / 2), Math.floor((top + bottom) / 2)];
  const row = labels.subarray(y * columns, (y + 1) * columns);
  const column = labels.filter((_, at) => at % columns === x);
  const found = (line, from, to) => line.subarray(from, to).includes(label);
  return found(column, 0, y) && found(column, y) && found(row, 0, x) && found(row, x);
}

// A mask of ink without the lines that paper is ruled with, down and across.
function withoutLines(mask) {
  let rest = mask;
  for (let round = 0; round < ROUNDS; round++) {
    const before = rest;
    rest = transposed(withoutVertical(transposed(withoutVertical(rest))));
    if (rest.pixels.every((pixel, at) => pixel === before.pixels[at])) break;
  }
  return rest.pixels.some(Boolean) ? rest : mask;
}

function transposed({ rows, columns, pixels }) {
  const turned = new Uint8Array(pixels.length);
  for (let row = 0, at = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, at++) turned[column * rows + row] = pixels[at];
  }
  return { rows: columns, columns: rows, pixels: turned };
}

// A mask without the lines that run down it, each given by where it would meet the top: its level.
function withoutVertical(mask) {
  const { rows, columns } = mask;
  const broadest = Math.max(2, BROADEST * Math.max(rows, columns));
  const runs = runsOf(mask);
  const thin = runs.filter((run) => run.length <= broadest);
  if (thin.length < rows / 2) return mask;
  for (const run of runs) run.middle = run.first + (run.length - 1) / 2;
  const slope = slopeOf(thin, rows);
  for (const run of runs) run.level = rint(run.middle - slope * run.row);
  const pixels = mask.pixels.slice();
  for (const line of linesOf(mask, thin, slope)) {
    const near = runs.filter((run) => Math.abs(run.level - line) <= 2);
    const longest = 1.5 * median(near.map((run) => run.length).filter((length) => length <= broadest)) + 1;
    for (const { row, first, length } of near) {
      if (length <= longest) pixels.fill(0, row * columns + first, row * columns + first + length);
    }
  }
  return { rows, columns, pixels };
}

// The slope at which the middles of runs gather on fewest levels: the largest sum of squared counts.
function slopeOf(runs, rows) {
  const step = Math.floor(runs.length / SAMPLE_RUNS) + 1;
  const some = runs.filter((_, i) => i % step === 0);
  const delta = -STEEPEST + 1 / rows + STEEPEST; // as np.arange rounds it
  let [most, best] = [-1, 0];
  for (let i = 0; i < Math.ceil((2 * STEEPEST) / (1 / rows)); i++) {
    const slope = -STEEPEST + i * delta;
    const counts = countsOf(some.map(({ middle, row }) => rint(middle - slope * row)));
    let sum = 0;
    for (const count of counts.values()) sum += count * count;
    if (sum > most) [most, best] = [sum, slope];
  }
  return best;
}

function countsOf(levels) {
  const counts = new Map();
  for (const level of levels) counts.set(level, (counts.get(level) ?? 0) + 1);
  return counts;
}

// The levels at which a line is, the strongest first: on nearly every row of its way there is ink.
function linesOf({ rows, columns, pixels }, runs, slope) {
  const counts = [...countsOf(runs.map((run) => run.level))].filter(([, count]) => count >= rows / 8);
  counts.sort(([level, count], [other, others]) => others - count || level - other);
  const lines = [];
  for (const [line] of counts) {
    let [way, inked, sum] = [0, 0, 0];
    for (let row = 0; row < rows; row++) {
      const middle = line + rint(slope * row);
      const places = [middle - 1, middle, middle + 1].filter((place) => place >= 0 && place < columns);
      way += places.length > 0;
      inked += places.some((place) => pixels[row * columns + place]);
      sum += 3 * middle;
    }
    const place = sum / (3 * rows) / columns;
    const offBorder = BORDER < place && place < 1 - BORDER;
    const apart = lines.every((other) => Math.abs(line - other) > 2);
    if (inked >= UNBROKEN * way && offBorder && way >= rows / 4 && apart) lines.push(line);
  }
  return lines;
}
