"""A run trained to its end before the user's eyes."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from nnmnist.cli.options import notice, program
from nnmnist.config.schema import Config
from nnmnist.data.examples import Splits
from nnmnist.evaluation.evaluate import Evaluation
from nnmnist.runs.run import Run, create_run, finished_summary, reopen_run
from nnmnist.training.descent import OnProgress
from nnmnist.training.fit import Epoch
from nnmnist.training.setup import load_data


class RunOptions(NamedTuple):
    """What the flags say of every run."""

    force: bool  # write over what is there
    data_dir: Path | None
    threads: int | None
    quiet: bool


def train_and_report(
    wanted: Config, name: str, directory: Path | None, output: Path | None, options: RunOptions
) -> tuple[dict[str, Any], Splits | None]:
    """Go on with the run in `directory`, or begin one in `output`.

    Returns:
        The summary, and the data it learnt from; None where the run was finished before.
    """
    tell = _silent if options.quiet else notice
    here = directory or output
    if here and not options.force and (summary := finished_summary(here, wanted)):
        tell(f"{here}: was finished before, with this config; nothing is left to do")
        return summary, None
    splits = load_data(wanted.data, wanted.seed, options.data_dir, notice)
    run = (
        reopen_run(directory, wanted)
        if directory
        else create_run(wanted, name, output, options.force)
    )
    tell(f"{splits.name}: {len(splits.train):,} training, {len(splits.validation):,} validation, "
         f"{len(splits.test):,} test examples; run {run.directory}")  # fmt: skip
    for key, (then, now) in run.changes().items():
        notice(
            f"{key} was {then} so far and is {now} now: the last bits may differ from those of an unbroken run"
        )
    try:
        _follow(run, splits, options.quiet)
        return run.finish(splits), splits
    except (KeyboardInterrupt, SystemExit, OSError):
        command = shlex.join([program(), "train", "--resume", str(run.directory),
                              *(["--data-dir", str(options.data_dir)] if options.data_dir else []),
                              *(["--threads", str(options.threads)] if options.threads else [])])  # fmt: skip
        notice(
            f"stopped after {run.epochs_done} of {wanted.training.epochs} epochs; go on with: {command}"
        )
        raise


def _silent(line: str) -> None:
    """Tell nothing."""


def _follow(run: Run, splits: Splits, quiet: bool) -> None:
    """Train to the end, showing each epoch."""
    if quiet:
        for _ in run.train(splits):
            pass
        return
    with Bar(run.config.training.epochs, 1 + (run.progress.epoch if run.progress else 0)) as bar:
        for number, epoch in enumerate(run.train(splits, bar.on_progress)):
            if number == 0:
                bar.write(header(epoch))
            bar.write(line(epoch))
            bar.next_epoch(epoch.number + 1)


def header(epoch: Epoch) -> str:
    """What stands above the lines of epochs like this one."""
    score = "accuracy" if epoch.r2 is None else "R^2"
    return f"epoch  train cost  {score:>8}  valid. cost  {score:>8}     rate  seconds  examples/s"


def line(epoch: Epoch) -> str:
    """One aligned line an epoch, under `header`."""

    def cost(value: float | None) -> str:
        return "-" if value is None else f"{value:.4f}"

    def score(of: Epoch | Evaluation | None) -> str:
        if of is None:
            return "-"
        return cost(of.r2) if of.accuracy is None else f"{of.accuracy:.2%}"

    validation = epoch.validation
    return (
        f"{epoch.number:5}  {cost(epoch.cost):>10}  {score(epoch):>8}"
        f"  {cost(validation.cost if validation else None):>11}"
        f"  {score(validation):>8}"
        f"  {epoch.learning_rate:7.2g}  {epoch.seconds:7.2f}  {epoch.examples_per_second:10,.0f}"
    )


class Bar:
    """A bar with live cost and accuracy on a terminal; elsewhere lines alone."""

    def __init__(self, epochs: int, first: int = 1) -> None:
        self.epochs, self.first = epochs, first
        self.bar: Any = None
        self.on_progress: OnProgress | None = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(leave=False, unit="step", dynamic_ncols=True)
            self.on_progress = self._progress

    def _progress(self, step: int, steps: int, cost: float, accuracy: float | None) -> None:
        if step == 1:
            self.bar.reset(total=steps)
        if (
            step - self.bar.n >= 20 or step == steps
        ):  # writing the figures at each step would cost more than the step
            figures = f"cost {cost:.4f}" + (
                "" if accuracy is None else f", accuracy {accuracy:.2%}"
            )
            self.bar.set_postfix_str(figures, refresh=False)
            self.bar.update(step - self.bar.n)

    def next_epoch(self, number: int) -> None:
        """Name the epoch that follows."""
        if self.bar is not None:
            self.bar.set_description(f"epoch {number} of {self.epochs}", refresh=False)

    def write(self, text: str) -> None:
        """A line that stays."""
        if self.bar is not None:
            self.bar.write(text, file=sys.stderr)
        else:
            notice(text)

    def __enter__(self) -> Bar:
        self.next_epoch(self.first)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.bar is not None:
            self.bar.close()
