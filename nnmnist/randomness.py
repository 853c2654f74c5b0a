"""One seed, and a random generator of its own for each purpose and epoch.

So no generator state needs saving, purposes do not influence each other, and a resumed run gets the
random numbers that it would have got without the interruption.
"""

from __future__ import annotations

import numpy as np

from nnmnist.types import require_count

PURPOSES = {
    "weights": 1, "validation": 2, "order": 3, "dropout": 4, "synthetic": 5, "toy": 6, "test": 7,
    "extra": 8, "generated": 9, "no digits": 10,
}  # fmt: skip


def generator(seed: int, purpose: str, epoch: int = 0) -> np.random.Generator:
    """The generator of a seed for a purpose, which is a name in `PURPOSES`, and an epoch.

    Raises ValueError unless the seed is a whole number >= 0.
    """
    require_count("seed", seed)
    return np.random.default_rng([seed, PURPOSES[purpose], epoch])
