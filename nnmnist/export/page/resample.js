// Pillow's Image.resize, MaxFilter and MinFilter for grey pictures, to the bit: what Python prepares, the page does.
// A picture is { rows, columns, pixels }, its pixels (rows * columns) bytes, row by row.

const FRACTION = 22; // bits after the point of a weight, as in Pillow

const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
const AREA = { reach: 0.5, weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0) };
const LANCZOS = { reach: 3, weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0) };

// For each of `to` pixels: the first of the `from` pixels that it is made of, and their weights.
function weights(from, to, filter) {
  const scale = from / to;
  const stretch = Math.max(scale, 1);
  const reach = filter.reach * stretch;
  const shrink = 1 / stretch;
  return Array.from({ length: to }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const first = Math.max(0, Math.trunc(centre - reach + 0.5));
    const end = Math.min(from, Math.trunc(centre + reach + 0.5));
    const shares = new Float64Array(end - first);
    let sum = 0;
    for (let k = 0; k < shares.length; k++) {
      shares[k] = filter.weight((k + first - centre + 0.5) * shrink);
      sum += shares[k];
    }
    const fixed = shares.map((share) => {
      const exact = sum === 0 ? 0 : (share / sum) * 2 ** FRACTION;
      return Math.trunc(exact + (exact < 0 ? -0.5 : 0.5));
    });
    return { first, fixed };
  });
}

// One pass: `lines` lines of pixels, `step` apart, resampled each on its own; pixels of a line are `stride` apart.
function pass(pixels, from, to, filter, lines, step, stride) {
  const made = new Uint8ClampedArray(to * lines);
  const [madeStep, madeStride] = stride === 1 ? [to, 1] : [1, stride];
  weights(from, to, filter).forEach(({ first, fixed }, i) => {
    for (let line = 0; line < lines; line++) {
      let sum = 1 << (FRACTION - 1);
      let at = line * step + first * stride;
      for (let k = 0; k < fixed.length; k++, at += stride) sum += pixels[at] * fixed[k];
      made[line * madeStep + i * madeStride] = Math.floor(sum / 2 ** FRACTION);
    }
  });
  return made;
}

function resize({ rows, columns, pixels }, toRows, toColumns, filter) {
  if (toColumns !== columns) pixels = pass(pixels, columns, toColumns, filter, rows, columns, 1);
  if (toRows !== rows) pixels = pass(pixels, rows, toRows, filter, toColumns, 1, toColumns);
  return { rows: toRows, columns: toColumns, pixels };
}

// The largest (choose = Math.max) or smallest byte within `reach` pixels; the border goes on outside the picture.
function extreme({ rows, columns, pixels }, reach, choose) {
  const along = (source, length, lines, step, stride) => {
    const made = new Uint8Array(source.length);
    for (let line = 0; line < lines; line++) {
      for (let i = 0; i < length; i++) {
        let best = source[line * step + i * stride];
        const end = Math.min(length - 1, i + reach);
        for (let k = Math.max(0, i - reach); k <= end; k++) best = choose(best, source[line * step + k * stride]);
        made[line * step + i * stride] = best;
      }
    }
    return made;
  };
  const wide = along(pixels, columns, rows, columns, 1);
  return { rows, columns, pixels: along(wide, rows, columns, 1, columns) };
}
