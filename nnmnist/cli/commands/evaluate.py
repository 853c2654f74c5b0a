"""`nnmnist evaluate`: cost, accuracy, confusion and mistakes of one checkpoint or an ensemble."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from nnmnist import checkpoint
from nnmnist.checkpoint import Checkpoint
from nnmnist.cli.chart import chart
from nnmnist.cli.commands.data import named
from nnmnist.cli.digits import label, render, weight
from nnmnist.cli.options import chart_option, data_dir_option, json_option, notice
from nnmnist.config.schema import Config, DataConfig
from nnmnist.data.examples import Examples, Splits
from nnmnist.errors import CheckpointError
from nnmnist.evaluation.evaluate import Evaluation, most_confident_mistakes, probabilities
from nnmnist.evaluation.evaluate import evaluate as evaluate_networks
from nnmnist.model.network import Network
from nnmnist.runs import history
from nnmnist.training.setup import load_data

split_option = click.option(
    "--split", type=click.Choice(["test", "validation", "train"]), default="test", show_default=True
)
other_data_option = click.option(
    "--data", "other", metavar="NAME|FOLDER", help="Other data than the network was trained on."
)


@click.command()
@click.argument(
    "checkpoints", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="CHECKPOINT..."
)
@split_option
@other_data_option
@click.option(
    "--errors",
    "n_errors",
    type=click.IntRange(min=1),
    metavar="N",
    help="Show the N mistakes that it is surest of, by their index in the test or training set.",
)
@data_dir_option
@chart_option
@json_option
def evaluate(
    checkpoints: tuple[Path, ...],
    split: str,
    other: str | None,
    n_errors: int | None,
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
    if n_errors and not members[0].classes:
        raise CheckpointError(
            f"{checkpoints[0]}: --errors shows misread classes, and this is a regression"
        )
    splits = load_splits(checkpoints[0], members[0], other, data_dir)
    examples = examples_of(splits, split, checkpoints[0], other)
    if split == "validation" and other is None:
        require_same_validation(checkpoints, members)
    networks = [member.network for member in members]
    result = evaluate_networks(networks, examples)
    mistakes = mistakes_of(networks, examples, splits.classes, n_errors) if n_errors else None
    for curve in curves:
        notice(curve)
    if as_json:
        names = [str(path) for path in checkpoints]
        record = as_record(names[0] if len(names) == 1 else names, split, result)
        click.echo(json.dumps(record if mistakes is None else {**record, "errors": mistakes}))
        return
    click.echo(as_text(result, splits, split))
    if mistakes is not None:
        click.echo(mistakes_as_text(mistakes, splits, split, networks[0].output.is_probability))


def examples_of(splits: Splits, split: str, path: Path, other: str | None = None) -> Examples:
    """The split of that name, of the data of the checkpoint `path` or of `other` data."""
    examples: Examples = getattr(splits, split)
    if not len(examples):
        why = (
            f"--data {other} has no such split"
            if other
            else f"the config of {path} leaves this split empty"
        )
        raise click.UsageError(f"--split {split}: {why}")
    return examples


def load_splits(path: Path, member: Checkpoint, other: str | None, data_dir: Path | None) -> Splits:
    """The data that a checkpoint was trained on, or `other`, checked against the network's inputs and classes."""
    if other is None:
        wanted, seed = trained_on(path, member)
    else:
        # nothing of it was set aside
        wanted, seed = named(other).model_copy(update={"validation": 0}), 0
    splits = load_data(wanted.model_copy(update={"fallback": None}), seed, data_dir, notice)
    n_inputs = splits.test.inputs.shape[1]
    if n_inputs != member.network.sizes[0]:
        raise CheckpointError(
            f"{path}: takes {member.network.sizes[0]} inputs, and {splits.name} has {n_inputs}"
        )
    shape = member.document.get("image_shape")
    if shape and splits.image_shape and tuple(shape) != splits.image_shape:
        raise CheckpointError(
            f"{path}: takes {shape[1]}x{shape[0]} pixels, and {splits.name} has "
            f"{splits.image_shape[1]}x{splits.image_shape[0]}"
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
        raise CheckpointError(
            f"{path}: does not say what data it was trained on; name it by --data"
        )
    try:
        settings = Config.model_validate(stored)
    except ValueError:
        raise CheckpointError(
            f"{path}: its config is not one of this version of nnmnist; train again, or name the data by --data"
        ) from None
    name = member.document.get("data", {}).get("name")
    if name is not None and settings.data.fallback == name:
        return settings.data.model_copy(update={"name": name}), settings.seed
    return settings.data, settings.seed


def require_alike(paths: tuple[Path, ...], members: list[Checkpoint]) -> None:
    """Networks that can vote together: same inputs, output and classes."""

    def kind(member: Checkpoint) -> tuple[Any, ...]:
        network = member.network
        return network.sizes[0], network.output_name, member.classes

    for path, member in zip(paths, members, strict=True):
        if kind(member) != kind(members[0]) or of_other_shapes(member, members[0]):
            raise CheckpointError(
                f"{path}: has other inputs, outputs or classes than {paths[0]}; they form no ensemble"
            )


def of_other_shapes(a: Checkpoint, b: Checkpoint) -> bool:
    """Whether the pictures of one have another shape than those of the other, as far as both say."""
    shapes = [member.document.get("image_shape") for member in (a, b)]
    return None not in shapes and shapes[0] != shapes[1]


def require_same_validation(paths: tuple[Path, ...], members: list[Checkpoint]) -> None:
    """All have set the same examples aside: those of one network are else what another has learnt from."""
    aside = [(settings.validation, seed) for settings, seed in map(trained_on, paths, members)]
    for path, own in zip(paths, aside, strict=True):
        if own != aside[0]:
            raise CheckpointError(
                f"{path}: set other examples aside for validation than {paths[0]}, and has learnt from some of "
                "these; judge them together by --split test"
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
    for name, row, k in zip(
        splits.classes, result.confusion, range(len(splits.classes)), strict=True
    ):
        total = int(row.sum())
        error = f"{1 - row[k] / total:8.2%}" if total else "       -"
        cells = "".join(f"{count or '.':>{width}}" for count in row.tolist())
        lines.append(f"{name:>{width}}{cells}{error}")
    return "\n".join(lines)


def mistakes_of(
    networks: list[Network], examples: Examples, classes: Sequence[str], n: int
) -> list[dict[str, Any]]:
    """The JSON of the `n` surest mistakes."""
    p = probabilities(networks, examples)
    names = [label(name) for name in classes]
    return [
        {
            "index": int(examples.rows[i]),
            "label": names[examples.y[i]],
            "prediction": names[p[i].argmax()],
            "probability": float(p[i].max()),
            "probabilities": dict(zip(map(str, names), p[i].tolist(), strict=True)),
        }
        for i in most_confident_mistakes(p, examples.y)[:n].tolist()
    ]


def mistakes_as_text(
    mistakes: list[dict[str, Any]], splits: Splits, split: str, is_probability: bool
) -> str:
    """The same for people, with the pictures, where the examples are some."""
    lines = ["", "surest mistakes" if mistakes else "no mistakes"]
    for mistake in mistakes:
        truth = mistake["probabilities"][str(mistake["label"])]
        lines.append(
            f"{file_of(split)}[{mistake['index']}]: {mistake['prediction']} {weight(mistake['probability'], is_probability)}"
            f"   (is {mistake['label']} {weight(truth, is_probability)})"
        )
        if splits.image_shape:
            pixels = getattr(splits, split).inputs[mistake["index"]]
            lines.append(render(pixels.reshape(splits.image_shape)))
    return "\n".join(lines)


def file_of(split: str) -> str:
    """What the indices of a split count: validation is a part of the training set."""
    return "test" if split == "test" else "train"
