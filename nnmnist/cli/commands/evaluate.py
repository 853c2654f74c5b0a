"""`nnmnist evaluate`: cost, accuracy, confusion and mistakes of one checkpoint or an ensemble."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import click

from nnmnist import checkpoint
from nnmnist.cli.loading import load_examples
from nnmnist.cli.options import (
    chart_option,
    checkpoint_argument,
    data_dir_option,
    json_option,
    other_data_option,
    split_option,
    with_examples,
)
from nnmnist.cli.terminal import align, chart, echo, echo_json, format_probability, notice, render
from nnmnist.cli.waiting import waiting_for
from nnmnist.data.examples import Splits
from nnmnist.errors import CheckpointError, printable
from nnmnist.evaluation.classes import class_scores
from nnmnist.evaluation.evaluate import Evaluation, evaluate_on_cores
from nnmnist.evaluation.records import evaluation_record, mistake_records
from nnmnist.evaluation.text import counted, number_text
from nnmnist.runs import history
from nnmnist.runs.data import require_ensemble, require_same_validation
from nnmnist.types import Array

SCREEN = 80  # columns of a terminal
LONGEST_NAME = 20  # characters of a class in a table


@click.command(
    epilog=with_examples(
        'nnmnist evaluate "$(nnmnist runs best)"',
        "nnmnist evaluate runs/a runs/b --errors 10 --data mnist",
        environment=True,
    )
)
@checkpoint_argument("paths", "CHECKPOINT...", nargs=-1, required=True)
@split_option
@other_data_option
@click.option(
    "--errors",
    "n_mistakes",
    type=click.IntRange(min=1),
    metavar="N",
    help="Show the N most confident mistakes, with their index in the test or training set.",
)
@data_dir_option
@chart_option
@json_option
def evaluate(
    paths: tuple[Path, ...],
    split: str,
    other: str | None,
    n_mistakes: int | None,
    data_dir: Path | None,
    with_chart: bool,
    as_json: bool,
) -> None:
    """Evaluate a trained network.

    It shows the cost and the accuracy, for each class precision, recall and F1, and the confusion
    matrix. A class that is never predicted has precision 0.

    CHECKPOINT is an .npz file or a run directory. Several checkpoints form an ensemble: their
    predictions are averaged.
    """
    curves = [chart(history.read(path.parent)) for path in paths] if with_chart else []
    members = [checkpoint.load(path) for path in paths]
    require_ensemble(paths, members)
    if n_mistakes and not members[0].classes:
        raise CheckpointError(f"{paths[0]}: is a regression, and --errors needs a classifier")
    splits, examples = load_examples(paths[0], members[0], split, other, data_dir)
    if split == "validation" and other is None:
        require_same_validation(paths, members)
    networks = [member.network for member in members]
    mistakes = None
    with waiting_for("evaluating"):
        result = evaluate_on_cores(networks, examples)
        if n_mistakes:
            mistakes = mistake_records(networks, examples, splits.classes, n_mistakes)
    for curve in curves:
        notice(curve)
    if as_json:
        echo_json(as_record(paths, split, result, splits.classes, mistakes))
        return
    echo(as_text(result, splits, split))
    if mistakes is not None:
        echo(mistakes_as_text(mistakes, splits, split, networks[0].output.is_probability))


def as_record(
    paths: tuple[Path, ...],
    split: str,
    result: Evaluation,
    classes: Sequence[str],
    mistakes: list[dict[str, Any]] | None,
) -> dict[str, Any]:
    """The JSON of `evaluate`."""
    names = [str(path) for path in paths]
    record = {"checkpoint": names[0] if len(names) == 1 else names, "split": split}
    record |= evaluation_record(result, classes)
    return record if mistakes is None else {**record, "errors": mistakes}


def as_text(result: Evaluation, splits: Splits, split: str) -> str:
    """The same for people: scores, then a table of the classes, then the confusion matrix."""
    lines = [f"data       {splits.name}, {split} split, {counted(result.n, 'example')}"]
    if result.r2 is not None:
        lines.append(f"R^2        {number_text(result.r2)}")
        error = f"{result.cost:.4g}" if isfinite(result.cost) else number_text(result.cost)
        lines.append(f"mean squared error {error}")
    else:
        lines.append(f"cost       {number_text(result.cost)}")
    if result.confusion is None or result.accuracy is None or result.interval is None:
        return "\n".join(lines)
    low, high = result.interval
    lines.append(
        f"accuracy   {result.accuracy:.2%} ({low:.2%} to {high:.2%} at 95 % confidence), "
        f"{result.n - result.correct:,} wrong"
    )
    lines += ["", classes_as_text(result.confusion, splits.classes)]
    lines += ["", confusion_as_text(result.confusion, splits.classes)]
    return "\n".join(lines)


def classes_as_text(confusion: Array, classes: Sequence[str]) -> str:
    """A table with precision, recall, F1 and support of each class, and their averages."""
    scores = class_scores(confusion)
    rows = [["class", "precision", "recall", "F1", "support"]]
    for name, *values, support in zip(classes, *scores, strict=True):
        rows.append([printable(name, LONGEST_NAME), *map("{:.2%}".format, values), f"{support:,}"])
    n = f"{scores.support.sum():,}"
    for name, means in (("macro average", scores.macro), ("weighted average", scores.weighted)):
        rows.append([name, *map("{:.2%}".format, means.values()), n])
    return align(rows, left=[0])


def confusion_as_text(confusion: Array, classes: Sequence[str]) -> str:
    """The counts; the names of the columns are shortened to what fits on the screen."""
    names = [printable(name, LONGEST_NAME) for name in classes]
    longest = max(map(len, names))
    room = (SCREEN - longest) // len(names) - 1  # for each column, after a space
    width = max(5, len(str(confusion.max())), min(longest, room))
    heads = "".join(f" {printable(name, width):>{width}}" for name in names)
    lines = ["rows: true class, columns: predicted class", " " * longest + heads]
    for name, row in zip(names, confusion.tolist(), strict=True):
        cells = "".join(f" {count or '.':>{width}}" for count in row)
        lines.append(f"{name:<{longest}}{cells}")
    return "\n".join(lines)


def mistakes_as_text(
    mistakes: list[dict[str, Any]], splits: Splits, split: str, is_probability: bool
) -> str:
    """The mistakes for people, with their images if the inputs are images."""
    lines = ["", "most confident mistakes" if mistakes else "no mistakes"]
    # validation examples have their index in the training set
    name = "test" if split == "test" else "train"
    for mistake in mistakes:
        predicted = format_probability(mistake["probability"], is_probability)
        truth = format_probability(mistake["probabilities"][str(mistake["label"])], is_probability)
        lines.append(
            f"{name}[{mistake['index']}]: {mistake['prediction']} {predicted}"
            f"   (is {mistake['label']} {truth})"
        )
        if splits.image_shape:
            pixels = getattr(splits, split).inputs[mistake["index"]]
            lines.append(render(pixels.reshape(splits.image_shape)))
    return "\n".join(lines)
