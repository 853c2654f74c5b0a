"""`nnmnist train`: one run from a config file, shown while it goes on."""

from __future__ import annotations

import json
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

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
from nnmnist.cli.seeds import as_text, train_seeds
from nnmnist.cli.training import RunOptions, train_and_report
from nnmnist.config.loading import DEFAULT_RECIPE, Override, dump_config, find_config, load_config
from nnmnist.config.schema import Config
from nnmnist.data.examples import Splits
from nnmnist.runs import history
from nnmnist.runs.directory import is_unstarted
from nnmnist.runs.run import stored_config
from nnmnist.training.setup import layer_sizes, load_data
from nnmnist.training.threads import limit_blas_threads

FOLDER = click.Path(file_okay=False, path_type=Path)
IN_OUTPUT = Path("<output>")  # what --resume alone means


@click.command()
@config_option
@set_option
@click.option(
    "-o", "--output", type=FOLDER, help="The run directory.  [default: runs/<config>-<time>]"
)
@click.option(
    "--resume",
    is_flag=False,
    flag_value=IN_OUTPUT,
    type=FOLDER,
    metavar="[DIR]",
    help="Go on with the run in DIR; or in --output, where it begins if nothing is there.",
)
@click.option("--force", is_flag=True, help="Write over the run in --output.")
@click.option("--seed", metavar="N", help="Like --set seed=N.")
@click.option(
    "--seeds",
    "several",
    metavar="N-M",
    help="A run for each seed, 0-6 or 0,2,5, in --output, going on with what is there; and their ensemble.",
)
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
    several: str | None,
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
    overrides += (
        Override(key, text, f"{flag} {text}") for key, text, flag in flags if text is not None
    )
    options = RunOptions(force, data_dir, threads, quiet)
    if several is not None:
        if seed is not None or resume is not None or with_chart or dry_run:
            raise click.UsageError(
                "--seeds: leave out --seed, --resume, --chart and --dry-run; it goes on by itself"
            )
        if any(setting.partition("=")[0].strip() == "seed" for setting in settings):
            raise click.UsageError(
                "--seeds: leave out --set seed=...; every run has a seed of its own"
            )
        found = train_seeds(several, file, overrides, output, options)
        click.echo(json.dumps(found) if as_json else as_text(found))
        return
    directory = _resumed(resume, output)
    if directory and force:
        raise click.UsageError(
            "--resume goes on with a run and --force writes over it; give one of them"
        )
    if directory:
        stored_config(directory)  # tells what is wrong where there is no run
    path = find_config(file) if file is not None else directory and directory / "config.yaml"
    wanted = load_config(path, overrides)
    if dry_run and as_json:
        raise click.UsageError("--dry-run shows a page for people; leave out --json")
    if dry_run:
        click.echo(describe(wanted, load_data(wanted.data, wanted.seed, data_dir, notice)))
        return
    summary, splits = train_and_report(
        wanted, path.stem if path else DEFAULT_RECIPE, directory, output, options
    )
    show(summary, with_chart, as_json)
    if splits and not as_json and not quiet:
        best = shlex.quote(summary["checkpoint"])
        notice(f"next         {program()} evaluate {best}")
        if splits.image_shape:
            notice(f"             {program()} predict {best} --test 0-9")


def show(summary: dict[str, Any], with_chart: bool, as_json: bool) -> None:
    """What a finished run came to."""
    if with_chart:
        notice(chart(history.read(Path(summary["run"]))))
    click.echo(json.dumps(summary) if as_json else result(summary))


def _resumed(resume: Path | None, output: Path | None) -> Path | None:
    """The run directory to go on with: `--resume DIR`, or `--output DIR --resume`, unless that is to begin."""
    if resume is None:
        return None
    if resume != IN_OUTPUT:
        if output is not None and output != resume:
            raise click.UsageError(
                f"--resume {resume} and --output {output} name different runs; give one of them"
            )
        return resume
    if output is None:
        raise click.UsageError("--resume: which run? give its directory, as --resume DIR")
    return None if is_unstarted(output) else output


def result(summary: dict[str, Any]) -> str:
    """The summary for people."""
    lines = []
    for split in ("validation", "test"):
        if figures := summary[split]:
            if "r2" in figures:
                score = f"R^2 {figures['r2']:.4f}, mean squared error"
            else:
                score = (
                    "cost"
                    if figures["accuracy"] is None
                    else f"accuracy {figures['accuracy']:.2%}, cost"
                )
            lines.append(f"{split:<12} {score} {figures['cost']:.4f}")
    lines.append(
        f"training     {summary['seconds']:.1f} s, {summary['epochs']} epochs on {summary['data']}"
    )
    lines.append(f"checkpoint   {summary['checkpoint']}")
    return "\n".join(lines)


def describe(settings: Config, splits: Splits) -> str:
    """The resolved config, the layers with their parameters, and the sizes of the splits."""
    layers = list(
        pairwise(layer_sizes(settings, splits))
    )  # no network: it may be larger than the memory
    rows = [("layer", "inputs", "outputs", "function", "parameters")]
    for l, (n_in, n_out) in enumerate(layers, start=1):
        function = settings.model.activation if l < len(layers) else settings.model.output
        rows.append((str(l), str(n_in), str(n_out), function, f"{(n_in + 1) * n_out:,}"))
    rows.append(("all", "", "", "", f"{sum((n_in + 1) * n_out for n_in, n_out in layers):,}"))
    table = "\n".join(f"{a:<6}{b:>8}{c:>9}  {d:<9}{e:>12}" for a, b, c, d, e in rows)
    sizes = f"{len(splits.train):,} training, {len(splits.validation):,} validation, {len(splits.test):,} test"
    return f"{dump_config(settings)}\n{table}\n\n{splits.name}: {sizes} examples"
