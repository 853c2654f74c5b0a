"""How many threads the matrix products use. The last bits of a result depend on it."""

from __future__ import annotations

from threadpoolctl import ThreadpoolController


def blas_threads() -> int:
    """Threads of NumPy's BLAS; 1 where it is none that can be asked."""
    pools = ThreadpoolController().select(user_api="blas").info()
    return max((int(pool["num_threads"]) for pool in pools), default=1)


def limit_blas_threads(n: int) -> None:
    """Use `n` threads from here to the end of the process."""
    ThreadpoolController().limit(limits=n, user_api="blas")
