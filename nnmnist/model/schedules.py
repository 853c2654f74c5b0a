"""Schedules: the fraction of all steps that are done -> the learning rate, relative to its peak.

`warmup` is the fraction of all steps in which a schedule may raise the rate. A new schedule is one
function and one line in `SCHEDULES`.
"""

from __future__ import annotations

import math


def constant(progress: float, warmup: float) -> float:
    """The peak throughout."""
    return 1.0


def cosine(progress: float, warmup: float) -> float:
    """Half a cosine from the peak down to zero (Loshchilov, Hutter 2017)."""
    return 0.5 * (1.0 + math.cos(math.pi * progress))


def one_cycle(progress: float, warmup: float) -> float:
    """Linearly up to the peak in the warmup, then linearly to zero (after Smith 2018)."""
    return progress / warmup if progress < warmup else (1.0 - progress) / (1.0 - warmup)


SCHEDULES = {"constant": constant, "cosine": cosine, "one_cycle": one_cycle}
