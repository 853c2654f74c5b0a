"""Optimizers move theta along the gradient of the cost, in place, on the flat arrays.

`step(theta, grad, learning_rate)` uses `grad` as working memory and leaves nothing of use in it.
`state` holds the arrays that a resumed run needs. A new optimizer is one class and one line in
`OPTIMIZERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from nnmnist.types import Array

BLOCK = 262_144  # parameters that are updated together: so many stay in the cache of a processor
FLUSH_EVERY = 64  # steps


class Optimizer(Protocol):
    """What `fit` needs of an optimizer for parameters theta (n,)."""

    state: dict[str, Array]

    def step(self, theta: Array, grad: Array, learning_rate: float) -> None:
        """Move `theta` (n,) by its gradient `grad` (n,)."""


class SGD:
    """Gradient descent with momentum mu: v <- mu v + g, theta <- theta - eta v.

    The learning rate stands outside the velocity, as in PyTorch, so that a new rate takes effect at
    once (in Sutskever, Martens, Dahl, Hinton 2013, it stands inside).
    """

    def __init__(self, size: int, momentum: float = 0.0, dtype: DTypeLike = np.float32) -> None:
        self.momentum = momentum
        self.state: dict[str, Array] = {}
        if momentum:
            self.state = {"velocity": np.zeros(size, dtype), "t": np.zeros((), np.int64)}

    def step(self, theta: Array, grad: Array, learning_rate: float) -> None:
        for block in _blocks(theta.size):
            g = grad[block]
            if self.momentum:
                v = self.state["velocity"][block]
                v *= self.momentum
                v += g
                np.multiply(v, learning_rate, out=g)
            else:
                g *= learning_rate
            theta[block] -= g
        if self.momentum:
            _count_step(self.state, "velocity")


class Adam:
    """Adam (Kingma, Ba 2015), with beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8; it has no momentum.

    m <- beta1 m + (1 - beta1) g,  v <- beta2 v + (1 - beta2) g^2,
    theta <- theta - eta (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
    """

    beta1, beta2, epsilon = 0.9, 0.999, 1e-8

    def __init__(self, size: int, momentum: float = 0.0, dtype: DTypeLike = np.float32) -> None:
        self._scratch = np.empty(min(size, BLOCK), dtype)
        self.state = {name: np.zeros(size, dtype) for name in "mv"} | {"t": np.zeros((), np.int64)}

    def step(self, theta: Array, grad: Array, learning_rate: float) -> None:
        _count_step(self.state, "m", "v")
        t = int(self.state["t"])
        rate = learning_rate / (1.0 - self.beta1**t)
        for block in _blocks(theta.size):
            m, v, g = self.state["m"][block], self.state["v"][block], grad[block]
            scratch = self._scratch[: g.size]
            m *= self.beta1
            m += np.multiply(g, 1.0 - self.beta1, out=scratch)
            v *= self.beta2
            g *= g
            g *= 1.0 - self.beta2
            v += g
            np.multiply(v, 1.0 / (1.0 - self.beta2**t), out=scratch)
            np.sqrt(scratch, out=scratch)
            scratch += self.epsilon
            np.divide(m, scratch, out=g)
            g *= rate
            theta[block] -= g


def _blocks(size: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, size, BLOCK))


def _count_step(state: dict[str, Array], *names: str) -> None:
    """Count a step; every FLUSH_EVERY steps, set values to zero that have almost decayed to zero.

    The average of gradients that have become zero, such as those of pixels that are rarely inked,
    decays into subnormal numbers, which slow a processor down: on MNIST they doubled a step's time.
    """
    state["t"] += 1
    if int(state["t"]) % FLUSH_EVERY == 0:
        for name in names:
            for block in _blocks(state[name].size):
                array = state[name][block]
                tiny = float(np.finfo(array.dtype).tiny)
                np.copyto(array, 0.0, where=np.abs(array) < tiny * 1e6)


OPTIMIZERS: dict[str, Callable[[int, float, DTypeLike], Optimizer]] = {"adam": Adam, "sgd": SGD}
