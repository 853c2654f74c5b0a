"""The trials of a sweep, for people and for programs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from typing import Any

import click
from optuna.trial import FixedTrial, FrozenTrial, TrialState

from nnmnist.cli.options import notice
from nnmnist.data import toy
from nnmnist.sweep.plan import Sweep, name_of
from nnmnist.sweep.space import text_of
from nnmnist.sweep.store import assignments

STATES = {
    TrialState.COMPLETE: "done",
    TrialState.PRUNED: "pruned",
    TrialState.FAIL: "failed",
    TrialState.RUNNING: "running",
    TrialState.WAITING: "waiting",
}
TOP = 10  # finished trials in the live table


def as_record(sweep: Sweep, trial: FrozenTrial) -> dict[str, Any]:
    """The JSON of a trial."""
    epochs = trial.intermediate_values
    last = assignments(trial)[-1:]
    name = name_of(trial.number) + ("" if sweep.seeds == 1 else "-seed-*")
    return {
        "trial": trial.number,
        "state": STATES[trial.state],
        "values": values_of(sweep, trial),
        "validation": trial.value
        if trial.value is not None
        else epochs[max(epochs)]
        if epochs
        else None,
        "epochs": max(epochs, default=0),
        "seconds": trial.duration.total_seconds() if trial.duration else None,
        "run": f"{last[0].location}/{name}" if last else None,
        "reason": trial.user_attrs.get("reason"),
    }


def values_of(sweep: Sweep, trial: FrozenTrial) -> dict[str, Any]:
    """What a trial has under each key of the space; nothing while they are being chosen."""
    try:
        return sweep.values(FixedTrial(trial.params))
    except ValueError:
        return {}


def ranked(sweep: Sweep, trials: Sequence[FrozenTrial]) -> list[dict[str, Any]]:
    """The records of all trials: done, pruned, the rest; within these the best first."""
    order = list(STATES.values())
    records = [as_record(sweep, trial) for trial in trials]
    return sorted(
        records, key=lambda r: (order.index(r["state"]), -(r["validation"] or 0.0), r["trial"])
    )


def table(sweep: Sweep, records: Sequence[dict[str, Any]]) -> str:
    """A row a trial."""
    keys = {key: key.rpartition(".")[2] for key in sweep.space}
    rows = [("trial", "state", "validation", "epochs", "seconds", *keys.values(), "run")]
    for each in records:
        seconds, score = each["seconds"], each["validation"]
        rows.append(
            (
                str(each["trial"]),
                each["state"],
                "-" if score is None else _score(sweep, score),
                str(each["epochs"]),
                "-" if seconds is None else f"{seconds:.1f}",
                *(_short(each["values"].get(key)) for key in keys),
                each["reason"] or each["run"] or "-",
            )
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [*(f"{cell:>{width}}" for cell, width in zip(row[:-1], widths, strict=False)), row[-1]]
        )
        for row in rows
    )


def line(sweep: Sweep, each: dict[str, Any]) -> str:
    """One line for a trial that has ended."""
    values = ", ".join(
        f"{key.rpartition('.')[2]} {_short(value)}" for key, value in each["values"].items()
    )
    value = each["validation"]
    score = "" if value is None else f" {_score(sweep, value)} after {each['epochs']} epochs,"
    reason = f": {each['reason']}" if each["reason"] else ""
    return f"trial {each['trial']:>4} {each['state']:<6}{score} {values}{reason}"


class Progress:
    """A table that is drawn anew on a terminal; elsewhere a line for each trial that ends."""

    def __init__(self, sweep: Sweep, quiet: bool) -> None:
        self.sweep, self.quiet = sweep, quiet
        self._live = sys.stderr.isatty()
        self._height = 0  # lines on the terminal that are to be drawn over
        self._told: set[int] | None = None

    def show(self, trials: Sequence[FrozenTrial]) -> None:
        """Show how far the trials are; those that had ended before the first call are no news."""
        if self.quiet:
            return
        ended = {trial.number: trial for trial in trials if trial.state.is_finished()}
        self._clear()
        if self._told is not None:
            for number in ended.keys() - self._told:
                if not self._live or ended[number].state is TrialState.FAIL:
                    notice(line(self.sweep, as_record(self.sweep, ended[number])))
        self._told = set(ended)
        if self._live:
            self._draw(trials, len(ended))

    def _draw(self, trials: Sequence[FrozenTrial], ended: int) -> None:
        records = ranked(self.sweep, trials)
        top = [each for each in records if each["state"] in ("done", "pruned")][:TOP]
        running = [each for each in records if each["state"] == "running"]
        columns, rows = shutil.get_terminal_size()
        text = f"{ended} of {self.sweep.trials} trials ended\n{table(self.sweep, top + running)}"
        lines = [each[: columns - 1] for each in text.splitlines()[: rows - 1]]
        click.echo("\n".join(lines), err=True)
        self._height = len(lines)

    def _clear(self) -> None:
        if self._height:
            click.echo(f"\x1b[{self._height}A\x1b[J", err=True, nl=False)
        self._height = 0

    def tell(self, line: str) -> None:
        """A notice, which the table makes room for."""
        self._clear()
        notice(line)

    def close(self) -> None:
        """Leave the terminal as it was."""
        self._clear()


def _score(sweep: Sweep, value: float) -> str:
    """An accuracy, or where values are learnt R^2."""
    values = sweep.base.data.path is None and toy.has_values(sweep.base.data.name)
    return f"R^2 {value:.4f}" if values else f"{value:.2%}"


def _short(value: Any) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else text_of(value)
