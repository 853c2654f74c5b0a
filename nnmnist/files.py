"""Files that are either whole or not there at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO


def write_atomic(path: Path, data: bytes | Callable[[BinaryIO], object]) -> None:
    """Put `data`, or what `data(file)` writes, at `path`; whoever reads it meets the old content or the new.

    The bytes are on the disk before the name is theirs, so that not even a power cut leaves half a file. On
    any failure `path` is untouched and nothing is left beside it. Raises OSError, which names `path`.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")

    def write() -> None:
        with temporary.open("xb") as file:
            if callable(data):
                data(file)
            else:
                file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)

    with _named(path):
        _all_or_nothing(write, partial(temporary.unlink, missing_ok=True))
    _sync_folder(path.parent)


def append(path: Path, data: bytes) -> None:
    """Add `data` to the file `path`, on the disk; on any failure the file is as it was. Raises OSError."""

    def write() -> None:
        with path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    with _named(path):
        _all_or_nothing(write, partial(os.truncate, path, path.stat().st_size))


def _all_or_nothing(write: Callable[[], None], undo: Callable[[], None]) -> None:
    """`write()`, undone where that fails, also where a second Ctrl-C breaks into the undoing of a first."""
    try:
        try:
            write()
        except BaseException:
            undo()
            raise
    except BaseException:
        undo()
        raise


def sweep(path: Path) -> None:
    """Remove what killed processes left of their writing to `path`; nobody may be writing to it now."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        leftover.unlink()


def is_leftover(path: Path) -> bool:
    """Whether this is what a killed process left of its writing."""
    return path.name.startswith(".") and path.suffix == ".tmp"


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """An OSError in the block names `path`; writing, with no more than a descriptor in hand, names nothing."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _sync_folder(folder: Path) -> None:
    """Make a new name in `folder` durable, where the system can: Windows and some network disks cannot."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
