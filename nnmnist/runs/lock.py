"""The lock of a run: one process at a time locks the file `.lock` in its directory.

The system releases the lock when the process ends, even by `kill -9`, so that no run stays locked
by mistake. On a network disk the lock holds for all machines. Systems without such locks (Windows,
some network disks) do not lock runs.
"""

from __future__ import annotations

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from nnmnist.errors import RunLocked

FILE = ".lock"


class Lock:
    """Locks the run in `directory` until `release` or the end of the process.

    Raises:
        RunLocked: another process has locked it.
        OSError: the file cannot be written.
    """

    _descriptor: int | None = None

    def __init__(self, directory: Path) -> None:
        self._descriptor = os.open(directory / FILE, os.O_RDWR | os.O_CREAT, 0o666)
        while not _try(self._descriptor, shared=False):
            # not a reader in `is_locked`, but a training
            if not _try(self._descriptor, shared=True):
                self.release()
                raise RunLocked(
                    f"{directory}: another process is training this run; "
                    "wait for it, or stop it first"
                )

    def release(self) -> None:
        """Release the lock. The file stays: after a removal, others would lock different files."""
        # Forget the descriptor first: closed twice, it might be that of another file.
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self.release()


def is_locked(directory: Path) -> bool:
    """Whether a process is training the run in `directory` now."""
    try:
        # Opening a named pipe would wait for a writer without O_NONBLOCK, which Windows lacks.
        descriptor = os.open(directory / FILE, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False
    try:
        return not _try(descriptor, shared=True)
    finally:
        os.close(descriptor)


def _try(descriptor: int, shared: bool) -> bool:
    """Lock without waiting; False if another lock forbids it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # this disk has no locks
        return True
    return True
