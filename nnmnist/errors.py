"""Errors for users: one line that says what is wrong, where, and what to do."""

from __future__ import annotations


def printable(text: str, limit: int | None = 80) -> str:
    """`text` on one line of at most `limit` characters; control characters become escapes."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)
    return text if limit is None or len(text) <= limit else text[: limit - 3] + "..."


def printable_lines(text: str) -> str:
    """`text` with its lines, but without other control characters."""
    return "\n".join(printable(line, None) for line in text.split("\n"))


class NnmnistError(Exception):
    """Base class: the command line prints the message and exits with code 1."""


class ConfigError(NnmnistError):
    """A config file or flag is wrong: exit code 2. The message has one line for each fault."""


class DataError(NnmnistError):
    """Examples are missing, damaged, or not what they claim to be."""


class DataUnavailable(DataError):
    """No file and no mirror has the data. Only this error leads to `data.fallback`."""


class CheckpointError(NnmnistError):
    """A checkpoint is missing, damaged, forged, or cannot be used for this purpose."""


class TrainingError(NnmnistError):
    """Training cannot continue, for example because the cost is no longer finite."""


class RunLocked(NnmnistError):
    """Another process is training this run."""


class PlotError(NnmnistError):
    """A figure of this kind cannot be drawn of these runs."""


class ExportError(NnmnistError):
    """A network cannot be exported to this format."""


class MissingLibrary(NnmnistError):
    """An optional library is not installed."""
