"""Local minima: gradient descent from several starts on a cost that is not convex.

The model is y = sigmoid(w x + b) with squared error, see configs/lecture/glm_sigmoid.yaml. Its
points rise and fall again, which no sigmoid does. A small penalty on w keeps the minima finite.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnmnist.config.schema import TrainingConfig
from nnmnist.data.examples import Examples
from nnmnist.model.network import Network
from nnmnist.training.fit import fit

Array = NDArray[np.float64]

# (b, w)
STARTS = [(-3.0, -3.0), (-2.0, 1.0), (-4.0, 4.0), (0.0, 4.0), (5.0, 5.0), (2.0, -5.0), (6.0, -3.0)]
WEIGHT_DECAY = 0.003
STEPS, RATE = 1000, 3.0
APART = 0.5  # two ends that are closer are the same minimum
NAMES = "ABC"  # of the minima, the lowest first


def bump() -> Examples:
    """60 points: y is low, then high, then low again."""
    x = np.linspace(-3, 3, 60)[:, None]
    y = np.where((x > -1) & (x < 1.5), 0.95, 0.05)
    return Examples(x.astype(np.float32), y.astype(np.float32), np.arange(len(x)), 0)


def model(b: float, w: float) -> Network:
    """The network with one input and one output, sigmoid(w x + b)."""
    network = Network((1, 1), output="sigmoid", dtype=np.float64)
    network.b[0][0], network.W[0][0, 0] = b, w
    return network


def cost(b: Array, w: Array, points: Examples) -> Array:
    """J(b, w) with its penalty, for arrays b and w of the same shape."""
    x, y = (values[:, 0].astype(np.float64) for values in (points.x, points.y))
    p = 1 / (1 + np.exp(-(w[..., None] * x + b[..., None])))
    return ((y - p) ** 2).mean(axis=-1) + WEIGHT_DECAY / 2 * w**2


def descend(start: tuple[float, float], points: Examples) -> Array:
    """The path (STEPS + 1, 2) of (b, w) from a start, one row per step."""
    network, path = model(*start), [start]

    def record(*progress: object) -> None:
        path.append((network.b[0].item(), network.W[0].item()))

    settings = TrainingConfig(
        epochs=STEPS, batch_size="full", learning_rate=RATE, momentum=0, weight_decay=WEIGHT_DECAY
    )
    none = Examples(points.inputs, points.targets, np.arange(0), 0)
    for _ in fit(network, points, none, settings, on_progress=record):
        pass
    return np.array(path)


def minima(paths: list[Array], points: Examples) -> Array:
    """The distinct ends (n, 2) of some paths, the one with the lowest cost first."""
    ends = np.array([path[-1] for path in paths])
    found: list[Array] = []
    for end in ends[np.argsort(cost(ends[:, 0], ends[:, 1], points))]:
        if all(np.linalg.norm(end - other) > APART for other in found):
            found.append(end)
    return np.array(found)


def name_of(path: Array, found: Array) -> str:
    """The name of the minimum in which a path ends."""
    return NAMES[int(np.linalg.norm(found - path[-1], axis=1).argmin())]


def main() -> None:
    points = bump()
    paths = [descend(start, points) for start in STARTS]
    found = minima(paths, points)
    print("start (b, w)      end (b, w)       minimum     cost J")
    for path in paths:
        (b0, w0), (b, w) = path[0], path[-1]
        J = cost(path[-1:, 0], path[-1:, 1], points)[0]
        print(f"{b0:5.1f} {w0:5.1f}   {b:10.2f} {w:6.2f}   {name_of(path, found):>7}   {J:12.4f}")


if __name__ == "__main__":
    main()
