"""What several processes, and BLAS's threads in one process, are worth: the time of training
with and without them, also on a busy machine.

    python benchmarks/parallel.py [RUNS]            processes; prints medians
    python benchmarks/parallel.py threads [RUNS]    BLAS's threads in one process; prints minima

Each row alternates between both, RUNS times (default 5).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import numpy as np

from nnmnist.config.schema import TrainingConfig
from nnmnist.data.examples import Examples
from nnmnist.model.network import Network
from nnmnist.training.fit import fit
from nnmnist.training.threads import available_cores, limit_blas_threads

RECIPES = {"mnist": [], "deep": ["--epochs", "2"]}
NETWORKS = (  # sizes, batch size, examples: for some 50 ms per epoch
    ((784, 10), 192, 20_000),
    ((784, 10), 5_000, 20_000),
    ((784, 10), 40_000, 40_000),
    ((784, 32, 10), 128, 20_000),
    ((784, 128, 10), 64, 10_000),
    ((784, 128, 10), 192, 10_000),
    ((784, 256, 10), 64, 5_000),
    ((784, 256, 10), 192, 8_000),
    ((784, 256, 10), 512, 8_000),
    ((784, 256, 10), 2_000, 8_000),
    ((784, 256, 10), 8_000, 8_000),
    ((784, 512, 10), 64, 3_000),
    ((784, 512, 10), 192, 4_000),
    ((784, 1024, 1024, 10), 64, 640),
    ((784, 1024, 1024, 10), 256, 1_280),
    ((784, 2000, 1500, 10), 32, 160),
    ((784, 2000, 1500, 10), 256, 512),
)
FORMS = {"one process": ["--threads", "1"], "one per core": []}


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many other processes, each of which occupies a core."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def seconds(recipe: str, options: list[str]) -> float:
    """Seconds of training, as the run itself reports them."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "nnmnist", "train", "-c", recipe, "-o", f"{folder}/run"]
        result = subprocess.run(
            [*command, "--json", "-q", *options], capture_output=True, text=True, check=True
        )
    return float(json.loads(result.stdout)["seconds"])


def processes(runs: int) -> None:
    """Print a table of trainings with one process and with one per core."""
    print("| recipe | busy processes | one process | one process per core | ratio |")
    print("|---|---|---|---|---|")
    for recipe, options in RECIPES.items():
        for count in (0, 1, 2):
            times: dict[str, list[float]] = {form: [] for form in FORMS}
            with busy(count):
                for _ in range(runs):
                    for form, threads in FORMS.items():
                        times[form].append(seconds(recipe, [*options, *threads]))
            one, several = (statistics.median(times[form]) for form in FORMS)
            print(f"| {recipe} | {count} | {one:.2f} s | {several:.2f} s | {several / one:.2f} |")


def epoch_seconds(sizes: tuple[int, ...], batch_size: int, n: int, threads: int) -> float:
    """Seconds of one epoch in one process with so many BLAS threads."""
    limit_blas_threads(threads)
    rng, rows = np.random.default_rng(0), np.arange(n)
    pixels = rng.integers(0, 256, (n, sizes[0]), np.uint8)
    train = Examples(pixels, (rows % 10).astype(np.uint8), rows, 10)
    none = Examples(pixels, train.targets, rows[:0], 10)
    network = Network(sizes)
    network.initialize(rng)
    settings = TrainingConfig(epochs=2, batch_size=batch_size, learning_rate=1e-3)
    return min(epoch.seconds for epoch in fit(network, train, none, settings, processes=1))


def blas_threads(runs: int) -> None:
    """Print a table of epochs in one process, with one BLAS thread and with one per core."""
    cores = available_cores()
    print("| network | largest product | busy processes | one thread | one per core | ratio |")
    print("|---|---|---|---|---|---|")
    for count in (0, 1):
        times: dict[object, list[float]] = defaultdict(list)
        with busy(count):
            for _ in range(runs):
                for network in NETWORKS:
                    for threads in (1, cores):
                        times[network, threads].append(epoch_seconds(*network, threads))
        for sizes, batch_size, n in NETWORKS:
            one, several = (min(times[(sizes, batch_size, n), t]) for t in (1, cores))
            product = max(a * b for a, b in pairwise(sizes)) * batch_size
            print(
                f"| {'-'.join(map(str, sizes))} b{batch_size} | {product / 1e6:.1f} million "
                f"| {count} | {one * 1e3:.1f} ms | {several * 1e3:.1f} ms "
                f"| {several / one:.2f} |",
                flush=True,
            )


def main() -> None:
    table = blas_threads if "threads" in sys.argv else processes
    table(int(next(filter(str.isdecimal, sys.argv[1:]), 5)))


if __name__ == "__main__":
    main()
