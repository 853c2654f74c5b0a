"""The directory of a run: its files, and that one process at a time writes them (lock.py)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from nnmnist import files
from nnmnist.runs import lock
from nnmnist.errors import CheckpointError, ConfigError, NnmnistError

# of a finished run
FILES = ("config.yaml", "metrics.csv", "best.npz", "last.npz", "summary.json", lock.FILE)
FAILURE = "failure.txt"


def new_directory(base: Path, name: str) -> Path:
    """A directory in `base` that nobody else has, however many start in the same second."""
    n = 0
    while True:
        directory = base / (f"{name}-{n}" if n else name)
        try:
            directory.mkdir(parents=True, exist_ok=False)
            return directory
        except FileExistsError:
            n += 1


def is_unstarted(directory: Path) -> bool:
    """Whether a run may begin there: nothing is, or what a run leaves that was killed before it had its config."""
    if not directory.exists():
        return True
    return all(path.name == lock.FILE or files.is_leftover(path) for path in directory.iterdir())


class RunDirectory:
    """Locked, until the run is finished, fails or is left.

    Raises:
        RunHeld: another process is training the run.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.lock = lock.Lock(directory)

    def path(self, name: str) -> Path:
        """A file of the run."""
        return self.directory / name

    @contextmanager
    def session(self) -> Iterator[None]:
        """Whatever ends the block early unlocks the run for others; a failure leaves its reason."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, Exception) and not isinstance(error, (CheckpointError, ConfigError)):
                kind = "" if isinstance(error, NnmnistError) else f"{type(error).__name__}: "
                with suppress(OSError):
                    files.write_atomic(self.path(FAILURE), f"{kind}{error}\n".encode())
            self.lock.release()
            raise

    def sweep(self) -> None:
        """Remove what killed processes left half written."""
        for name in (*FILES, FAILURE):
            files.sweep(self.path(name))

    def clear(self) -> None:
        """Remove the files of an earlier run."""
        self.sweep()
        for name in {*FILES, FAILURE} - {lock.FILE}:
            self.path(name).unlink(missing_ok=True)
