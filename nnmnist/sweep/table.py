"""The trials of a sweep as records, the best first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from optuna.trial import FixedTrial, FrozenTrial, TrialState

from nnmnist.sweep.plan import Sweep, name_of
from nnmnist.sweep.store import assignments

# the states of a trial, in the order in which they are listed
STATES = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}


def trial_record(sweep: Sweep, trial: FrozenTrial) -> dict[str, Any]:
    """The record of one trial.

    `validation` is the value of a finished trial, else that of its last epoch; None before the
    first one. `seconds` is the time from the claim to the end; None if it is not known. `run` is
    the directory of the run, with a star in place of several seeds.
    """
    epochs = trial.intermediate_values
    validation = trial.value
    if validation is None and epochs:
        validation = epochs[max(epochs)]
    workers = assignments(trial)
    # The last worker has not finished it if an earlier one, presumed dead, came back and did.
    location = trial.user_attrs.get("location") or (workers[-1].location if workers else None)
    seconds = trial.duration.total_seconds() if trial.duration else None
    name = name_of(trial.number) + ("" if sweep.seeds == 1 else "-seed-*")
    return {
        "trial": trial.number,
        "state": STATES[trial.state],
        "values": _values(sweep, trial),
        "validation": validation,
        "epochs": max(epochs, default=0),
        "seconds": None if seconds is None or seconds < 0 else seconds,  # < 0: the clock was set
        "run": f"{location}/{name}" if location else None,
        "reason": trial.user_attrs.get("reason"),
    }


def ranked_records(sweep: Sweep, trials: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
    """The records of all trials in the order of STATES, and within a state the best first."""
    order = list(STATES.values())

    def rank(record: dict[str, Any]) -> tuple[int, float, int]:
        return order.index(record["state"]), -(record["validation"] or 0.0), record["trial"]

    return sorted((trial_record(sweep, trial) for trial in trials), key=rank)


def _values(sweep: Sweep, trial: FrozenTrial) -> dict[str, Any]:
    """The value of a trial for each key of the space; empty while the sampler chooses them."""
    try:
        return sweep.values(FixedTrial(trial.params))
    except ValueError:
        return {}
