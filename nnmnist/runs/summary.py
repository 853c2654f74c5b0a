"""The file `summary.json` of a finished run, and the scores by which runs are compared."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from nnmnist.checkpoint import Scores as Scores
from nnmnist.checkpoint import checked
from nnmnist.errors import DataError
from nnmnist.files import read_regular

FILE = "summary.json"
MAX_SIZE = 1_000_000  # bytes


class Summary(msgspec.Struct, kw_only=True):
    """What a finished run states about itself, as far as other commands need it."""

    data: str
    data_id: str | None = None  # None in runs of older versions
    replaced_data: str | None = None
    epochs: Annotated[int, Meta(ge=0)]
    seconds: Annotated[float, Meta(ge=0, le=sys.float_info.max)]
    validation: Scores | None
    test: Scores
    chance: bool | None = None  # None for regression, and in runs of older versions


def read(directory: Path) -> Summary:
    """The summary of the run in `directory`.

    Raises:
        FileNotFoundError: the run is not finished.
        DataError: the file is damaged, or is not a summary.
        OSError: the file cannot be read.
    """
    file = directory / FILE
    content = read_regular(file, MAX_SIZE)
    try:
        # Not msgspec.json, which refuses paths that are not UTF-8.
        summary = checked(json.loads(content), Summary)
        for scores in (summary.validation, summary.test):
            if scores is not None:
                score(scores)
    except (ValueError, RecursionError) as error:
        where = f" ({error})" if isinstance(error, msgspec.ValidationError) else ""
        raise DataError(
            f"{file}: `nnmnist train` did not write this{where}; remove it, or train again"
        ) from None
    return summary


def score(scores: Scores) -> tuple[str, float]:
    """The name and value of the score that runs are compared by: accuracy, else R^2, else cost.

    Raises ValueError if there is none.
    """
    for name in ("accuracy", "r2", "cost"):
        value = scores.get(name)
        if value is not None:
            return name, value
    raise ValueError("no score")


def rank(scores: Scores | None) -> tuple[float, float, float]:
    """A key for sorting: the best first, runs without scores last."""
    if scores is None:
        return (1, 0.0, 0.0)
    name, value = score(scores)
    return (0, value if name == "cost" else -value, scores.get("cost") or 0.0)
