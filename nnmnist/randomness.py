"""One seed, and a generator of its own for every use of it.

No generator state needs saving, the order of unrelated draws never matters, and a resumed run draws what an
uninterrupted one would have drawn.
"""

from __future__ import annotations

import numpy as np

PURPOSES = {"weights": 1, "validation": 2, "order": 3, "dropout": 4, "synthetic": 5, "toy": 6}


def generator(seed: int, purpose: str, epoch: int = 0) -> np.random.Generator:
    """The generator of a seed for one purpose (a name in `PURPOSES`) and epoch."""
    return np.random.default_rng([seed, PURPOSES[purpose], epoch])
