"""Gradient descent in two dimensions, (b, w) of a line: learning rate, batch size, tolerance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnmnist.config.schema import DataConfig, TrainingConfig
from nnmnist.data.examples import Examples
from nnmnist.model.network import Network
from nnmnist.training.fit import fit
from nnmnist.training.setup import load_data

Array = NDArray[np.float64]

RATES = {"too small": 0.02, "right": 0.6, "too large": 1.01}
# Learning rate for each batch size; all examples are 100.
BATCH_RATES = {100: RATES["right"], 10: 0.1, 1: 0.01}
START = (-1.0, -1.0)  # (b, w)


def line_points() -> Examples:
    """The points of the lecture's line."""
    return load_data(DataConfig(name="line", validation=0)).train


def surface(b: Array, w: Array, points: Examples) -> Array:
    """J(b, w), the mean of (y - w x - b)^2, for arrays b and w of the same shape."""
    x, y = (values[:, 0].astype(np.float64) for values in (points.x, points.y))
    return ((y - w[..., None] * x - b[..., None]) ** 2).mean(axis=-1)


def minimum(points: Examples) -> Array:
    """The point (b, w) where J is smallest."""
    network = Network((1, 1), output="linear", dtype=np.float64)
    settings = TrainingConfig(optimizer="least_squares")
    list(fit(network, points, _no_validation(points), settings))
    return network.theta[::-1].copy()  # theta is (w, b)


def descend(points: Examples, rate: float, steps: int, batch_size: int | None = None) -> Array:
    """The path (steps + 1, 2) of (b, w) from START, one row per step.

    Without `batch_size`, each step uses all examples.
    """
    network = Network((1, 1), output="linear", dtype=np.float64)
    network.b[0][0], network.W[0][0, 0] = START
    path = [START]

    def record(*progress: object) -> None:
        path.append((network.b[0].item(), network.W[0].item()))

    settings = TrainingConfig(
        epochs=steps, batch_size=batch_size or "full", learning_rate=rate, momentum=0
    )
    for _ in fit(network, points, _no_validation(points), settings, on_progress=record):
        if len(path) > steps:
            break
    return np.array(path[: steps + 1])


def _no_validation(points: Examples) -> Examples:
    """Zero examples."""
    return Examples(points.inputs, points.targets, np.arange(0), 0)


def excess_cost(path: Array, points: Examples) -> Array:
    """J minus its minimum, at each point of a path."""
    return surface(path[:, 0], path[:, 1], points) - surface(*minimum(points), points)


def steps_until(tolerance: float, points: Examples, rate: float) -> int:
    """Number of steps until a step changes the cost by no more than `tolerance`."""
    path = descend(points, rate, 200)
    change = np.abs(np.diff(surface(path[:, 0], path[:, 1], points)))
    return int(np.argmax(change <= tolerance)) + 1


def print_learning_rates(points: Examples) -> None:
    shown = (0, 1, 2, 5, 10, 20, 40)
    print("J minus its minimum, after some steps, for each learning rate")
    print(f"{'steps':<18}" + "".join(f"{step:>10}" for step in shown))
    for name, rate in RATES.items():
        excess = excess_cost(descend(points, rate, max(shown)), points)
        print(f"{f'{name}, {rate:g}':<18}" + "".join(f"{excess[step]:10.1e}" for step in shown))


def print_batch_sizes(points: Examples) -> None:
    shown = (0, 1, 2, 5, 10, 20)
    print("\nJ minus its minimum, after some epochs of 100 examples, for each batch size")
    print(f"{'epochs':<18}" + "".join(f"{epochs:>10}" for epochs in shown))
    for size, rate in BATCH_RATES.items():
        steps = 100 // size  # per epoch
        excess = excess_cost(descend(points, rate, max(shown) * steps, size), points)
        row = "".join(f"{excess[epochs * steps]:10.1e}" for epochs in shown)
        print(f"{f'{size}, rate {rate:g}':<18}{row}")


def print_tolerances(points: Examples) -> None:
    print("\nuntil convergence: a step changes the cost by no more than the tolerance")
    for tolerance in (1e-2, 1e-4, 1e-6, 1e-8):
        steps = steps_until(tolerance, points, RATES["right"])
        excess = excess_cost(descend(points, RATES["right"], steps), points)[-1]
        print(f"tolerance {tolerance:.0e}: {steps:3} steps, J minus its minimum is {excess:.1e}")


def main() -> None:
    points = line_points()
    print_learning_rates(points)
    print_batch_sizes(points)
    print_tolerances(points)


if __name__ == "__main__":
    main()
