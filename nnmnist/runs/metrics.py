"""The file `metrics.csv` of a run: one row per epoch."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nnmnist.errors import DataError
from nnmnist.files import append, write_atomic
from nnmnist.training.fit import Epoch

COLUMNS = (
    "epoch", "train_cost", "train_accuracy", "validation_cost", "validation_accuracy",
    "learning_rate", "seconds",
)  # fmt: skip
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?")


def record(path: Path, epoch: Epoch) -> None:
    """Append the row of an epoch, durably. Raises OSError."""
    validation = epoch.validation
    row = [epoch.number, epoch.cost, epoch.accuracy]
    row += [validation.cost, validation.accuracy] if validation else [None, None]
    row += [epoch.learning_rate, round(epoch.seconds, 4)]
    append(path, _csv([row]))


def rewrite(path: Path, epochs_done: int) -> list[float]:
    """Keep the complete rows of the first `epochs_done` epochs; return their training costs.

    A crash or a power cut may leave rows of an epoch that no checkpoint has, half a row, or zeros.
    Raises OSError.
    """
    rows = [row for row in _complete_rows(path) if int(row[0]) <= epochs_done]
    write_atomic(path, _csv([COLUMNS, *rows]))
    return [float(row[COLUMNS.index("train_cost")]) for row in rows]


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
        {name: float(cell) if cell else None for name, cell in zip(COLUMNS, row, strict=True)}
        for row in _complete_rows(path)
    ]


def _require_undamaged(path: Path) -> None:
    header, *rows = _lines(path) or [""]
    if header != ",".join(COLUMNS):
        names = header.split(",")
        missing = next((name for name in COLUMNS if name not in names), COLUMNS[0])
        raise DataError(f"{path}:1: has no column {missing}; `nnmnist train` did not write this")
    for number, row in enumerate(rows, start=2):
        if not _is_complete(row.split(",")):
            raise DataError(f"{path}:{number}: is not a row of metrics: {row!r:.100}; remove it")


def _complete_rows(path: Path) -> list[list[str]]:
    """The rows that `record` wrote and nothing has cut."""
    return [row for row in csv.reader(_lines(path)) if _is_complete(row)]


def _lines(path: Path) -> list[str]:
    """The lines that have an end; a power cut may leave zeros between them."""
    if not path.exists():
        return []
    text = path.read_text("utf-8", errors="replace").replace("\0", "")
    return text.split("\n")[:-1]


def _is_complete(row: Sequence[str]) -> bool:
    """Whether `record` wrote exactly these cells."""
    return (
        len(row) == len(COLUMNS)
        and row[0].isdecimal()
        and all(not cell or _NUMBER.fullmatch(cell) for cell in row)
    )


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()
