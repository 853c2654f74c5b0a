"""NumPy's .npz: x_train, y_train, x_test, y_test (Keras); train_images, ...; images and labels."""

from __future__ import annotations

import zipfile
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
    try:
        with np.load(path, allow_pickle=False) as arrays:
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
    except DataError:
        raise
    # zipfile and NumPy raise many types for damaged files and for pickled objects.
    except Exception as error:
        raise DataError(f"{path}: cannot be read: {error!s:.200}") from None
    return from_raw_labels(raw)


def _part(path: Path, arrays: Any, images: str, labels: str) -> tuple[Array, Array]:
    for name in (images, labels):
        if arrays.zip.getinfo(f"{name}.npy").file_size > MAX_BYTES:
            raise DataError(f"{path}: {name} has more than {MAX_BYTES:,} bytes")
    x = as_grey(arrays[images], f"{path}: {images}")
    y = _labels(arrays[labels], f"{path}: {labels}")
    if len(x) != len(y):
        raise DataError(f"{path}: {len(x):,} images in {images}, but {len(y):,} labels in {labels}")
    return x, y


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
