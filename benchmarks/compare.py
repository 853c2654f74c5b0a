"""Compare nnmnist with PyTorch, JAX and scikit-learn: whole processes, and training alone.

`make bench` runs this script; it takes about ten minutes. All programs train the same recipe, which
they get from the config file. The runs alternate (nnmnist, peer, nnmnist, peer, ...), so a drift of
the machine's speed affects both. Pair n has the seed n. The results are medians of times and of
their ratios, and means of test accuracies, so that a program cannot be fast by learning less.
"""

from __future__ import annotations

import argparse
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

from nnmnist.config.loading import load_config
from nnmnist.data import mnist
from nnmnist.data.readers import idx

HERE = Path(__file__).parent
FAST = "records/one-epoch"  # the recipe that reaches a mean of 98 % first
# Networks whose training alone is measured: hidden widths, batch size, largest learning rate,
# epochs. Everything else is as in FAST.
NETWORKS = [("128", 128, 0.4, 4), ("256", 64, 0.4, 3), ("1024,1024", 256, 0.2, 2)]
# scikit-learn has neither the schedule nor smoothed labels: its own defaults, and as many epochs as
# a mean of 98 % needs (seeds 0-4: 98.05 %).
SKLEARN_EPOCHS = 8
WHOLE_PEERS = {
    "pytorch": "PyTorch",
    "jax_scan": "JAX, compiled",
    "sklearn_mlp": "scikit-learn",
}
WHOLE_HEADER = "| recipe of nnmnist | time | accuracy | peer | time | accuracy | nnmnist / peer |"
ALONE_HEADER = (
    "| network | nnmnist, seconds per epoch | PyTorch / nnmnist | JAX compiled / nnmnist "
    "| fraction of the best product | accuracy: nnmnist, PyTorch, JAX |"
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


def ours(recipe: str, seed: int) -> list[str]:
    """The command that trains a recipe with nnmnist."""
    command = [sys.executable, "-m", "nnmnist", "train", "--quiet", "--json", "--config", recipe]
    return [*command, "--seed", str(seed)]


def peer(name: str, options: dict[str, Any], seed: int) -> list[str]:
    """The command that runs a program of the folder peers."""
    words = [word for option, value in options.items() for word in (f"--{option}", str(value))]
    return [sys.executable, str(HERE / "peers" / f"{name}.py"), *words, "--seed", str(seed)]


def recipe_options() -> dict[str, Any]:
    """The recipe FAST as options of the peers."""
    config = load_config(FAST)
    training = config.training
    return {
        "hidden": ",".join(map(str, config.model.hidden)),
        "batch": training.batch_size,
        "epochs": training.epochs,
        "rate": training.learning_rate,
        "momentum": training.momentum,
        "warmup": training.warmup,
        "smoothing": training.label_smoothing,
        "centre": int(training.centre_inputs or bool(training.principal_components)),
        "components": training.principal_components or 0,
    }


def timed(command: list[str], env: dict[str, str], cwd: str) -> tuple[float, dict[str, Any]]:
    """Run a command; return its time in seconds, and the JSON object that it prints last."""
    started = time.perf_counter()
    process = subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, check=True)
    seconds = time.perf_counter() - started
    return seconds, json.loads((process.stdout.splitlines() or ["{}"])[-1])


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


def whole(env: dict[str, str], cwd: str, pairs: int) -> list[dict[str, Any]]:
    """The time of whole processes: nnmnist with a recipe, and what it is compared with, if any."""
    options = recipe_options()
    sklearn = {key: options[key] for key in ("hidden", "centre")} | {"epochs": SKLEARN_EPOCHS}
    rows = []
    for recipe, name in (
        *((FAST, name) for name in WHOLE_PEERS),
        ("mnist", "import torch"),
        ("plain", None),
    ):
        found = []
        # The first pair only fills the file cache.
        for seed in (0, *range(pairs)):
            our_time, our_result = timed(ours(recipe, seed), env, cwd)
            their_time, their_accuracy = 0.0, None
            if name in WHOLE_PEERS:
                chosen = sklearn if name == "sklearn_mlp" else options
                their_time, their_result = timed(peer(name, chosen, seed), env, cwd)
                their_accuracy = their_result["accuracy"]
            elif name:
                their_time, _ = timed([sys.executable, "-c", name], env, cwd)
            found.append((our_time, their_time, our_result["test"]["accuracy"], their_accuracy))
        rows.append(whole_row(recipe, name, found[1:]))
        print(rows[-1], file=sys.stderr)
    return rows


