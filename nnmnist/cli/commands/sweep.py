"""`nnmnist sweep`: many runs over a space of configs, several at once, on one or more machines."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from nnmnist.cli.layout import columns, fit
from nnmnist.cli.options import PathType, data_dir_option, json_option, quiet_option, with_examples
from nnmnist.cli.terminal import LiveText, align, echo, echo_json, notice
from nnmnist.cli.waiting import waiting_for
from nnmnist.data import toy
from nnmnist.errors import MissingLibrary, NnmnistError
from nnmnist.evaluation.text import counted
from nnmnist.sweep.space import text_of
from nnmnist.training.threads import available_cores

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

    from nnmnist.sweep.plan import Sweep
    from nnmnist.sweep.store import Store

REFRESH = 0.5  # seconds between two updates of the progress
TOP = 10  # finished trials in the live table


@click.command(
    epilog=with_examples(
        "nnmnist sweep search.yaml",
        "nnmnist sweep search.yaml --jobs 4 -o runs/search",
        environment=True,
    )
)
@click.argument("file", type=PathType(), metavar="SWEEP.yaml")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1, max=1024),
    metavar="N",
    help="Number of runs at the same time, each with one thread.  [default: one per core]",
)
@click.option(
    "-o",
    "--output",
    type=PathType(file_okay=False),
    help="Where to write the runs.  [default: runs/<sweep>]",
)
@click.option(
    "--storage",
    metavar="URL",
    help="Store the trials in the database postgresql://..., to use several machines.  "
    "[default: a file in the output]",
)
@data_dir_option
@json_option
@quiet_option
def sweep(
    file: Path,
    jobs: int | None,
    output: Path | None,
    storage: str | None,
    data_dir: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train over a space of configs, several runs at once.

    To resume a sweep that was stopped, run the same command again.
    """
    _require_optuna()
    with waiting_for("starting", quiet):
        from nnmnist.sweep import plan, pool
        from nnmnist.sweep.table import ranked_records

        wanted = plan.load(file)
        folder = output or Path("runs") / wanted.name
        progress = SweepProgress(wanted, quiet)
        store = pool.open_store(wanted, folder, storage, progress.notice)
        trials = store.trials()
    progress.show(trials)
    faults = _train(wanted, store, folder, storage, data_dir, jobs or available_cores(), progress)
    records = ranked_records(wanted, store.trials())
    if as_json:
        for record in records:
            echo_json(record)
    else:
        echo(table(wanted, records, columns()))
    if wanted.requested > wanted.trials and not store.left():
        notice(f"the space has {counted(wanted.trials, 'point')}; no trial is left")
    if left := store.left():
        notice(f"{left} of {counted(wanted.trials, 'trial')} left; run the same command to resume")
        raise faults[-1] if faults else NnmnistError("all workers have stopped early")
    if failed := sum(record["state"] == "failed" for record in records):
        raise NnmnistError(f"{failed} of {counted(wanted.trials, 'trial')} failed")


def _require_optuna() -> None:
    if find_spec("optuna") is None:
        raise MissingLibrary(
            "sweeps need Optuna, which is not installed: pip install 'nnmnist[sweep]'"
        )


def _train(
    wanted: Sweep,
    store: Store,
    folder: Path,
    storage: str | None,
    data_dir: Path | None,
    jobs: int,
    progress: SweepProgress,
) -> list[Exception]:
    """Train the trials that are left and show the progress.

    Returns:
        The errors that stopped workers.
    """
    from nnmnist.sweep import pool, worker

    left, faults = store.left(), list[Exception]()
    if not left:
        progress.close()
        return faults
    try:
        # once, before the workers start
        with waiting_for("loading data", progress.quiet):
            splits = worker.load(wanted.base.data, wanted.base.seed, data_dir, progress.notice)
        store.require_data(splits)
        jobs = min(jobs, left)
        with pool.Pool(jobs, wanted, folder, storage, data_dir, progress.notice) as workers:
            while workers.wait(REFRESH):
                progress.show(store.trials())
                left = store.left()
                found = workers.faults()
                faults += found
                # the fault of the last worker is the error of the command
                if workers.alive():
                    for fault in found:
                        progress.notice(f"{fault}; the other workers continue")
            faults += workers.faults()
    except (KeyboardInterrupt, SystemExit):
        progress.close()
        trials = counted(wanted.trials, "trial")
        notice(f"stopped with {left} of {trials} left; run the same command to resume")
        raise
    progress.close()
    return faults


