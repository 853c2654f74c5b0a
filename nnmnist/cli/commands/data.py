"""`nnmnist data`: download MNIST, describe data, draw it, and convert it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np

from nnmnist.cli.loading import data_named
from nnmnist.cli.options import (
    PathType,
    complete_data,
    data_dir_option,
    json_option,
    require_output,
    set_option,
    with_examples,
)
from nnmnist.cli.pictures import save_png, sheet
from nnmnist.cli.terminal import echo, echo_json, echo_path, notice, render
from nnmnist.cli.waiting import waiting_for
from nnmnist.config.loading import Override, load_config
from nnmnist.data import cache
from nnmnist.data.examples import Source
from nnmnist.data.mnist import FILES, find, load
from nnmnist.data.readers import idx_files
from nnmnist.errors import DataError
from nnmnist.training.setup import load_configured
from nnmnist.types import Array

GAP = 2  # columns between two digits


@click.group(
    epilog=with_examples("nnmnist data download", "nnmnist data info my_digits/", environment=True)
)
def data() -> None:
    """Download MNIST; describe, draw or convert data."""


def data_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """The argument, or the option `--data`, that says which data."""
    argument = click.argument(
        "named", required=False, metavar="[NAME|PATH]", shell_complete=complete_data
    )
    option = click.option(
        "--data",
        "option",
        metavar="NAME|PATH",
        shell_complete=complete_data,
        help="Same as the argument.  [default: mnist]",
    )
    return argument(option(command))


def _wanted(named: str | None, option: str | None) -> str:
    if named is not None and option is not None:
        raise click.UsageError(f"{named} and --data {option} name two data sets; give one")
    return named or option or "mnist"


@data.command(
    epilog=with_examples(
        "nnmnist data download", "nnmnist data download --data-dir data", environment=True
    )
)
@data_dir_option
def download(data_dir: Path | None) -> None:
    """Download and verify MNIST.

    Files that exist are not downloaded again. The command prints the folder of the files.
    """
    with waiting_for("loading data"):
        source = load(data_dir, notify=notice)
    echo(
        f"{source.identity['folder']}: {len(source.train[0]):,} training and "
        f"{len(source.test[0]):,} test images, verified"
    )


@data.command(
    epilog=with_examples(
        "nnmnist data info", "nnmnist data info my_digits/ --json", environment=True
    )
)
@data_argument
@data_dir_option
@json_option
def info(named: str | None, option: str | None, data_dir: Path | None, as_json: bool) -> None:
    """Describe data: its source, its classes, a few digits.

    It shows where the data lies, the hashes of the files, how pictures become inputs, and the
    number of examples per class. NAME is a source such as mnist or rings; PATH is your own data, as
    for data.path.
    """
    source = load_named(_wanted(named, option), data_dir)
    if as_json:
        echo_json(as_record(source))
        return
    echo(as_text(source))
    if source.image_shape is not None:
        echo("\n" + render(some_digits(source, shutil.get_terminal_size().columns)))


@data.command(
    epilog=with_examples(
        "nnmnist data show --distort", "nnmnist data show my_digits/ -o mine.png", environment=True
    )
)
@data_argument
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
    type=PathType(dir_okay=False),
    default="digits.png",
    show_default=True,
    metavar="FILE",
    help="Where to write the picture.",
)
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
@data_dir_option
def show(
    named: str | None,
    option: str | None,
    distort: str | None,
    output: Path,
    force: bool,
    data_dir: Path | None,
) -> None:
    """Draw ten training images of each class, as the network takes them, with its name.

    A name with other characters than ASCII is replaced by its number, such as #0 for the first.
    """
    overrides = [Override("data.distort", distort, f"--distort {distort}")] if distort else []
    distortion = load_config(overrides=overrides).data.distortion
    require_output(output, [".png"], force)
    save_png(output, sheet(load_named(_wanted(named, option), data_dir), distortion), optimize=True)
    echo_path(output)


@data.command(
    epilog=with_examples(
        "nnmnist data convert my_digits/ -o my_idx",
        "nnmnist data convert my.csv -o my_idx --set data.prepare=resize",
    )
)
@click.argument("path", type=PathType(exists=True), metavar="PATH")
@click.option(
    "-o",
    "--output",
    type=PathType(file_okay=False),
    required=True,
    metavar="FOLDER",
    help="Where to write the files; a new or empty folder.",
)
@set_option
def convert(path: Path, output: Path, settings: tuple[str, ...]) -> None:
    """Write your own data as IDX files, which are read much faster.

    FOLDER gets four IDX files with the images as a network takes them, and classes.txt with the
    names of the classes. Use it as data.path. `--set data.prepare=resize` and other keys of the
    section data say how pictures are prepared and what is set aside for the test.
    """
    if output.exists() and any(output.iterdir()):
        raise click.UsageError(f"{output}: is not empty; name a new folder")
    wanted = load_config(overrides=[*settings, Override("data.path", str(path), "PATH")])
    with waiting_for("loading data"):
        source = load_configured(wanted.data, wanted.seed, notify=notice, show_progress=True)
        idx_files.write(source, output)
    echo_path(output)


def load_named(wanted: str, data_dir: Path | None) -> Source:
    """The data that `--data` names, without any download."""
    if wanted == "mnist" and len(find(data_dir)) < len(FILES):
        raise DataError(
            f"MNIST is not in {cache.directory() / 'mnist'}; `nnmnist data download` downloads it "
            "there, and --data-dir names another folder"
        )
    chosen = data_named(wanted)
    with waiting_for("loading data"):
        return load_configured(chosen, data_dir=data_dir, notify=notice, show_progress=True)


def as_record(source: Source) -> dict[str, Any]:
    """The JSON of `info`."""
    return {
        "data": source.name,
        "identity": source.identity,
        "image_shape": source.image_shape,
        "prepare": source.preparation.facts() if source.preparation else None,
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
    if source.preparation is not None:
        lines.append(f"{'prepare':<10}{source.preparation.mode}")
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
