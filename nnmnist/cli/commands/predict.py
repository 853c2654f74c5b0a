"""`nnmnist predict`: the predictions of a trained network for images."""

from __future__ import annotations

import csv
import io
import math
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from nnmnist import checkpoint
from nnmnist.checkpoint import Checkpoint
from nnmnist.cli.loading import read_images, read_single_images
from nnmnist.cli.options import (
    PathType,
    checkpoint_argument,
    complete_files,
    data_dir_option,
    force_option,
    json_option,
    parse_ranges,
    require_output,
    with_examples,
)
from nnmnist.cli.pictures import PreparedImages, annotate, save_png
from nnmnist.cli.terminal import (
    csv_text,
    echo,
    echo_json,
    echo_path,
    format_probability,
    notice,
    render,
)
from nnmnist.cli.waiting import waiting_for
from nnmnist.data.examples import scale
from nnmnist.errors import CheckpointError, DataError, printable
from nnmnist.evaluation.prediction import preparation_of
from nnmnist.evaluation.predictor import NormalizedNetwork
from nnmnist.evaluation.records import class_label, prediction_record, reject_unlikely
from nnmnist.files import write_atomic
from nnmnist.images import reading
from nnmnist.images.normalize import normalize
from nnmnist.images.preparation import Preparation
from nnmnist.images.segment import Digit, without_text
from nnmnist.images.touching import Score
from nnmnist.runs.data import load_splits
from nnmnist.types import Array

if TYPE_CHECKING:
    from PIL.Image import Image


# A page is turned if it has so many digits, and their mean probability gains at least so much.
TURN_DIGITS, TURN_GAIN = 5, 0.1


