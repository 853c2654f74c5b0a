"""`nnmnist predict`: what a trained network makes of images."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

from nnmnist import checkpoint
from nnmnist.checkpoint import Checkpoint
from nnmnist.cli.digits import draw
from nnmnist.cli.options import data_dir_option, json_option
from nnmnist.data import image
from nnmnist.data.examples import scale
from nnmnist.errors import CheckpointError, DataError
from nnmnist.yaml_lines import printable

Array = NDArray[Any]


@click.command()
@click.argument("path", type=click.Path(path_type=Path), metavar="CHECKPOINT")
@click.argument("images", nargs=-1, metavar="IMAGE...")
@click.option(
    "--test", "indices", metavar="N-M", help="Read images of the test set, by index: 7 or 0-9 or 3,5,8-10."
)
@click.option(
    "--top", type=click.IntRange(min=1), default=3, show_default=True, help="How many answers to weigh."
)
@click.option("--show", is_flag=True, help="Draw what the network sees.")
@data_dir_option
@json_option
def predict(
    path: Path,
    images: tuple[str, ...],
    indices: str | None,
    top: int,
    show: bool,
    data_dir: Path | None,
    as_json: bool,
) -> None:
    """Read digits with a trained network.

    An IMAGE is a file, a folder of them, or - for standard input. What is not 28x28 pixels, white on black, already
    is made so as MNIST's digits were: photos and scans of any size, dark on light or light on dark.
    """
    if bool(images) == (indices is not None):
        raise click.UsageError("give images, or --test with indices")
    member = checkpoint.load(path)
    shape = member.document.get("image_shape")
    if not shape or not member.classes:
        raise CheckpointError(f"{path}: does not classify images")
    found = (
        read_images(images, tuple(shape)) if indices is None else test_images(path, member, indices, data_dir)
    )
    failed = False
    for name, pixels, truth in found:
        if isinstance(pixels, DataError):
            click.echo(f"Error: {pixels}", err=True)
            failed = True
            continue
        record = answer(member, name, pixels, top)
        if truth is not None:
            record["label"] = label(truth)
        click.echo(json.dumps(record) if as_json else as_text(record))
        if show:
            click.echo(draw(pixels.reshape(shape)), err=as_json)
    sys.exit(1 if failed else 0)


def answer(member: Checkpoint, name: str, pixels: Array, top: int) -> dict[str, Any]:
    """The JSON of `predict` for one image (n_inputs,) of bytes."""
    p = member.network.predict(scale(pixels[None]))[0]
    if len(p) < len(member.classes):  # a single logistic unit says the probability of the second class
        p = np.array([1 - p[0], p[0]])
    order = np.argsort(-p, kind="stable")[:top]
    ranked = [{"label": label(member.classes[k]), "probability": float(p[k])} for k in order]
    return {
        "file": name,
        "prediction": ranked[0]["label"],
        "probability": ranked[0]["probability"],
        "top": ranked,
    }


def label(name: str) -> int | str:
    """The name of a class, as the number that it is for digits."""
    return int(name) if name.isdecimal() else name


def as_text(record: dict[str, Any]) -> str:
    """file: prediction, then the probabilities of the best answers."""
    ranked = "  ".join(f"{entry['label']} {entry['probability']:7.2%}" for entry in record["top"])
    truth = ""
    if "label" in record:
        truth = f"   (is {record['label']}{'' if record['label'] == record['prediction'] else ', WRONG'})"
    return f"{printable(record['file'], 1000)}: {record['prediction']}   {ranked}{truth}"


Found = tuple[str, "Array | DataError", "str | None"]  # name, pixels (n_inputs,) or what is wrong, true label


def read_images(names: tuple[str, ...], shape: tuple[int, int]) -> Iterator[Found]:
    """Each image of files, folders and standard input; one that cannot be read is an error among them."""
    for name in names:
        if name == "-":
            yield _read(sys.stdin.buffer, "-", shape)
        elif os.path.isdir(name):
            for file in _images_in(name):
                yield (name, file, None) if isinstance(file, DataError) else _read(file, str(file), shape)
        else:
            yield _read(Path(name), name, shape)


def _images_in(folder: str) -> list[Path] | list[DataError]:
    """The images of a folder by name, or what is wrong with it."""
    name = printable(folder, 1000)
    try:
        files = sorted(file for file in Path(folder).iterdir() if file.suffix.lower() in image.SUFFIXES)
    except OSError as error:
        return [DataError(f"{name}: cannot be read: {error.strerror}")]
    return files or [DataError(f"{name}: no image in this folder ({', '.join(sorted(image.SUFFIXES))})")]


def _read(file: Any, name: str, shape: tuple[int, int]) -> Found:
    try:
        return name, image.read(file, printable(name, 1000), shape), None
    except DataError as error:
        return name, error, None


def test_images(path: Path, member: Checkpoint, indices: str, data_dir: Path | None) -> Iterator[Found]:
    """Images of the test set of the data that the network was trained on, with their labels."""
    from nnmnist.cli.evaluate import load_splits

    splits = load_splits(path, member, None, data_dir)
    for i in parse_indices(indices, len(splits.test)):
        yield f"test[{i}]", splits.test.inputs[i], splits.classes[int(splits.test.targets[i])]


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
            raise click.UsageError(f"--test {text}: expected indices from 0 to {n - 1}, in rising order")
        chosen.extend(range(low, high + 1))
    return chosen
