"""Compare nnmnist with PyTorch, JAX and scikit-learn: total time, and training alone.

`make bench` runs this script. The runs alternate (nnmnist, peer, nnmnist, peer, ...), so a drift of
the machine's speed affects both. The results are medians and their ratios. Each program prints its
test accuracy, so a program cannot be fast by learning less.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_info

from nnmnist.data import mnist
from nnmnist.data.readers import idx

HERE = Path(__file__).parent
RUNS = 5
# (hidden widths, batch size, largest learning rate, epochs)
NETWORKS = [("128", 128, 0.2, 4), ("256", 64, 0.1, 4), ("1024,1024", 256, 0.1, 3)]
RECIPE = ["--hidden", "256", "--batch", "192", "--rate", "0.4", "--epochs", "3"]
# The recipe `plain` without what the peers do not do: the same training as RECIPE.
SAME = (
    "batch_size=192",
    "learning_rate=0.4",
    "warmup=0.3",
    "centre_inputs=false",
    "label_smoothing=0",
)
TRAIN = ["train", "--quiet", "--json", "--config", "plain", "--epochs", "3"]
TRAIN += [word for setting in SAME for word in ("--set", f"training.{setting}")]
OURS = [sys.executable, "-m", "nnmnist", *TRAIN]
SKLEARN = ["--hidden", "256", "--batch", "128", "--epochs", "10"]
WHOLE_HEADER = (
    "| peer | time of nnmnist | time of the peer | nnmnist / peer | accuracy: nnmnist, peer |"
)
ALONE_HEADER = (
    "| network | nnmnist, seconds per epoch | PyTorch / nnmnist | JAX compiled / nnmnist "
    "| fraction of the best product |"
)


def prepare(folder: Path) -> dict[str, str]:
    """Write MNIST as raw files; return the environment in which all programs find them."""
    source = mnist.load()
    raw = folder / "mnist"
    raw.mkdir()
    for name, array in (
        ("train-images-idx3-ubyte", source.train[0].reshape(-1, 28, 28)),
        ("train-labels-idx1-ubyte", source.train[1]),
        ("t10k-images-idx3-ubyte", source.test[0].reshape(-1, 28, 28)),
        ("t10k-labels-idx1-ubyte", source.test[1]),
    ):
        (raw / name).write_bytes(idx.encode(array))
    return {
        **os.environ,
        "NNMNIST_RAW_DIR": str(raw),
        "NNMNIST_DATA_DIR": str(folder),
        "NNMNIST_OFFLINE": "1",
        "XDG_CACHE_HOME": str(folder / "cache"),
    }


def peer(name: str, *arguments: object) -> list[str]:
    """The command that runs a program of the folder peers."""
    return [sys.executable, str(HERE / "peers" / f"{name}.py"), *map(str, arguments)]


def timed(command: list[str], env: dict[str, str], cwd: str) -> tuple[float, dict[str, Any]]:
    """Run a command; return its time in seconds, and the JSON object that it prints last."""
    started = time.perf_counter()
    process = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, json.loads(process.stdout.splitlines()[-1])


def best_product() -> float:
    """Speed of the machine's best float32 matrix product, in GFLOP/s."""
    best = 0.0
    for n in (1024, 2048, 3072):
        a, b, c = (np.random.default_rng(0).random((n, n), dtype=np.float32) for _ in range(3))
        for _ in range(8):
            started = time.perf_counter()
            np.matmul(a, b, out=c)
            best = max(best, 2 * n**3 / (time.perf_counter() - started) / 1e9)
    return best


