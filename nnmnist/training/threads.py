"""How many cores and threads a training uses. The last bits of its result depend on it."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, suppress
from functools import cache
from pathlib import Path

from threadpoolctl import ThreadpoolController

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of a container on Linux (cgroup v2)


@cache
def _blas() -> ThreadpoolController:
    import numpy  # noqa: F401  # only libraries that are loaded are found

    controller: ThreadpoolController = ThreadpoolController().select(user_api="blas")
    return controller


def blas_threads() -> int:
    """The number of threads of NumPy's BLAS; 1 if it is not known."""
    return max((int(pool["num_threads"]) for pool in _blas().info()), default=1)


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
    """Use `n` threads from here to the end of the process."""
    _blas().limit(limits=n)


def blas_threads_of(n: int) -> AbstractContextManager[object]:
    """A context in which BLAS uses `n` threads."""
    limits: AbstractContextManager[object] = _blas().limit(limits=n)
    return limits
