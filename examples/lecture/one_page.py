"""The hand-in on one page: an L-layer network for MNIST, in plain NumPy, in the lecture's indices.

    python examples/lecture/one_page.py

An example is a row here: h[l] is (n, n_l). W[l] is (n_l, n_{l-1}), as in the lecture.
"""

from itertools import pairwise

import numpy as np

import nnmnist


def initialize(sizes, rng):
    """Weights W[l] and biases b[l] for l = 1 .. L; W[0] and b[0] are not used."""
    W, b = [None], [None]
    for n_in, n_out in pairwise(sizes):
        W.append(rng.normal(0, np.sqrt(2 / n_in), (n_out, n_in)))
        b.append(np.zeros(n_out))
    return W, b


def forward(x, W, b):
    """h(0) = x, h(l) = relu(W(l) h(l-1) + b(l)) and z = W(L) h(L-1) + b(L)."""
    L, h = len(W) - 1, [x]
    for l in range(1, L):
        h.append(np.maximum(0, h[l - 1] @ W[l].T + b[l]))
    return h, h[L - 1] @ W[L].T + b[L]


def gradient(x, y, W, b):
    """The cost J = 1/n sum_i L_i and its derivatives dW[l] and db[l], for one-hot targets y."""
    L, n = len(W) - 1, len(x)
    h, z = forward(x, W, b)
    z = z - z.max(axis=1, keepdims=True)  # safe softmax: z_i <- z_i - max_m z_im
    J = np.mean(np.log(np.exp(z).sum(axis=1)) - (y * z).sum(axis=1))
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    dW, db = [None] * (L + 1), [None] * (L + 1)
    delta = (p - y) / n
    for l in range(L, 0, -1):
        dW[l] = delta.T @ h[l - 1]
        db[l] = delta.sum(axis=0)
        if l > 1:
            delta = (delta @ W[l]) * (h[l - 1] > 0)  # relu'(z) = 1 where h > 0
    return J, dW, db


def main():
    splits = nnmnist.load_data(nnmnist.load_config("plain").data, notify=print)
    x, y = splits.train.x, np.eye(10)[splits.train.y]
    rng = np.random.default_rng(0)
    W, b = initialize((784, 100, 10), rng)
    for epoch in range(1, 6):
        costs = []
        for batch in np.array_split(rng.permutation(len(x)), len(x) // 64):
            J, dW, db = gradient(x[batch], y[batch], W, b)
            costs.append(J)
            for l in range(1, len(W)):
                W[l] -= 0.2 * dW[l]
                b[l] -= 0.2 * db[l]
        accuracy = np.mean(forward(splits.test.x, W, b)[1].argmax(axis=1) == splits.test.y)
        print(f"epoch {epoch}: training cost {np.mean(costs):.4f}, test accuracy {accuracy:.2%}")


if __name__ == "__main__":
    main()
