"""What a sweep costs and saves:  python benchmarks/sweeps.py throughput|pruning [TRIALS] [ROUNDS]

throughput: trials (a multiple of 8) of two epochs by `nnmnist sweep`, and the same runs in plain
    loops, in turns.
pruning: a grid of 60 points gone through to the end, and again by a pruner that sees no more than
    it would.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).parent
RATES, MOMENTA = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4), (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
POINTS = [(rate, momentum) for rate in RATES for momentum in MOMENTA]  # all of them cost the same
SPACE = """
set: {training.epochs: 9, training.schedule: cosine}
space:
  training.learning_rate: [0.025, 0.05, 0.1, 0.2, 0.4, 0.8]
  training.momentum: [0, 0.2, 0.4, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98]
"""


def plain(first: int, last: int, threads: int, folder: Path) -> None:
    """The runs of some points, one after the other, in this process."""
    from nnmnist.config.loading import load_config
    from nnmnist.runs.run import create_run
    from nnmnist.training.setup import load_data
    from nnmnist.training.threads import limit_blas_threads

    limit_blas_threads(threads)
    base = load_config(None, ["training.epochs=2"])
    splits = load_data(base.data, base.seed)
    for n, (rate, momentum) in enumerate(POINTS[first:last], start=first):
        overrides = [
            "training.epochs=2",
            f"training.learning_rate={rate}",
            f"training.momentum={momentum}",
        ]
        run = create_run(load_config(None, overrides), "plain", folder / str(n))
        for _ in run.train(splits):
            pass
        run.finish(splits)


def loops(trials: int, processes: int, threads: int, folder: Path) -> float:
    """Seconds of plain loops that share the trials."""
    bounds = [trials * n // processes for n in range(processes + 1)]
    started = time.perf_counter()
    children = [
        subprocess.Popen(
            [sys.executable, __file__, "plain", *map(str, (first, last, threads, folder))]
        )
        for first, last in pairwise(bounds)
    ]
    codes = [child.wait() for child in children]
    if any(codes):
        raise SystemExit("a loop has failed")
    return time.perf_counter() - started


def sweep(text: str, jobs: int, folder: Path) -> tuple[float, list[dict[str, Any]]]:
    """Seconds and trials of `nnmnist sweep`, the best first."""
    file = folder / "sweep.yaml"
    file.write_text(text)
    command = ["sweep", file, "--jobs", jobs, "-o", folder / "runs", "--json", "-q"]
    started = time.perf_counter()
    out = subprocess.run(
        [sys.executable, "-m", "nnmnist", *map(str, command)],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    seconds = time.perf_counter() - started
    return seconds, [json.loads(line) for line in out.stdout.splitlines()]


def throughput(trials: int = 48, rounds: int = 3) -> dict[str, Any]:
    """Medians of the seconds, and what follows."""
    space = json.dumps(
        {"training.learning_rate": RATES[: trials // len(MOMENTA)], "training.momentum": MOMENTA}
    )
    text = f"set: {{training.epochs: 2}}\nspace: {space}\n"
    seconds: dict[str, list[float]] = {}
    ways = {
        "one loop, one thread": lambda folder: loops(trials, 1, 1, folder),
        "one loop, two threads": lambda folder: loops(trials, 1, 2, folder),
        "two loops, one thread": lambda folder: loops(trials, 2, 1, folder),
        "sweep --jobs 1": lambda folder: sweep(text, 1, folder)[0],
        "sweep --jobs 2": lambda folder: sweep(text, 2, folder)[0],
    }
    for _ in range(rounds):
        for name, way in ways.items():
            with tempfile.TemporaryDirectory() as folder:
                seconds.setdefault(name, []).append(way(Path(folder)))
            print(f"{name:<24}{seconds[name][-1]:8.2f} s", file=sys.stderr)
    middle = {name: median(each) for name, each in seconds.items()}
    return {
        "trials": trials,
        "seconds": middle,
        "throughput over one worker with one thread": middle["sweep --jobs 1"]
        / middle["sweep --jobs 2"],
        "throughput over one worker with two threads": middle["one loop, two threads"]
        / middle["sweep --jobs 2"],
        "overhead with one job": 1 - middle["one loop, one thread"] / middle["sweep --jobs 1"],
        "overhead with two jobs": 1 - middle["two loops, one thread"] / middle["sweep --jobs 2"],
    }


def pruning() -> dict[str, Any]:
    """The best of 60 points and the seconds it took to find it, without and with pruning."""
    results = {}
    for pruner in ("none", "asha"):
        with tempfile.TemporaryDirectory() as folder:
            seconds, trials = sweep(f"{SPACE}pruner: {pruner}\n", 2, Path(folder))
        done = [trial for trial in trials if trial["state"] == "done"]
        results[pruner] = {
            "seconds": seconds,
            "validation": done[0]["validation"],
            "values": done[0]["values"],
            "epochs": sum(trial["epochs"] for trial in trials),
            "done": len(done),
        }
        print(pruner, results[pruner], file=sys.stderr)
    whole = results["none"]
    for each in results.values():
        each["of the time"] = each["seconds"] / whole["seconds"]
        each["below the best"] = whole["validation"] - each["validation"]
    return results


def main() -> None:
    what, *numbers = sys.argv[1:]
    if what == "plain":
        first, last, threads = map(int, numbers[:3])
        plain(first, last, threads, Path(numbers[3]))
        return
    result = pruning() if what == "pruning" else throughput(*map(int, numbers))
    print(json.dumps(result, indent=2))
    (HERE / "results" / f"sweeps_{what}.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
