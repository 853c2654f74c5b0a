"""How many cores and BLAS threads a training uses, and a loop that several threads share.

The last bits of a training's result depend on the number of BLAS threads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from threading import Condition, Lock, Thread, current_thread, main_thread
from typing import TypeVar

from threadpoolctl import ThreadpoolController

T = TypeVar("T")
R = TypeVar("R")

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container on Linux (cgroup v2)


@cache
def _blas() -> ThreadpoolController:
    import numpy  # noqa: F401  # only libraries that are loaded are found

    controller: ThreadpoolController = ThreadpoolController().select(user_api="blas")
    return controller


def blas_threads() -> int:
    """The number of threads of NumPy's BLAS, outside of trainings; 1 if it is not known."""
    return _state.own if _state.trainings else _now()


def _now() -> int:
    return max((int(pool["num_threads"]) for pool in _blas().info()), default=1)


def _set(n: int) -> None:
    for library in _blas().lib_controllers:
        # From threadpoolctl 3.8 on, only the first thread that sets the number may set it again; in
        # other threads nothing happens. But trainings take turns, in any thread.
        release = getattr(library, "clear_controlling_thread", lambda force: None)
        release(force=True)
        library.set_num_threads(n)
        release(force=True)


def blas_kernel() -> str:
    """NumPy's BLAS, its version and its kernel, such as "openblas 0.3.30 Zen", or "unknown".

    Another kernel rounds otherwise. OpenBLAS chooses one for the processor; the variable
    OPENBLAS_CORETYPE chooses another.
    """
    keys = "internal_api", "version", "architecture"
    # Other packages, such as SciPy, load a BLAS of their own.
    pools = sorted(_blas().info(), key=lambda pool: "numpy" not in pool.get("filepath", ""))
    return " ".join(str(pools[0][key]) for key in keys if pools[0].get(key)) if pools else "unknown"


def available_cores() -> int:
    """The number of cores that this process may use, by its affinity and its container's quota."""
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    with suppress(OSError, ValueError):
        quota, period = CPU_QUOTA.read_text().split()
        cores = min(cores, max(1, int(quota) // int(period)))  # ValueError for "max", no quota
    return cores


def training_cores() -> int:
    """The number of cores that one training uses: one per BLAS thread, if there are as many."""
    return min(blas_threads(), available_cores())


def limit_blas_threads(n: int) -> None:
    """Use `n` threads from here to the end of the process, also where fewer would be faster."""
    with _state.changed:
        _state.own, _state.is_limited = n, True
        if not _state.trainings:
            _set(n)


def has_thread_limit() -> bool:
    """Whether `limit_blas_threads` has been called."""
    return _state.is_limited


class _State:
    """How the trainings of this process, perhaps in several threads, share one BLAS."""

    def __init__(self) -> None:
        self.changed = Condition()
        self.trainings = 0
        self.computing = 0  # trainings that compute now, all with so many BLAS threads:
        self.threads = 0
        self.own = 0  # the number before the first training, and after the last one
        self.is_limited = False


_state = _State()


def _after_fork() -> None:
    """The threads that compute are not in the child."""
    _state.changed, _state.computing = Condition(), 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


@contextmanager
def training() -> Iterator[None]:
    """A context for a whole training. After the last one, BLAS has as many threads as before."""
    with _state.changed:
        if not _state.trainings:
            _state.own = _now()
        _state.trainings += 1
    try:
        yield
    finally:
        with _state.changed:
            _state.trainings -= 1
            if not _state.trainings:
                _set(_state.own)


@contextmanager
def blas_threads_of(n: int) -> Iterator[None]:
    """A context in which BLAS uses `n` threads, for the whole process.

    Waits until no other training computes with another number. The number stays until another one
    is needed, or the last training ends: BLAS needs time to start its threads.
    """
    with training():
        with _state.changed:
            _state.changed.wait_for(lambda: not _state.computing or _state.threads == n)
            if _now() != n:
                _set(n)
            _state.threads = n
            _state.computing += 1
        try:
            yield
        finally:
            with _state.changed:
                _state.computing -= 1
                _state.changed.notify_all()


@contextmanager
def only_training() -> Iterator[bool]:
    """A context in which no other training starts: whether this is the main thread's only one.

    Only then may the process fork: the child would inherit locks that other threads hold.
    """
    with _state.changed:
        yield current_thread() is main_thread() and _state.computing == 1


def in_threads(function: Callable[[T], R], items: Sequence[T], threads: int) -> list[R]:
    """[function(item) for item in items], in the same order, computed by so many threads.

    NumPy's functions run at the same time in several threads. An error of one of the calls is
    raised after the calls that had started. `concurrent.futures` takes 11 ms to import.
    """
    numbers, lock = iter(range(len(items))), Lock()
    results: dict[int, R] = {}
    errors: list[BaseException] = []

    def work() -> None:
        try:
            while not errors:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                results[number] = function(items[number])
        except BaseException as error:
            errors.append(error)

    others = [Thread(target=work) for _ in range(min(threads, len(items)) - 1)]
    for thread in others:
        thread.start()
    work()
    for thread in others:
        thread.join()
    if errors:
        raise errors[0]
    return [results[number] for number in range(len(items))]
