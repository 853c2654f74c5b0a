"""`nnmnist train`: one run from a config file, shown while it goes on."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import click

from nnmnist import config, data, runs
from nnmnist.cli.options import data_dir_option, json_option, notice
from nnmnist.config import Config, Override
from nnmnist.data import Splits
from nnmnist.runs import Run
from nnmnist.threads import limit_blas_threads
from nnmnist.training import Epoch, Progress

FOLDER = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.option(
    "-c",
    "--config",
    "file",
    metavar="FILE",
    help="YAML file, or the name of a shipped recipe.  [default: mnist]",
)
@click.option(
    "--set", "settings", multiple=True, metavar="KEY=VALUE", help="Change a key: training.learning_rate=0.1"
)
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
    type=click.IntRange(min=1),
    metavar="N",
    help="Threads for matrix products.  [default: all cores]",
)
@click.option("--dry-run", is_flag=True, help="Show config, layers and splits; train nothing.")
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
    path = config.find(file) if file else directory and directory / "config.yaml"
    wanted = config.load(path, overrides)
    tell = _silent if quiet else notice
    splits = data.load(wanted.data, wanted.seed, data_dir, notice)
    if dry_run:
        click.echo(describe(wanted, splits))
        return
    run = (
        runs.reopen(directory, wanted)
        if directory
        else runs.create(wanted, path.stem if path else "mnist", output, force)
    )
    tell(f"{splits.name}: {len(splits.train):,} training, {len(splits.validation):,} validation, "
         f"{len(splits.test):,} test examples; run {run.directory}")  # fmt: skip
    _follow(run, splits, quiet)
    summary = run.finish(splits)
    click.echo(json.dumps(summary) if as_json else result(summary))
    if not as_json:
        best = shlex.quote(summary["checkpoint"])
        tell(f"next         nnmnist evaluate {best}\n             nnmnist predict {best} --test 0-9")


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
    try:
        if quiet:
            for _ in run.train(splits):
                pass
            return
        with Bar(run.config.training.epochs) as bar:
            for number, epoch in enumerate(run.train(splits, bar.progress)):
                if number == 0:
                    bar.write(HEADER)
                bar.write(line(epoch))
                bar.next_epoch(epoch.number + 1)
    except (KeyboardInterrupt, SystemExit):
        where = shlex.quote(str(run.directory))
        notice(f"stopped after {run.epochs_done} of {run.config.training.epochs} epochs; go on with: "
               f"nnmnist train --resume {where}")  # fmt: skip
        raise


HEADER = "epoch  train cost  accuracy  valid. cost  accuracy     rate  seconds  images/s"


def line(epoch: Epoch) -> str:
    """One aligned line an epoch, under `HEADER`."""

    def cost(value: float | None) -> str:
        return "-" if value is None else f"{value:.4f}"

    def percent(value: float | None) -> str:
        return "-" if value is None else f"{value:.2%}"

    validation = epoch.validation
    return (
        f"{epoch.number:5}  {cost(epoch.cost):>10}  {percent(epoch.accuracy):>8}"
        f"  {cost(validation.cost if validation else None):>11}"
        f"  {percent(validation.accuracy if validation else None):>8}"
        f"  {epoch.learning_rate:7.2g}  {epoch.seconds:7.2f}  {epoch.examples_per_second:8,.0f}"
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
            accuracy = "" if figures["accuracy"] is None else f"accuracy {figures['accuracy']:.2%}, "
            lines.append(f"{split:<12} {accuracy}cost {figures['cost']:.4f}")
    lines.append(f"training     {summary['seconds']:.1f} s, {summary['epochs']} epochs on {summary['data']}")
    lines.append(f"checkpoint   {summary['checkpoint']}")
    return "\n".join(lines)


def describe(settings: Config, splits: Splits) -> str:
    """The resolved config, the layers with their parameters, and the sizes of the splits."""
    network = runs.build_network(settings, splits)
    last = len(network.W) - 1
    rows = [("layer", "inputs", "outputs", "function", "parameters")]
    for l, (W, b) in enumerate(zip(network.W, network.b, strict=True)):
        function = network.activation_name if l < last else network.output_name
        rows.append((str(l + 1), str(W.shape[1]), str(W.shape[0]), function, f"{W.size + b.size:,}"))
    rows.append(("all", "", "", "", f"{network.theta.size:,}"))
    table = "\n".join(f"{a:<6}{b:>8}{c:>9}  {d:<9}{e:>12}" for a, b, c, d, e in rows)
    sizes = (
        f"{len(splits.train):,} training, {len(splits.validation):,} validation, {len(splits.test):,} test"
    )
    return f"{config.dump(settings)}\n{table}\n\n{splits.name}: {sizes} examples"
