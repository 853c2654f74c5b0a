"""The files `metrics.csv` and `curve.csv` of a run: a row per epoch, and per point of the curve."""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nnmnist.errors import DataError
from nnmnist.files import append, read_regular, write_atomic
from nnmnist.training.fit import Epoch

FILE = "metrics.csv"
MAX_SIZE = 100_000_000  # bytes: about a million epochs
COLUMNS = (
    "epoch", "train_cost", "train_accuracy", "validation_cost", "validation_accuracy",
    "learning_rate", "seconds",
)  # fmt: skip
CURVE = "curve.csv"  # of runs with `training.curve_every`
CURVE_COLUMNS = (
    "iteration", "epochs", "train_cost", "train_accuracy", "validation_cost", "validation_accuracy",
    "test_cost", "test_accuracy",
)  # fmt: skip
_WHOLE = re.compile(r"[0-9]{1,9}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?")


def record(path: Path, epoch: Epoch) -> None:
    """Append the row of an epoch, durably. Raises OSError."""
    append(path, _csv([list(row(epoch).values())]))


def row(epoch: Epoch) -> dict[str, float | None]:
    """The values of an epoch by column."""
    validation = epoch.validation
    values = [epoch.number, epoch.cost, epoch.accuracy]
    values += [validation.cost, validation.accuracy] if validation else [None, None]
    values += [epoch.learning_rate, round(epoch.seconds, 4)]
    return dict(zip(COLUMNS, values, strict=True))


def record_curve(path: Path, epoch: Epoch) -> None:
    """Append the points of the curve within an epoch, durably. Raises OSError."""
    rows = []
    for point in epoch.curve:
        values: list[float | None] = [point.iteration, point.epochs]
        for result in (point.train, point.validation, point.test):
            values += [result.cost, result.accuracy] if result else [None, None]
        rows.append(values)
    append(path, _csv(rows))


def rewrite(path: Path, epochs_done: int) -> None:
    """Keep the complete rows of the first `epochs_done` epochs.

    A crash or a power cut may leave rows of an epoch that no checkpoint has, half a row, or zeros.
    Raises OSError.
    """
    columns = _columns(path)
    k = columns.index("epochs" if path.name == CURVE else "epoch")
    rows = [row for row in _complete_rows(path) if float(row[k]) <= epochs_done]
    write_atomic(path, _csv([columns, *rows]))


def read(path: Path, strict: bool = False) -> list[dict[str, float | None]]:
    """The complete rows by column, with None for an empty cell.

    A last line without its end is ignored: a run may be writing it.

    Args:
        path: the file; if it does not exist, there are no rows.
        strict: whether other damage is an error; otherwise damaged rows are ignored.

    Raises:
        DataError: the file is damaged, or is no metrics.csv; the message names file and line.
        OSError: the file cannot be read.
    """
    if strict:
        _require_undamaged(path)
    return [
        {
            name: float(cell) if cell else None
            for name, cell in zip(_columns(path), row, strict=True)
        }
        for row in _complete_rows(path)
    ]


def _require_undamaged(path: Path) -> None:
    header, *rows = _lines(path) or [""]
    columns = _columns(path)
    if header != ",".join(columns):
        names = header.split(",")
        missing = next((name for name in columns if name not in names), columns[0])
        raise DataError(f"{path}:1: has no column {missing}; `nnmnist train` did not write this")
    for number, row in enumerate(rows, start=2):
        if not _is_complete(row.split(","), len(columns)):
            raise DataError(f"{path}:{number}: is not a row of metrics: {row!r:.100}; remove it")


def _complete_rows(path: Path) -> list[list[str]]:
    """The rows that `record` wrote and nothing has cut."""
    rows = (line.split(",") for line in _lines(path))
    n_columns = len(_columns(path))
    return [row for row in rows if _is_complete(row, n_columns)]


def _columns(path: Path) -> Sequence[str]:
    return CURVE_COLUMNS if path.name == CURVE else COLUMNS


def _lines(path: Path) -> list[str]:
    """The lines that have an end; a power cut may leave zeros between them."""
    try:
        content = read_regular(path, MAX_SIZE)
    except FileNotFoundError:
        return []
    text = content.decode("utf-8", errors="replace").replace("\0", "")
    return text.split("\n")[:-1]


def _is_complete(row: Sequence[str], n_columns: int) -> bool:
    """Whether `record` or `record_curve` wrote exactly these cells."""
    return (
        len(row) == n_columns
        and _WHOLE.fullmatch(row[0]) is not None
        and all(
            not cell or (_NUMBER.fullmatch(cell) and math.isfinite(float(cell))) for cell in row
        )
    )


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()
