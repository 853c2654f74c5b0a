"""How seconds and memory grow with examples, width, depth, batch size and threads.

`make bench` runs this script. Each point is one epoch in its own process, on random pixels. The
exponents are slopes in the log-log plot. They are fitted to the upper half of the points, where
fixed costs are no longer visible.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
BASE = {"n": 20_000, "width": 256, "depth": 1, "batch": 128, "threads": 2}
SWEEPS: dict[str, list[int]] = {
    "n": [10_000, 30_000, 100_000, 300_000, 600_000],
    "width": [64, 128, 256, 512, 1024, 2048, 4096],
    "depth": [1, 2, 4, 8, 16],
    "batch": [8, 32, 128, 512, 2048, 4096],
    "threads": [1, 2],
}
UNITS = {
    "n": "examples",
    "width": "units per hidden layer",
    "depth": "hidden layers",
    "batch": "examples per batch",
}


def measure(point: dict[str, int]) -> dict[str, float]:
    """Train one epoch; return its seconds and the peak memory of all processes in MB."""
    from nnmnist.config.schema import TrainingConfig
    from nnmnist.data.examples import Examples
    from nnmnist.model.network import Network
    from nnmnist.training.fit import fit
    from nnmnist.training.threads import limit_blas_threads

    limit_blas_threads(point["threads"])
    rng, n = np.random.default_rng(0), point["n"]
    pixels = np.resize(rng.integers(0, 256, (10_000, 784), dtype=np.uint8), (n, 784))
    train = Examples(pixels, rng.integers(0, 10, n).astype(np.uint8), np.arange(n), 10)
    network = Network((784, *[point["width"]] * point["depth"], 10))
    network.initialize(rng)
    settings = TrainingConfig(epochs=1, batch_size=point["batch"], learning_rate=1e-3)
    no_validation = Examples(pixels, train.targets, np.arange(0), 10)
    [epoch] = fit(network, train, no_validation, settings, cores=point["threads"])
    # The sum over this process and its workers counts memory that they share several times.
    processes = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
    kilobytes = sum(resource.getrusage(process).ru_maxrss for process in processes)
    return {"seconds": n / epoch.examples_per_second, "peak_mb": kilobytes / 1024}


def sweep(key: str) -> list[dict[str, Any]]:
    """Measure each value of one key three times, each in its own process; keep the median."""
    points = []
    for value in SWEEPS[key]:
        point = {**BASE, key: value}
        command = [sys.executable, __file__, json.dumps(point)]
        runs = [
            json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
            for _ in range(3)
        ]
        middle = sorted(runs, key=lambda run: run["seconds"])[1]
        points.append({key: value, **middle})
        print(points[-1], file=sys.stderr)
    return points


def exponent(key: str, points: list[dict[str, Any]]) -> float:
    """The slope of log(seconds) against log(key)."""
    upper = points[len(points) // 2 :]
    x, y = np.log([point[key] for point in upper]), np.log([point["seconds"] for point in upper])
    return float(np.polyfit(x, y, 1)[0])


def plot(results: dict[str, list[dict[str, Any]]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(2, 2, figsize=(10, 8), layout="constrained")
    for axis, (key, unit) in zip(axes.flat, UNITS.items(), strict=True):
        points = results[key]
        axis.loglog([p[key] for p in points], [p["seconds"] for p in points], "o-", color="#0072B2")
        axis.set_xlabel(unit, fontsize=13)
        axis.set_ylabel("seconds per epoch", fontsize=13)
        axis.set_title(f"slope {exponent(key, points):.2f}", fontsize=13)
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=70)


def main() -> None:
    results = {key: sweep(key) for key in SWEEPS}
    folder = HERE / "results"
    folder.mkdir(exist_ok=True)
    (folder / "growth.json").write_text(json.dumps(results, indent=1) + "\n")
    plot(results, folder / "growth.png")
    for key, points in results.items():
        slope = f", exponent {exponent(key, points):.2f}" if key in UNITS else ""
        print(f"\n{key}{slope}\n\n| {key} | seconds per epoch | peak MB |\n|---|---|---|")
        for point in points:
            print(f"| {point[key]:,} | {point['seconds']:.3f} | {point['peak_mb']:.0f} |")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(json.loads(sys.argv[1]))))
    else:
        main()
