"""The errors a user is meant to read: one line that says what is wrong, where, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from nnmnist.types import Array

Entry = TypeVar("Entry")


def printable(text: str, limit: int = 80) -> str:
    """`text` on one line of at most `limit` characters, without any that a terminal would act on."""
    if not text.isprintable():
        text = repr(text)[1:-1]
    return text if len(text) <= limit else text[: limit - 3] + "..."


class NnmnistError(Exception):
    """Base of every error that the command line turns into one line and exit code 1."""


class ConfigError(NnmnistError):
    """A config file or flag is wrong: exit code 2. The message has one line for each fault found."""


class DataError(NnmnistError):
    """Examples cannot be had, or are not what they claim to be."""


class DataUnavailable(DataError):
    """No file and no mirror can give the data; `data.fallback` answers this error and no other."""


class CheckpointError(NnmnistError):
    """A checkpoint is missing, damaged, forged, or does not fit what is asked of it."""


class TrainingError(NnmnistError):
    """Training cannot go on, for example because the cost is no longer finite."""


class RunHeld(NnmnistError):
    """Another process is training this run."""


class PlotError(NnmnistError):
    """A picture does not apply to what it is asked of."""


class ExportError(NnmnistError):
    """A network cannot be written in the format that is asked for."""


class MissingLibrary(NnmnistError):
    """An optional library is not installed."""


def look_up(key: str, name: str, table: Mapping[str, Entry]) -> Entry:
    """The entry `name` of a table. Raises ValueError, which lists the names that `key` allows."""
    if name not in table:
        raise ValueError(f"{key} is {name!r}; expected one of {', '.join(table)}")
    return table[name]


def require_shape(name: str, array: Array, shape: tuple[int, ...]) -> None:
    """Raise ValueError unless the array called `name` has this shape."""
    if array.shape != shape:
        raise ValueError(f"{name} has the shape {array.shape}; expected {shape}")
