// nnmnist/images/regions.py: the connected parts of a mask. A mask is { rows, columns, pixels } of zeros and ones.

// The runs of a mask, stretches of a row without a gap, from the top left on: [{ row, first, length }].
function runsOf({ rows, columns, pixels }) {
  const runs = [];
  for (let row = 0, at = 0; row < rows; row++) {
    let run = null;
    for (let column = 0; column < columns; column++, at++) {
      if (!pixels[at]) run = null;
      else if (run) run.length++;
      else runs.push((run = { row, first: column, length: 1 }));
    }
  }
  return runs;
}

// { labels, n }: the labels 1 .. n-1 of the 8-connected parts, 0 outside.
function components(mask) {
  const runs = runsOf(mask);
  const parent = runs.map((_, run) => run);
  const root = (run) => {
    while (parent[run] !== run) run = parent[run] = parent[parent[run]];
    return run;
  };
  const end = ({ first, length }) => first + length;
  let above = 0; // the first run that may touch the next ones from above
  runs.forEach((run, i) => {
    const over = (other) => other.row < run.row - 1 || (other.row === run.row - 1 && end(other) < run.first);
    while (above < i && over(runs[above])) above++;
    for (let k = above; k < i && runs[k].row < run.row && runs[k].first <= end(run); k++) {
      const [one, other] = [root(i), root(k)];
      parent[Math.max(one, other)] = Math.min(one, other);
    }
  });
  const labels = new Int32Array(mask.pixels.length);
  const numbers = new Map();
  runs.forEach(({ row, first, length }, i) => {
    const part = root(i);
    if (!numbers.has(part)) numbers.set(part, numbers.size + 1);
    labels.fill(numbers.get(part), row * mask.columns + first, row * mask.columns + first + length);
  });
  return { labels, n: numbers.size + 1 };
}

// The boxes [left, top, right, bottom] of the parts 1 .. n-1, the ends not in them.
function boxesOf(labels, n, columns) {
  const boxes = Array.from({ length: n }, () => [Infinity, Infinity, 0, 0]);
  labels.forEach((label, at) => {
    if (!label) return;
    const [x, y, box] = [at % columns, Math.floor(at / columns), boxes[label]];
    if (x < box[0]) box[0] = x;
    if (y < box[1]) box[1] = y;
    if (x >= box[2]) box[2] = x + 1;
    if (y >= box[3]) box[3] = y + 1;
  });
  return boxes.slice(1);
}
