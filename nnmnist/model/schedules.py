"""Schedules: the step of a training as a fraction of all its steps -> the learning rate as a fraction of its peak.

A new schedule is one function and one line in `SCHEDULES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[float], float]


def constant(progress: float) -> float:
    """The same rate throughout."""
    return 1.0


def cosine(progress: float) -> float:
    """From the peak down to zero along half a cosine (Loshchilov, Hutter 2017)."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def one_cycle(progress: float, rise: float = 0.3) -> float:
    """Linearly up to the peak over the first three tenths, then linearly down to zero (after Smith 2018)."""
    return progress / rise if progress < rise else (1.0 - progress) / (1.0 - rise)


SCHEDULES: dict[str, Schedule] = {
    "constant": constant,
    "cosine": cosine,
    "one_cycle": one_cycle,
}
