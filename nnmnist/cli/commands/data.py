"""`nnmnist data`: fetch MNIST, tell what is there, and draw it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click
import numpy as np

from nnmnist.cli.digits import render
from nnmnist.cli.options import data_dir_option, json_option, notice, require_output
from nnmnist.config.loading import Override, load_config
from nnmnist.config.schema import DataConfig
from nnmnist.data.distort import Distortion
from nnmnist.data.examples import PIXEL, Source
from nnmnist.data.mnist import FILES, find, load
from nnmnist.data.sources import SOURCES, load_source
from nnmnist.errors import DataError
from nnmnist.files import write_atomic
from nnmnist.types import Array

GAP = 2  # columns between two digits
ACROSS = 16  # digits in a row of a sheet
ENLARGED = 2  # times, on a sheet


@click.group()
def data() -> None:
    """Fetch the data, or tell what is there."""


data_option = click.option(
    "--data",
    "wanted",
    default="mnist",
    show_default=True,
    metavar="NAME|FOLDER",
    help="What to describe.",
)


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
@data_option
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
        click.echo(render(some_digits(source, shutil.get_terminal_size().columns)))


@data.command()
@data_option
@click.option(
    "--distort",
    is_flag=False,
    flag_value="true",
    metavar="[MAPPING]",
    help="One of each class, then as a training step sees it; '{alpha: 0}' changes how far it goes.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    default="digits.png",
    show_default=True,
    metavar="FILE",
    help="Where to write the picture.",
)
@click.option("--force", is_flag=True, help="Write over an existing FILE.")
@data_dir_option
def show(
    wanted: str, distort: str | None, output: Path, force: bool, data_dir: Path | None
) -> None:
    """Draw training images, a row for each class."""
    overrides = [Override("data.distort", distort, f"--distort {distort}")] if distort else []
    settings = load_config(overrides=overrides).data.distortion
    require_output(output, [".png"], force)
    pixels = sheet(source_for(wanted, data_dir), settings)

    from PIL import Image

    picture = Image.fromarray(255 - pixels.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1))
    write_atomic(output, lambda file: picture.save(file, "png", optimize=True))
    click.echo(output)


def sheet(source: Source, distort: Mapping[str, Any] | None = None) -> Array:
    """A row of training images for each class: (rows, columns) uint8. With `distort`, its first in many forms."""
    if source.image_shape is None:
        raise DataError(f"--data {source.name}: its inputs are no pictures")
    inputs, labels = source.train
    distortion = distort and Distortion(source.image_shape, **distort)
    rows = []
    for label in range(len(source.classes)):
        images = inputs[labels == label][:ACROSS]
        if distortion and len(images):
            images = images[:1].repeat(ACROSS, axis=0)
            draws, distorted = np.random.default_rng(label), np.empty(images.shape, np.float32)
            distortion(images[1:], np.full(ACROSS - 1, label), draws, distorted[1:])
            images[1:] = np.rint(distorted[1:] / PIXEL)
        row = np.zeros((ACROSS, *source.image_shape), np.uint8)
        row[: len(images)] = images.reshape(-1, *source.image_shape)
        rows.append(np.hstack(list(row)))
    return np.vstack(rows)


def source_for(wanted: str, data_dir: Path | None) -> Source:
    """The source of that name, or the folder of IDX files; nothing is fetched for a mere question."""
    if wanted == "mnist" and len(find(data_dir)) < len(FILES):
        raise DataError("MNIST is not on this machine: `nnmnist data download` fetches it")
    settings = named(wanted)
    return load_source(settings.name, path=settings.path, data_dir=data_dir, notify=notice)


def named(wanted: str) -> DataConfig:
    """What `--data` names: a source or a folder. Raises DataError where it is neither."""
    if wanted in SOURCES:
        return DataConfig(name=wanted)
    if not Path(wanted).is_dir():
        raise DataError(
            f"--data {wanted}: neither a folder nor one of {', '.join(sorted(SOURCES))}"
        )
    return DataConfig(path=Path(wanted))


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
