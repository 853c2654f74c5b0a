"""`nnmnist evaluate`: cost, accuracy and confusion of one checkpoint or an ensemble."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from nnmnist import checkpoint, data, history
from nnmnist.checkpoint import Checkpoint
from nnmnist.cli.chart import chart
from nnmnist.cli.options import chart_option, data_dir_option, json_option, notice
from nnmnist.config import Config, DataConfig
from nnmnist.data import Splits
from nnmnist.errors import CheckpointError
from nnmnist.evaluation import Evaluation
from nnmnist.evaluation import evaluate as evaluate_networks


@click.command()
@click.argument(
    "checkpoints", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="CHECKPOINT..."
)
@click.option(
    "--split", type=click.Choice(["test", "validation", "train"]), default="test", show_default=True
)
@click.option("--data", "other", metavar="NAME|FOLDER", help="Other data than the network was trained on.")
@data_dir_option
@chart_option
@json_option
def evaluate(
    checkpoints: tuple[Path, ...],
    split: str,
    other: str | None,
    data_dir: Path | None,
    with_chart: bool,
    as_json: bool,
) -> None:
    """Tell how good a trained network is.

    Several checkpoints are one ensemble: their predictions are averaged.
    """
    curves = [chart(history.read(path.parent)) for path in checkpoints] if with_chart else []
    members = [checkpoint.load(path) for path in checkpoints]
    require_alike(checkpoints, members)
    splits = load_splits(checkpoints[0], members[0], other, data_dir)
    examples = getattr(splits, split)
    if not len(examples):
        raise click.UsageError(f"--split {split}: the config of {checkpoints[0]} leaves this split empty")
    result = evaluate_networks([member.network for member in members], examples)
    for curve in curves:
        notice(curve)
    if as_json:
        names = [str(path) for path in checkpoints]
        click.echo(json.dumps(as_record(names[0] if len(names) == 1 else names, split, result)))
    else:
        click.echo(as_text(result, splits, split))


def load_splits(path: Path, member: Checkpoint, other: str | None, data_dir: Path | None) -> Splits:
    """The data that a checkpoint was trained on, or `other`, checked against the network's inputs and classes."""
    if other is None:
        wanted, seed = trained_on(path, member)
    else:
        wanted, seed = DataConfig(name=other) if other in data.SOURCES else DataConfig(path=Path(other)), 0
        wanted = wanted.model_copy(update={"validation": 0})  # nothing of it was set aside
    splits = data.load(wanted.model_copy(update={"fallback": None}), seed, data_dir, notice)
    n_inputs = splits.test.inputs.shape[1]
    if n_inputs != member.network.sizes[0]:
        raise CheckpointError(
            f"{path}: takes {member.network.sizes[0]} inputs, and {splits.name} has {n_inputs}"
        )
    learnt = _targets(member.classes, member.network.sizes[-1])
    here = _targets(splits.classes, splits.test.targets.shape[-1])
    if learnt != here:
        raise CheckpointError(f"{path}: learnt {learnt}, and {splits.name} has {here}")
    return splits


def _targets(classes: Sequence[str], n_values: int) -> str:
    """What there is to learn, in words."""
    return f"{len(classes)} classes" if classes else f"values (outputs: {n_values})"


def trained_on(path: Path, member: Checkpoint) -> tuple[DataConfig, int]:
    """The data settings and the seed that a checkpoint was trained with."""
    stored = member.document.get("config")
    if stored is None:
        raise CheckpointError(f"{path}: does not say what data it was trained on; name it by --data")
    try:
        settings = Config.model_validate(stored)
    except ValueError:
        raise CheckpointError(
            f"{path}: its config is not one of this version of nnmnist; train again, or name the data by --data"
        ) from None
    name = member.document.get("data", {}).get("name")
    if settings.data.fallback == name:
        return settings.data.model_copy(update={"name": name}), settings.seed
    return settings.data, settings.seed


def require_alike(paths: tuple[Path, ...], members: list[Checkpoint]) -> None:
    """Networks that can vote together: same inputs, output and classes."""

    def kind(member: Checkpoint) -> tuple[Any, ...]:
        network = member.network
        return network.sizes[0], network.output_name, member.classes

    for path, member in zip(paths, members, strict=True):
        if kind(member) != kind(members[0]):
            raise CheckpointError(
                f"{path}: has other inputs, outputs or classes than {paths[0]}; they form no ensemble"
            )


def as_record(name: str | list[str], split: str, result: Evaluation) -> dict[str, Any]:
    """The JSON of `evaluate`."""
    return {
        "checkpoint": name,
        "split": split,
        "n": result.n,
        "cost": result.cost,
        "accuracy": result.accuracy,
        **({} if result.r2 is None else {"r2": result.r2}),
        "interval": result.interval,
        "confusion": None if result.confusion is None else result.confusion.tolist(),
    }


def as_text(result: Evaluation, splits: Splits, split: str) -> str:
    """The same for people: figures, then the confusion matrix with the error of each class."""
    lines = [
        f"data       {splits.name}, {split} split, {result.n:,} examples",
        f"cost       {result.cost:.4f}",
    ]
    if result.r2 is not None:
        lines[1:] = [f"R^2        {result.r2:.4f}", f"mean squared error {result.cost:.4g}"]
    if result.confusion is None or result.accuracy is None or result.interval is None:
        return "\n".join(lines)
    low, high = result.interval
    wrong = result.n - result.correct
    lines.append(
        f"accuracy   {result.accuracy:.2%} ({low:.2%} to {high:.2%} at 95 % confidence), {wrong:,} wrong"
    )
    width = max(5, *(len(name) for name in splits.classes), len(str(result.confusion.max()))) + 1
    lines += ["", "rows: true class, columns: predicted class"]
    lines.append(" " * width + "".join(f"{name:>{width}}" for name in splits.classes) + "   error")
    for name, row, k in zip(splits.classes, result.confusion, range(len(splits.classes)), strict=True):
        total = int(row.sum())
        error = f"{1 - row[k] / total:8.2%}" if total else "       -"
        cells = "".join(f"{count or '.':>{width}}" for count in row.tolist())
        lines.append(f"{name:>{width}}{cells}{error}")
    return "\n".join(lines)
