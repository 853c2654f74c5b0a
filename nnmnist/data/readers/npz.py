"""NumPy's .npz: x_train, y_train, x_test, y_test (Keras); train_images, ...; images and labels."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nnmnist.data.readers.found import Found, as_grey, from_raw_labels, starts_with
from nnmnist.errors import DataError
from nnmnist.types import Array

FORM = "an .npz file with x_train, y_train, x_test, y_test"

# part -> the names of its images and labels, in the order in which they are looked for.
NAMES = {
    "train": [("x_train", "y_train"), ("train_images", "train_labels"), ("images", "labels")],
    "test": [("x_test", "y_test"), ("test_images", "test_labels")],
    "validation": [("x_val", "y_val"), ("val_images", "val_labels")],
}
MAX_BYTES = 8_000_000_000  # of an array


def recognises(path: Path) -> bool:
    """Whether this is a zip file of NumPy arrays."""
    if not starts_with(path, b"PK"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith(".npy") for name in archive.namelist())
    except zipfile.BadZipFile:
        return path.suffix.lower() == ".npz"


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
                    raw[part] = _part(path, arrays, images, labels)
                    break
        if "train" not in raw:
            raise DataError(
                f"{path}: holds {', '.join(arrays.files) or 'nothing'}; expected x_train and "
                "y_train, train_images and train_labels, or images and labels"
            )
    return from_raw_labels(raw)


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The arrays of a file, which are read when they are used. Errors become a DataError."""
    try:
        with np.load(path, allow_pickle=False) as arrays:
            yield arrays
    except DataError:
        raise
    # zipfile and NumPy raise many types for damaged files and for pickled objects.
    except Exception as error:
        raise DataError(f"{path}: cannot be read: {error!s:.200}") from None


def read_images(path: Path) -> Array:
    """The images (n, rows, columns) uint8 of a file, with or without labels.

    These are the test images, or else the first array that has a name of images, or else the only
    array.
    """
    with _opened(path) as arrays:
        known = [images for part in ("test", "train") for images, _ in NAMES[part]]
        name = next((name for name in known if name in arrays), arrays.files[0])
        if name not in known and len(arrays.files) > 1:
            raise DataError(
                f"{path}: holds {', '.join(arrays.files)}; expected one array of images"
            )
        return _images(path, arrays, name)


def _part(path: Path, arrays: Any, images: str, labels: str) -> tuple[Array, Array]:
    x = _images(path, arrays, images)
    y = _labels(arrays[labels], f"{path}: {labels}")
    if len(x) != len(y):
        raise DataError(f"{path}: {len(x):,} images in {images}, but {len(y):,} labels in {labels}")
    return x, y


def _images(path: Path, arrays: Any, name: str) -> Array:
    if arrays.zip.getinfo(f"{name}.npy").file_size > MAX_BYTES:
        raise DataError(f"{path}: {name} has more than {MAX_BYTES:,} bytes")
    return as_grey(arrays[name], f"{path}: {name}")


def _labels(y: Array, name: str) -> Array:
    """Labels (n,): whole numbers or texts; one-hot rows become the number of their 1."""
    if y.ndim == 2 and y.shape[1] == 1:
        y = y[:, 0]
    if y.ndim == 2 and ((y == 0) | (y == 1)).all() and (y.sum(axis=1) == 1).all():
        y = y.argmax(axis=1)
    if y.ndim != 1 or y.dtype.kind not in "iufU":
        shape = " x ".join(map(str, y.shape))
        raise DataError(f"{name}: has the shape {shape} and type {y.dtype}; expected labels (n)")
    if y.dtype.kind == "f":
        if not (y == np.rint(y)).all():
            raise DataError(f"{name}: holds fractions; labels are whole numbers or texts")
        y = y.astype(np.int64)
    return y
