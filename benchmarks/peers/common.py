"""What all programs share: arguments, data in memory, and the line of JSON that they print."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np

STARTED = time.perf_counter()


def arguments() -> SimpleNamespace:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--hidden", default="256", help="widths of the hidden layers, separated by commas"
    )
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, default=0.1, help="largest learning rate")
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument(
        "--warmup", type=float, default=0.3, help="fraction of the steps in which the rate rises"
    )
    parser.add_argument("--smoothing", type=float, default=0.0, help="of the labels")
    parser.add_argument("--centre", type=int, default=0, help="1: subtract the mean image")
    parser.add_argument("--components", type=int, default=0, help="principal components, or 0")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--warm", type=int, default=0, help="1: compile before the first epoch")
    options = vars(parser.parse_args())
    hidden = tuple(int(n) for n in options["hidden"].split(","))
    return SimpleNamespace(**{**options, "hidden": hidden})


def mnist(
    centre: int = 0, components: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Read 55,000 training and 10,000 test images (n, 784), with their labels (n,), from raw files.

    Pixels are float32 in [0, 1]; with `centre` minus the mean image of the training part. With
    `components`, the images become so many principal components, by the same method as in nnmnist.
    """
    folder = Path(os.environ["NNMNIST_RAW_DIR"])

    def images(name: str) -> np.ndarray:
        pixels = np.fromfile(folder / name, np.uint8, offset=16).reshape(-1, 784)
        return pixels.astype(np.float32) / np.float32(255)

    def labels(name: str) -> np.ndarray:
        return np.fromfile(folder / name, np.uint8, offset=8).astype(np.int64)

    train = images("train-images-idx3-ubyte"), labels("train-labels-idx1-ubyte")
    test = images("t10k-images-idx3-ubyte"), labels("t10k-labels-idx1-ubyte")
    x, y, x_test, y_test = train[0][:55_000], train[1][:55_000], test[0], test[1]
    if components:
        some = x[np.arange(3000) * len(x) // 3000]
        mean = some.mean(axis=0)
        some -= mean
        P = np.random.default_rng(0).standard_normal((784, components), np.float32)
        for _ in range(2):
            P, _ = np.linalg.qr(some.T @ (some @ P))
        x, x_test = x @ P - mean @ P, x_test @ P - mean @ P
    elif centre:
        mean = x.mean(axis=0)
        x -= mean
        x_test -= mean
    return x, y, x_test, y_test


def one_cycle(peak: float, total: int, warmup: float) -> Callable[[int], float]:
    """nnmnist's one-cycle schedule: a function from the step to the learning rate."""

    def rate(step: int) -> float:
        progress = (step + 0.5) / total
        return peak * (progress / warmup if progress < warmup else (1 - progress) / (1 - warmup))

    return rate


def report(name: str, epochs: list[float], accuracy: float, **more: float) -> None:
    """Print the result. `epochs` are the seconds of each epoch, without evaluation."""
    print(json.dumps({"peer": name, "epochs": epochs, "accuracy": accuracy, **more}))
