"""`nnmnist predict`: what a trained network makes of images."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from nnmnist import checkpoint
from nnmnist.checkpoint import Checkpoint
from nnmnist.cli.digits import label, render, weight
from nnmnist.cli.options import data_dir_option, json_option, require_output
from nnmnist.cli.pictures import Prepared, annotated, each, save
from nnmnist.data.examples import scale
from nnmnist.errors import CheckpointError, DataError, printable
from nnmnist.images import reading
from nnmnist.images.prepare import SIDE
from nnmnist.images.segment import Digit
from nnmnist.types import Array

if TYPE_CHECKING:
    from PIL.Image import Image


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="CHECKPOINT")
@click.argument("images", nargs=-1, metavar="IMAGE...")
@click.option(
    "--test",
    "indices",
    metavar="N-M",
    help="Read images of the test set, by index: 7 or 0-9 or 3,5,8-10.",
)
@click.option(
    "--many", is_flag=True, help="Find the digits of each image and read them line by line."
)
@click.option(
    "--annotate", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="With --many: write the image as a PNG with a box and an answer at each digit.",
)  # fmt: skip
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="How many answers to weigh.",
)
@click.option(
    "--min-probability", type=click.FloatRange(0, 1), default=0.0, metavar="P",
    help="Answer ? where the network is less sure than this.",
)  # fmt: skip
@click.option("--show", is_flag=True, help="Draw what the network sees.")
@click.option(
    "--save-prepared", "folder", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Keep what the network sees, a PNG each.",
)  # fmt: skip
@click.option("--force", is_flag=True, help="Write over existing files.")
@data_dir_option
@json_option
def predict(
    path: Path,
    images: tuple[str, ...],
    indices: str | None,
    many: bool,
    annotate: Path | None,
    top: int,
    min_probability: float,
    show: bool,
    folder: Path | None,
    force: bool,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Read digits with a trained network.

    An IMAGE is a file, a folder of them, or - for standard input. What is not 28x28 pixels, white
    on black, already is made so as MNIST's digits were: photos and scans of any size, dark on light
    or light on dark.
    """
    if bool(images) == (indices is not None):
        raise click.UsageError("give images, or --test with indices")
    if many and indices is not None:
        raise click.UsageError("--many finds the digits of images; leave out --test")
    if annotate and not (many and len(images) == 1 and not os.path.isdir(images[0])):
        raise click.UsageError("--annotate writes one image: give --many and one IMAGE, no folder")
    if annotate:
        require_output(annotate, [".png"], force)
    member = checkpoint.load(path)
    reader = Reader(member, image_shape(path, member), top, min_probability)
    out = Out(as_json, show, Prepared(folder, force) if folder else None, annotate)
    if indices is not None:
        found: Iterator[tuple[str, Any]] = test_images(path, member, indices, data_dir)
    elif many:
        require_mnists(path, reader.shape)
        found = each(images, reading.read_many)
    else:
        found = each(images, lambda file, name: (reading.read(file, name, reader.shape), None))
    failed = False
    for name, content in found:
        if isinstance(content, DataError):
            click.echo(f"Error: {content}", err=True)
            failed = True
        else:
            (tell_page if many else tell)(reader, out, name, *content)
    sys.exit(1 if failed else 0)


def image_shape(path: Path, member: Checkpoint) -> tuple[int, int]:
    """(rows, columns) of the images that a network takes."""
    shape = member.document.get("image_shape")
    if not shape or not member.classes:
        raise CheckpointError(
            f"{path}: does not classify images, or does not say which (image_shape); use one that `train` wrote"
        )
    rows, columns = shape
    return rows, columns


def require_mnists(path: Path, shape: tuple[int, int]) -> None:
    """Digits that were found are made what MNIST's are, and other networks cannot read them."""
    if shape != (SIDE, SIDE):
        raise CheckpointError(
            f"{path}: takes {shape[1]}x{shape[0]} pixels; --many reads digits of {SIDE}x{SIDE}"
        )


