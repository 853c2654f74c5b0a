"""Where the time goes: start-up, data, the parts of a step inside a real training, evaluation, saving."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np

from nnmnist import checkpoint, config, data
from nnmnist.data.batches import Batches
from nnmnist.evaluation import codes, evaluate
from nnmnist.model.network import Network
from nnmnist.training import make_optimizer

PARTS = ("gather", "forward", "cost", "backward", "update")
NETWORKS = [((128,), 128), ((256,), 64), ((256,), 128), ((256,), 256), ((1024, 1024), 256)]


def seconds(call: Callable[[], object], runs: int = 7) -> float:
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def process(*arguments: str) -> float:
    return seconds(lambda: subprocess.run([sys.executable, *arguments], capture_output=True, check=True))


def step_parts(splits: data.Splits, hidden: tuple[int, ...], batch: int) -> dict[str, float]:
    """Microseconds of each part of a step, mean over an epoch's first steps, in their real order."""
    network = Network((784, *hidden, 10))
    network.initialize(np.random.default_rng(0))
    settings = config.TrainingConfig(batch_size=batch)
    optimizer = make_optimizer(network, settings)
    batches = Batches(splits.train, batch, codes(network, 10))
    spent: dict[str, float] = defaultdict(float)
    steps, clock = min(200, len(batches) - 1), time.perf_counter
    drawn = batches.draw(np.random.default_rng(0))
    network.gradient(*next(drawn)[:2])
    buffers = network._buffers[batch]
    for _ in range(steps):
        times = [clock()]
        x, y, labels = next(drawn)
        times.append(clock())
        z = network.forward(x, buffers)
        times.append(clock())
        delta = buffers.delta[-1]
        network.output.cost(z, y, delta)
        np.count_nonzero(network.output.label(z) == labels)
        np.subtract(z, y, out=delta)
        delta *= 1 / batch
        times.append(clock())
        network.backward(x, delta, buffers, dropped=False)
        times.append(clock())
        optimizer.step(network.theta, network.grad, 0.05)
        times.append(clock())
        for name, (start, end) in zip(PARTS, pairwise(times), strict=True):
            spent[name] += (end - start) * 1e6 / steps
    return spent


def main() -> None:
    splits = data.load(config.DataConfig())
    network = Network((784, 256, 10))
    network.initialize(np.random.default_rng(0))
    with tempfile.TemporaryDirectory() as folder:
        rows = {
            "python alone": process("-c", "pass"),
            "import click": process("-c", "import click"),
            "nnmnist --help": process("-m", "nnmnist", "--help"),
            "import numpy": process("-c", "import numpy"),
            "import nnmnist.cli.train": process("-c", "import nnmnist.cli.train"),
            "MNIST into ready arrays": seconds(lambda: data.load(config.DataConfig())),
            "evaluating 10,000 images": seconds(lambda: evaluate(network, splits.test)),
            "saving a checkpoint": seconds(
                lambda: checkpoint.save(Path(folder) / "x.npz", network, splits.classes)
            ),
            "loading a checkpoint": seconds(lambda: checkpoint.load(Path(folder) / "x.npz")),
        }
    print("| part | ms |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value * 1e3:.1f} |")
    print(
        "\n| step of | gather | forward | cost | backward | update | all, microseconds |\n|---|---|---|---|---|---|---|"
    )
    for hidden, batch in NETWORKS:
        parts = step_parts(splits, hidden, batch)
        name = "-".join(map(str, (784, *hidden, 10)))
        cells = " | ".join(f"{value:.0f}" for value in parts.values())
        print(f"| {name} b{batch} | {cells} | {sum(parts.values()):.0f} |")


if __name__ == "__main__":
    main()
