"""`nnmnist data`: download MNIST, describe data, and draw it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import click
import numpy as np

from nnmnist.cli.loading import data_named
from nnmnist.cli.options import data_dir_option, json_option, require_output
from nnmnist.cli.pictures import save_png, sheet
from nnmnist.cli.terminal import echo, echo_json, echo_path, notice, render
from nnmnist.config.loading import Override, load_config
from nnmnist.data.examples import Source
from nnmnist.data.mnist import FILES, find, load
from nnmnist.data.sources import load_source
from nnmnist.errors import DataError
from nnmnist.types import Array

GAP = 2  # columns between two digits


@click.group()
def data() -> None:
    """Download MNIST, describe data, or draw it."""


data_option = click.option(
    "--data",
    "wanted",
    default="mnist",
    show_default=True,
    metavar="NAME|FOLDER",
    help="Which data: the name of a source, or a folder.",
)


@data.command()
@data_dir_option
def download(data_dir: Path | None) -> None:
    """Download and verify MNIST.

    Files that exist are not downloaded again. The command prints the folder of the files.
    """
    source = load(data_dir, notify=notice)
    echo(
        f"{source.identity['folder']}: {len(source.train[0]):,} training and "
        f"{len(source.test[0]):,} test images, verified"
    )


@data.command()
@data_option
@data_dir_option
@json_option
def info(wanted: str, data_dir: Path | None, as_json: bool) -> None:
    """Describe data: its source, its classes, a few digits.

    It shows the folder of the files, their hashes and the number of examples per class.
    """
    source = load_named(wanted, data_dir)
    if as_json:
        echo_json(as_record(source))
        return
    echo(as_text(source))
    if source.image_shape is not None:
        echo("\n" + render(some_digits(source, shutil.get_terminal_size().columns)))


@data.command()
@data_option
@click.option(
    "--distort",
    is_flag=False,
    flag_value="true",
    metavar="[MAPPING]",
    help="Show one image per class and distorted copies of it, as training would use them. "
    "A mapping such as '{alpha: 0}' changes the distortion.",
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
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
@data_dir_option
def show(
    wanted: str, distort: str | None, output: Path, force: bool, data_dir: Path | None
) -> None:
    """Draw training images, one row per class."""
    overrides = [Override("data.distort", distort, f"--distort {distort}")] if distort else []
    distortion = load_config(overrides=overrides).data.distortion
    require_output(output, [".png"], force)
    save_png(output, sheet(load_named(wanted, data_dir), distortion), optimize=True)
    echo_path(output)


def load_named(wanted: str, data_dir: Path | None) -> Source:
    """The data that `--data` names, without any download."""
    if wanted == "mnist" and len(find(data_dir)) < len(FILES):
        raise DataError("MNIST is not on this machine; `nnmnist data download` downloads it")
    settings = data_named(wanted)
    return load_source(settings.name, path=settings.path, data_dir=data_dir, notify=notice)


def as_record(source: Source) -> dict[str, Any]:
    """The JSON of `info`."""
    return {
        "data": source.name,
        "identity": source.identity,
        "image_shape": source.image_shape,
        "classes": source.classes,
        "train": _counts(source, source.train),
        "test": _counts(source, source.test),
    }


def as_text(source: Source) -> str:
    """The same for people: where the data comes from, then the number of examples per class."""
    lines = []
    for key, value in source.identity.items():
        if isinstance(value, dict):
            width = max(map(len, value))
            lines += [f"{key:<10}{name:<{width}}  {item}" for name, item in value.items()]
        else:
            lines.append(f"{key:<10}{value}")
    if source.image_shape is not None:
        lines.append("{:<10}{} x {} pixels".format("images", *source.image_shape))
    train, test = _counts(source, source.train), _counts(source, source.test)
    width = max(map(len, ("class", "total", *source.classes)))
    lines += ["", f"{'class':>{width}}{'train':>10}{'test':>10}"]
    for name in source.classes:
        lines.append(f"{name:>{width}}{train['counts'][name]:>10,}{test['counts'][name]:>10,}")
    lines.append(f"{'total':>{width}}{train['n']:>10,}{test['n']:>10,}")
    return "\n".join(lines)


def some_digits(source: Source, width: int) -> Array:
    """The first test image of each class, side by side, as many as fit into `width` columns.

    Returns:
        (rows, columns) uint8.
    """
    inputs, labels = source.test
    first = np.unique(labels, return_index=True)[1]
    images = inputs[first].reshape(-1, *(source.image_shape or (1, 1)))
    # images that are wider than the terminal lose columns and rows
    step = -(-images.shape[2] // width)
    images = np.pad(images[:, ::step, ::step], ((0, 0), (0, 0), (0, GAP)))
    return np.hstack(list(images[: max(1, (width + GAP) // images.shape[2])]))


def _counts(source: Source, part: tuple[Array, Array]) -> dict[str, Any]:
    """The number of examples of a part, in all and per class."""
    labels = part[1]
    counts = np.bincount(labels, minlength=len(source.classes)).tolist() if source.classes else []
    return {"n": len(labels), "counts": dict(zip(source.classes, counts, strict=True))}
