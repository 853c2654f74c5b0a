"""NumPy's .npz: x_train, y_train, x_test, y_test (Keras); train_images, ...; images and labels."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nnmnist.data.readers.found import Found, as_grey, from_raw_labels, starts_with
from nnmnist.errors import DataError, printable
from nnmnist.types import Array

FORM = "an .npz file"

# part -> the names of its images and labels, in the order in which they are looked for.
NAMES = {
    "train": [("x_train", "y_train"), ("train_images", "train_labels"), ("images", "labels")],
    "test": [("x_test", "y_test"), ("test_images", "test_labels")],
    "validation": [("x_val", "y_val"), ("val_images", "val_labels")],
}
MAX_BYTES = 8_000_000_000  # of an array


def recognises(path: Path) -> bool:
    """Whether this is a zip file of NumPy arrays, by its name or content."""
    if path.is_file() and path.suffix.lower() == ".npz":
        return True
    if not starts_with(path, b"PK"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except Exception:  # zipfile raises many types for damaged files
        return False


def read(path: Path) -> Found:
    """The images and labels of each part.

    Raises:
        DataError: arrays are missing, damaged, or do not fit each other.
    """
    raw = {}
    with _opened(path) as arrays:
        for part, choices in NAMES.items():
            for images, labels in choices:
                if images in arrays and labels in arrays:
                    x = as_grey(arrays[images](), f"{path}: {images}")
                    raw[part] = x, _labels(arrays[labels](), f"{path}: {labels}", len(x))
                    break
    if "train" not in raw:
        raise DataError(
            f"{path}: holds {', '.join(arrays) or 'nothing'}; expected x_train and y_train, "
            "train_images and train_labels, or images and labels"
        )
    return from_raw_labels(path, raw)


def read_images(path: Path) -> Array:
    """The images (n, rows, columns) uint8 of a file, with or without labels.

    These are the test images, or else the first array that has a name of images, or else the only
    array.
    """
    known = [images for part in ("test", "train") for images, _ in NAMES[part]]
    with _opened(path) as arrays:
        names = [name for name in known if name in arrays] or list(arrays)
        if not names or (len(names) > 1 and names[0] not in known):
            held = ", ".join(names) or "nothing"
            raise DataError(f"{path}: holds {held}; expected one array of images")
        return as_grey(arrays[names[0]](), f"{path}: {names[0]}")


@contextmanager
def _opened(path: Path) -> Iterator[dict[str, Callable[[], Array]]]:
    """What reads each array of a file, by its name in small letters. Errors become a DataError."""
    try:
        with np.load(path, allow_pickle=False) as file:
            yield {
                member.filename.removesuffix(".npy").lower(): partial(_array, file, member)
                for member in file.zip.infolist()
                if member.filename.endswith(".npy")
            }
    except DataError:
        raise
    # zipfile and NumPy raise many types for damaged files and for pickled objects.
    except Exception as error:
        reason = printable(str(error) or type(error).__name__, 150)
        raise DataError(f"{path}: cannot be read: {reason}") from None


def _array(file: Any, member: zipfile.ZipInfo) -> Array:
    if member.file_size > MAX_BYTES:
        raise ValueError(f"{member.filename} has more than {MAX_BYTES:,} bytes")
    array: Array = file[member.filename]
    return array


def _labels(y: Array, name: str, n: int) -> Array:
    """Labels (n,): whole numbers or texts; one-hot rows become the number of their 1."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and y.dtype.kind in "iufb" and _is_one_hot(y):
        y = y.argmax(axis=1)
    if y.ndim != 1 or y.dtype.kind not in "iufbU":
        shape = " x ".join(map(str, y.shape))
        raise DataError(f"{name}: has the shape {shape} and type {y.dtype}; expected labels (n)")
    if len(y) != n:
        raise DataError(f"{name}: has {len(y):,} labels, but there are {n:,} images")
    if y.dtype.kind in "fb":
        if not np.isfinite(y).all() or (y % 1).any():
            raise DataError(f"{name}: holds fractions; labels are whole numbers or texts")
        y = y.astype(np.int64)
    return y


def _is_one_hot(y: Array) -> bool:
    return bool(((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all())
