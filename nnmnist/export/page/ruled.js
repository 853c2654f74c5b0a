// nnmnist/images/ruled.py: paper's own lines, straight, thin, and from one border of the picture to the other.

const STEEPEST = 0.25; // how much a line may rise, in pixels a pixel
const BROADEST = 1 / 30; // of the longer side of the picture
const BORDER = 0.03; // a line as near to the border may be the bar of a 7 that was cut out closely
const UNBROKEN = 0.9; // the least part of its way through the picture on which a line shows
const SAMPLE_RUNS = 4000; // that are enough to find the slope by

// A mask of ink without the lines that paper is ruled with, down and across.
function withoutLines(mask) {
  const left = transposed(withoutVertical(transposed(withoutVertical(mask))));
  return left.pixels.some(Boolean) ? left : mask;
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
  const thin = runsOf(mask).filter((run) => run.length <= broadest);
  if (thin.length < rows / 2) return mask;
  for (const run of thin) run.middle = run.first + (run.length - 1) / 2;
  const slope = slopeOf(thin, rows);
  for (const run of thin) run.level = rint(run.middle - slope * run.row);
  const pixels = mask.pixels.slice();
  for (const line of linesOf(mask, thin, slope)) {
    const near = thin.filter((run) => Math.abs(run.level - line) <= 2);
    const longest = 1.5 * median(near.map((run) => run.length)) + 1;
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
