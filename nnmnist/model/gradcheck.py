"""The analytic gradient against central differences: (J(theta + e) - J(theta - e)) / 2e."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnmnist.model.network import Network

Array = NDArray[Any]


@dataclass(frozen=True)
class Check:
    """How far the two gradients of one parameter array are apart."""

    name: str  # W1, b1, W2, ...
    shape: tuple[int, ...]
    checked: int  # parameters compared
    error: float  # largest |analytic - numeric|, relative to the largest entry of the array's gradient


def check(
    network: Network,
    x: Array,
    y: Array,
    weight_decay: float = 0.0,
    dropout_seed: int | None = None,
    most: int = 100,
    step: float = 1e-5,
    seed: int = 0,
) -> list[Check]:
    """Compare up to `most` parameters of each array, drawn by `seed`; the network must be float64.

    Args:
        x: (n, n_inputs) inputs. y: (M, n) targets.
        dropout_seed: pins the dropped units, so that the cost is a function of theta alone; None drops none.

    Raises:
        ValueError: the network is not float64, whose noise is larger than the gradient's differences.
    """
    if network.dtype != np.float64:
        raise ValueError("a gradient check needs a float64 network: in float32 rounding hides the gradient")

    def cost() -> float:
        rng = None if dropout_seed is None else np.random.default_rng(dropout_seed)
        costs, _ = network.gradient(x, y, weight_decay, rng)
        weights = network.theta[: network.n_weights]
        return float(costs.mean() + weight_decay / 2 * weights @ weights)

    cost()
    analytic = network.grad.copy()
    rng = np.random.default_rng(seed)
    checks, at = [], 0
    names = [f"W{l + 1}" for l in range(len(network.W))] + [f"b{l + 1}" for l in range(len(network.b))]
    for name, array in zip(names, [*network.W, *network.b], strict=True):
        index = at + np.sort(rng.permutation(array.size)[:most])
        numeric = np.array([central_difference(cost, network.theta, int(i), step) for i in index])
        size = max(np.abs(analytic[at : at + array.size]).max(), np.abs(numeric).max(), 1e-12)
        error = float(np.abs(analytic[index] - numeric).max() / size)
        checks.append(Check(name, array.shape, len(index), error))
        at += array.size
    return checks


def central_difference(cost: Callable[[], float], theta: Array, i: int, step: float) -> float:
    """dJ/dtheta_i, with an error of the order of step^2; theta is left as it was."""
    kept = theta[i]
    theta[i] = kept + step
    above = cost()
    theta[i] = kept - step
    below = cost()
    theta[i] = kept
    return (above - below) / (2 * step)
