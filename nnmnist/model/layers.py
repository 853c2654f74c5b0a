"""The layers of a network. One column is one example, as in the lecture: h is (n, batch).

A layer owns its buffers and allocates them once for each batch size. They lie example by example in
memory (order "F"), the few outputs z unit by unit ("C"): measured to be the fastest.
"""

from __future__ import annotations

from copy import copy

import numpy as np
from numpy.typing import DTypeLike

from nnmnist.types import Array, Order


class Layer:
    """What the two loops of `Network` call. `rng` samples the units to drop; None drops none."""

    def __init__(self, dtype: DTypeLike) -> None:
        self.dtype = np.dtype(dtype)
        self._buffers: dict[tuple[str, int, int], Array] = {}

    def forward(self, h: Array, rng: np.random.Generator | None = None) -> Array:
        """The output (n_out, batch) for the input h (n_in, batch)."""
        raise NotImplementedError

    def gradient(self, delta: Array) -> None:
        """Store the derivatives of the parameters, if any; delta is dJ/d(output) (n_out, batch)."""

    def backward(self, delta: Array) -> Array:
        """dJ/dh (n_in, batch) for this delta; may reuse its memory."""
        raise NotImplementedError

    def buffer(self, name: str, n: int, batch: int, order: Order = "F") -> Array:
        """An array (n, batch) whose values hold until the next call of this layer."""
        if (name, n, batch) not in self._buffers:
            self._buffers[name, n, batch] = np.ndarray((n, batch), self.dtype, order=order)
        return self._buffers[name, n, batch]

    def with_own_buffers(self) -> Layer:
        """A layer with the same parameters and with buffers that nobody else uses."""
        layer = copy(self)
        layer._buffers = {}
        return layer


class Dense(Layer):
    """z = W h + b. W (n_out, n_in), b (n_out,), dW and db are views of the network's arrays."""

    def __init__(self, n_in: int, n_out: int, dtype: DTypeLike, order: Order = "F") -> None:
        super().__init__(dtype)
        self.n_in, self.n_out, self.order = n_in, n_out, order
        self.W = self.b = self.dW = self.db = np.empty(0, dtype)  # the network places them

    def forward(self, h: Array, rng: np.random.Generator | None = None) -> Array:
        self.h = h
        z = self.buffer("z", self.n_out, h.shape[1], self.order)
        np.matmul(self.W, h, out=z)
        z += self.b[:, None]
        return z

    def gradient(self, delta: Array) -> None:
        np.matmul(delta, self.h.T, out=self.dW)  # dJ/dW = delta h^T
        np.add.reduce(delta, axis=1, out=self.db)  # dJ/db = sum of delta over the batch

    def backward(self, delta: Array) -> Array:
        dh = self.buffer("dh", self.n_in, delta.shape[1])
        return np.matmul(self.W.T, delta, out=dh)  # dJ/dh = W^T delta


class Dropout(Layer):
    """Sets each unit to 0 with probability `rate` in a training step (Srivastava et al. 2014).

    The others are multiplied by 1 / (1 - rate): this keeps the mean, so prediction needs no factor.
    """

    def __init__(self, rate: float, dtype: DTypeLike) -> None:
        super().__init__(dtype)
        self.rate = rate

    def forward(self, h: Array, rng: np.random.Generator | None = None) -> Array:
        self.mask = None if rng is None else self.dropout_mask(h.shape[0], h.shape[1], rng)
        if self.mask is None:
            return h
        return np.multiply(h, self.mask, out=self.buffer("dropped", *h.shape))

    def backward(self, delta: Array) -> Array:
        return delta if self.mask is None else np.multiply(delta, self.mask, out=delta)

    def dropout_mask(self, n: int, batch: int, rng: np.random.Generator) -> Array:
        """(n, batch): 0 for a unit that is dropped, else 1 / (1 - rate)."""
        mask = self.buffer("mask", n, batch)
        rng.random(dtype=mask.dtype.type, out=mask.T)
        np.greater_equal(mask, self.rate, out=mask)
        mask *= 1.0 / (1.0 - self.rate)
        return mask
