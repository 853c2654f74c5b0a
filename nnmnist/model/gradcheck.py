"""The analytic gradient against central differences: (J(theta + e) - J(theta - e)) / 2e."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from nnmnist.model.network import Buffers, Network
from nnmnist.types import Array

# length of a random direction: a shorter one drowns in rounding, a longer one meets relu's kinks
REACH = 3.0
TINY = 1e-12  # a gradient below it is zero
VISIBLE = 1e-7  # the relative error that rounding alone may come to


@dataclass(frozen=True)
class Check:
    """How far the two gradients of one parameter array are apart."""

    name: str  # W1, b1, W2, ...
    shape: tuple[int, ...]
    checked: int  # parameters compared one by one
    # largest |analytic - numeric|, relative to the largest entry of the array's gradient
    error: float


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
    """Compare up to `most` parameters of each array one by one; the network must be float64.

    Where an array has more, `seed` draws which, and all of them are compared together along a random direction; the
    error is then the larger of the two. Rounding J leaves noise in a central difference: where a gradient, vanishing
    through many layers, is less than that noise over VISIBLE, the error is relative to this instead.

    Args:
        x: (n, n_inputs) inputs. y: (M, n) targets.
        dropout_seed: pins the dropped units, so that the cost is a function of theta alone; None drops none.

    Raises:
        ValueError: the network is not float64, whose noise is larger than the gradient's differences.
    """
    if network.dtype != np.float64:
        raise ValueError(
            "a gradient check needs a float64 network: in float32 rounding hides the gradient"
        )

    def dropped() -> np.random.Generator | None:
        return None if dropout_seed is None else np.random.default_rng(dropout_seed)

    buffers = Buffers(network, len(x), training=True)

    def cost() -> float:
        z = network.forward(x, buffers, dropped())
        J = float(network.output.cost(z, y, buffers.delta[-1]).mean())
        if weight_decay:
            weights = network.theta[: network.n_weights]
            J += float(weight_decay / 2 * weights @ weights)
        return J

    network.gradient(x, y, weight_decay, dropped())
    analytic = network.grad.copy()
    noise = float(np.finfo(np.float64).eps) * abs(cost()) / step
    least = max(noise / VISIBLE, TINY)
    rng = np.random.default_rng(seed)
    checks, at = [], 0
    names = [f"W{l + 1}" for l in range(len(network.W))] + [
        f"b{l + 1}" for l in range(len(network.b))
    ]
    for name, array in zip(names, [*network.W, *network.b], strict=True):
        part, gradient = (flat[at : at + array.size] for flat in (network.theta, analytic))
        index = np.sort(rng.permutation(array.size)[:most])
        numeric = np.array([central_difference(cost, part[i : i + 1], 1.0, step) for i in index])
        size = max(np.abs(gradient).max(), np.abs(numeric).max(), least)
        error = np.abs(gradient[index] - numeric).max() / size
        if len(index) < array.size:
            direction = rng.standard_normal(array.size)
            direction *= REACH / np.linalg.norm(direction)
            apart = abs(gradient @ direction - central_difference(cost, part, direction, step))
            # of a product with a random direction
            usual = np.linalg.norm(gradient) * REACH / array.size**0.5
            error = np.maximum(error, apart / max(usual, least))
        checks.append(Check(name, array.shape, len(index), float(error)))
        at += array.size
    return checks


def central_difference(
    cost: Callable[[], float], part: Array, direction: Array | float, step: float
) -> float:
    """The derivative of J as `part` of theta moves along `direction`, with an error of the order of step^2."""
    kept = part.copy()
    part[:] = kept + step * direction
    above = cost()
    part[:] = kept - step * direction
    below = cost()
    part[:] = kept
    return (above - below) / (2 * step)
