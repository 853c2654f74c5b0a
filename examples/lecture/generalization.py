"""Cost and accuracy against iterations, on training and on test data: the gap between them is the generalization error.

Softmax regression and a deep network on MNIST (on drawn digits where it is not here). The test data are looked at all
the way here because the picture is about them; nothing is chosen by them. `nnmnist plot RUN` draws the same of any
run from its validation examples.
"""

from __future__ import annotations

import argparse
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
LOOKED_AT = 10_000  # examples of the training part, as many as MNIST has to test


def follow(name: str, settings: Config, splits: Splits, every: int) -> History:
    """Train as `settings` say, and look at training and test data every so many iterations."""
    network = build_network(settings, splits)
    looked_at = {
        "training": replace(splits.train, rows=splits.train.rows[:LOOKED_AT]),
        "test": splits.test,
    }
    seen: dict[str, list[tuple[float, float, float]]] = {split: [] for split in looked_at}
    iteration = 0

    def look(step: int, steps: int, cost: float, accuracy: float | None) -> None:
        nonlocal iteration
        iteration += 1
        if iteration % every == 0:
            for split, examples in looked_at.items():
                found = evaluate(network, examples)
                seen[split].append((iteration, found.cost, found.accuracy or np.nan))

    for _ in fit(
        network, splits.train, splits.validation, settings.training, settings.seed, on_progress=look
    ):
        pass
    return History(name, {split: Series(*np.array(rows).T) for split, rows in seen.items()})


def table(history: History, rows: int = 6) -> str:
    """Some iterations, the last among them, with both costs and the gap, and the same of the accuracy."""
    training, test = history.splits["training"], history.splits["test"]
    lines = [
        f"{'iteration':>9}{'training cost':>15}{'test':>8}{'gap':>8}{'training accuracy':>20}{'test':>9}{'gap':>8}",
    ]
    for i in np.linspace(0, len(test.steps) - 1, min(rows, len(test.steps))).astype(int):
        a, b = training.accuracy[i], test.accuracy[i]
        lines.append(
            f"{test.steps[i]:9,.0f}{training.cost[i]:15.4f}{test.cost[i]:8.4f}{test.cost[i] - training.cost[i]:8.4f}"
            f"{a:20.2%}{b:9.2%}{a - b:8.2%}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, help="write the picture, .png or .svg")
    parser.add_argument(
        "--every", type=int, default=200, help="iterations between two looks (%(default)s)"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as in nnmnist train"
    )
    options = parser.parse_args()
    histories = []
    for name, recipe in RECIPES.items():
        settings = load_config(find_config(recipe), ["data.fallback=synthetic", *options.set])
        splits = load_data(
            settings.data, settings.seed, notify=lambda line: print(line, file=sys.stderr)
        )
        histories.append(follow(name, settings, splits, options.every))
        print(f"{name} on {splits.name}\n{table(histories[-1])}\n")
    if options.output:
        save(curves(histories, x_label="iteration (minibatch)"), options.output)


if __name__ == "__main__":
    main()
