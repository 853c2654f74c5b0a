"""Optimizers: how theta moves, given the gradient of the cost. In place, on the flat arrays.

Each is made with the number of parameters and its momentum and steps by `step(theta, grad, learning_rate)`, which
uses `grad` as its working memory and leaves nothing of use in it. `state` names the arrays that a resumed run needs.
A new optimizer is one class and one line in `OPTIMIZERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from nnmnist.types import Array


class Optimizer(Protocol):
    """What `fit` asks of an optimizer."""

    state: dict[str, Array]

    def step(self, theta: Array, grad: Array, learning_rate: float) -> None:
        """Move `theta` (n,) by `grad` (n,) at `learning_rate`."""


# parameters taken at a time: their arrays stay in the cache from one operation to the next
BLOCK = 65_536
FLUSH_EVERY = 64  # steps


class SGD:
    """Gradient descent with momentum mu:  v <- mu v + g,  theta <- theta - eta v.

    This is the convention of PyTorch: the learning rate stands outside the velocity, so that a change of rate
    takes effect at once (Sutskever, Martens, Dahl, Hinton 2013, have it inside).
    """

    def __init__(self, size: int, momentum: float = 0.0, dtype: DTypeLike = np.float32) -> None:
        self.momentum = momentum
        self.state: dict[str, Array] = {}
        if momentum:
            self.state = {"velocity": np.zeros(size, dtype), "t": np.zeros((), np.int64)}

    def step(self, theta: Array, grad: Array, learning_rate: float) -> None:
        if self.momentum:
            velocity = self.state["velocity"]
            for part in _blocks(theta.size):
                v, g = velocity[part], grad[part]
                v *= self.momentum
                v += g
                np.multiply(v, learning_rate, out=g)
                theta[part] -= g
            _flush(self.state, "velocity")
        else:
            for part in _blocks(theta.size):
                grad[part] *= learning_rate
                theta[part] -= grad[part]


class Adam:
    """Adam (Kingma, Ba 2015), with beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8.

    m <- beta1 m + (1 - beta1) g,  v <- beta2 v + (1 - beta2) g^2,
    theta <- theta - eta (m / (1 - beta1^t)) / (sqrt(v / (1 - beta2^t)) + epsilon)
    """

    beta1, beta2, epsilon = 0.9, 0.999, 1e-8

    def __init__(self, size: int, momentum: float = 0.0, dtype: DTypeLike = np.float32) -> None:
        self._scratch = np.empty(min(size, BLOCK), dtype)
        self.state = {
            "m": np.zeros(size, dtype),
            "v": np.zeros(size, dtype),
            "t": np.zeros((), np.int64),
        }

    def step(self, theta: Array, grad: Array, learning_rate: float) -> None:
        _flush(self.state, "m", "v")
        t = int(self.state["t"])
        rate = learning_rate / (1.0 - self.beta1**t)
        for part in _blocks(theta.size):
            m, v, g = self.state["m"][part], self.state["v"][part], grad[part]
            scratch = self._scratch[: g.size]
            m *= self.beta1
            np.multiply(g, 1.0 - self.beta1, out=scratch)
            m += scratch
            v *= self.beta2
            g *= g
            g *= 1.0 - self.beta2
            v += g
            np.multiply(v, 1.0 / (1.0 - self.beta2**t), out=scratch)
            np.sqrt(scratch, out=scratch)
            scratch += self.epsilon
            np.divide(m, scratch, out=g)
            g *= rate
            theta[part] -= g


def _blocks(size: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, size, BLOCK))


def _flush(state: dict[str, Array], *names: str) -> None:
    """Count a step, and now and then set what has all but decayed to zero.

    Averages of gradients that have become zero, such as those of pixels that are rarely inked, decay into subnormal
    numbers, with which a processor is some hundred times slower: on MNIST they came to double the time of a step.
    """
    state["t"] += 1
    if int(state["t"]) % FLUSH_EVERY == 0:
        for name in names:
            array = state[name]
            tiny = float(np.finfo(array.dtype).tiny)
            for part in _blocks(array.size):
                np.copyto(array[part], 0.0, where=np.abs(array[part]) < tiny * 1e6)


OPTIMIZERS: dict[str, Callable[[int, float, DTypeLike], Optimizer]] = {
    "adam": Adam,
    "sgd": SGD,
}
