"""Cost and accuracy against iterations, on training and on test data.

The gap between the two curves is the generalization error. The script trains softmax regression and
a deep network on MNIST (on generated digits if MNIST is not available). It evaluates the test data
during the training, because the picture shows them; it chooses nothing by them. `nnmnist plot RUN`
draws the same curves for any run, with its validation examples.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np

from nnmnist.config.loading import find_config, load_config
from nnmnist.config.schema import Config
from nnmnist.data.examples import Splits
from nnmnist.evaluation.evaluate import evaluate
from nnmnist.plots.curves import curves
from nnmnist.plots.style import save
from nnmnist.runs.history import History, Series
from nnmnist.training.fit import fit
from nnmnist.training.setup import build_network, load_data

RECIPES = {"softmax regression": "softmax", "deep network": "deep"}
# Training examples to evaluate: as many as MNIST has test examples.
N_EVALUATED = 10_000
HEADER = (
    f"{'iteration':>9}{'training cost':>15}{'test':>8}{'gap':>8}"
    f"{'training accuracy':>20}{'test':>9}{'gap':>8}"
)


def train_and_evaluate(name: str, settings: Config, splits: Splits, every: int) -> History:
    """Train one network, and evaluate training and test data every `every` iterations."""
    network = build_network(settings, splits)
    evaluated = {
        "training": replace(splits.train, rows=splits.train.rows[:N_EVALUATED]),
        "test": splits.test,
    }
    points: dict[str, list[tuple[float, float, float]]] = {split: [] for split in evaluated}
    iteration = 0

    def on_progress(step: int, steps: int, cost: float, accuracy: float | None) -> None:
        nonlocal iteration
        iteration += 1
        if iteration % every == 0:
            for split, examples in evaluated.items():
                result = evaluate(network, examples)
                points[split].append((iteration, result.cost, result.accuracy or np.nan))

    training = settings.training
    for _ in fit(
        network, splits.train, splits.validation, training, settings.seed, on_progress=on_progress
    ):
        pass
    return History(name, {split: Series(*np.array(rows).T) for split, rows in points.items()})


def table(history: History, n_rows: int = 6) -> str:
    """Both costs, both accuracies and their gaps, for some iterations, including the last."""
    training, test = history.splits["training"], history.splits["test"]
    lines = [HEADER]
    for i in np.linspace(0, len(test.steps) - 1, min(n_rows, len(test.steps))).astype(int):
        a, b = training.accuracy[i], test.accuracy[i]
        cost_gap = test.cost[i] - training.cost[i]
        lines.append(
            f"{test.steps[i]:9,.0f}{training.cost[i]:15.4f}{test.cost[i]:8.4f}{cost_gap:8.4f}"
            f"{a:20.2%}{b:9.2%}{a - b:8.2%}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, help="picture to write, .png, .svg or .pdf")
    parser.add_argument(
        "--every", type=int, default=200, help="iterations between two evaluations (%(default)s)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as in nnmnist train"
    )
    options = parser.parse_args()
    os.environ["MPLBACKEND"] = "agg"  # pictures are files, also in a notebook
    histories = []
    for name, recipe in RECIPES.items():
        settings = load_config(find_config(recipe), ["data.fallback=synthetic", *options.set])
        splits = load_data(
            settings.data, settings.seed, notify=lambda line: print(line, file=sys.stderr)
        )
        histories.append(train_and_evaluate(name, settings, splits, options.every))
        print(f"{name} on {splits.name}\n{table(histories[-1])}\n")
    if options.output:
        save(curves(histories, x_label="iteration (minibatch)"), options.output)


if __name__ == "__main__":
    main()
