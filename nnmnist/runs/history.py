"""What a run wrote down, read back: its curves of cost and accuracy."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from nnmnist.types import Array
import numpy as np
from numpy.typing import NDArray

from nnmnist import checkpoint
from nnmnist.errors import DataError

# that are read
COLUMNS = ("epoch", "train_cost", "train_accuracy", "validation_cost", "validation_accuracy")


class Series(NamedTuple):
    """Cost and accuracy of one split, at the same steps."""

    steps: Array  # (n,) epochs or iterations
    cost: Array  # (n,)
    accuracy: Array  # (n,) fractions classified rightly; NaN for regression


@dataclass(frozen=True)
class History:
    """The curves of one training."""

    name: str
    splits: dict[str, Series]  # training, validation, test, as far as they were looked at


def read(directory: Path, name: str | None = None) -> History:
    """The history, in epochs, of the run in `directory`, called `name` or as the directory is.

    A training figure is the mean over an epoch's minibatches, each before its own step, and so stands in the
    middle of its epoch; a validation figure stands at the epoch's end; and the one test figure at the best epoch.

    Raises:
        DataError: there is no run, it has no epoch behind it, or its metrics are damaged.
    """
    file = directory / "metrics.csv"
    if not file.is_file():
        raise DataError(
            f"{directory}: no curve to draw, for it holds no run (no {file.name}); give the directory that "
            "`train` made, or a checkpoint in it"
        )
    rows = _rows(file)
    epochs = rows["epoch"]
    splits = {"training": Series(epochs - 0.5, rows["train_cost"], rows["train_accuracy"])}
    if np.isfinite(rows["validation_cost"]).any():
        splits["validation"] = Series(epochs, rows["validation_cost"], rows["validation_accuracy"])
    summary = directory / "summary.json"
    if summary.is_file():
        best = checkpoint.load(directory / "best.npz").document["epoch"]
        splits["test"] = Series(*(np.array([x], float) for x in (best, *_test_figures(summary))))
    return History(name or directory.resolve().name, splits)


def _rows(file: Path) -> dict[str, Array]:
    """The columns of `metrics.csv` by name, an empty cell as NaN; a last line cut short is not counted."""
    header, *rows = file.read_text(encoding="utf-8", errors="replace").split("\n")[:-1] or [""]
    names = header.split(",")
    if missing := [name for name in COLUMNS if name not in names]:
        raise DataError(f"{file}:1: has no column {missing[0]}; it is not what `nnmnist train` writes")
    if not rows:
        raise DataError(f"{file}: no epoch is done yet; go on with the run, or give another")
    cells = np.full((len(rows), len(names)), np.nan)
    for i, row in enumerate(rows):
        try:
            for k, cell in zip(range(len(names)), row.split(","), strict=True):
                if cell:
                    cells[i, k] = _finite(cell)
        except ValueError:
            raise DataError(f"{file}:{i + 2}: not a row of metrics: {row!r}") from None
    return dict(zip(names, cells.T, strict=True))


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _test_figures(summary: Path) -> tuple[float, float]:
    """Cost and accuracy (NaN for regression) on the test examples."""
    try:
        test = json.loads(summary.read_text(encoding="utf-8"))["test"]
        return float(test["cost"]), np.nan if test["accuracy"] is None else float(test["accuracy"])
    except (ValueError, KeyError, TypeError):
        raise DataError(f"{summary}: is not what `nnmnist train` writes; remove it, or train again") from None