class SweepProgress:
    """A live table of the trials on a terminal; elsewhere one line per trial that has ended."""

    def __init__(self, sweep: Sweep, quiet: bool) -> None:
        self.sweep, self.quiet = sweep, quiet
        self._live = LiveText()
        self._reported: set[int] | None = None  # numbers of trials; None before the first call

    def show(self, trials: Sequence[FrozenTrial]) -> None:
        """Show the trials. Those that had ended before the first call are not reported again."""
        if self.quiet:
            return
        ended = {trial.number for trial in trials if trial.state.is_finished()}
        new = set() if self._reported is None else ended - self._reported
        self._reported = ended
        self._live.clear()
        for trial in trials:
            if trial.number in new:
                self._report(trial)
        if self._live.is_shown:
            self._show_table(trials, len(ended))

    def _report(self, trial: FrozenTrial) -> None:
        """Print a line for a trial that has ended; a live table shows all but the failed ones."""
        from nnmnist.sweep.table import trial_record

        record = trial_record(self.sweep, trial)
        if record["state"] == "failed" or not self._live.is_shown:
            notice(trial_line(self.sweep, record))

    def _show_table(self, trials: Sequence[FrozenTrial], n_ended: int) -> None:
        from nnmnist.sweep.table import ranked_records

        records = ranked_records(self.sweep, trials)
        best = [each for each in records if each["state"] in ("done", "pruned")][:TOP]
        running = [each for each in records if each["state"] == "running"]
        title = f"{n_ended} of {counted(self.sweep.trials, 'trial')} ended"
        width = (columns(err=True) or 80) - 1
        self._live.show(f"{title}\n{table(self.sweep, best + running, width)}")

    def notice(self, line: str) -> None:
        """Print a line above the table."""
        self._live.clear()
        notice(line)

    def close(self) -> None:
        """Remove the live table."""
        self._live.clear()


def table(sweep: Sweep, records: Sequence[dict[str, Any]], width: int | None = None) -> str:
    """A table with one row per trial; with a `width`, the part of it that fits there."""
    heads = [key.rpartition(".")[2] for key in sweep.space]
    rows = [["trial", "state", "validation", "epochs", "seconds", *heads, "run"]]
    for each in records:
        seconds, score = each["seconds"], each["validation"]
        rows.append(
            [
                str(each["trial"]),
                each["state"],
                "-" if score is None else _score(sweep, score),
                str(each["epochs"]),
                "-" if seconds is None else f"{seconds:.1f}",
                *(_short(each["values"].get(key)) for key in sweep.space),
                each["reason"] or each["run"] or "-",
            ]
        )
    if width:
        rows, _ = fit(rows, width, ["seconds", "epochs", *reversed(heads)])
    return align(rows, left=(-1,))


def trial_line(sweep: Sweep, record: dict[str, Any]) -> str:
    """One line for a trial that has ended."""
    values = ", ".join(
        f"{key.rpartition('.')[2]} {_short(value)}" for key, value in record["values"].items()
    )
    score, reason = "", ""
    if record["validation"] is not None:
        score = (
            f" {_score(sweep, record['validation'])} after {counted(record['epochs'], 'epoch')},"
        )
    if record["reason"]:
        reason = f": {record['reason']}"
    return f"trial {record['trial']:>4} {record['state']:<6}{score} {values}{reason}"


def _score(sweep: Sweep, value: float) -> str:
    """An accuracy, or for values R^2."""
    is_regression = sweep.base.data.path is None and toy.has_values(sweep.base.data.name)
    return f"R^2 {value:.4f}" if is_regression else f"{value:.2%}"


def _short(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else text_of(value)
