"""Optimizers: how theta moves, given the gradient of the cost. In place, on the flat arrays.

Each is made with the number of parameters and its momentum and steps by `step(theta, grad, learning_rate)`, which
uses `grad` as its working memory and leaves nothing of use in it. `state` names the arrays that a resumed run needs.
A new optimizer is one class and one line in `OPTIMIZERS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]


class Optimizer(Protocol):
    """What `fit` asks of an optimizer."""

    state: dict[str, Array]

    def step(self, theta: Array, grad: Array, learning_rate: float) -> None:
        """Move `theta` (n,) by `grad` (n,) at `learning_rate`."""


class SGD:
    """Gradient descent with momentum mu:  v <- mu v + g,  theta <- theta - eta v.

    This is the convention of PyTorch: the learning rate stands outside the velocity, so that a change of rate
    takes effect at once (Sutskever, Martens, Dahl, Hinton 2013, have it inside).
    """

    def __init__(self, size: int, momentum: float = 0.0, dtype: DTypeLike = np.float32) -> None:
        self.momentum = momentum
        self.state: dict[str, Array] = {"velocity": np.zeros(size, dtype)} if momentum else {}

    def step(self, theta: Array, grad: Array, learning_rate: float) -> None:
        if self.momentum:
            velocity = self.state["velocity"]
            velocity *= self.momentum
            velocity += grad
            np.multiply(velocity, learning_rate, out=grad)
        else:
            grad *= learning_rate
        theta -= grad


class Adam:
    """Adam (Kingma, Ba 2015), with beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8.

    m <- beta1 m + (1 - beta1) g,  v <- beta2 v + (1 - beta2) g^2,
    theta <- theta - eta (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
    """

    beta1, beta2, epsilon = 0.9, 0.999, 1e-8

    def __init__(self, size: int, momentum: float = 0.0, dtype: DTypeLike = np.float32) -> None:
        self._scratch = np.empty(size, dtype)
        self.state = {"m": np.zeros(size, dtype), "v": np.zeros(size, dtype), "t": np.zeros((), np.int64)}

    def step(self, theta: Array, grad: Array, learning_rate: float) -> None:
        m, v, scratch = self.state["m"], self.state["v"], self._scratch
        self.state["t"] += 1
        t = int(self.state["t"])
        m *= self.beta1
        np.multiply(grad, 1.0 - self.beta1, out=scratch)
        m += scratch
        v *= self.beta2
        grad *= grad
        grad *= 1.0 - self.beta2
        v += grad
        np.multiply(v, 1.0 / (1.0 - self.beta2**t), out=scratch)
        np.sqrt(scratch, out=scratch)
        scratch += self.epsilon
        np.divide(m, scratch, out=grad)
        grad *= learning_rate / (1.0 - self.beta1**t)
        theta -= grad


OPTIMIZERS: dict[str, Callable[[int, float, DTypeLike], Optimizer]] = {
    "adam": Adam,
    "sgd": SGD,
}
