"""Outputs: what the last layer's z means, what a mistake costs, and the derivative of that cost.

With J the mean of the cost L_i over the examples, one column i of z and y (M, batch) an example:

    linear     p = z                             L_i = ||y_i - p_i||^2
    logistic   p = 1 / (1 + e^-z)                L_i = sum_m -y_im ln p_im - (1 - y_im) ln(1 - p_im)
    softmax    p_m = e^{z_m} / sum_l e^{z_l}     L_i = -sum_m y_im ln p_im

and the derivative with respect to z is the error of the prediction, p - y, for all three (twice it for linear):

    linear     d/dz (y - z)^2 = 2 (z - y)
    logistic   L = -y ln p - (1 - y) ln(1 - p) = ln(1 + e^z) - y z,  and  d/dz ln(1 + e^z) = p
    softmax    L = ln sum_l e^{z_l} - sum_m y_m z_m (since sum_m y_m = 1),  and  d/dz_m ln sum_l e^{z_l} = p_m

The right-hand forms also say how to compute the costs from z without ever taking the logarithm of a p that
has been rounded to 0. A generalized linear model keeps the squared error and puts a function h before it, by the
chain rule with its slope in the derivative; linear is the one whose h is the identity:

    sigmoid, relu    p = h(z)    L_i = ||y_i - p_i||^2    dL/dz = 2 (p - y) h'(z)

A new output is one class (another h: none) and one line in `OUTPUTS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from nnmnist.model.activations import ACTIVATIONS, Activation
from nnmnist.types import Array


class Output(Protocol):
    """One object owns prediction, cost and derivative."""

    convex: bool  # whether L is a convex function of z
    is_probability: bool  # whether p are probabilities

    def predict(self, z: Array) -> None:
        """Turn z (M, batch) into p, in place."""

    def cost(self, z: Array, y: Array, scratch: Array) -> Array:
        """Turn z (M, batch) into p, in place, and return the cost L_i of each example (batch,)."""

    def delta(self, p: Array, y: Array, out: Array) -> None:
        """Write dL/dz (M, batch) into `out`."""

    def inverse(self, p: Array) -> Array:
        """The z (M, batch) whose prediction is p."""

    def units(self, n_classes: int) -> int:
        """How many outputs M tell that many classes apart."""

    def label(self, p: Array) -> Array:
        """The class (batch,) that the prediction p (M, batch) says."""


class SquaredError:
    """p = h(z) with the squared error; on labels, the regression of their one-hot code.

    Args:
        h: the function of z; the identity makes linear regression.
        inverse: the z whose h(z) is p.
    """

    is_probability = False  # on labels p leans to their one-hot code, and need not lie in [0, 1]

    def __init__(self, h: Activation, inverse: Callable[[Array], Array]) -> None:
        self.h = h
        self.inverse = inverse
        self.convex = h.derivative is None

    def predict(self, z: Array) -> None:
        self.h.apply(z, np.empty_like(z))

    def cost(self, z: Array, y: Array, scratch: Array) -> Array:
        self.predict(z)
        np.subtract(z, y, out=scratch)
        scratch *= scratch
        return np.add.reduce(scratch, axis=0)

    def delta(self, p: Array, y: Array, out: Array) -> None:
        np.subtract(p, y, out=out)
        out *= 2.0
        if self.h.derivative:
            slope = np.empty_like(p)
            self.h.derivative(p, slope)
            out *= slope

    def units(self, n_classes: int) -> int:
        return n_classes

    def label(self, p: Array) -> Array:
        return p.argmax(axis=0)


class Logistic:
    """One sigmoid an output: a single one for two classes, else one for each class against the others."""

    convex = True
    is_probability = True

    def predict(self, z: Array) -> None:
        ACTIVATIONS["sigmoid"].apply(z, z)

    def cost(self, z: Array, y: Array, scratch: Array) -> Array:
        # ln(1 + e^z) - y z = max(z, 0) - y z + ln(1 + e^-|z|), where no exponent is positive
        np.abs(z, out=scratch)
        np.negative(scratch, out=scratch)
        np.exp(scratch, out=scratch)
        np.log1p(scratch, out=scratch)
        cost = np.add.reduce(scratch, axis=0)
        np.maximum(z, 0.0, out=scratch)
        cost += np.add.reduce(scratch, axis=0)
        np.multiply(z, y, out=scratch)
        cost -= np.add.reduce(scratch, axis=0)
        self.predict(z)
        return cost

    def delta(self, p: Array, y: Array, out: Array) -> None:
        np.subtract(p, y, out=out)

    def inverse(self, p: Array) -> Array:
        return _logit(p)

    def units(self, n_classes: int) -> int:
        return 1 if n_classes == 2 else n_classes

    def label(self, p: Array) -> Array:
        return (p[0] > 0.5).astype(np.intp) if len(p) == 1 else p.argmax(axis=0)


class Softmax:
    """M probabilities that sum to one."""

    convex = True
    is_probability = True

    def predict(self, z: Array) -> None:
        z -= np.maximum.reduce(z, axis=0)
        np.exp(z, out=z)
        z /= np.add.reduce(z, axis=0)

    def cost(self, z: Array, y: Array, scratch: Array) -> Array:
        z -= np.maximum.reduce(
            z, axis=0
        )  # z_i <- z_i - max_m z_im: no e^z overflows, and the sum is at least 1
        np.multiply(y, z, out=scratch)
        np.exp(z, out=z)
        total = np.add.reduce(z, axis=0)
        z /= total  # p
        cost = np.log(total, out=total)
        cost -= np.add.reduce(scratch, axis=0)
        return cost

    def delta(self, p: Array, y: Array, out: Array) -> None:
        np.subtract(p, y, out=out)

    def inverse(self, p: Array) -> Array:
        return _log(p)

    def units(self, n_classes: int) -> int:
        return n_classes

    def label(self, p: Array) -> Array:
        return p.argmax(axis=0)


def _log(p: Array) -> Array:
    """ln p, finite also where p has been rounded to 0."""
    return np.log(np.maximum(p, np.finfo(p.dtype).tiny))


def _logit(p: Array) -> Array:
    """The z whose sigmoid is p."""
    return _log(p) - _log(1.0 - p)


def _itself(p: Array) -> Array:
    return p


OUTPUTS: dict[str, Output] = {
    "linear": SquaredError(ACTIVATIONS["identity"], inverse=_itself),
    "logistic": Logistic(),
    "relu": SquaredError(ACTIVATIONS["relu"], inverse=_itself),
    "sigmoid": SquaredError(ACTIVATIONS["sigmoid"], inverse=_logit),
    "softmax": Softmax(),
}
