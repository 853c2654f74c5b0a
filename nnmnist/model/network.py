"""The L-layer network:  h(0) = x,  h(l) = sigma(W(l) h(l-1) + b(l)),  z = W(L) h(L-1) + b(L)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from nnmnist.model.activations import ACTIVATIONS
from nnmnist.model.outputs import OUTPUTS

Array = NDArray[Any]

CHUNK = 2000  # examples a forward pass takes at once where no gradient is wanted


class Network:
    """Parameters and the two loops over layers, forward and backward.

    `theta` holds all parameters, all weights first and then all biases, and `grad` their derivatives in the same
    order; `W[l]` (n_out, n_in), `b[l]` (n_out,), `dW[l]`, `db[l]` are views of them, for l = 0 .. L-1.

    Args:
        sizes: units of each layer, inputs first: (784, 256, 10) has L = 2 layers of weights.
        activation: a name in `ACTIVATIONS`, for all hidden layers.
        output: a name in `OUTPUTS`.
        dropout: probability with which a hidden unit is silent during a training step (Srivastava et al. 2014;
            inverted, so that prediction needs no factor).
        dtype: float32 to train, float64 to check gradients.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "relu",
        output: str = "softmax",
        dropout: float = 0.0,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.sizes = tuple(sizes)
        self.activation_name, self.activation = activation, ACTIVATIONS[activation]
        self.output_name, self.output = output, OUTPUTS[output]
        self.dropout = dropout
        self.dtype = np.dtype(dtype)
        shapes = list(zip(self.sizes[1:], self.sizes[:-1], strict=True))  # (n_out, n_in)
        self.n_weights = sum(n_out * n_in for n_out, n_in in shapes)
        n_biases = sum(self.sizes[1:])
        self.theta = np.zeros(self.n_weights + n_biases, self.dtype)
        self.grad = np.zeros_like(self.theta)
        self.W, self.b = _views(self.theta, shapes)
        self.dW, self.db = _views(self.grad, shapes)
        self._decay: Array | None = None
        self._buffers: dict[int, Buffers] = {}

    def parameters(self) -> dict[str, Array]:
        """W1, b1, W2, b2, ...: the views by the names that they have in a checkpoint."""
        named: dict[str, Array] = {}
        for l, (W, b) in enumerate(zip(self.W, self.b, strict=True), start=1):
            named[f"W{l}"], named[f"b{l}"] = W, b
        return named

    def initialize(self, rng: np.random.Generator) -> None:
        """Normal weights of the variance that fits the activation, zero biases.

        Softmax regression and its kin, without hidden layers, start at zero: their cost is convex.
        """
        self.theta[:] = 0.0
        if len(self.W) == 1 and self.output.convex:
            return
        for W in self.W:
            n_out, n_in = W.shape
            variance = self.activation.weight_variance(n_in, n_out)
            W[:] = rng.standard_normal((n_out, n_in), dtype=np.float32) * np.float32(variance**0.5)

    def forward(self, x: Array, buffers: Buffers, rng: np.random.Generator | None = None) -> Array:
        """z (M, batch) of the inputs x (batch, n_inputs); with `rng`, hidden units are dropped."""
        h = x.T
        last = len(self.W) - 1
        for l, (W, b) in enumerate(zip(self.W, self.b, strict=True)):
            z = np.matmul(W, h, out=buffers.h[l])
            z += b[:, None]
            if l == last:
                break
            self.activation.apply(z, buffers.scratch[l])
            h = buffers.drop(l, self.dropout, rng) if rng is not None and self.dropout else z
        return z

    def backward(self, x: Array, delta: Array, buffers: Buffers, dropped: bool) -> None:
        """Fill `grad` from delta = dJ/dz (M, batch) and what `forward` left in `buffers`."""
        for l in reversed(range(len(self.W))):
            below = buffers.dropped if dropped else buffers.h  # what layer l was given
            h = below[l - 1] if l else x.T
            np.matmul(delta, h.T, out=self.dW[l])  # dJ/dW(l) = delta(l) h(l-1)^T
            np.add.reduce(delta, axis=1, out=self.db[l])
            if l:
                delta = np.matmul(self.W[l].T, delta, out=buffers.delta[l - 1])  # dJ/dh(l-1)
                if dropped:
                    delta *= buffers.mask[l - 1]
                if self.activation.derivative:
                    slope = buffers.scratch[l - 1]
                    self.activation.derivative(buffers.h[l - 1], slope)
                    delta *= slope

    def gradient(
        self, x: Array, y: Array, weight_decay: float = 0.0, rng: np.random.Generator | None = None
    ) -> tuple[Array, Array]:
        """Fill `grad` with the derivative of J = mean_i L_i + weight_decay / 2 sum W^2.

        Args:
            x: (batch, n_inputs) inputs. y: (M, batch) targets, one-hot columns for classes.
            rng: draws the dropped units; None drops nothing.

        Returns:
            The costs L_i (batch,) and the predictions p (M, batch), both valid until the next call.
        """
        batch = len(x)
        buffers = self._buffers.get(batch)
        if buffers is None:
            buffers = self._buffers[batch] = Buffers(self, batch, training=True)
        z = self.forward(x, buffers, rng)
        delta = buffers.delta[-1]
        costs = self.output.cost(z, y, delta)
        p = z
        self.output.delta(p, y, delta)
        delta *= 1.0 / batch
        self.backward(x, delta, buffers, dropped=rng is not None and self.dropout > 0)
        if weight_decay:
            if self._decay is None:
                self._decay = np.empty(self.n_weights, self.dtype)
            np.multiply(self.theta[: self.n_weights], weight_decay, out=self._decay)
            self.grad[: self.n_weights] += self._decay
        return costs, p

    def logits(self, x: Array) -> Array:
        """z (M, n) for the inputs x (n, n_inputs)."""
        z = np.empty((self.sizes[-1], len(x)), self.dtype)
        for start in range(0, len(x), CHUNK):
            part = x[start : start + CHUNK].astype(self.dtype, copy=False)
            z[:, start : start + CHUNK] = self.forward(part, Buffers(self, len(part)))
        return z

    def predict(self, x: Array) -> Array:
        """Predictions p (n, M) for the inputs x (n, n_inputs): probabilities for logistic and softmax."""
        z = self.logits(x)
        self.output.predict(z)
        return z.T


