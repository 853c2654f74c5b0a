"""nnmnist against PyTorch, JAX and scikit-learn: whole processes, and training alone. Run by `make
bench`.

Runs alternate (ours, peer, ours, peer, ...), so that a drift of the machine hits both; the figures
are medians and their ratios. Each peer prints its test accuracy, so that nobody is fast by learning
less.
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
# hidden widths, batch size, peak rate, epochs
NETWORKS = [("128", 128, 0.2, 4), ("256", 64, 0.1, 4), ("1024,1024", 256, 0.1, 3)]
RECIPE = ["--hidden", "256", "--batch", "192", "--rate", "0.4", "--epochs", "3"]
OURS = [
    sys.executable,
    "-m",
    "nnmnist",
    "train",
    "--quiet",
    "--json",
    "--config",
    "mnist",
    "--epochs",
    "3",
]


def prepare(folder: Path) -> dict[str, str]:
    """Raw files in `folder` and the environment in which ours and every peer find them."""
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
        **os.environ, "NNMNIST_RAW_DIR": str(raw), "NNMNIST_DATA_DIR": str(folder),
        "NNMNIST_OFFLINE": "1",
        "XDG_CACHE_HOME": str(folder / "cache"),
    }  # fmt: skip


def peer(name: str, *arguments: object) -> list[str]:
    return [sys.executable, str(HERE / "peers" / f"{name}.py"), *map(str, arguments)]


def timed(command: list[str], env: dict[str, str], cwd: str) -> tuple[float, dict[str, Any]]:
    started = time.perf_counter()
    output = subprocess.run(
        command, env=env, cwd=cwd, capture_output=True, text=True, check=True
    ).stdout
    return time.perf_counter() - started, json.loads(output.splitlines()[-1])


def best_product() -> float:
    """GFLOP/s of the machine's best float32 matrix product."""
    best = 0.0
    for n in (1024, 2048, 3072):
        a, b, c = (np.random.default_rng(0).random((n, n), dtype=np.float32) for _ in range(3))
        for _ in range(8):
            started = time.perf_counter()
            np.matmul(a, b, out=c)
            best = max(best, 2 * n**3 / (time.perf_counter() - started) / 1e9)
    return best


def operations(hidden: str, examples: int) -> float:
    """Floating-point operations of the matrix products of one epoch: forward, dW, and dh above the
    first layer.
    """
    sizes = [784, *map(int, hidden.split(",")), 10]
    products = sum(
        (2 if l == 0 else 3) * n_in * n_out for l, (n_in, n_out) in enumerate(pairwise(sizes))
    )
    return 2.0 * products * examples


def spread(values: list[float]) -> dict[str, float]:
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def whole(env: dict[str, str], cwd: str) -> list[dict[str, Any]]:
    """From Enter to the saved checkpoint (ours) or the printed accuracy (peers)."""
    rows = []
    for name, arguments, runs in (
        ("pytorch", RECIPE, RUNS),
        ("jax_scan", RECIPE, RUNS),
        ("sklearn_mlp", ["--hidden", "256", "--batch", "128", "--epochs", "10"], 3),
    ):
        pairs = []
        for _ in range(runs + 1):  # the first warms the file cache
            own, result = timed(OURS, env, cwd)
            other, said = timed(peer(name, *arguments), env, cwd)
            pairs.append((own, other, result["test"]["accuracy"], said["accuracy"]))
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
    """Seconds an epoch, start-up, data, compilation and evaluation left out."""
    rows = []
    for hidden, batch, rate, epochs in NETWORKS:
        arguments = [
            "--hidden",
            hidden,
            "--batch",
            batch,
            "--rate",
            rate,
            "--epochs",
            epochs,
            "--warm",
        ]
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
        row["best_gflops"] = best
        row["fraction"] = (
            operations(hidden, 55_000) / statistics.median(seconds["ours"]) / 1e9 / best
        )
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
    print(
        "| whole process to 98 % | ours | theirs | ours / theirs | accuracy ours, theirs "
        "|\n|---|---|---|---|---|"
    )
    for row in results["whole"]:
        print(
            f"| {row['peer']} | {row['ours']['median']:.2f} s | {row['theirs']['median']:.2f} s | "
            f"1/{1 / row['ratio']['median']:.2f} | {row['accuracy'][0]:.2%}, "
            f"{row['accuracy'][1]:.2%} |"
        )
    print(
        "\n| training alone | ours, s an epoch | PyTorch / ours | JAX compiled / ours | fraction "
        "of best product |"
    )
    print("|---|---|---|---|---|")
    for row in results["alone"]:
        print(
            f"| {row['network']} b{row['batch']} | {row['ours']['median']:.3f} | "
            f"{row['pytorch_ratio']['median']:.2f} | {row['jax_scan_ratio']['median']:.2f} | "
            f"{row['fraction']:.0%} of {row['best_gflops']:.0f} GFLOP/s |"
        )


if __name__ == "__main__":
    main()
