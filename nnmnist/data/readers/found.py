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
    raw: Mapping[str, tuple[Pictures, RawLabels]],
    names: Mapping[int, str] | None = None,
) -> Found:
    """Number the classes: every label that occurs is a class, in numerical or natural order.

    Args:
        raw: the pictures and the labels of each part.
        names: the names of labels that are numbers; others are called by their number.
    """
    present = {label for _, labels in raw.values() for label in _plain(labels)}
    order = sorted(present, key=natural_key)
    index = {label: k for k, label in enumerate(order)}
    parts = {
        part: Part(pictures, np.array([index[label] for label in _plain(labels)], np.int64))
        for part, (pictures, labels) in raw.items()
    }
    names = names or {}
    classes = [names.get(label, str(label)) if isinstance(label, int) else label for label in order]
    return Found(parts, tuple(classes))


def _plain(labels: RawLabels) -> list[int | str]:
    return labels.tolist() if isinstance(labels, np.ndarray) else list(labels)


def natural_key(label: int | str) -> tuple[tuple[int, int, str], ...]:
    """A key for sorting names in which numbers count as numbers: 2 comes before 10."""
    pieces = re.findall(r"\d{1,18}|\D+|\d+", str(label))
    return tuple((0, int(p), "") if p.isdecimal() and len(p) < 19 else (1, 0, p) for p in pieces)


def is_hidden(name: str) -> bool:
    """Whether a system, not a person, has put this file or folder there."""
    return name.startswith(".") or name.lower() in _CLUTTER


def part_of(name: str) -> str | None:
    """The part that the name of a file or folder starts with: train-00000 -> train."""
    first = re.split(r"[-_. ]", name.lower(), maxsplit=1)[0]
    return PARTS.get(first)


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


def read_bytes(path: Path) -> bytes:
    """The content of a file. Raises DataError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None


def starts_with(path: Path, magic: bytes | tuple[bytes, ...], n: int = 8) -> bool:
    """Whether a regular file starts with these bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(n).startswith(magic)


def as_grey(images: Array, name: str) -> Array:
    """Images as (n, rows, columns) uint8.

    Args:
        images: (n, rows, columns), (n, rows, columns, 1), (n, rows, columns, 3 or 4) in colour, or
            (n, pixels) of square images; whole numbers 0..255, or floats 0..1.
        name: the name of the array in errors.

    Raises:
        DataError: it has another shape, or other values.
    """
    if images.ndim == 4 and images.shape[3] in (1, 3, 4):
        if images.shape[3] == 1:
            images = images[..., 0]
        else:
            # Luma of ITU-R BT.601, as Pillow's mode L.
            weights = np.array([0.299, 0.587, 0.114])
            images = np.rint(as_bytes(images[..., :3], name) @ weights)
    if images.ndim == 2:
        images = images.reshape(len(images), *square(images.shape[1], name))
    if images.ndim != 3:
        shape = " x ".join(map(str, images.shape))
        raise DataError(
            f"{name}: has the shape {shape}; expected images x rows x columns, or images x pixels"
        )
    if images.size == 0:
        raise DataError(f"{name}: holds no images")
    return as_bytes(images, name)


def as_bytes(values: Array, name: str) -> Array:
    """Grey values as uint8; floats from 0 to 1 are multiplied by 255. Raises DataError."""
    if values.dtype == np.uint8 or values.size == 0:
        return values.astype(np.uint8, copy=False)
    if values.dtype.kind not in "iufb":
        raise DataError(f"{name}: holds {values.dtype}; expected numbers")
    low, high = values.min(), values.max()
    if not (low >= 0 and high <= 255):
        raise DataError(f"{name}: holds values from {low} to {high}; expected 0 to 255")
    if values.dtype.kind == "f" and high <= 1:
        values = values * 255
    return np.rint(values).astype(np.uint8)


def square(n_pixels: int, name: str) -> tuple[int, int]:
    """The height and width of a square image of so many pixels. Raises DataError."""
    side = round(n_pixels**0.5)
    if side * side != n_pixels or not side:
        raise DataError(f"{name}: has {n_pixels} pixels per image, which is not a square")
    return side, side
