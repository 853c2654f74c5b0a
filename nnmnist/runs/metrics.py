"""The file `metrics.csv` of a run: one row an epoch."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nnmnist.files import append, write_atomic
from nnmnist.training.fit import Epoch

COLUMNS = (
    "epoch", "train_cost", "train_accuracy", "validation_cost", "validation_accuracy", "learning_rate", "seconds",
)  # fmt: skip
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?")


def record(path: Path, epoch: Epoch) -> None:
    """Add a row, on the disk. Raises OSError."""
    validation = epoch.validation
    row = [epoch.number, epoch.cost, epoch.accuracy]
    row += [validation.cost, validation.accuracy] if validation else [None, None]
    row += [epoch.learning_rate, round(epoch.seconds, 4)]
    append(path, _csv([row]))


def rewrite(path: Path, epochs_done: int) -> list[float]:
    """Keep the whole rows of the first `epochs_done` epochs, under the header; their training costs.

    A crash or a power cut may leave rows of an epoch that no checkpoint holds, half a row, or zeros.
    Raises OSError.
    """
    rows = [row for row in _whole_rows(path) if int(row[0]) <= epochs_done] if epochs_done else []
    write_atomic(path, _csv([COLUMNS, *rows]))
    return [float(row[COLUMNS.index("train_cost")]) for row in rows]


def read(path: Path) -> list[dict[str, float | None]]:
    """The whole rows by column, None for an empty cell; none where there is no such file. Raises OSError."""
    return [
        {name: float(cell) if cell else None for name, cell in zip(COLUMNS, row, strict=True)}
        for row in _whole_rows(path)
    ]


def _whole_rows(path: Path) -> list[list[str]]:
    """What `record` wrote and nobody has cut."""
    if not path.exists():
        return []
    text = path.read_text("utf-8", errors="replace").replace("\0", "")
    complete = text[: text.rfind("\n") + 1]
    return [row for row in csv.reader(io.StringIO(complete)) if _is_whole(row)]


def _is_whole(row: Sequence[str]) -> bool:
    """Whether this is what `record` wrote, and all of it."""
    return (
        len(row) == len(COLUMNS)
        and row[0].isdecimal()
        and all(not cell or _NUMBER.fullmatch(cell) for cell in row)
    )


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue().encode()
