"""Examples: inputs, which are pixels or real numbers, and targets: labels or real values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnmnist.errors import DataError
from nnmnist.types import Array

PIXEL = np.float32(1 / 255)  # byte -> number in [0, 1]


@dataclass(frozen=True)
class Examples:
    """Some rows of an array of examples. Splits share the array, so that no pixel is copied.

    Pixels stay bytes, a quarter of their size as float32, and become numbers in [0, 1] batch by
    batch.

    Raises:
        DataError: a label is outside the classes, or values have a wrong shape.
    """

    inputs: Array  # (N, n_inputs) uint8 pixels, or float32 features
    targets: Array  # (N,) uint8 class labels, or (N, n_outputs) float32 values
    rows: Array  # (n,) int64: the rows of these examples
    n_classes: int  # 0 for regression
    image_shape: tuple[int, int] | None = None  # (rows, columns); None without images
    # keyword arguments of `Distortion` for training steps; None for no distortion
    distort: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.n_classes and self.targets.ndim != 2:
            raise DataError(f"values must have the shape (N, n_outputs), not {self.targets.shape}")
        if self.n_classes:
            y = self.y
            if len(outside := y[(y < 0) | (y >= self.n_classes)]):
                raise DataError(
                    f"label {outside[0]} is outside the classes 0 .. {self.n_classes - 1}"
                )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def x(self) -> Array:
        """All inputs as float32 (n, n_inputs); pixels are scaled to [0, 1]."""
        return scale(self.inputs[self.rows])

    @property
    def y(self) -> Array:
        """All targets: labels (n,), or values (n, n_outputs)."""
        return self.targets[self.rows]

    @property
    def variance(self) -> float:
        """The mean of ||y_i - mean y||^2 of values y: the squared error of the best constant."""
        y = self.y.astype(np.float64)
        return float(((y - y.mean(axis=0)) ** 2).sum(axis=1).mean())


def scale(inputs: Array) -> Array:
    """Bytes as float32 in [0, 1]; real inputs as float32, unchanged."""
    if inputs.dtype == np.uint8:
        return np.multiply(inputs, PIXEL, dtype=np.float32)
    return inputs.astype(np.float32, copy=False)


@dataclass(frozen=True)
class Source:
    """What a data source returns: its training and test part, and its identity."""

    name: str
    train: tuple[Array, Array]  # inputs (N, n_inputs), targets (N, ...)
    test: tuple[Array, Array]
    classes: tuple[str, ...]  # the name of each class; empty for regression
    # (rows, columns) of an image; None without images
    image_shape: tuple[int, int] | None
    identity: dict[str, Any] = field(default_factory=dict)  # hashes, seed, folder


@dataclass(frozen=True)
class Splits:
    """Training, validation and test examples, ready for `fit`."""

    train: Examples
    validation: Examples  # may be empty
    test: Examples
    classes: tuple[str, ...]
    image_shape: tuple[int, int] | None
    name: str
    identity: dict[str, Any]
