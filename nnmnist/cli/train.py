"""`nnmnist train`: one run from a config file, shown while it goes on."""

from __future__ import annotations

import json
import shlex
import sys
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any

import click

from nnmnist import config, data, history, runs
from nnmnist.cli.chart import chart
from nnmnist.cli.options import (
    chart_option,
    config_option,
    data_dir_option,
    json_option,
    notice,
    program,
    set_option,
)
from nnmnist.config import Config, Override
from nnmnist.data import Splits
from nnmnist.evaluation import Evaluation
from nnmnist.runs import Run
from nnmnist.threads import limit_blas_threads
from nnmnist.training import Epoch, Progress

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@config_option
@set_option
@click.option("-o", "--output", type=FOLDER, help="The run directory.  [default: runs/<config>-<time>]")
@click.option(
    "--resume",
    is_flag=False,
    flag_value=Path(),
    type=FOLDER,
    metavar="[DIR]",
    help="Go on with the run in DIR or --output.",
)
@click.option("--force", is_flag=True, help="Write over the run in --output.")
@click.option("--seed", metavar="N", help="Like --set seed=N.")
@click.option("--epochs", metavar="N", help="Like --set training.epochs=N.")
@data_dir_option
@click.option(
    "--threads",
    type=click.IntRange(min=1, max=1024),
    metavar="N",
    help="Threads for matrix products.  [default: all cores]",
)
@click.option("--dry-run", is_flag=True, help="Show config, layers and splits; train nothing.")
@chart_option
@json_option
@click.option("-q", "--quiet", is_flag=True, help="No progress, only results and errors.")
def train(
    file: str | None,
    settings: tuple[str, ...],
    output: Path | None,
    resume: Path | None,
    force: bool,
    seed: str | None,
    epochs: str | None,
    data_dir: Path | None,
    threads: int | None,
    dry_run: bool,
    with_chart: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train a network from one YAML file.

    Later settings win: defaults, then the file, then --set, then the other flags.
    """
    if threads:
        limit_blas_threads(threads)
    flags = (("seed", seed, "--seed"), ("training.epochs", epochs, "--epochs"))
    overrides: list[str | Override] = [*settings]
    overrides += (Override(key, text, f"{flag} {text}") for key, text, flag in flags if text is not None)
    directory = _resumed(resume, output)
    if directory and force:
        raise click.UsageError("--resume goes on with a run and --force writes over it; give one of them")
    if directory:
        runs.stored_config(directory)  # tells what is wrong where there is no run
    path = config.find(file) if file is not None else directory and directory / "config.yaml"
    wanted = config.load(path, overrides)
    tell = _silent if quiet else notice
    splits = data.load(wanted.data, wanted.seed, data_dir, notice)
    if dry_run:
        click.echo(describe(wanted, splits))
        return
    run = (
        runs.reopen(directory, wanted)
        if directory
        else runs.create(wanted, path.stem if path else config.DEFAULT_RECIPE, output, force)
    )
    tell(f"{splits.name}: {len(splits.train):,} training, {len(splits.validation):,} validation, "
         f"{len(splits.test):,} test examples; run {run.directory}")  # fmt: skip
    for name, (then, now) in run.changes().items():
        notice(
            f"{name} was {then} so far and is {now} now: the last bits may differ from those of an unbroken run"
        )
    try:
        _follow(run, splits, quiet)
        summary = run.finish(splits)
    except (KeyboardInterrupt, SystemExit, OSError):
        command = shlex.join([program(), "train", "--resume", str(run.directory),
                              *(["--data-dir", str(data_dir)] if data_dir else []),
                              *(["--threads", str(threads)] if threads else [])])  # fmt: skip
        notice(f"stopped after {run.epochs_done} of {wanted.training.epochs} epochs; go on with: {command}")
        raise
    if with_chart:
        notice(chart(history.read(run.directory)))
    click.echo(json.dumps(summary) if as_json else result(summary))
    if not as_json:
        best = shlex.quote(summary["checkpoint"])
        tell(f"next         {program()} evaluate {best}")
        if splits.image_shape:
            tell(f"             {program()} predict {best} --test 0-9")


def _resumed(resume: Path | None, output: Path | None) -> Path | None:
    """The run directory to go on with: `--resume DIR`, or `--output DIR --resume`."""
    if resume is None:
        return None
    if resume != Path():
        if output is not None and output != resume:
            raise click.UsageError(
                f"--resume {resume} and --output {output} name different runs; give one of them"
            )
        return resume
    if output is None:
        raise click.UsageError("--resume: which run? give its directory, as --resume DIR")
    return output


def _silent(line: str) -> None:
    """Tell nothing."""


def _follow(run: Run, splits: Splits, quiet: bool) -> None:
    """Train to the end, showing each epoch."""
    if quiet:
        for _ in run.train(splits):
            pass
        return
    with Bar(run.config.training.epochs) as bar:
        for number, epoch in enumerate(run.train(splits, bar.progress)):
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

    def __init__(self, epochs: int) -> None:
        self.epochs = epochs
        self.epoch = 0
        self.bar: Any = None
        self.progress: Progress | None = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(leave=False, unit="step", dynamic_ncols=True)
            self.progress = self._progress

    def _progress(self, step: int, steps: int, cost: float, accuracy: float | None) -> None:
        if step == 1:
            self.bar.reset(total=steps)
        if (
            step - self.bar.n >= 20 or step == steps
        ):  # writing the figures at each step would cost more than the step
            figures = f"cost {cost:.4f}" + ("" if accuracy is None else f", accuracy {accuracy:.2%}")
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
        self.next_epoch(1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar is not None:
            self.bar.close()


def result(summary: dict[str, Any]) -> str:
    """The summary for people."""
    lines = []
    for split in ("validation", "test"):
        if figures := summary[split]:
            if "r2" in figures:
                score = f"R^2 {figures['r2']:.4f}, mean squared error"
            else:
                score = "cost" if figures["accuracy"] is None else f"accuracy {figures['accuracy']:.2%}, cost"
            lines.append(f"{split:<12} {score} {figures['cost']:.4f}")
    lines.append(f"training     {summary['seconds']:.1f} s, {summary['epochs']} epochs on {summary['data']}")
    lines.append(f"checkpoint   {summary['checkpoint']}")
    return "\n".join(lines)


def describe(settings: Config, splits: Splits) -> str:
    """The resolved config, the layers with their parameters, and the sizes of the splits."""
    layers = list(
        pairwise(runs.layer_sizes(settings, splits))
    )  # no network: it may be larger than the memory
    rows = [("layer", "inputs", "outputs", "function", "parameters")]
    for l, (n_in, n_out) in enumerate(layers, start=1):
        function = settings.model.activation if l < len(layers) else settings.model.output
        rows.append((str(l), str(n_in), str(n_out), function, f"{(n_in + 1) * n_out:,}"))
    rows.append(("all", "", "", "", f"{sum((n_in + 1) * n_out for n_in, n_out in layers):,}"))
    table = "\n".join(f"{a:<6}{b:>8}{c:>9}  {d:<9}{e:>12}" for a, b, c, d, e in rows)
    sizes = (
        f"{len(splits.train):,} training, {len(splits.validation):,} validation, {len(splits.test):,} test"
    )
    return f"{config.dump(settings)}\n{table}\n\n{splits.name}: {sizes} examples"