@click.command(
    epilog=with_examples(
        "nnmnist predict runs/a seven.jpg photos/ --show",
        "nnmnist predict runs/a --test 0-9",
        environment=True,
    )
)
@checkpoint_argument("path", "CHECKPOINT")
@click.argument("images", nargs=-1, metavar="IMAGE...", shell_complete=complete_files)
@click.option(
    "--test",
    "indices",
    metavar="N-M",
    help="Predict images of the test set, given by their indices: 7, 0-9 or 3,5,8-10.",
)
@click.option(
    "--many", is_flag=True, help="Find all digits in each image and read them line by line."
)
@click.option(
    "--annotate",
    "annotated",
    type=PathType(dir_okay=False),
    metavar="FILE",
    help="With --many: write the image as a PNG with a box and a prediction at each digit.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Number of predictions to show.",
)
@click.option(
    "--min-probability",
    type=click.FloatRange(0, 1),
    callback=lambda context, option, p: _require_number(p),
    metavar="P",
    help="Print ? instead of a prediction with a lower probability. Without it, pictures that may "
    "show no digit get a ?, but not rows of files, --test, --output and, without --many, --json. "
    "The scores of networks with a squared error are no probabilities.",
)
@click.option(
    "-o",
    "--output",
    "table",
    type=PathType(dir_okay=False),
    metavar="FILE",
    help="Write the predictions as a .csv file with the columns ImageId and Label, as Kaggle takes "
    "it, instead of printing them.",
)
@click.option("--show", is_flag=True, help="Draw each image as the first layer sees it.")
@click.option(
    "--save-prepared",
    "folder",
    type=PathType(file_okay=False),
    metavar="DIR",
    help="Save each image as the network takes it, before any normalization, as a PNG file.",
)
@force_option
@data_dir_option
@json_option
def predict(
    path: Path,
    images: tuple[str, ...],
    indices: str | None,
    many: bool,
    annotated: Path | None,
    top: int,
    min_probability: float | None,
    table: Path | None,
    show: bool,
    folder: Path | None,
    force: bool,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Predict the digits in images with a trained network.

    CHECKPOINT is an .npz file or a run directory. An IMAGE is a file, a folder of files, or - for
    standard input; or a .csv, .npz or Parquet file of many images. Photos and scans may have any
    size, and be dark on light or light on dark: they are prepared as the training images were
    (data.prepare).
    """
    _require_options(images, indices, many, annotated)
    if many and table:
        raise click.UsageError("--output lists single images; remove --many")
    if annotated:
        require_output(annotated, [".png"], force)
    if table:
        require_output(table, [".csv"], force)
    model = checkpoint.load(path)
    if min_probability is not None and not model.network.output.is_probability:
        raise CheckpointError(
            f"{path}: its output is {model.network.output_name} with a squared error, whose scores "
            "are no probabilities; remove --min-probability"
        )
    reader = Reader(model, preparation_of(path, model), top, min_probability)
    prepared = PreparedImages(folder, force) if folder else None
    output = Output(as_json, show, prepared, annotated, [] if table else None)
    with waiting_for("predicting"):
        if many:
            ok = predict_pages(path, images, reader, output)
        else:
            ok = predict_digits(path, images, indices, data_dir, reader, output)
    if table:
        write_atomic(table, submission(output.rows or []))
        if not as_json:
            echo_path(table)
    sys.exit(0 if ok else 1)


def _require_number(p: float | None) -> float | None:
    """Raise BadParameter for nan, which FloatRange lets pass."""
    if p is not None and math.isnan(p):
        raise click.BadParameter("nan is not in the range 0<=x<=1.")
    return p


def _require_options(
    images: Sequence[str], indices: str | None, many: bool, annotated: Path | None
) -> None:
    """Raise UsageError for options that exclude each other."""
    if bool(images) == (indices is not None):
        raise click.UsageError("give either images, or --test with indices")
    if many and indices is not None:
        raise click.UsageError("--many finds the digits in images; remove --test")
    if annotated and not (many and len(images) == 1 and not os.path.isdir(images[0])):
        raise click.UsageError("--annotate needs --many and exactly one IMAGE, which is no folder")


@dataclass(frozen=True)
class Reader:
    """A network, and how its predictions are reported."""

    model: Checkpoint
    preparation: Preparation
    top: int
    min_probability: float | None  # None leaves the judgement to `reject`

    def predict(self, pixels: Array) -> dict[str, Any]:
        """The record of an image (n_inputs,) uint8."""
        return prediction_record(
            self.model.network, pixels, self.model.classes, self.top, self.min_probability
        )

    def reject(self, lines: Sequence[Sequence[dict[str, Any]]]) -> None:
        """Set the predictions of records, line by line, to None where they may be no digits.

        A limit that the user gives replaces this judgement.
        """
        if self.min_probability is None and self._knows_digits:
            reject_unlikely(lines)

    @property
    def _knows_digits(self) -> bool:
        """Whether the network gives probabilities of digits in the format of MNIST."""
        return self.preparation.mode == "digit" and self.model.network.output.is_probability

    @property
    def score(self) -> Score | None:
        """The log-probabilities of predictions, which split digits; None without probabilities."""
        return self._log_probabilities if self.model.network.output.is_probability else None

    def _log_probabilities(self, images: Array) -> Array:
        """The log-probabilities (n,) of the predictions for images (n, rows, columns) uint8."""
        network = self.model.network
        p = network.output.predict(network.logits(scale(images.reshape(len(images), -1))))
        log_p: Array = np.log(network.output.class_probabilities(p).max(axis=0))
        return log_p

    def quarters_to_turn(self, lines: list[list[Digit]]) -> int:
        """By how many quarters to turn a page to the left: where the network is much surer.

        A few digits, or scores that are no probabilities, do not tell.
        """
        images = [digit.image for line in lines for digit in line]
        if len(images) < TURN_DIGITS or not self.model.network.output.is_probability:
            return 0
        sure = [
            float(np.exp(self._log_probabilities(turned)).mean())
            for turned in (
                np.stack([np.rot90(image, quarters).reshape(-1) for image in images])
                for quarters in range(4)
            )
        ]
        best = int(np.argmax(sure))
        return best if sure[best] >= sure[0] + TURN_GAIN else 0

    def seen(self, pixels: Array) -> Array:
        """What the first layer sees of an image (rows, columns) uint8."""
        if not isinstance(self.model.network, NormalizedNetwork):
            return pixels
        return normalize(pixels.reshape(1, -1), pixels.shape).reshape(pixels.shape)

    def as_text(self, record: dict[str, Any]) -> str:
        """The prediction, then the probabilities, or scores, of the best classes."""
        is_probability = self.model.network.output.is_probability
        ranked = "  ".join(
            f"{entry['label']} {format_probability(entry['probability'], is_probability)}"
            for entry in record["top"]
        )
        return f"{predicted(record)}   {ranked}"


@dataclass(frozen=True)
class Output:
    """What to do with images and predictions."""

    as_json: bool
    show: bool
    prepared: PreparedImages | None
    annotated: Path | None
    rows: list[tuple[str, str]] | None  # of `submission`; None if predictions are printed

    def show_image(self, reader: Reader, pixels: Array, name: str, suffix: str = "") -> None:
        """Draw and save an image (rows, columns) uint8 that the network took, if wanted."""
        if self.show:
            echo(render(reader.seen(pixels)), err=self.as_json)
        if self.prepared:
            self.prepared.save(pixels, name, suffix)


def submission(rows: Sequence[tuple[str, str]]) -> bytes:
    """Predictions as comma-separated values: the row or file of each image, and its class."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["ImageId", "Label"])
    writer.writerows([csv_text(name), csv_text(label)] for name, label in rows)
    return out.getvalue().encode("utf-8", "surrogateescape")


def predicted(record: dict[str, Any]) -> str:
    """The prediction as text, ? for none."""
    return "?" if record["prediction"] is None else str(record["prediction"])


def predict_digits(
    path: Path,
    images: Sequence[str],
    indices: str | None,
    data_dir: Path | None,
    reader: Reader,
    output: Output,
) -> bool:
    """Print a prediction for each image, or for images of the test set.

    Returns:
        Whether all images could be read.
    """
    ok = True
    if indices is not None:
        for name, pixels, truth in test_images(path, reader.model, indices, data_dir):
            _print_digit(reader, output, name, pixels, truth)
    for name, number, content in read_single_images(images, reader.preparation):
        if isinstance(content, DataError):
            notice(f"Error: {content}")
            ok = False
        else:
            _print_digit(reader, output, name, content, number=number)
    return ok


def predict_pages(path: Path, images: Sequence[str], reader: Reader, output: Output) -> bool:
    """Print the digits of each image, line by line.

    Returns:
        Whether all images could be read.
    """
    if reader.preparation.mode != "digit":
        raise CheckpointError(
            f"{path}: was trained with data.prepare: {reader.preparation.mode}; --many needs a "
            "network that was trained on digits in the format of MNIST (data.prepare: digit)"
        )
    ok = True
    read = partial(reading.read_many, score=reader.score)
    for name, content in read_images(images, read):
        if isinstance(content, DataError):
            notice(f"Error: {content}")
            ok = False
            continue
        picture, lines = content
        if quarters := reader.quarters_to_turn(lines):
            picture, lines = reading.turn_left(picture, quarters, reader.score)
            notice(
                f"{printable(name, 1000)}: turned to the left by {90 * quarters} degrees, where "
                "the network is surest"
            )
        if reader.score:
            lines = without_text(lines, reader.score)
        _print_page(reader, output, name, picture, lines)
    return ok


def _print_digit(
    reader: Reader,
    output: Output,
    name: str,
    pixels: Array,
    truth: str | None = None,
    number: int | None = None,
) -> None:
    """Print the prediction for an image (n_inputs,), and whether it is right if that is known.

    Args:
        reader: the network.
        output: what else to do.
        name: the file.
        pixels: the image.
        truth: its class, if it is known.
        number: which image of the file it is, from 1; None if the file has one.
    """
    is_shown = not output.as_json and output.rows is None
    is_picture = truth is None and number is None
    record = {"file": name, **({} if number is None else {"row": number}), **reader.predict(pixels)}
    if is_picture and is_shown:
        reader.reject([[record]])
    if number is not None:
        name = f"{name}[{number}]"
    right = ""
    if truth is not None:
        label = record["label"] = class_label(truth)
        right = f"   (is {label}{'' if label == record['prediction'] else ', WRONG'})"
    if output.rows is not None:
        output.rows.append((str(number or name), predicted(record)))
    if output.as_json:
        echo_json(record)
    elif is_shown:
        echo(f"{printable(name, 1000)}: {reader.as_text(record)}{right}")
    output.show_image(reader, pixels.reshape(reader.preparation.shape), name)


def _print_page(
    reader: Reader, output: Output, name: str, picture: Image, lines: list[list[Digit]]
) -> None:
    """Print the digits that were found in a picture, line by line."""
    records = [
        [{"box": digit.box, **reader.predict(digit.image.reshape(-1))} for digit in line]
        for line in lines
    ]
    reader.reject(records)
    if output.annotated:
        boxes = [(record["box"], predicted(record)) for line in records for record in line]
        save_png(output.annotated, annotate(picture, boxes))
    if output.as_json:
        found = [{"text": _line_text(line), "digits": line} for line in records]
        echo_json({"file": name, "lines": found})
    for number, (line, line_records) in enumerate(zip(lines, records, strict=True), start=1):
        if not output.as_json:
            echo(f"{printable(name, 1000)}, line {number}: {_line_text(line_records)}")
        for place, (digit, record) in enumerate(zip(line, line_records, strict=True), start=1):
            if not output.as_json:
                left, top, width, height = digit.box
                echo(f"    {reader.as_text(record)}   at {left},{top}, {width}x{height}")
            output.show_image(reader, digit.image, name, f"-{number}-{place}")


def _line_text(records: list[dict[str, Any]]) -> str:
    """The predictions of a line as one word, or as several if a class has a longer name."""
    words = [predicted(record) for record in records]
    return ("" if all(len(word) == 1 for word in words) else " ").join(words)


def test_images(
    path: Path, model: Checkpoint, indices: str, data_dir: Path | None
) -> Iterator[tuple[str, Array, str]]:
    """The name, pixels (n_inputs,) and class of images of the test set.

    Raises:
        click.UsageError: the indices have another form, or are outside the test set.
    """
    ranges = parse_ranges(indices, "--test", "indices such as 7, 0-9 or 3,5,8-10")
    splits = load_splits(path, model, data_dir, notify=notice)
    n = len(splits.test)
    if any(each.stop > n for each in ranges):
        raise click.UsageError(f"--test {indices}: the indices of the test set are 0 to {n - 1}")
    for each in ranges:
        for i in each:
            yield f"test[{i}]", splits.test.inputs[i], splits.classes[int(splits.test.targets[i])]
