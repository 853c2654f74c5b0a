"""The analytic gradient against central differences, (J(theta + e) - J(theta - e)) / 2e."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nnmnist.model.network import Network
from nnmnist.types import Array

Cost = Callable[[], float]

# Length of a random direction: shorter ones drown in rounding, longer ones cross relu's kinks.
LENGTH = 3.0
STEP = 1e-5
TINY = 1e-12  # a gradient below it is zero
VISIBLE = 1e-7  # the relative error that rounding alone may cause


class Check(NamedTuple):
    """The difference between the two gradients of one parameter array."""

    name: str  # W1, b1, W2, ...
    shape: tuple[int, ...]
    checked: int  # parameters that were compared one by one
    error: float  # largest |analytic - numeric|, relative to the array's largest derivative


def check(
    network: Network,
    x: Array,
    y: Array,
    weight_decay: float = 0.0,
    dropout_seed: int | None = None,
    most: int = 100,
    example_weights: Array | float = 1.0,
) -> list[Check]:
    """Compare up to `most` parameters of each array one by one; the network must be float64.

    In a larger array, chance chooses which, and a random direction compares all of them at once:
    the error is then the larger of the two. Rounding of J leaves noise in a central difference: a
    gradient that vanishes below noise / VISIBLE is judged relative to that instead.

    Takes inputs x (n, n_inputs), targets y (M, n), and the weights of examples (n,). `dropout_seed`
    fixes the dropped units, and None drops none. Raises ValueError for a network in float32.
    """
    if network.dtype != np.float64:
        raise ValueError("a gradient check needs a float64 network: rounding hides it in float32")

    def rng() -> np.random.Generator | None:
        return None if dropout_seed is None else np.random.default_rng(dropout_seed)

    def cost() -> float:
        costs, _, _ = network.output.cost(network.forward(x, rng()), y)
        weights = network.theta[: network.n_weights]
        return float(np.mean(example_weights * costs) + weight_decay / 2 * weights @ weights)

    network.gradient(x, y, weight_decay, rng(), example_weights)
    noise = float(np.finfo(np.float64).eps) * abs(cost()) / STEP
    least = max(noise / VISIBLE, TINY)
    weights, biases = network.views(network.grad.copy())
    sample, checks = np.random.default_rng(0), []
    for letter, arrays, gradients in (("W", network.W, weights), ("b", network.b, biases)):
        for l, (array, gradient) in enumerate(zip(arrays, gradients, strict=True), start=1):
            flat, analytic = array.reshape(-1, order="F"), gradient.reshape(-1, order="F")
            index = np.sort(sample.permutation(array.size)[:most])
            error = _one_by_one(cost, flat, analytic, index, least)
            if len(index) < array.size:
                error = max(error, _along_direction(cost, flat, analytic, sample, least))
            checks.append(Check(f"{letter}{l}", array.shape, len(index), error))
    return checks


def _one_by_one(cost: Cost, flat: Array, analytic: Array, index: Array, least: float) -> float:
    """The largest error of the parameters `index`, relative to the array's largest derivative."""
    numeric = np.array([central_difference(cost, flat[i : i + 1], 1.0) for i in index])
    size = max(np.abs(analytic).max(), np.abs(numeric).max(), least)
    return float(np.abs(analytic[index] - numeric).max() / size)


def _along_direction(
    cost: Cost, flat: Array, analytic: Array, sample: np.random.Generator, least: float
) -> float:
    """The error of the slope along a random direction, relative to the usual slope there."""
    direction = sample.standard_normal(flat.size)
    direction *= LENGTH / np.linalg.norm(direction)
    numeric = central_difference(cost, flat, direction)
    usual = float(np.linalg.norm(analytic)) * LENGTH / flat.size**0.5
    return float(abs(analytic @ direction - numeric) / max(usual, least))


def central_difference(cost: Cost, part: Array, direction: Array | float) -> float:
    """dJ as `part` of theta moves along `direction`, with an error of the order of STEP^2."""
    before = part.copy()
    part[:] = before + STEP * direction
    above = cost()
    part[:] = before - STEP * direction
    below = cost()
    part[:] = before
    return (above - below) / (2 * STEP)
