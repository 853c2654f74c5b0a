// What the preparation needs of NumPy, with the same rounding.

const clip = (x, low, high) => Math.min(Math.max(x, low), high);

// To the nearest integer, halves to the even one, as np.rint and Python's round.
function rint(x) {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 === 0 ? floor : floor + 1;
}

// The k-th smallest of `values`, which are reordered: none larger before it, none smaller after (Hoare 1961).
function select(values, k) {
  let low = 0;
  let high = values.length - 1;
  while (low < high) {
    const pivot = values[k];
    let i = low;
    let j = high;
    while (i <= j) {
      while (values[i] < pivot) i++;
      while (values[j] > pivot) j--;
      if (i <= j) {
        const value = values[i];
        values[i++] = values[j];
        values[j--] = value;
      }
    }
    if (j < k) low = i;
    if (k < i) high = j;
  }
  return values[k];
}

// np.quantile of an array, interpolated linearly.
function quantile(values, q) {
  const sorted = values.slice();
  const place = q * (values.length - 1);
  const k = Math.floor(place);
  const t = place - k;
  const below = select(sorted, k);
  if (t === 0) return below;
  let above = Infinity;
  for (let i = k + 1; i < sorted.length; i++) above = Math.min(above, sorted[i]);
  return t < 0.5 ? below + (above - below) * t : above - (above - below) * (1 - t);
}

const median = (values) => quantile(values, 0.5);

// The x (n,) of A x = b by Gaussian elimination, A (n, n) symmetric and not negative, both of which are used up; an
// unknown that the others leave nothing to say is 0.
function solve(A, b) {
  const n = b.length;
  const least = 1e-12 * Math.max(...A.map((row, i) => row[i]));
  const known = A.map((row, i) => {
    if (row[i] <= least) return false;
    for (let k = i + 1; k < n; k++) {
      const factor = A[k][i] / row[i];
      for (let j = i; j < n; j++) A[k][j] -= factor * row[j];
      b[k] -= factor * b[i];
    }
    return true;
  });
  const x = new Float64Array(n);
  for (let i = n - 1; i >= 0; i--) {
    if (!known[i]) continue;
    x[i] = b[i];
    for (let j = i + 1; j < n; j++) x[i] -= A[i][j] * x[j];
    x[i] /= A[i][i];
  }
  return x;
}
