"""`nnmnist train`: train from a config file and show the progress."""

from __future__ import annotations

import json
import shlex
from itertools import pairwise
from pathlib import Path
from typing import Any

import click

from nnmnist.cli.options import (
    PathType,
    chart_option,
    complete_runs,
    config_option,
    data_dir_option,
    json_option,
    quiet_option,
    set_option,
    with_examples,
)
from nnmnist.cli.terminal import chart, echo, echo_json, notice, program_name
from nnmnist.cli.training import RunOptions, train_and_report, train_seeds
from nnmnist.cli.waiting import waiting_for
from nnmnist.config.loading import (
    DEFAULT_RECIPE,
    Override,
    change_config,
    dump_config,
    find_config,
    load_config,
)
from nnmnist.config.schema import Config
from nnmnist.data.examples import Splits
from nnmnist.evaluation.text import counted, number_text
from nnmnist.files import best_of
from nnmnist.runs import history
from nnmnist.runs.data import config_of
from nnmnist.runs.directory import is_unstarted
from nnmnist.runs.facts import data_sizes, data_title
from nnmnist.runs.run import stored_config
from nnmnist.training.setup import class_weights, layer_sizes, load_data
from nnmnist.training.threads import limit_blas_threads

FOLDER = PathType(file_okay=False)
IN_OUTPUT = Path("<output>")  # the value of --resume without a directory
SCORE_NAMES = {"accuracy": "accuracy", "r2": "R^2", "cost": "cost"}


