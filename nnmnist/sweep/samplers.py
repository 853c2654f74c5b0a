"""Samplers, which choose the values of a trial, and pruners, which stop it early, from Optuna."""

from __future__ import annotations

from collections.abc import Callable

from optuna.pruners import (
    BasePruner,
    HyperbandPruner,
    MedianPruner,
    NopPruner,
    SuccessiveHalvingPruner,
)
from optuna.samplers import BaseSampler, CmaEsSampler, RandomSampler, TPESampler

# name -> seed -> sampler. Each trial has a sampler of its own, with its number as seed, so that all
# workers sample the same values.
SAMPLERS: dict[str, Callable[[int], BaseSampler]] = {
    # unused: the values of each trial are given (plan.py)
    "grid": lambda seed: RandomSampler(seed),
    "random": lambda seed: RandomSampler(seed),
    "tpe": lambda seed: TPESampler(seed=seed),
    "cmaes": lambda seed: CmaEsSampler(seed=seed),
}
LEARNING = {"tpe", "cmaes"}  # samplers that use the results of earlier trials

# name -> epochs of a complete trial -> pruner
PRUNERS: dict[str, Callable[[int], BasePruner]] = {
    "none": lambda epochs: NopPruner(),
    "median": lambda epochs: MedianPruner(),
    "hyperband": lambda epochs: HyperbandPruner(max_resource=epochs, reduction_factor=3),
    "asha": lambda epochs: SuccessiveHalvingPruner(min_resource=1, reduction_factor=3),
}
