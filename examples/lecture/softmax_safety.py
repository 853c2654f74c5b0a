"""The two numerical problems of the softmax: e^z is infinite if z is large, and ln p if p is 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnmnist.model.outputs import OUTPUTS

Array = NDArray[np.float32]

# One example per row; the first class is the true one.
Z = np.array(
    [[2, 1, 0], [100, 0, 0], [-1000, -1000, -1000], [0, 200, 0], [1e4, 0, -1e4]], np.float32
)


def naive(z: Array) -> tuple[Array, Array]:
    """p (n, M) and the cost (n,) by the plain formulas: e^z / sum e^z and -ln p."""
    with np.errstate(all="ignore"):
        e = np.exp(z)
        p = e / e.sum(axis=1, keepdims=True)
        return p, -np.log(p[:, 0])


def safe(z: Array) -> tuple[Array, Array]:
    """The same by nnmnist: first z <- z - max z, then ln sum e^z - z instead of -ln p."""
    y = np.zeros_like(z.T)
    y[0] = 1
    costs, p, _ = OUTPUTS["softmax"].cost(z.T.copy(), y)
    return p.T, costs


def main() -> None:
    print(f"{'z':>24}   {'p, naive':<20}{'cost':>8}   {'p, nnmnist':<20}{'cost':>8}")
    for z, p, cost, safe_p, safe_cost in zip(Z, *naive(Z), *safe(Z), strict=True):
        logits, bad, good = (" ".join(f"{value:.4g}" for value in row) for row in (z, p, safe_p))
        print(f"{logits:>24}   {bad:<20}{cost:8.4g}   {good:<20}{safe_cost:8.4g}")


if __name__ == "__main__":
    main()
