"""Outputs: what the last layer's z means, what a mistake costs, and the derivative of that cost.

J is the mean of the costs L_i of the examples; column i of z and y (M, batch) is example i. With
class weights, J is the mean of w_i L_i, where w_i is the weight of example i's class:

    linear     p = z                             L_i = ||y_i - p_i||^2
    logistic   p = 1 / (1 + e^-z)                L_i = sum_m -y_im ln p_im - (1 - y_im) ln(1 - p_im)
    softmax    p_m = e^{z_m} / sum_l e^{z_l}     L_i = -sum_m y_im ln p_im

The derivative of L with respect to z is the error of the prediction, p - y, for all three (twice it
for linear):

    linear     d/dz (y - z)^2 = 2 (z - y)
    logistic   L = -y ln p - (1 - y) ln(1 - p) = ln(1 + e^z) - y z,  and  d/dz ln(1 + e^z) = p
    softmax    L = ln sum_l e^{z_l} - sum_m y_m z_m (since sum_m y_m = 1),  and
               d/dz_m ln sum_l e^{z_l} = p_m

The right-hand forms also show how to compute the costs from z without ever taking the logarithm of
a p that was rounded to 0. A generalized linear model keeps the squared error and applies a function
h to z. The chain rule puts its slope into the derivative. For linear, h is the identity:

    sigmoid, relu    p = h(z)    L_i = ||y_i - p_i||^2    dL/dz = 2 (p - y) h'(z)

A new output is one class (for another h, no class) and one line in `OUTPUTS`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import DTypeLike

from nnmnist.model.activations import ACTIVATIONS, Activation
from nnmnist.types import Array


def _log(p: Array) -> Array:
    """ln p, finite also where p was rounded to 0."""
    return np.log(np.maximum(p, np.finfo(p.dtype).tiny))


def _logit(p: Array) -> Array:
    """The z whose sigmoid is p."""
    return _log(p) - _log(1.0 - p)


class Output:
    """One object owns prediction, cost and derivative."""

    convex = True  # whether L is a convex function of z
    is_probability = True  # whether p are probabilities
    has_none = False  # whether the last output is for none of the classes
    link: Callable[[Array], Array]  # p (M, batch) -> the z whose prediction is p

    def predict(self, z: Array) -> Array:
        """p (M, batch), in the memory of z."""
        raise NotImplementedError

    def cost(self, z: Array, y: Array) -> tuple[Array, Array, Array]:
        """The costs L_i (batch,), p (M, batch) in the memory of z, and delta = dL/dz (M, batch)."""
        raise NotImplementedError

    def n_units(self, n_classes: int) -> int:
        """The number M of outputs for so many classes."""
        return n_classes + self.has_none

    def one_hot(self, n_classes: int, dtype: DTypeLike = np.float32) -> Array:
        """(M, n_classes): column k is the target y of class k; a single output is for the last."""
        n = self.n_units(n_classes)
        return np.eye(n, n_classes, max(0, n_classes - n), dtype)

    def class_probabilities(self, p: Array) -> Array:
        """(n_classes, batch): the probability of each class, or the score of a squared error."""
        return p[:-1] if self.has_none else p

    def label(self, p: Array) -> Array:
        """The predicted class (batch,) for the predictions p (M, batch)."""
        return self.class_probabilities(p).argmax(axis=0)


class SquaredError(Output):
    """p = h(z) with the squared error; for classes, the regression of their one-hot vectors."""

    is_probability = False  # p need not lie in [0, 1]

    def __init__(self, h: Activation, link: Callable[[Array], Array], convex: bool) -> None:
        self.h, self.link, self.convex = h, link, convex

    def predict(self, z: Array) -> Array:
        self.h.apply(z, np.empty_like(z))
        return z  # now p

    def cost(self, z: Array, y: Array) -> tuple[Array, Array, Array]:
        p = self.predict(z)
        error = np.subtract(p, y, out=np.empty_like(p))
        squares = np.multiply(error, error, out=np.empty_like(p))
        delta = np.multiply(error, 2.0, out=error)  # delta takes the memory of p - y
        slope = np.empty_like(p)
        self.h.slope(p, slope)
        delta *= slope
        return np.add.reduce(squares, axis=0), p, delta


class Logistic(Output):
    """One sigmoid per output: a single one for two classes, else one per class."""

    link = staticmethod(_logit)

    def predict(self, z: Array) -> Array:
        ACTIVATIONS["sigmoid"].apply(z, z)
        return z  # now p

    def cost(self, z: Array, y: Array) -> tuple[Array, Array, Array]:
        # L = ln(1 + e^z) - y z = ln(1 + e^-|z|) + max(z, 0) - y z: no exponent is positive
        costs = np.add.reduce(np.log1p(np.exp(-np.abs(z))), axis=0)
        costs += np.add.reduce(np.maximum(z, 0.0), axis=0)
        costs -= np.add.reduce(y * z, axis=0)
        p = self.predict(z)
        return costs, p, p - y

    def n_units(self, n_classes: int) -> int:
        return 1 if n_classes == 2 else n_classes

    def class_probabilities(self, p: Array) -> Array:
        return np.concatenate([1 - p, p]) if len(p) == 1 else p


class Softmax(Output):
    """M probabilities that sum to one."""

    link = staticmethod(_log)

    def predict(self, z: Array) -> Array:
        z -= np.maximum.reduce(z, axis=0)
        p = np.exp(z, out=z)  # p takes the memory of z
        p /= np.add.reduce(p, axis=0)
        return p

    def cost(self, z: Array, y: Array) -> tuple[Array, Array, Array]:
        # z_i <- z_i - max_m z_im: no e^z overflows, and their sum is at least 1
        z -= np.maximum.reduce(z, axis=0)
        yz = np.multiply(y, z, out=np.empty_like(z))
        p = np.exp(z, out=z)  # p takes the memory of z
        total = np.add.reduce(p, axis=0)
        p /= total
        costs = np.log(total, out=total)
        costs -= np.add.reduce(yz, axis=0)
        return costs, p, np.subtract(p, y, out=yz)  # delta takes the memory of y z


class SoftmaxOrNone(Softmax):
    """Softmax with one more output, for none of the classes."""

    has_none = True


OUTPUTS: dict[str, Output] = {
    "linear": SquaredError(ACTIVATIONS["identity"], lambda p: p, convex=True),
    "logistic": Logistic(),
    "relu": SquaredError(ACTIVATIONS["relu"], lambda p: p, convex=False),
    "sigmoid": SquaredError(ACTIVATIONS["sigmoid"], _logit, convex=False),
    "softmax": Softmax(),
    "softmax_or_none": SoftmaxOrNone(),
}
