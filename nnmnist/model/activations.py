"""Activation functions sigma and their derivatives, written in place.

The derivative is expressed by h = sigma(z), which the forward pass holds already, so that z need not be kept.
A new activation is one `Activation` and one line in `ACTIVATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnmnist.types import Array


@dataclass(frozen=True)
class Activation:
    """`apply(z, scratch)` turns z into h = sigma(z); `derivative(h, out)` writes sigma'(z).

    All arrays have one shape, (n_l, batch). `derivative` is None where sigma' = 1.
    `weight_variance(n_in, n_out)` is the variance of the initial weights that keeps the size of signals and
    gradients from layer to layer.
    """

    apply: Callable[[Array, Array], object]
    derivative: Callable[[Array, Array], object] | None
    weight_variance: Callable[[int, int], float]


def he(n_in: int, n_out: int) -> float:
    """2 / n_in: half the units of a relu layer are silent (He, Zhang, Ren, Sun 2015)."""
    return 2.0 / n_in


def glorot(n_in: int, n_out: int) -> float:
    """2 / (n_in + n_out) (Glorot, Bengio 2010)."""
    return 2.0 / (n_in + n_out)


def _sigmoid(z: Array, scratch: Array) -> None:
    """h = 1 / (1 + e^-z) = (1 + tanh(z / 2)) / 2, which overflows for no z."""
    z *= 0.5
    np.tanh(z, out=z)
    z += 1.0
    z *= 0.5


def _sigmoid_derivative(h: Array, out: Array) -> None:
    """h (1 - h)"""
    np.subtract(1.0, h, out=out)
    out *= h


def _tanh_derivative(h: Array, out: Array) -> None:
    """1 - h^2"""
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


def _softplus_derivative(h: Array, out: Array) -> None:
    """The sigmoid of z, which is 1 - e^-h."""
    np.negative(h, out=out)
    np.expm1(out, out=out)
    np.negative(out, out=out)


ACTIVATIONS = {
    "identity": Activation(lambda z, _: z, None, glorot),
    "relu": Activation(
        lambda z, _: np.maximum(z, 0.0, out=z), lambda h, out: np.greater(h, 0.0, out=out), he
    ),
    "sigmoid": Activation(_sigmoid, _sigmoid_derivative, glorot),
    "softplus": Activation(_softplus, _softplus_derivative, he),
    "tanh": Activation(lambda z, _: np.tanh(z, out=z), _tanh_derivative, glorot),
}
