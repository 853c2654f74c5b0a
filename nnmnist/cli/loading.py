"""Data and images that commands load for what a user names."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import BinaryIO, TypeVar

from nnmnist.checkpoint import Checkpoint
from nnmnist.cli.terminal import notice
from nnmnist.cli.waiting import waiting_for
from nnmnist.config.schema import DataConfig
from nnmnist.data.examples import Examples, Splits
from nnmnist.data.inputs import prepare_all
from nnmnist.data.own import images_in
from nnmnist.data.readers import idx_files
from nnmnist.data.readers.folders import files_below
from nnmnist.data.sources import SOURCES
from nnmnist.errors import DataError, printable
from nnmnist.evaluation.text import counted
from nnmnist.images import reading
from nnmnist.images.preparation import Preparation
from nnmnist.runs.data import examples_of, load_splits
from nnmnist.types import Array

Content = TypeVar("Content")

SHOWN = 5  # skipped files that a notice names


def data_named(name: str) -> DataConfig:
    """The data that `--data` names: a source, or the path of the user's own data.

    Raises:
        DataError: it is neither.
    """
    if name in SOURCES:
        return DataConfig(name=name)
    path = Path(name).expanduser().absolute()
    # The prefix of a data set in a folder need not exist: emnist/emnist-letters.
    if not path.exists() and not idx_files.find(path):
        raise DataError(
            f"--data {name}: {path} does not exist, and the sources are "
            f"{', '.join(sorted(SOURCES))}"
        )
    return DataConfig(path=path)


def load_examples(
    path: Path, checkpoint: Checkpoint, split: str, other: str | None, data_dir: Path | None
) -> tuple[Splits, Examples]:
    """The data to evaluate a checkpoint on, and the examples of one split.

    Args:
        path: the file of the checkpoint.
        checkpoint: its contents.
        split: the name of the split.
        other: the data that `--data` names; None for the data that it was trained on.
        data_dir: the folder that has MNIST (`--data-dir`); None for the usual places.

    Raises:
        CheckpointError, ConfigError, DataError: see `nnmnist.runs.data`.
    """
    wanted = None if other is None else data_named(other)
    with waiting_for("loading data"):
        splits = load_splits(path, checkpoint, data_dir, wanted, notice)
    return splits, examples_of(splits, split, path, other)


def read_single_images(
    names: Sequence[str], preparation: Preparation
) -> Iterator[tuple[str, int | None, Array | DataError]]:
    """The inputs (n_inputs,) uint8 of images, or the error of each one that cannot be read.

    Args:
        names: as in `read_images`, and files of many images: .csv, .npz, Parquet.
        preparation: how a picture becomes inputs.

    Yields:
        The file, the number of the image in it from 1, or None if it is the only one, and the
        inputs.
    """
    for name in names:
        pictures = None
        if name != "-":
            try:
                pictures = images_in(Path(name))
            except DataError as error:
                yield name, None, error
                continue
        if pictures is None:
            read = partial(reading.read, preparation=preparation, notify=notice)
            for file, content in read_images([name], read):
                yield file, None, content
            continue
        for number, result in enumerate(prepare_all(pictures, preparation), start=1):
            if isinstance(result, str):
                yield name, number, DataError(f"{printable(name, 1000)}: image {number}: {result}")
            else:
                yield name, number, result.reshape(-1)


def read_images(
    names: Sequence[str], read: Callable[[Path | BinaryIO, str], Content]
) -> Iterator[tuple[str, Content | DataError]]:
    """The contents of images, or the error of each one that cannot be read.

    Args:
        names: files, folders, or - for standard input.
        read: reads one image, given the file and its name for errors.
    """
    for name in names:
        if name == "-":
            yield name, _read(sys.stdin.buffer, name, read)
        elif os.path.isdir(name):
            try:
                files = _images_in(name)
            except DataError as error:
                yield name, error
                continue
            for file in files:
                yield str(file), _read(file, str(file), read)
        else:
            yield name, _read(Path(name), name, read)


def _read(
    file: Path | BinaryIO, name: str, read: Callable[[Path | BinaryIO, str], Content]
) -> Content | DataError:
    try:
        return read(file, printable(name, 1000))
    except DataError as error:
        return error


def _images_in(folder: str) -> list[Path]:
    """The images of a folder and its subfolders, in natural order; others are named in a notice.

    Files that a system has put there are ignored. Raises DataError if there are no images.
    """
    name, images, others = printable(folder, 1000), list[Path](), list[str]()
    try:
        for names, file in files_below(folder):
            if not os.path.isfile(file):
                continue
            if os.path.splitext(file)[1].lower() in reading.SUFFIXES:
                images.append(Path(file))
            else:
                others.append("/".join(names))
    except OSError as error:
        raise DataError(f"{name}: cannot be read: {error.strerror}") from None
    if not images:
        suffixes = ", ".join(sorted(reading.SUFFIXES))
        raise DataError(f"{name}: no image in this folder ({suffixes})")
    if others:
        shown = ", ".join(sorted(others)[:SHOWN]) + ", ..." * (len(others) > SHOWN)
        skipped = counted(len(others), "file")
        notice(f"{name}: skipped {skipped} that cannot be read as images: {shown}")
    return images
