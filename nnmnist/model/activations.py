"""Activation functions sigma, and the layer that applies one of them.

A derivative is written in terms of h = sigma(z), which the forward pass holds already, so that z
need not be kept. A new activation is one `Activation` and one line in `ACTIVATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from nnmnist.model.layers import Layer
from nnmnist.types import Array


class Activation(NamedTuple):
    """A function sigma of arrays (n, batch)."""

    apply: Callable[[Array, Array], object]  # (z, scratch): turn z into h = sigma(z)
    slope: Callable[[Array, Array], object]  # (h, out): write sigma'(z)
    # (n_in, n_out): the initial variance that keeps signals and gradients as large in each layer
    weight_variance: Callable[[int, int], float]


class ActivationLayer(Layer):
    """h = sigma(z), unit by unit."""

    def __init__(self, sigma: Activation, dtype: DTypeLike) -> None:
        super().__init__(dtype)
        self.sigma = sigma

    def forward(self, z: Array, rng: np.random.Generator | None = None) -> Array:
        self.sigma.apply(z, self.buffer("scratch", *z.shape))
        self.h = z  # now sigma(z), in the memory of z, which the derivative does not need
        return self.h

    def backward(self, delta: Array) -> Array:
        slope = self.buffer("scratch", *delta.shape)
        self.sigma.slope(self.h, slope)
        delta *= slope  # dJ/dz = dJ/dh sigma'(z)
        return delta


def he(n_in: int, n_out: int) -> float:
    """2 / n_in: half the units of a relu layer are silent (He, Zhang, Ren, Sun 2015)."""
    return 2.0 / n_in


def glorot(n_in: int, n_out: int) -> float:
    """2 / (n_in + n_out) (Glorot, Bengio 2010)."""
    return 2.0 / (n_in + n_out)


def _relu(z: Array, zeros: Array) -> None:
    """The larger of z and 0, which NumPy finds faster in an array of zeros than in a number."""
    zeros.fill(0.0)
    np.maximum(z, zeros, out=z)


def _sigmoid(z: Array, scratch: Array) -> None:
    """h = 1 / (1 + e^-z) = (1 + tanh(z / 2)) / 2, which overflows for no z."""
    z *= 0.5
    np.tanh(z, out=z)
    z += 1.0
    z *= 0.5


def _sigmoid_slope(h: Array, out: Array) -> None:
    """The slope h (1 - h)."""
    np.subtract(1.0, h, out=out)
    out *= h


def _tanh_slope(h: Array, out: Array) -> None:
    """The slope 1 - h^2."""
    np.multiply(h, h, out=out)
    np.subtract(1.0, out, out=out)


def _softplus(z: Array, scratch: Array) -> None:
    """h = ln(1 + e^z) = max(z, 0) + ln(1 + e^-|z|), which overflows for no z."""
    np.abs(z, out=scratch)
    np.negative(scratch, out=scratch)
    np.exp(scratch, out=scratch)
    np.log1p(scratch, out=scratch)
    np.maximum(z, 0.0, out=z)
    z += scratch


def _softplus_slope(h: Array, out: Array) -> None:
    """The sigmoid of z, which is 1 - e^-h."""
    np.negative(h, out=out)
    np.expm1(out, out=out)
    np.negative(out, out=out)


ACTIVATIONS = {
    "identity": Activation(lambda z, _: z, lambda h, out: out.fill(1.0), glorot),
    "relu": Activation(_relu, lambda h, out: np.greater(h, 0.0, out=out), he),
    "sigmoid": Activation(_sigmoid, _sigmoid_slope, glorot),
    "softplus": Activation(_softplus, _softplus_slope, he),
    "tanh": Activation(lambda z, _: np.tanh(z, out=z), _tanh_slope, glorot),
}