@dataclass(frozen=True)
class Reader:
    """A network, and how its answers are wanted."""

    member: Checkpoint
    shape: tuple[int, int]  # (rows, columns) of an image
    top: int
    min_probability: float

    def answer(self, pixels: Array) -> dict[str, Any]:
        """The prediction for an image (n_inputs,) of bytes, None where it is not sure enough; the probabilities."""
        p = self.member.network.predict(scale(pixels[None]))[0]
        if len(p) < len(
            self.member.classes
        ):  # a single logistic unit says the probability of the second class
            p = np.array([1 - p[0], p[0]])
        order = np.argsort(-p, kind="stable")[: self.top]
        ranked = [
            {"label": label(self.member.classes[k]), "probability": float(p[k])} for k in order
        ]
        sure = p[order[0]] >= self.min_probability
        return {
            "prediction": ranked[0]["label"] if sure else None,
            "probability": float(p[order[0]]),
            "top": ranked,
        }

    def weighed(self, record: dict[str, Any]) -> str:
        """The prediction, then the probabilities, or scores, of the best answers."""
        is_probability = self.member.network.output.is_probability
        ranked = "  ".join(
            f"{entry['label']} {weight(entry['probability'], is_probability)}"
            for entry in record["top"]
        )
        return f"{shown(record)}   {ranked}"


@dataclass(frozen=True)
class Out:
    """Where the answers go."""

    as_json: bool
    show: bool
    prepared: Prepared | None
    annotate: Path | None

    def seen(self, pixels: Array, name: str, place: str = "") -> None:
        """Draw and keep what the network has seen, (rows, columns) uint8, as far as it is wanted."""
        if self.show:
            click.echo(render(pixels), err=self.as_json)
        if self.prepared:
            self.prepared.save(pixels, name, place)


def tell(reader: Reader, out: Out, name: str, pixels: Array, truth: str | None) -> None:
    """Print what an image (n_inputs,) shows."""
    record = {"file": name, **reader.answer(pixels)}
    if truth is not None:
        record["label"] = label(truth)
    click.echo(json.dumps(record) if out.as_json else as_text(record, reader))
    out.seen(pixels.reshape(reader.shape), name)


def tell_page(
    reader: Reader, out: Out, name: str, picture: Image, lines: list[list[Digit]]
) -> None:
    """Print what a picture shows, line by line."""
    answers = [
        [{"box": digit.box, **reader.answer(digit.image.reshape(-1))} for digit in line]
        for line in lines
    ]
    if out.annotate:
        boxes = [(record["box"], shown(record)) for line in answers for record in line]
        save(out.annotate, annotated(picture, boxes))
    if out.as_json:
        told = [{"text": text(line), "digits": line} for line in answers]
        click.echo(json.dumps({"file": name, "lines": told}))
    for number, (line, read) in enumerate(zip(lines, answers, strict=True), start=1):
        if not out.as_json:
            click.echo(f"{printable(name, 1000)}, line {number}: {text(read)}")
        for place, (digit, record) in enumerate(zip(line, read, strict=True), start=1):
            if not out.as_json:
                left, top, width, height = digit.box
                click.echo(f"    {reader.weighed(record)}   at {left},{top}, {width}x{height}")
            out.seen(digit.image, name, f"-{number}-{place}")


def text(line: list[dict[str, Any]]) -> str:
    """The answers of a line in one word, or, where classes have longer names, in several."""
    words = [shown(record) for record in line]
    return ("" if all(len(word) == 1 for word in words) else " ").join(words)


def shown(record: dict[str, Any]) -> str:
    """The prediction, or ? for none."""
    return "?" if record["prediction"] is None else str(record["prediction"])


def as_text(record: dict[str, Any], reader: Reader) -> str:
    """file: prediction, then what the best answers are given; whether it is right, where that is known."""
    truth = ""
    if "label" in record:
        truth = f"   (is {record['label']}{'' if record['label'] == record['prediction'] else ', WRONG'})"
    return f"{printable(record['file'], 1000)}: {reader.weighed(record)}{truth}"


def test_images(
    path: Path, member: Checkpoint, indices: str, data_dir: Path | None
) -> Iterator[tuple[str, tuple[Array, str]]]:
    """Images of the test set of the data that the network was trained on, with their labels."""
    from nnmnist.cli.commands.evaluate import load_splits

    splits = load_splits(path, member, None, data_dir)
    for i in parse_indices(indices, len(splits.test)):
        yield f"test[{i}]", (splits.test.inputs[i], splits.classes[int(splits.test.targets[i])])


def parse_indices(text: str, n: int) -> list[int]:
    """`3,5,8-10` as [3, 5, 8, 9, 10], each below n.

    Raises:
        click.UsageError: it is something else.
    """
    chosen: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise click.UsageError(f"--test {text}: expected indices such as 7, 0-9 or 3,5,8-10")
        low, high = int(first), int(last) if dash else int(first)
        if high < low or high >= n:
            raise click.UsageError(
                f"--test {text}: expected indices from 0 to {n - 1}, in rising order"
            )
        chosen.extend(range(low, high + 1))
    return chosen
