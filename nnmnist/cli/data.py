"""`nnmnist data`: fetch MNIST, and tell what is there."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import click
import numpy as np

from nnmnist.cli.digits import draw
from nnmnist.cli.options import data_dir_option, json_option, notice
from nnmnist.config import DataConfig
from nnmnist.data import SOURCES, Source, source_of
from nnmnist.data.examples import Array
from nnmnist.data.mnist import FILES, find, load
from nnmnist.errors import DataError

GAP = 2  # columns between two digits


@click.group()
def data() -> None:
    """Fetch the data, or tell what is there."""


@data.command()
@data_dir_option
def download(data_dir: Path | None) -> None:
    """Fetch MNIST, unless it is here, verify it, and tell where it lies."""
    source = load(data_dir, notify=notice)
    click.echo(
        f"{source.identity['folder']}: {len(source.train[0]):,} training and {len(source.test[0]):,} test "
        "images, verified"
    )


@data.command()
@click.option(
    "--data", "wanted", default="mnist", show_default=True, metavar="NAME|FOLDER", help="What to describe."
)
@data_dir_option
@json_option
def info(wanted: str, data_dir: Path | None, as_json: bool) -> None:
    """Tell what is there: from where, hashes, images of each class, and a few digits."""
    source = source_for(wanted, data_dir)
    if as_json:
        click.echo(json.dumps(as_record(source)))
        return
    click.echo(as_text(source))
    if source.image_shape is not None:
        click.echo()
        click.echo(draw(some_digits(source, shutil.get_terminal_size().columns)))


def source_for(wanted: str, data_dir: Path | None) -> Source:
    """The source of that name, or the folder of IDX files; nothing is fetched for a mere question."""
    if wanted == "mnist" and len(find(data_dir)) < len(FILES):
        raise DataError("MNIST is not on this machine: `nnmnist data download` fetches it")
    if wanted in SOURCES:
        return source_of(DataConfig(name=wanted), data_dir=data_dir, notify=notice)
    if not Path(wanted).is_dir():
        raise DataError(f"--data {wanted}: neither a folder nor one of {', '.join(sorted(SOURCES))}")
    return source_of(DataConfig(path=Path(wanted)))


def as_record(source: Source) -> dict[str, Any]:
    """The JSON of `info`."""
    return {
        "data": source.name,
        "identity": source.identity,
        "image_shape": source.image_shape,
        "classes": source.classes,
        "train": _census(source, source.train),
        "test": _census(source, source.test),
    }


def as_text(source: Source) -> str:
    """The same for people: who it is, then how many examples of each class."""
    lines = []
    for key, value in source.identity.items():
        if isinstance(value, dict):
            width = max(map(len, value))
            lines += [f"{key:<10}{name:<{width}}  {item}" for name, item in value.items()]
        else:
            lines.append(f"{key:<10}{value}")
    if source.image_shape is not None:
        lines.append("{:<10}{} x {} pixels".format("images", *source.image_shape))
    train, test = _census(source, source.train), _census(source, source.test)
    width = max(map(len, ("class", "total", *source.classes)))
    lines += ["", f"{'class':>{width}}{'train':>10}{'test':>10}"]
    for name in source.classes:
        lines.append(f"{name:>{width}}{train['counts'][name]:>10,}{test['counts'][name]:>10,}")
    lines.append(f"{'total':>{width}}{train['n']:>10,}{test['n']:>10,}")
    return "\n".join(lines)


def some_digits(source: Source, width: int) -> Array:
    """The first test image of each class, side by side, as many as fit into `width`: (rows, columns) uint8."""
    inputs, labels = source.test
    first = np.unique(labels, return_index=True)[1]
    images = inputs[first].reshape(-1, *(source.image_shape or (1, 1)))
    thinning = -(-images.shape[2] // width)  # of pictures wider than the terminal
    images = np.pad(images[:, ::thinning, ::thinning], ((0, 0), (0, 0), (0, GAP)))
    return np.hstack(list(images[: max(1, (width + GAP) // images.shape[2])]))


def _census(source: Source, part: tuple[Array, Array]) -> dict[str, Any]:
    """How many examples a part has, in all and of each class."""
    labels = part[1]
    counts = np.bincount(labels, minlength=len(source.classes)).tolist() if source.classes else []
    return {"n": len(labels), "counts": dict(zip(source.classes, counts, strict=True))}
