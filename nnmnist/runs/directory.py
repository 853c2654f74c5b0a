"""The directory of a run: its files, which one process at a time may write (lock.py)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nnmnist import files
from nnmnist.errors import CheckpointError, ConfigError, NnmnistError
from nnmnist.runs import lock

# The files of a finished run.
FILES = ("config.yaml", "metrics.csv", "best.npz", "last.npz", "summary.json", lock.FILE)
FAILURE = "failure.txt"
# Files that only some runs have.
OTHERS = ("curve.csv", FAILURE)


def new_directory(base: Path, name: str) -> Path:
    """Create a directory in `base` for this process alone, even if others start with it."""
    n = 0
    while True:
        directory = base / (f"{name}-{n}" if n else name)
        try:
            directory.mkdir(parents=True, exist_ok=False)
            return directory
        except FileExistsError:
            n += 1


def is_unstarted(directory: Path) -> bool:
    """Whether a run may start here: the directory is missing, empty, or has only leftovers."""
    if not directory.exists():
        return True
    return all(path.name == lock.FILE or files.is_leftover(path) for path in directory.iterdir())


class RunDirectory:
    """A directory that is locked until the run is finished, fails or is stopped.

    Raises:
        RunLocked: another process is training the run.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lock = lock.Lock(directory)

    def path(self, name: str) -> Path:
        """The path of a file of the run."""
        return self.directory / name

    @contextmanager
    def session(self) -> Iterator[None]:
        """Unlock the run if the block ends with an exception; a failure writes its reason."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, Exception) and not isinstance(
                error, (CheckpointError, ConfigError)
            ):
                kind = "" if isinstance(error, NnmnistError) else f"{type(error).__name__}: "
                with suppress(OSError):
                    files.write_atomic(self.path(FAILURE), f"{kind}{error}\n".encode())
            self.lock.release()
            raise

    def remove_leftovers(self) -> None:
        """Remove the unfinished files of killed processes."""
        for name in (*FILES, *OTHERS):
            files.remove_leftovers(self.path(name))

    def clear(self) -> None:
        """Remove the files of an earlier run."""
        self.remove_leftovers()
        for name in {*FILES, *OTHERS} - {lock.FILE}:
            self.path(name).unlink(missing_ok=True)