@click.command(
    epilog=with_examples(
        "nnmnist train softmax --epochs 2",
        "nnmnist train my.yaml --set training.learning_rate=0.05 -o runs/mine",
        "nnmnist train --resume runs/mine",
        environment=True,
    )
)
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
    shell_complete=complete_runs,
    help="Resume the run in DIR. Without DIR: resume the run in --output, or start it there.",
)
@click.option(
    "--from",
    "start",
    type=PathType(),
    callback=lambda context, option, path: path and best_of(path),
    metavar="CHECKPOINT",
    shell_complete=complete_runs,
    help="Start from the network of a trained checkpoint. Without --config, its own config is "
    "used. Same as --set training.start_from=CHECKPOINT.",
)
@click.option("--force", is_flag=True, help="Overwrite the run in --output.")
@click.option("--seed", metavar="N", help="Same as --set seed=N.")
@click.option(
    "--seeds",
    "seed_ranges",
    metavar="N-M",
    help="Train one run per seed (0-6 or 0,2,5) in --output, and evaluate their ensemble. "
    "Runs that exist are resumed.",
)
@click.option("--epochs", metavar="N", help="Same as --set training.epochs=N.")
@data_dir_option
@click.option(
    "--threads",
    type=click.IntRange(min=1, max=1024),
    metavar="N",
    help="Number of threads for matrix products.  [default: one for small networks, one per core "
    "for large ones]  On Linux x86-64 large trainings use one process per core; --threads 1 turns "
    "this off.",
)
@click.option("--dry-run", is_flag=True, help="Show config, layers and splits, but do not train.")
@chart_option
@json_option
@quiet_option
def train(
    file: str | None,
    settings: tuple[str, ...],
    output: Path | None,
    resume: Path | None,
    start: Path | None,
    force: bool,
    seed: str | None,
    seed_ranges: str | None,
    epochs: str | None,
    data_dir: Path | None,
    threads: int | None,
    dry_run: bool,
    with_chart: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train a network from one YAML file.

    Settings come from four places, and later ones win: defaults, config file, --set, other options.
    """
    if threads:
        limit_blas_threads(threads)
    options = RunOptions(force, data_dir, threads, quiet)
    overrides = _overrides(settings, seed, epochs, start)
    if seed_ranges is not None:
        if seed is not None or resume is not None or with_chart or dry_run:
            raise click.UsageError(
                "--seeds: remove --seed, --resume, --chart and --dry-run; runs that exist are "
                "resumed without --resume"
            )
        _require_no_seed(settings)
        found = train_seeds(seed_ranges, file, overrides, output, options)
        if as_json:
            echo_json(found)
        else:
            echo(seeds_as_text(found))
        return
    directory = _directory_to_resume(resume, output, force)
    if directory and start:
        raise click.UsageError("--from starts a new run, and --resume continues one; give one")
    path = find_config(file) if file is not None else directory and directory / "config.yaml"
    # Runs of older versions have paths relative to the directory where they were started.
    folder = Path() if directory and file is None else None
    if start and file is None:
        wanted = change_config(config_of(start), overrides)
    else:
        wanted = load_config(path, overrides, folder)
    if dry_run:
        _dry_run(wanted, data_dir, as_json)
        return
    name = path.stem if path else "fine-tuned" if start else DEFAULT_RECIPE
    summary, splits = train_and_report(wanted, name, directory, output, options)
    if with_chart:
        notice(chart(history.read(Path(summary["run"]))))
    if as_json:
        echo_json(summary)
    else:
        echo(summary_as_text(summary))
    if splits and not as_json and not quiet:
        _suggest_commands(summary["checkpoint"], splits)


def _overrides(
    settings: tuple[str, ...], seed: str | None, epochs: str | None, start: Path | None
) -> list[str | Override]:
    """The settings of the options, the strongest last."""
    overrides: list[str | Override] = [*settings]
    if start is not None:
        overrides.append(Override("training.start_from", json.dumps(str(start)), "--from"))
    if seed is not None:
        overrides.append(Override("seed", seed, f"--seed {seed}"))
    if epochs is not None:
        overrides.append(Override("training.epochs", epochs, f"--epochs {epochs}"))
    return overrides


def _require_no_seed(settings: tuple[str, ...]) -> None:
    if any(setting.partition("=")[0].strip() == "seed" for setting in settings):
        raise click.UsageError("--seeds: remove --set seed=...; each run has its own seed")


def _directory_to_resume(resume: Path | None, output: Path | None, force: bool) -> Path | None:
    """The directory of the run to resume; None for a new run.

    Raises:
        click.UsageError: the options exclude each other, or name no directory.
        ConfigError: there is no run in the directory.
    """
    if resume is None:
        return None
    if resume != IN_OUTPUT and output is not None and output != resume:
        raise click.UsageError(
            f"--resume {resume} and --output {output} name different runs; give one of them"
        )
    directory = output if resume == IN_OUTPUT else resume
    if directory is None:
        raise click.UsageError("--resume: which run? name its directory, as in --resume DIR")
    if resume == IN_OUTPUT and is_unstarted(directory):
        return None
    if force:
        raise click.UsageError(
            "--resume continues a run and --force overwrites it; give one of them"
        )
    stored_config(directory)
    return directory


def _dry_run(wanted: Config, data_dir: Path | None, as_json: bool) -> None:
    """Show what would be trained."""
    if as_json:
        raise click.UsageError("--dry-run prints text for people; remove --json")
    with waiting_for("loading data"):
        splits = load_data(wanted.data, wanted.seed, data_dir, notice, show_progress=True)
    class_weights(wanted.training, splits.train)  # raises ConfigError
    echo(describe(wanted, splits))


def _suggest_commands(path: str, splits: Splits) -> None:
    """Print commands to try next with a checkpoint."""
    best = shlex.quote(path)
    notice(f"next         {program_name()} evaluate {best}")
    if splits.image_shape:
        notice(f"             {program_name()} predict {best} --test 0-9")


def summary_as_text(summary: dict[str, Any]) -> str:
    """The summary of a run for people."""
    lines = []
    for split in ("validation", "test", "extra"):
        scores = summary.get(split)
        if not scores:
            continue
        if "r2" in scores:
            text = f"R^2 {number_text(scores['r2'])}, mean squared error"
        elif scores["accuracy"] is None:
            text = "cost"
        else:
            text = f"accuracy {scores['accuracy']:.2%}, cost"
        lines.append(f"{split:<12} {text} {number_text(scores['cost'])}")
    # Summaries of older versions lack some keys.
    data = data_title(summary["data"], summary.get("replaced_data"))
    stopped = summary.get("stopped_by")
    epochs = counted(summary["epochs"], "epoch")
    if stopped:
        planned = counted(summary["planned_epochs"], "epoch")
        epochs = f"{summary['epochs']} of {planned} (stopped by {stopped})"
    lines.append(f"training     {summary['seconds']:.1f} s, {epochs} on {data}")
    lines.append(f"checkpoint   {summary['checkpoint']}")
    return "\n".join(lines)


def seeds_as_text(record: dict[str, Any]) -> str:
    """The results of several seeds for people."""
    lines = [f"seeds        {', '.join(map(str, record['seeds']))}"]
    for split in ("validation", "test"):
        if scores := record[split]:
            texts = [_mean_as_text(name, **score) for name, score in scores.items()]
            lines.append(f"{split:<12} {', '.join(texts)}")
    ensemble = [_score_as_text(name, value) for name, value in record["ensemble"].items()]
    lines.append(f"ensemble     test {', '.join(ensemble)}")
    lines.append(f"training     {record['seconds']:.1f} s")
    return "\n".join([*lines, *(f"checkpoint   {run['checkpoint']}" for run in record["runs"])])


def _mean_as_text(name: str, mean: float, deviation: float | None) -> str:
    text = _score_as_text(name, mean)
    if deviation is None:
        return text
    return f"{text} (standard deviation {_number(name, deviation)})"


def _score_as_text(name: str, value: float) -> str:
    return f"{SCORE_NAMES[name]} {_number(name, value)}"


def _number(name: str, value: float) -> str:
    return f"{value:.2%}" if name == "accuracy" else number_text(value)


def describe(settings: Config, splits: Splits) -> str:
    """The resolved config, and as comments the layers with their parameters and the splits.

    All of it is a config file.
    """
    # sizes only: the network may be larger than the memory
    layers = list(pairwise(layer_sizes(settings, splits)))
    rows = [("layer", "inputs", "outputs", "function", "parameters")]
    for l, (n_in, n_out) in enumerate(layers, start=1):
        function = settings.model.activation if l < len(layers) else settings.model.output
        rows.append((str(l), str(n_in), str(n_out), function, f"{(n_in + 1) * n_out:,}"))
    rows.append(("all", "", "", "", f"{sum((n_in + 1) * n_out for n_in, n_out in layers):,}"))
    table = "\n".join(f"# {a:<6}{b:>8}{c:>9}  {d:<9}{e:>12}" for a, b, c, d, e in rows)
    return f"{dump_config(settings)}\n{table}\n#\n# {splits.name}: {data_sizes(splits)}"
