"""Where the time goes: start-up, data, evaluation, saving; the parts of a run, and of a step."""

from __future__ import annotations

import json
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

from nnmnist import checkpoint
from nnmnist.config.schema import DataConfig, TrainingConfig
from nnmnist.data.batches import Batches
from nnmnist.data.examples import Splits
from nnmnist.evaluation.evaluate import evaluate_on_cores
from nnmnist.model.network import Network
from nnmnist.training.setup import load_data, make_optimizer
from nnmnist.training.threads import limit_blas_threads
from nnmnist.types import Array

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
    return seconds(
        lambda: subprocess.run([sys.executable, *arguments], capture_output=True, check=True)
    )


def run_parts(recipe: str, runs: int = 5) -> dict[str, float]:
    """Seconds of each part of `nnmnist train`, from the start of the process to its end.

    The values are medians over some runs. The clock is the same in all processes.
    """
    parts: dict[str, list[float]] = defaultdict(list)
    program = str(Path(__file__).with_name("timeline.py"))
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "times.json"
        command = [sys.executable, program, str(file), "train", "--quiet", "--config", recipe]
        for _ in range(runs):
            started = time.perf_counter()
            subprocess.run(command, cwd=folder, capture_output=True, check=True)
            total = time.perf_counter() - started
            times = json.loads(file.read_text())
            found = {
                "start of Python": times["start"] - started,
                **times["stages"],
            }
            found["end of Python"] = started + total - times["end"]
            found["everything else"] = total - sum(found.values())
            for name, value in {**found, "the whole process": total}.items():
                parts[name].append(value)
    return {name: statistics.median(values) for name, values in parts.items()}


def step_parts(splits: Splits, hidden: tuple[int, ...], batch: int) -> dict[str, float]:
    """Microseconds of each part of a step, the mean over an epoch's first steps, in one process."""
    network = Network((784, *hidden, 10))
    network.initialize(np.random.default_rng(0))
    optimizer = make_optimizer(network, TrainingConfig(batch_size=batch))
    assert optimizer
    batches = Batches(splits.train, batch, network.output.one_hot(10))
    prepared = batches.epoch(np.random.default_rng(0))
    network.gradient(*next(prepared)[:2])
    steps = min(200, len(batches) - 2)
    spent: dict[str, float] = defaultdict(float)
    clock = time.perf_counter
    for _ in range(steps):
        times = [clock()]
        x, y, labels, _ = next(prepared)
        times.append(clock())
        z = network.forward(x)
        times.append(clock())
        _, p, delta = network.output.cost(z, y)
        np.count_nonzero(network.output.label(p) == labels)
        times.append(clock())
        backward(network, delta)
        times.append(clock())
        optimizer.step(network.theta, network.grad, 0.05)
        times.append(clock())
        for name, (start, end) in zip(PARTS, pairwise(times), strict=True):
            spent[name] += (end - start) * 1e6 / steps
    return spent


def backward(network: Network, delta: Array) -> None:
    """The second loop of `Network.gradient`."""
    for layer in reversed(network.layers):
        layer.gradient(delta)
        if layer is network.dense[0]:
            break
        delta = layer.backward(delta)


def print_milliseconds(title: str, rows: dict[str, float]) -> None:
    print(f"| {title} | ms |\n|---|---|")
    for name, value in rows.items():
        print(f"| {name} | {value * 1e3:.1f} |")
    print()


def main() -> None:
    limit_blas_threads(1)
    splits = load_data(DataConfig())
    network = Network((784, 256, 10))
    network.initialize(np.random.default_rng(0))
    with tempfile.TemporaryDirectory() as folder:
        rows = {
            "python alone": process("-c", "pass"),
            "import click": process("-c", "import click"),
            "nnmnist --help": process("-m", "nnmnist", "--help"),
            "import numpy": process("-c", "import numpy"),
            "import nnmnist.cli.commands.train": process("-c", "import nnmnist.cli.commands.train"),
            "MNIST into ready arrays": seconds(lambda: load_data(DataConfig())),
            "evaluating 10,000 images": seconds(lambda: evaluate_on_cores(network, splits.test)),
            "saving a checkpoint": seconds(
                lambda: checkpoint.save(Path(folder) / "x.npz", network, splits.classes)
            ),
            "loading a checkpoint": seconds(lambda: checkpoint.load(Path(folder) / "x.npz")),
        }
    print_milliseconds("part", rows)
    print_milliseconds("part of `nnmnist train -c mnist`", run_parts("mnist"))
    print(
        "| step of | gather | forward | cost | backward | update | all, microseconds "
        "|\n|---|---|---|---|---|---|---|"
    )
    for hidden, batch in NETWORKS:
        parts = step_parts(splits, hidden, batch)
        name = "-".join(map(str, (784, *hidden, 10)))
        cells = " | ".join(f"{value:.0f}" for value in parts.values())
        print(f"| {name} b{batch} | {cells} | {sum(parts.values()):.0f} |")


if __name__ == "__main__":
    main()
