"""The L-layer network: h(0) = x, h(l) = sigma(W(l) h(l-1) + b(l)), z = W(L) h(L-1) + b(L)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from itertools import pairwise

import numpy as np
from numpy.typing import DTypeLike

from nnmnist import types
from nnmnist.model.activations import ACTIVATIONS, ActivationLayer
from nnmnist.model.layers import Dense, Dropout, Layer
from nnmnist.model.outputs import OUTPUTS
from nnmnist.types import Array

CHUNK = 500  # examples that a prediction takes at once: more would not stay in the cache


class Network:
    """A list of layers and two loops over it: forward, and backward for the gradient.

    `theta` holds all parameters, first the weights, then the biases; `grad` their derivatives.
    `W[l]` (n_out, n_in), `b[l]` (n_out,), `dW[l]` and `db[l]` are views of the two. Python counts
    from 0: `W[0]` is the lecture's W(1). Wrong arguments, also of the methods, raise TypeError or
    ValueError, which names what is allowed.

    Args:
        sizes: units of each layer, inputs first: (784, 256, 10) has L = 2 layers of weights.
        activation: a name in `ACTIVATIONS`, for all hidden layers.
        output: a name in `OUTPUTS`; it decides the prediction and the cost.
        dropout, input_dropout: probability that a hidden unit, or an input, is dropped in a step.
        dtype: float32 to train, float64 to check gradients.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        activation: str = "relu",
        output: str = "softmax",
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.sizes, self.dtype = types.checked_sizes(sizes), types.checked_dtype(dtype)
        self.activation_name, self.output_name = activation, output
        self.activation = types.look_up("activation", activation, ACTIVATIONS)
        self.output = types.look_up("output", output, OUTPUTS)
        self.dropout, self.input_dropout = types.checked_rates(dropout, input_dropout)
        self.layers = self.make_layers()
        self.dense = [layer for layer in self.layers if isinstance(layer, Dense)]
        self.n_weights = sum(layer.n_out * layer.n_in for layer in self.dense)
        self.theta = np.zeros(self.n_weights + sum(layer.n_out for layer in self.dense), self.dtype)
        self.grad, self._penalty = np.zeros_like(self.theta), np.zeros(self.n_weights, self.dtype)
        self.W, self.b = self.views(self.theta)
        self.dW, self.db = self.views(self.grad)
        for l, layer in enumerate(self.dense):
            layer.W, layer.b, layer.dW, layer.db = self.W[l], self.b[l], self.dW[l], self.db[l]

    def __repr__(self) -> str:
        names = f"activation={self.activation_name!r}, output={self.output_name!r}"
        return f"Network({self.sizes}, {names}, dtype={self.dtype.name!r})"

    def make_layers(self) -> list[Layer]:
        """A dense layer for each W(l), and between two of them the activation and dropout."""
        rate = self.input_dropout
        layers: list[Layer] = [Dropout(rate, self.dtype)] if rate else []
        for n_in, n_out in pairwise(self.sizes[:-1]):
            layers += [Dense(n_in, n_out, self.dtype), ActivationLayer(self.activation, self.dtype)]
            if self.dropout:
                layers.append(Dropout(self.dropout, self.dtype))
        return [*layers, Dense(self.sizes[-2], self.sizes[-1], self.dtype, order="C")]

    def views(self, flat: Array) -> tuple[list[Array], list[Array]]:
        """W (n_out, n_in) and b (n_out,) of each layer as views of `flat`, which is like theta.

        A W lies input by input in memory: the products of a step are then up to a quarter faster.
        """
        weights, biases, w, b = [], [], 0, self.n_weights
        for layer in self.dense:
            n_out, n_in = layer.n_out, layer.n_in
            weights.append(flat[w : w + n_out * n_in].reshape(n_out, n_in, order="F"))
            biases.append(flat[b : b + n_out])
            w, b = w + n_out * n_in, b + n_out
        return weights, biases

    def initialize(self, rng: np.random.Generator) -> None:
        """Normal weights with the variance of the activation; zeros where the cost is convex."""
        types.require_type("rng", rng, np.random.Generator, "np.random.default_rng(seed)")
        self.theta[:] = 0.0
        for W in self.W if len(self.W) > 1 or not self.output.convex else []:
            deviation = np.float32(self.activation.weight_variance(*W.shape[::-1]) ** 0.5)
            W[:] = rng.standard_normal(W.shape, dtype=np.float32) * deviation

    def forward(self, x: Array, rng: np.random.Generator | None = None) -> Array:
        """z (M, batch) for the inputs x (batch, n_inputs)."""
        types.require_array("x", x, ("batch", self.sizes[0]), least=1)
        h = x.T
        for layer in self.layers:
            h = layer.forward(h, rng)
        return h  # z: the last layer has no activation

    def gradient(
        self,
        x: Array,
        y: Array,
        weight_decay: float = 0.0,
        rng: np.random.Generator | None = None,
        example_weights: Array | float = 1.0,
    ) -> tuple[Array, Array]:
        """Fill `grad` with the derivative of J = mean_i w_i L_i + weight_decay / 2 sum W^2.

        Takes inputs x (batch, n_inputs), targets y (M, batch), which are one-hot for classes, and
        the weights w_i of the examples (batch,). Returns the costs w_i L_i (batch,) and the
        predictions p (M, batch), valid until the next call.
        """
        z = self.forward(x, rng)
        types.require_array("y", y, z.shape)
        types.require_weights(example_weights, len(x))
        costs, p, delta = self.output.cost(z, y)
        costs *= example_weights
        delta *= example_weights / len(x)  # now dJ/dz
        for layer in reversed(self.layers):
            layer.gradient(delta)
            if layer is self.dense[0]:
                break  # dJ/dx is of no use here
            delta = layer.backward(delta)
        if weight_decay:
            np.multiply(self.theta[: self.n_weights], weight_decay, out=self._penalty)
            self.grad[: self.n_weights] += self._penalty
        return costs, p

    def logits(self, x: Array) -> Array:
        """z (M, n) for the inputs x (n, n_inputs)."""
        types.require_array("x", x, ("n", self.sizes[0]))
        network = copy(self)  # with buffers of its own: several threads may predict at once
        network.layers = [layer.with_own_buffers() for layer in self.layers]
        z = np.empty((self.sizes[-1], len(x)), self.dtype)
        for start in range(0, len(x), CHUNK):
            chunk = x[start : start + CHUNK].astype(self.dtype, copy=False)
            z[:, start : start + CHUNK] = network.forward(chunk)
        return z

    def predict(self, x: Array) -> Array:
        """p for the inputs x (n, n_inputs): (n, M), without an output for none of the classes."""
        return self.output.predict(self.logits(x))[: -1 if self.output.has_none else None].T

    def parameters(self) -> dict[str, Array]:
        """W1, b1, W2, b2, ...: numbered as in the lecture, named as in a checkpoint."""
        numbered = enumerate(zip(self.W, self.b, strict=True), start=1)
        return {name: a for l, (W, b) in numbered for name, a in ((f"W{l}", W), (f"b{l}", b))}
