"""What the readers of labelled pictures have in common: what they take, and what they return."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nnmnist.errors import DataError
from nnmnist.types import Array

# How a part may be called in the name of a file or folder.
PARTS = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("test", "testing", "t10k"), "test"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
}
# Files that systems leave in folders; so are all whose names start with a dot.
_CLUTTER = {"thumbs.db", "desktop.ini", "__macosx"}
BLOCK = 1000  # images that are converted at once, to save memory
LUMA = np.array([0.299, 0.587, 0.114])  # of ITU-R BT.601, as Pillow's mode L


RawLabels = Array | Sequence[int] | Sequence[str]


class EncodedPicture(NamedTuple):
    """A picture that is not decoded yet."""

    name: str  # for errors
    load: Callable[[], bytes]


# (n, rows, columns) uint8 grey values, or pictures of any size that must be decoded.
Pictures = Array | Sequence[EncodedPicture]


@dataclass(frozen=True)
class Part:
    """Labelled pictures of one part of a data set."""

    pictures: Pictures
    labels: Array  # (n,) int64, indices of the classes

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Found:
    """A data set as a reader found it."""

    parts: dict[str, Part]  # train, and perhaps test and validation
    classes: tuple[str, ...]
    sha256: dict[str, str] = field(default_factory=dict)  # of its files, if they are known


def from_raw_labels(
    path: Path,
    raw: Mapping[str, tuple[Pictures, RawLabels]],
    names: Mapping[int, str] | None = None,
) -> Found:
    """Number the classes: every label that occurs is a class, in numerical or natural order.

    Args:
        path: where the data is, for errors.
        raw: the pictures and the labels of each part.
        names: the names of all labels, which are numbers; without it, labels are their own names.

    Raises:
        DataError: a part is empty, or a label has no name.
    """
    if empty := [part for part, (pictures, _) in raw.items() if not len(pictures)]:
        raise DataError(f"{path}: holds no {empty[0]} pictures")
    plain = {
        part: labels.tolist() if isinstance(labels, np.ndarray) else labels
        for part, (_, labels) in raw.items()
    }
    order = sorted(set().union(*plain.values()), key=natural_key)
    if names and (nameless := [label for label in order if label not in names]):
        raise DataError(
            f"{path}: the label {nameless[0]!s:.40} is none of the {len(names)} that have a name"
        )
    index = {label: k for k, label in enumerate(order)}
    parts = {
        part: Part(raw[part][0], np.array([index[label] for label in plain[part]], np.int64))
        for part in ("train", "test", "validation")
        if part in raw
    }
    return Found(parts, tuple(names[label] if names else str(label) for label in order))


def natural_key(label: int | str) -> tuple[tuple[int, int, str], ...]:
    """A key for sorting names in which numbers count as numbers: 2 comes before 10."""
    if isinstance(label, int):
        return ((0, label, ""),)
    pieces = re.findall(r"\d{1,18}|\D+|\d+", label)
    return tuple((0, int(p), "") if p.isdecimal() and len(p) < 19 else (1, 0, p) for p in pieces)


def is_hidden(name: str) -> bool:
    """Whether a system, not a person, has put this file or folder there."""
    return name.startswith(".") or name.lower() in _CLUTTER


def part_of(name: str) -> str | None:
    """The part that the name of a file or folder begins or ends with: train-00000, mnist_test.csv.

    Suffixes do not count.
    """
    words = re.split(r"[-_ ]", name.lower().partition(".")[0])
    return PARTS.get(words[0]) or PARTS.get(words[-1])


def listing(folder: Path, most: int = 5) -> str:
    """What a folder holds, for errors: a few names and how many more there are."""
    try:
        names = sorted(path.name + "/" * path.is_dir() for path in folder.iterdir())
    except OSError as error:
        raise DataError(f"{folder}: cannot be read: {error.strerror}") from None
    if not names:
        return "nothing"
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def starts_with(path: Path, magic: bytes | tuple[bytes, ...], n: int = 8) -> bool:
    """Whether a regular file starts with these bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(n).startswith(magic)


def as_grey(images: Array, name: str) -> Array:
    """Images as (n, rows, columns) uint8.

    Args:
        images: (n, rows, columns), or with a last axis of 1 grey value or of 3 or 4 colours, or
            with a second axis of 1, or (n, pixels) of square images; values as in `as_bytes`.
        name: the name of the array in errors.

    Raises:
        DataError: it has another shape, or other values.
    """
    if images.ndim == 4 and images.shape[1] == 1:
        images = images[:, 0]
    elif images.ndim == 4 and images.shape[3] == 1:
        images = images[..., 0]
    elif images.ndim == 2:
        images = images.reshape(len(images), *square(images.shape[1], name))
    if images.ndim != 3 and not (images.ndim == 4 and images.shape[3] in (3, 4)):
        shape = " x ".join(map(str, images.shape)) or "of a single number"
        raise DataError(
            f"{name}: has the shape {shape}; expected images x rows x columns, or images x pixels"
        )
    if images.size == 0:
        raise DataError(f"{name}: holds no images")
    return as_bytes(images, name)


def as_bytes(values: Array, name: str) -> Array:
    """Grey values (n, rows, columns) uint8 of grey or colour images.

    Args:
        values: numbers 0..255; or 0..1, which are multiplied by 255. A fourth axis has colours.
        name: the name of the array in errors.

    Raises:
        DataError: it has other values.
    """
    if values.dtype.kind not in "iufb":
        raise DataError(f"{name}: holds {values.dtype}; expected numbers")
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 255):
        raise DataError(f"{name}: holds values from {low} to {high}; expected 0 to 255")
    if values.dtype == np.uint8 and values.ndim == 3 and high > 1:
        return values
    grey = np.empty(values.shape[:3], np.uint8)
    for start in range(0, len(values), BLOCK):
        block = values[start : start + BLOCK] * (255.0 if high <= 1 else 1.0)
        if block.ndim == 4:
            block = block[..., :3] @ LUMA
        grey[start : start + BLOCK] = np.rint(block)
    return grey


def square(n_pixels: int, name: str) -> tuple[int, int]:
    """The height and width of a square image of so many pixels. Raises DataError."""
    side = round(n_pixels**0.5)
    if side * side != n_pixels or not side:
        raise DataError(f"{name}: has {n_pixels} pixels per image, which is not a square")
    return side, side