class Buffers:
    """The working memory of a pass over `batch` examples, allocated once.

    Memory order is a matter of measured speed alone: hidden layers lie example by example (Fortran order), as the
    inputs do; the few outputs lie unit by unit, so that sums over them run along the batch.
    """

    def __init__(self, network: Network, batch: int, training: bool = False) -> None:
        self.batch = batch
        *hidden, n_outputs = network.sizes[1:]

        def layers(last: bool) -> list[Array]:
            arrays: list[Array] = [
                np.empty((n, batch), network.dtype, order="F") for n in hidden
            ]  # (n_l, batch)
            return [*arrays, np.empty((n_outputs, batch), network.dtype)] if last else arrays

        self.h = layers(last=True)
        flat = np.empty(max(hidden, default=0) * batch, network.dtype)
        self.scratch = [flat[: n * batch].reshape(n, batch, order="F") for n in hidden]
        if training:
            self.delta = layers(last=True)
            if network.dropout:
                self.mask = layers(last=False)
                self.dropped = layers(last=False)

    def drop(self, l: int, dropout: float, rng: np.random.Generator) -> Array:
        """h(l) with each unit silenced with probability `dropout`, the others scaled to keep the mean.

        h itself stays as it is: the derivatives of sigmoid and tanh are computed from it.
        """
        mask = self.mask[l]
        rng.random(dtype=mask.dtype, out=mask.T)
        np.greater_equal(mask, dropout, out=mask)
        mask *= 1.0 / (1.0 - dropout)
        return np.multiply(self.h[l], mask, out=self.dropped[l])


def _views(flat: Array, shapes: Sequence[tuple[int, int]]) -> tuple[list[Array], list[Array]]:
    """Weights (n_out, n_in) and biases (n_out,) as views of one flat array, all weights first.

    Weights lie input by input (Fortran order): both products of a training step are then up to a quarter faster.
    """
    weights, biases, at = [], [], 0
    for n_out, n_in in shapes:
        weights.append(flat[at : at + n_out * n_in].reshape(n_out, n_in, order="F"))
        at += n_out * n_in
    for n_out, _ in shapes:
        biases.append(flat[at : at + n_out])
        at += n_out
    return weights, biases