def operations(hidden: str, examples: int) -> float:
    """Floating-point operations of the matrix products of one epoch.

    The products of a layer are z, dW and dh; the first layer needs no dh.
    """
    sizes = [784, *map(int, hidden.split(",")), 10]
    weights = [n_in * n_out for n_in, n_out in pairwise(sizes)]
    return 2.0 * examples * (3 * sum(weights) - weights[0])


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def whole(env: dict[str, str], cwd: str) -> list[dict[str, Any]]:
    """The time from the start of a program to its checkpoint (nnmnist) or accuracy (peers)."""
    rows = []
    for name, arguments, runs in (
        ("pytorch", RECIPE, RUNS),
        ("jax_scan", RECIPE, RUNS),
        ("sklearn_mlp", SKLEARN, 3),
    ):
        pairs = []
        # The first pair only fills the file cache.
        for _ in range(runs + 1):
            our_time, our_result = timed(OURS, env, cwd)
            their_time, their_result = timed(peer(name, *arguments), env, cwd)
            accuracies = our_result["test"]["accuracy"], their_result["accuracy"]
            pairs.append((our_time, their_time, *accuracies))
        pairs = pairs[1:]
        ours, theirs = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        row = {
            "peer": name,
            "ours": spread(ours),
            "theirs": spread(theirs),
            "accuracy": list(pairs[0][2:]),
        }
        rows.append({**row, "ratio": spread([pair[0] / pair[1] for pair in pairs])})
        print(rows[-1], file=sys.stderr)
    return rows


def alone(env: dict[str, str], cwd: str) -> list[dict[str, Any]]:
    """Seconds per epoch, without start-up, data, compilation and evaluation."""
    rows = []
    for hidden, batch, rate, epochs in NETWORKS:
        options = {"--hidden": hidden, "--batch": batch, "--rate": rate, "--epochs": epochs}
        arguments = [text for option in options.items() for text in option] + ["--warm"]
        seconds: dict[str, list[float]] = {"ours": [], "pytorch": [], "jax_scan": []}
        accuracy: dict[str, float] = {}
        for _ in range(RUNS):
            for name, values in seconds.items():
                _, result = timed(peer(name, *arguments), env, cwd)
                values.append(statistics.median(result["epochs"]))
                accuracy[name] = result["accuracy"]
        best = best_product()
        row: dict[str, Any] = {
            "network": f"784-{hidden.replace(',', '-')}-10",
            "batch": batch,
            "accuracy": accuracy,
        }
        row |= {name: spread(values) for name, values in seconds.items()}
        for name in ("pytorch", "jax_scan"):
            pairs = zip(seconds[name], seconds["ours"], strict=True)
            row[f"{name}_ratio"] = spread([theirs / ours for theirs, ours in pairs])
        gflops = operations(hidden, 55_000) / statistics.median(seconds["ours"]) / 1e9
        row["best_gflops"], row["fraction"] = best, gflops / best
        rows.append(row)
        print(row, file=sys.stderr)
    return rows


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        env = prepare(Path(folder))
        blas = [
            f"{pool['internal_api']} {pool['version']} {pool.get('architecture')}"
            for pool in threadpool_info()
        ]
        machine = {
            "platform": platform.platform(),
            "cores": os.cpu_count(),
            "numpy": np.__version__,
            "blas": blas,
        }
        results = {"machine": machine, "whole": whole(env, folder), "alone": alone(env, folder)}
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "compare.json").write_text(json.dumps(results, indent=1) + "\n")
    print_tables(results["whole"], results["alone"])


def print_tables(whole_rows: list[dict[str, Any]], alone_rows: list[dict[str, Any]]) -> None:
    """The two tables of README.md."""
    print(f"{WHOLE_HEADER}\n|---|---|---|---|---|")
    for row in whole_rows:
        ours, theirs = row["accuracy"]
        print(
            f"| {row['peer']} | {row['ours']['median']:.2f} s | {row['theirs']['median']:.2f} s | "
            f"1/{1 / row['ratio']['median']:.2f} | {ours:.2%}, {theirs:.2%} |"
        )
    print(f"\n{ALONE_HEADER}\n|---|---|---|---|---|")
    for row in alone_rows:
        print(
            f"| {row['network']} b{row['batch']} | {row['ours']['median']:.3f} | "
            f"{row['pytorch_ratio']['median']:.2f} | {row['jax_scan_ratio']['median']:.2f} | "
            f"{row['fraction']:.0%} of {row['best_gflops']:.0f} GFLOP/s |"
        )


if __name__ == "__main__":
    main()
