"""Files that are either complete or do not exist."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from nnmnist.errors import DataError


def best_of(path: Path) -> Path:
    """The best checkpoint of a run directory; any other path as it is."""
    best = path / "best.npz"
    return best if best.exists() else path


def write_atomic(path: Path, data: bytes | Callable[[BinaryIO], object]) -> None:
    """Write a file so that readers see either the old content or the new.

    The bytes are on the disk before they get the name, so that even a power cut cannot leave half a
    file. If it fails, `path` is as before, and no temporary file is left.

    Args:
        path: where to write.
        data: the content, or a function that writes it to an open file.

    Raises:
        OSError: the file cannot be written; the error names `path`.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}.tmp")

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


def read_regular(path: Path, limit: int) -> bytes:
    """The content of a regular file of at most `limit` bytes.

    Reading another kind of file, such as a named pipe or a device, might block or never end.

    Raises:
        DataError: it is no regular file, or is too large.
        OSError: it is missing, or cannot be read.
    """
    # Opening a named pipe would wait for a writer without O_NONBLOCK, which Windows lacks.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise DataError(f"{path}: is not a regular file; remove it")
        content = file.read(limit + 1)
    if len(content) > limit:
        raise DataError(f"{path}: has more than {limit:,} bytes; remove it")
    return content


def append(path: Path, data: bytes) -> None:
    """Append to a file, durably; if that fails, the file is as before. Raises OSError."""

    def write() -> None:
        with path.open("ab") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())

    with _named(path):
        _all_or_nothing(write, partial(os.truncate, path, path.stat().st_size))


def _all_or_nothing(write: Callable[[], None], undo: Callable[[], None]) -> None:
    """Call `write()`, and if it fails `undo()`, even if a second Ctrl-C interrupts this."""
    try:
        try:
            write()
        except BaseException:
            undo()
            raise
    except BaseException:
        undo()
        raise


def remove_leftovers(path: Path) -> None:
    """Remove temporary files of killed processes; no process may be writing to `path` now."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        leftover.unlink()


def is_leftover(path: Path) -> bool:
    """Whether this is a temporary file, which a killed process has left."""
    return path.name.startswith(".") and path.suffix == ".tmp"


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Let an OSError in the block name `path`: an error of an open file names nothing."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _sync_folder(folder: Path) -> None:
    """Make a new name in `folder` durable. Windows and some network disks cannot do that."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
