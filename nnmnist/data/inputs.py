"""From pictures to inputs: chooses how, and prepares them."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path

import numpy as np

from nnmnist.data.readers.found import BLOCK, EncodedPicture, Part, Pictures
from nnmnist.errors import DataError
from nnmnist.images import preparation, reading
from nnmnist.images.preparation import DIGIT, Preparation
from nnmnist.images.prepare import NoInk
from nnmnist.training.threads import blas_threads_of
from nnmnist.types import Array

LARGEST_AS_IS = 64  # pixels of a side
SAMPLE = 1000  # pictures that show what the others are like
SAMPLE_ENCODED = 100  # the same of pictures that must be decoded
MOST = 0.9  # of a sample that has the layout of MNIST
CHUNK = 64  # pictures that are prepared at once


def choose(path: Path, mode: str, parts: Sequence[Part]) -> Preparation:
    """The preparation for the pictures of all parts, the training part first.

    Args:
        path: where the pictures are, for errors.
        mode: a mode of `nnmnist.images.preparation`, or auto: as_is where all pictures have one
            size of at most 64 pixels, digit where they are digits in the layout of MNIST or have
            several sizes.
        parts: the pictures.

    Raises:
        DataError: the mode needs pictures of one size, and they have several.
    """
    arrays = [part.pictures.shape[1:] for part in parts if isinstance(part.pictures, np.ndarray)]
    if mode in ("auto", "as_is") and len(set(arrays)) > 1:
        sizes = ", ".join(f"{rows} x {columns}" for rows, columns in arrays)
        raise DataError(
            f"{path}: the parts have images of several sizes ({sizes}); check them, or set "
            "data.prepare to digit or resize"
        )
    shape = DIGIT.shape
    if mode in ("auto", "as_is"):
        size = _common_size(parts, LARGEST_AS_IS if mode == "auto" else sys.maxsize)
        if mode == "auto":
            is_mnist = size == DIGIT.shape and _has_layout_of_mnist(parts[0])
            mode = "digit" if is_mnist or not size else "as_is"
        elif not size:
            raise DataError(
                f"{path}: data.prepare: as_is needs pictures of one size, but these have several; "
                "choose digit or resize"
            )
        shape = size or shape
    if mode == "digit":
        return DIGIT
    return Preparation(mode, shape, preparation.common_background(_sample(parts[0])))


def _common_size(parts: Sequence[Part], largest: int) -> tuple[int, int] | None:
    """(rows, columns) if all pictures that can be read have this size, and no side is larger."""
    sizes = chain.from_iterable(map(_sizes, parts))
    first = next(sizes, None)
    if first is None or max(first) > largest or any(size != first for size in sizes):
        return None
    return first


def _sizes(part: Part) -> Iterator[tuple[int, int]]:
    if isinstance(part.pictures, np.ndarray):
        yield part.pictures.shape[1:]
        return
    for picture in part.pictures:
        with suppress(DataError):  # `prepare_part` reports it
            yield reading.size(picture.load(), picture.name)


def _sample(part: Part) -> Iterator[Array]:
    """Some pictures, evenly spread over the part."""
    if isinstance(part.pictures, np.ndarray):
        yield from part.pictures[:: 1 + len(part) // SAMPLE]
        return
    for picture in part.pictures[:: 1 + len(part) // SAMPLE_ENCODED]:
        with suppress(DataError):
            yield reading.decode(picture.load(), picture.name)


def _has_layout_of_mnist(part: Part) -> bool:
    sample = [preparation.has_layout_of_mnist(image) for image in _sample(part)]
    return sum(sample) >= MOST * len(sample)


def prepare_part(
    path: Path, part: Part, chosen: Preparation, title: str, show_progress: bool
) -> tuple[Array, Array, list[str]]:
    """The inputs (n, pixels) uint8 and labels (n,) of the pictures that can be read.

    Args:
        path: where the pictures are, for errors.
        part: the pictures and their labels.
        chosen: how they become inputs.
        title: of the progress bar.
        show_progress: whether to show the bar, on a terminal.

    Returns:
        The inputs, the labels, and the errors of the other pictures.

    Raises:
        DataError: no picture can be read.
    """
    from tqdm import tqdm

    if isinstance(part.pictures, np.ndarray) and _takes_all(chosen, part.pictures):
        return part.pictures.reshape(len(part), -1), part.labels, []
    inputs = np.empty((len(part), chosen.shape[0] * chosen.shape[1]), np.uint8)
    kept, errors = np.zeros(len(part), bool), []
    results = prepare_all(part.pictures, chosen)
    hidden = None if show_progress else True  # None: hidden where stderr is no terminal
    bar = tqdm(results, title, len(part), leave=False, delay=1, unit="", disable=hidden)
    for n, result in enumerate(bar):
        if isinstance(result, str):
            errors.append(result)
        else:
            inputs[n], kept[n] = result.reshape(-1), True
    if not kept.any():
        raise DataError(f"{path}: no picture can be read; the first one: {errors[0]}")
    return (inputs[kept], part.labels[kept], errors) if errors else (inputs, part.labels, errors)


def _takes_all(chosen: Preparation, images: Array) -> bool:
    """Whether no image (n, rows, columns) would be changed."""
    if images.shape[1:] != chosen.shape:
        return False
    if chosen.mode == "digit":
        blocks = (images[start : start + BLOCK] for start in range(0, len(images), BLOCK))
        return all(preparation.have_layout_of_mnist(block).all() for block in blocks)
    return chosen.background is None or not any(map(chosen.inverts, images))


def prepare_all(pictures: Pictures, chosen: Preparation) -> Iterator[Array | str]:
    """The image (rows, columns) uint8 of each picture in order, or why there is none."""
    rest = iter(pictures)
    while chunk := list(islice(rest, CHUNK)):
        # The products are so small that more threads would take longer.
        with blas_threads_of(1):
            results = [_prepare_one(picture, chosen) for picture in chunk]
        yield from results


def _prepare_one(picture: Array | EncodedPicture, chosen: Preparation) -> Array | str:
    name = picture.name if isinstance(picture, EncodedPicture) else ""
    try:
        if isinstance(picture, EncodedPicture):
            picture = reading.decode(picture.load(), name, chosen)
        return chosen(picture)
    except NoInk as error:
        return f"{name}: {error}" if name else str(error)
    except DataError as error:
        return str(error)
