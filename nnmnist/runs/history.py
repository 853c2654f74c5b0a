"""The curves of cost and accuracy of a run, or of what `fit` yields."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nnmnist import checkpoint
from nnmnist.errors import CheckpointError, DataError
from nnmnist.runs import metrics, summary
from nnmnist.training.fit import Epoch
from nnmnist.types import Array, require_type


class Series(NamedTuple):
    """Cost and accuracy of one split at the same steps."""

    steps: Array  # (n,) epochs or iterations
    cost: Array  # (n,)
    accuracy: Array  # (n,) fraction of examples with the right class; NaN for regression


@dataclass(frozen=True)
class History:
    """The curves of one training."""

    name: str
    splits: dict[str, Series]  # training, and validation and test where these were evaluated


def read(directory: Path, name: str | None = None, in_iterations: bool = False) -> History:
    """The history of a run.

    A training value is the mean over the minibatches of an epoch, each before its own step, and so
    belongs to the middle of the epoch. A validation value belongs to the end of its epoch, and the
    only test value to the best epoch. In the history by iterations, all values belong to the
    network after an iteration.

    Args:
        directory: the run.
        name: what to call it; None for the name of the directory.
        in_iterations: whether to read the history by iterations from curve.csv.

    Raises:
        DataError: there is no run, it has no complete epoch, or a file is damaged.
        CheckpointError: the best checkpoint is damaged, or does not state its epoch.
    """
    file = directory / (metrics.CURVE if in_iterations else metrics.FILE)
    if not file.is_file():
        raise DataError(
            f"{directory}: has no curve, because it is not a run (no {file.name}); give the "
            "directory of a run, or a checkpoint in it"
        )
    rows = metrics.read(file, strict=True)
    if not rows:
        raise DataError(f"{file}: no epoch is complete yet; resume the run, or give another one")
    splits = _splits(rows)
    if in_iterations:
        return History(name or directory.resolve().name, splits)
    with suppress(FileNotFoundError):
        test = summary.read(directory).test
        best = checkpoint.load(directory / "best.npz").document.get("epoch")
        if best is None:
            raise CheckpointError(
                f"{directory / 'best.npz'}: does not state its epoch; give the directory of a run"
            )
        cost, accuracy = (np.array([test.get(key)], float) for key in ("cost", "accuracy"))
        splits["test"] = Series(np.array([best], float), cost, accuracy)
    return History(name or directory.resolve().name, splits)


def of_epochs(epochs: Iterable[Epoch], name: str = "") -> History:
    """The history of a training, from what `fit` yields; see `read` for the steps.

    Raises TypeError or ValueError unless there are records of epochs.
    """
    require_type("history", epochs, Iterable, "what nnmnist.fit yields")
    rows = []
    for epoch in epochs:
        require_type("an epoch of history", epoch, Epoch, "a record that nnmnist.fit yields")
        rows.append(metrics.row(epoch))
    if not rows:
        raise ValueError("history has no epochs; expected at least one")
    return History(name, _splits(rows))


def _splits(rows: Sequence[Mapping[str, float | None]]) -> dict[str, Series]:
    """The curves of rows of metrics.csv or curve.csv, at least one."""
    columns = {key: np.array([row[key] for row in rows], float) for key in rows[0]}
    in_iterations = "iteration" in columns
    steps = columns["iteration" if in_iterations else "epoch"]
    middle = steps if in_iterations else steps - 0.5
    splits = {"training": Series(middle, columns["train_cost"], columns["train_accuracy"])}
    for name in ("validation", "test"):
        cost = columns.get(f"{name}_cost", np.array([np.nan]))
        if np.isfinite(cost).any():
            splits[name] = Series(steps, cost, columns[f"{name}_accuracy"])
    return splits
