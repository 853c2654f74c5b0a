// h(0) = x,  h(l) = sigma(W(l) h(l-1) + b(l)),  z = W(L) h(L-1) + b(L): nnmnist/model/network.py, for one picture.

const sigmoid = (z) => (1 + Math.tanh(z / 2)) / 2;
const ACTIVATIONS = {
  identity: (z) => z,
  relu: (z) => Math.max(z, 0),
  sigmoid,
  softplus: (z) => Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))),
  tanh: Math.tanh,
};

const OUTPUTS = {
  linear: (z) => z,
  logistic: (z) => z.map(sigmoid),
  relu: (z) => z.map(ACTIVATIONS.relu),
  sigmoid: (z) => z.map(sigmoid),
  softmax(z) {
    const largest = Math.max(...z);
    const powers = z.map((each) => Math.exp(each - largest));
    const sum = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / sum);
  },
  softmax_or_none: (z) => OUTPUTS.softmax(z).slice(0, -1), // the last output is for none of the classes
};

// From { sizes, activation, output, normalize, parameters }: float32 in base64, W1 (n_out, n_in) row by row, b1, W2, ...
function readNetwork({ sizes, activation, output, normalize, parameters }) {
  const bytes = Uint8Array.from(atob(parameters), (character) => character.charCodeAt(0));
  const theta = new Float32Array(bytes.buffer);
  const layers = [];
  let at = 0;
  const take = (n) => theta.subarray(at, (at += n));
  for (let l = 1; l < sizes.length; l++) {
    layers.push({ W: take(sizes[l] * sizes[l - 1]), b: take(sizes[l]) });
  }
  return { layers, activation: ACTIVATIONS[activation], output: OUTPUTS[output], normalize };
}

// What the network makes of (784,) bytes: an array of M predictions, of which a single one says the second class.
function predict(network, pixels) {
  let h = Float64Array.from(network.normalize ? normalized(pixels) : pixels, (pixel) => pixel / 255);
  network.layers.forEach(({ W, b }, l) => {
    const lit = Uint32Array.from(h.keys()).filter((j) => h[j] !== 0); // most of a picture is black
    const z = Float64Array.from(b, (sum, i) => {
      const row = i * h.length;
      for (let k = 0; k < lit.length; k++) sum += W[row + lit[k]] * h[lit[k]];
      return sum;
    });
    h = l < network.layers.length - 1 ? z.map(network.activation) : z;
  });
  const p = Array.from(network.output(h));
  return p.length > 1 ? p : [1 - p[0], p[0]];
}
