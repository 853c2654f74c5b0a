"""The workers of a sweep on this machine: processes with one thread each."""

from __future__ import annotations

import multiprocessing
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import NoReturn

from nnmnist.errors import NnmnistError
from nnmnist.sweep import worker
from nnmnist.sweep.plan import Sweep
from nnmnist.sweep.store import Journal, Store


def open_store(
    sweep: Sweep, folder: Path, url: str | None, notify: Callable[[str], None] = lambda line: None
) -> Store:
    """The trials of a sweep: in the database at `url`, or else in a file in `folder`."""
    if url is None:
        return Journal(sweep, folder, notify)
    from nnmnist.sweep.database import Database

    return Database(sweep, folder, url, notify)


class Pool:
    """Processes that train the trials of a sweep; a context that ends them.

    `notify` receives the notices of the processes, one line each.
    """

    def __init__(
        self,
        jobs: int,
        sweep: Sweep,
        folder: Path,
        url: str | None,
        data_dir: Path | None,
        notify: Callable[[str], None],
    ) -> None:
        self._notify = notify
        # A forked process has at once what this one has read and imported. Elsewhere than on Linux,
        # libraries of the system do not outlive that.
        context = (
            multiprocessing.get_context("fork")
            if sys.platform == "linux"
            else multiprocessing.get_context("spawn")
        )
        self._processes: list[BaseProcess] = []
        self._ends: list[Connection] = []  # each receives notices, and why its process ended early
        self._asked: set[int] = set()  # indices of ended processes whose reason is known
        for _ in range(jobs):
            here, there = context.Pipe(duplex=False)
            process = context.Process(
                target=_work, args=(there, sweep, folder, url, data_dir), daemon=True
            )
            process.start()
            there.close()
            self._processes.append(process)
            self._ends.append(here)

    def wait(self, seconds: float) -> bool:
        """Wait for some seconds, or until a process ends; whether any process was running."""
        left = [process for process in self._processes if process.is_alive()]
        wait([process.sentinel for process in left], seconds)
        return bool(left)

    def alive(self) -> bool:
        """Whether any process is running."""
        return any(process.is_alive() for process in self._processes)

    def faults(self) -> list[Exception]:
        """Why workers have ended early, since the last call. Passes on their notices."""
        faults, notices = list[Exception](), dict[str, None]()
        for n in set(range(len(self._ends))) - self._asked:
            process, end = self._processes[n], self._ends[n]
            if not process.is_alive():
                self._asked.add(n)
                if (code := process.exitcode or 0) < 0:
                    name = signal.Signals(-code).name
                    faults.append(NnmnistError(f"a worker was killed ({name})"))
            with suppress(EOFError):  # it has ended
                while end.poll():
                    if isinstance(message := end.recv(), Exception):
                        faults.append(message)
                    else:
                        notices[message] = None  # several may wait for the same process
        for line in notices:
            self._notify(line)
        return faults

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, *error: object) -> None:
        """Stop the processes that are running; they release their trials."""
        try:
            for process in self._processes:
                process.terminate()
            for process in self._processes:
                process.join()
        except BaseException:  # a second Ctrl-C
            for process in self._processes:
                process.kill()
            raise


def _work(
    end: Connection, sweep: Sweep, folder: Path, url: str | None, data_dir: Path | None
) -> None:
    """What a process of the pool does."""
    # Ctrl-C reaches all processes; the first one stops the others
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _stop)
    first = multiprocessing.parent_process()
    assert first is not None
    try:
        # of a database that is unreachable, the first process tells
        store = open_store(sweep, folder, url, end.send if url is None else lambda line: None)
        worker.work(store, data_dir, wanted=first.is_alive)
    except (NnmnistError, OSError) as error:
        end.send(error)


def _stop(number: int, frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal would interrupt the release
    sys.exit(128 + number)
