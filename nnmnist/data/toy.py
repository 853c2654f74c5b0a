"""The lecture's small problems, generated from a seed in a moment.

A new problem is one function that samples n examples, and one line in `PROBLEMS`.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from nnmnist.data.examples import Source
from nnmnist.randomness import generator
from nnmnist.types import Array

RGB = ("red", "green", "blue")


def line(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """y = 1 + 2 x, with noise of standard deviation 0.3."""
    x = rng.uniform(-1, 1, (n, 1))
    return x, 1 + 2 * x + 0.3 * rng.standard_normal((n, 1))


def planes(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Two outputs of three inputs: y = W x + b, with noise of standard deviation 0.1."""
    x = rng.uniform(-1, 1, (n, 3))
    W = np.array([[1.0, -2.0, 0.5], [0.0, 1.5, -1.0]])
    return x, x @ W.T + [0.5, -1.0] + 0.1 * rng.standard_normal((n, 2))


def threshold(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """One input, two classes: the second one has the probability 1 / (1 + e^-(4 x - 1))."""
    x = rng.uniform(-2, 2, (n, 1))
    return x, rng.random(n) < 1 / (1 + np.exp(1 - 4 * x[:, 0]))


def two_classes(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Two clouds in the plane that overlap a little."""
    return _clouds(rng, n, [[-1.0, -0.5], [1.0, 0.5]])


def three_classes(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """Red, green and blue clouds in the plane; lines separate all but a few points."""
    return _clouds(rng, n, [[0.0, 1.5], [-1.3, -0.75], [1.3, -0.75]])


def _clouds(rng: np.random.Generator, n: int, centres: list[list[float]]) -> tuple[Array, Array]:
    label = rng.integers(0, len(centres), n)
    return np.array(centres)[label] + 0.6 * rng.standard_normal((n, 2)), label


def rings(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """A red disc in a green ring in a blue ring: lines cannot separate them."""
    label = rng.integers(0, 3, n)
    radius = 0.7 * label + 0.35 + 0.12 * rng.standard_normal(n)
    angle = rng.uniform(0, 2 * math.pi, n)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), label


def s_curve(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """y = sigmoid(3 x - 1), with noise of standard deviation 0.05."""
    x = rng.uniform(-2, 2, (n, 1))
    return x, 1 / (1 + np.exp(1 - 3 * x)) + 0.05 * rng.standard_normal((n, 1))


def hinge(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """y = relu(2 x - 1), with noise of standard deviation 0.1."""
    x = rng.uniform(-2, 2, (n, 1))
    return x, np.maximum(2 * x - 1, 0) + 0.1 * rng.standard_normal((n, 1))


def curve(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """y = sin(3 x) + x / 2, with noise of standard deviation 0.1."""
    x = rng.uniform(-2, 2, (n, 1))
    return x, np.sin(3 * x) + x / 2 + 0.1 * rng.standard_normal((n, 1))


def product(rng: np.random.Generator, n: int) -> tuple[Array, Array]:
    """y = x1 x2 on the square [-1, 1]^2, without noise."""
    x = rng.uniform(-1, 1, (n, 2))
    return x, x[:, :1] * x[:, 1:]


class Problem(NamedTuple):
    """How the examples of a problem are sampled, and how many."""

    # inputs (n, n_inputs), labels or values
    sample: Callable[[np.random.Generator, int], tuple[Array, Array]]
    n: int  # examples in each part
    classes: tuple[str, ...] = ()  # the name of each class; empty for values


PROBLEMS = {
    "curve": Problem(curve, 300),
    "hinge": Problem(hinge, 200),
    "line": Problem(line, 100),
    "planes": Problem(planes, 200),
    "product": Problem(product, 1000),
    "rings": Problem(rings, 600, RGB),
    "s_curve": Problem(s_curve, 200),
    "three_classes": Problem(three_classes, 300, RGB),
    "threshold": Problem(threshold, 200, ("0", "1")),
    "two_classes": Problem(two_classes, 200, ("0", "1")),
}


def has_values(name: str) -> bool:
    """Whether this is a problem whose targets are values, not classes."""
    return name in PROBLEMS and not PROBLEMS[name].classes


def load(name: str, seed: int) -> Source:
    """Sample a training and a test part of a problem, each with its own generator of the seed.

    Returns:
        A source of inputs (n, n_inputs) float32 with labels (n,) uint8 or values (n, n_outputs)
        float32.
    """
    problem = PROBLEMS[name]
    digest = hashlib.sha256()
    parts = []
    for part in range(2):
        x, y = problem.sample(generator(seed, "toy", part), problem.n)
        parts.append((x.astype(np.float32), y.astype(np.uint8 if problem.classes else np.float32)))
        for array in parts[-1]:
            digest.update(array.tobytes())
    return Source(
        name=name,
        train=parts[0],
        test=parts[1],
        classes=problem.classes,
        image_shape=None,
        identity={"name": name, "seed": seed, "sha256": digest.hexdigest()},
    )
