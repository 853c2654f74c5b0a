"""How many threads the matrix products use. The last bits of a result depend on it."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from functools import cache

from threadpoolctl import ThreadpoolController


@cache
def _blas() -> ThreadpoolController:
    controller: ThreadpoolController = ThreadpoolController().select(user_api="blas")
    return controller


def blas_threads() -> int:
    """Threads of NumPy's BLAS; 1 where it is none that can be asked."""
    return max((int(pool["num_threads"]) for pool in _blas().info()), default=1)


def cores() -> int:
    """How many processes can train at once: one a thread, and no more than there are processors for this one."""
    available = (
        os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count() or 1)
    )
    return min(blas_threads(), len(available))


def limit_blas_threads(n: int) -> None:
    """Use `n` threads from here to the end of the process."""
    _blas().limit(limits=n)


def blas_threads_of(n: int) -> AbstractContextManager[object]:
    """A context in which `n` threads are used."""
    limits: AbstractContextManager[object] = _blas().limit(limits=n)
    return limits
