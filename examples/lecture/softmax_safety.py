"""The two numerical issues of the softmax: e^z is infinite where z is large, and ln p where p has become 0."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nnmnist.model.outputs import OUTPUTS

Z = np.array(
    [[2, 1, 0], [100, 0, 0], [-1000, -1000, -1000], [0, 200, 0], [1e4, 0, -1e4]], np.float32
)  # one example a row; the first class is the true one


def naive(z: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """p (n, M) and the cost (n,) as the formulas stand: e^z / sum e^z, -ln p."""
    with np.errstate(all="ignore"):
        e = np.exp(z)
        p = e / e.sum(axis=1, keepdims=True)
        return p, -np.log(p[:, 0])


def safe(z: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The same by the project: z <- z - max z first, and ln sum e^z - z in place of ln p."""
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
