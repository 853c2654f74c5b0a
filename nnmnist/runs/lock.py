"""Who trains a run: the file `.lock` in its directory, locked by one process at a time.

The system lets go of the lock when the process ends, `kill -9` included, so that no run stays locked by mistake; on
a network disk it holds for all machines. Where there are no such locks (Windows, some network disks) runs go unlocked.
"""

from __future__ import annotations

import os
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

from nnmnist.errors import RunHeld

FILE = ".lock"


class Lock:
    """The right to train the run in `directory`, from here to `release` or the end of the process.

    Raises:
        RunHeld: another has it. OSError: nothing can be written there.
    """

    _descriptor: int | None = None

    def __init__(self, directory: Path) -> None:
        self._descriptor = os.open(directory / FILE, os.O_RDWR | os.O_CREAT, 0o666)
        while not _try(self._descriptor, shared=False):
            # no reader that only asks `held`, but a trainer
            if not _try(self._descriptor, shared=True):
                self.release()
                raise RunHeld(
                    f"{directory}: another process is training this run; wait for it, or stop it first"
                )

    def release(self) -> None:
        """Give the right back; the file stays, for removing it would give those who wait different files."""
        descriptor, self._descriptor = (
            self._descriptor,
            None,
        )  # first: closed twice, it may by then be another file's
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        self.release()


def held(directory: Path) -> bool:
    """Whether a process is training the run in `directory` at this moment."""
    try:
        descriptor = os.open(directory / FILE, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try(descriptor, shared=True)
    finally:
        os.close(descriptor)


def _try(descriptor: int, shared: bool) -> bool:
    """Lock without waiting; False where somebody else's lock forbids it."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # this disk has no locks
        return True
    return True
