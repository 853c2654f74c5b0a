"""Gradient descent in two dimensions, (b, w) of a line: step lengths, batch against minibatch, and when to stop."""

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
START = (-1.0, -1.0)  # (b, w)


def examples() -> Examples:
    """The points of the lecture's line."""
    return load_data(DataConfig(name="line", validation=0)).train


def surface(b: Array, w: Array, points: Examples) -> Array:
    """J(b, w), the mean of (y - w x - b)^2, for arrays b and w of one shape."""
    x, y = (values[:, 0].astype(np.float64) for values in (points.x, points.y))
    return ((y - w[..., None] * x - b[..., None]) ** 2).mean(axis=-1)


def minimum(points: Examples) -> Array:
    """(b, w) of the smallest J."""
    network = Network((1, 1), output="linear", dtype=np.float64)
    list(fit(network, points, _none(points), TrainingConfig(optimizer="least_squares")))
    return network.theta[::-1].copy()  # theta is (w, b)


def descend(points: Examples, rate: float, steps: int, batch_size: int | None = None) -> Array:
    """The path (steps + 1, 2) of (b, w) from START, a row a step; without `batch_size`, of steps on all examples."""
    network = Network((1, 1), output="linear", dtype=np.float64)
    network.b[0][0], network.W[0][0, 0] = START
    path = [START]

    def record(*progress: object) -> None:
        path.append((network.b[0].item(), network.W[0].item()))

    settings = TrainingConfig(
        epochs=steps, batch_size=batch_size or "full", learning_rate=rate, momentum=0
    )
    for _ in fit(network, points, _none(points), settings, on_progress=record):
        if len(path) > steps:
            break
    return np.array(path[: steps + 1])


def _none(points: Examples) -> Examples:
    """No validation examples."""
    return Examples(points.inputs, points.targets, np.arange(0), 0)


def excess(path: Array, points: Examples) -> Array:
    """How much J lies above its minimum at each point of a path."""
    return surface(path[:, 0], path[:, 1], points) - surface(*minimum(points), points)


def steps_until(tolerance: float, points: Examples, rate: float) -> int:
    """Steps until the cost changes by no more than `tolerance` from one to the next."""
    path = descend(points, rate, 200)
    change = np.abs(np.diff(surface(path[:, 0], path[:, 1], points)))
    return int(np.argmax(change <= tolerance)) + 1


def main() -> None:
    points = examples()
    print("J above its minimum after so many steps, by step length")
    shown = (0, 1, 2, 5, 10, 20, 40)
    print(f"{'steps':<18}" + "".join(f"{step:>10}" for step in shown))
    for name, rate in RATES.items():
        above = excess(descend(points, rate, max(shown)), points)
        print(f"{f'{name}, {rate:g}':<18}" + "".join(f"{above[step]:10.1e}" for step in shown))

    print("\nthe same after so many passes over the 100 examples, by examples a step")
    shown = (0, 1, 2, 5, 10, 20)
    print(f"{'passes':<18}" + "".join(f"{passes:>10}" for passes in shown))
    for size, rate in ((100, RATES["right"]), (10, 0.1), (1, 0.01)):
        above = excess(descend(points, rate, max(shown) * 100 // size, size), points)
        row = "".join(f"{above[passes * 100 // size]:10.1e}" for passes in shown)
        print(f"{f'{size}, rate {rate:g}':<18}{row}")

    print("\nwhile not converged: the cost changes by more than the tolerance")
    for tolerance in (1e-2, 1e-4, 1e-6, 1e-8):
        steps = steps_until(tolerance, points, RATES["right"])
        above = excess(descend(points, RATES["right"], steps), points)[-1]
        print(f"tolerance {tolerance:.0e}: {steps:3} steps, J above its minimum by {above:.1e}")


if __name__ == "__main__":
    main()