def whole_row(
    recipe: str, name: str | None, pairs: list[tuple[float, float, float, float | None]]
) -> dict[str, Any]:
    row: dict[str, Any] = {"recipe": recipe, "peer": name}
    row["ours"] = spread([pair[0] for pair in pairs])
    row["accuracy"] = statistics.mean(pair[2] for pair in pairs)
    if name:
        row["theirs"] = spread([pair[1] for pair in pairs])
        row["ratio"] = spread([pair[0] / pair[1] for pair in pairs])
    accuracies = [pair[3] for pair in pairs if pair[3] is not None]
    if accuracies:
        row["their_accuracy"] = statistics.mean(accuracies)
    return row


def alone(env: dict[str, str], cwd: str, pairs: int) -> list[dict[str, Any]]:
    """Seconds per epoch, without start-up, data, compilation and evaluation."""
    rows = []
    for hidden, batch, rate, epochs in NETWORKS:
        options = {**recipe_options(), "hidden": hidden, "batch": batch, "rate": rate}
        options |= {"epochs": epochs, "warm": 1, "centre": 1, "components": 0}
        seconds: dict[str, list[float]] = {"ours": [], "pytorch": [], "jax_scan": []}
        accuracy: dict[str, list[float]] = {name: [] for name in seconds}
        for seed in range(pairs):
            for name, values in seconds.items():
                _, result = timed(peer(name, options, seed), env, cwd)
                values.append(statistics.median(result["epochs"]))
                accuracy[name].append(result["accuracy"])
        best = best_product()
        row: dict[str, Any] = {
            "network": f"784-{hidden.replace(',', '-')}-10",
            "batch": batch,
            "accuracy": {name: statistics.mean(values) for name, values in accuracy.items()},
        }
        row |= {name: spread(values) for name, values in seconds.items()}
        for name in ("pytorch", "jax_scan"):
            both = zip(seconds[name], seconds["ours"], strict=True)
            row[f"{name}_ratio"] = spread([theirs / ours for theirs, ours in both])
        gflops = operations(hidden, 55_000) / statistics.median(seconds["ours"]) / 1e9
        row["best_gflops"], row["fraction"] = best, gflops / best
        rows.append(row)
        print(row, file=sys.stderr)
    return rows


def machine() -> dict[str, Any]:
    pools = [
        f"{pool['internal_api']} {pool['version']} {pool.get('architecture')}"
        for pool in threadpool_info()
    ]
    return {
        "platform": platform.platform(),
        "cores": os.cpu_count(),
        "numpy": np.__version__,
        "blas": pools,
    }


def print_tables(whole_rows: list[dict[str, Any]], alone_rows: list[dict[str, Any]]) -> None:
    """The two tables of README.md."""
    print(f"{WHOLE_HEADER}\n|---|---|---|---|---|---|---|")
    for row in whole_rows:
        theirs = " | | |"
        if row["peer"]:
            accuracy = f"{row['their_accuracy']:.2%}" if "their_accuracy" in row else ""
            ratio = f"1/{1 / row['ratio']['median']:.2f}"
            theirs = f" {row['theirs']['median']:.2f} s | {accuracy} | {ratio} |"
        name = WHOLE_PEERS.get(row["peer"], f"`{row['peer']}`" if row["peer"] else "")
        print(
            f"| `{row['recipe']}` | {row['ours']['median']:.2f} s | {row['accuracy']:.2%} | "
            f"{name} |{theirs}"
        )
    print(f"\n{ALONE_HEADER}\n|---|---|---|---|---|---|")
    for row in alone_rows:
        accuracy = ", ".join(f"{value:.2%}" for value in row["accuracy"].values())
        print(
            f"| {row['network']} b{row['batch']} | {row['ours']['median']:.3f} | "
            f"{row['pytorch_ratio']['median']:.2f} | {row['jax_scan_ratio']['median']:.2f} | "
            f"{row['fraction']:.0%} of {row['best_gflops']:.0f} GFLOP/s | {accuracy} |"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=5, help="alternating runs of each program")
    pairs = parser.parse_args().pairs
    with tempfile.TemporaryDirectory() as folder:
        env = prepare(Path(folder))
        results = {
            "machine": machine(),
            "pairs": pairs,
            "whole": whole(env, folder, pairs),
            "alone": alone(env, folder, pairs),
        }
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "compare.json").write_text(json.dumps(results, indent=1) + "\n")
    print_tables(results["whole"], results["alone"])


if __name__ == "__main__":
    main()
