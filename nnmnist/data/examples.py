"""The shape in which examples travel: pixels (or real inputs) with their labels (or real targets)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nnmnist.errors import DataError
from nnmnist.types import Array

PIXEL = np.float32(1 / 255)  # a byte times this is a number in [0, 1]


@dataclass(frozen=True)
class Examples:
    """Examples held once and split by row numbers, so that a split copies no pixel.

    Pixels stay bytes, a quarter of their size as float32, and become numbers in [0, 1] a batch at a time.
    """

    inputs: Array  # (N, n_inputs) uint8 pixels, or float32 features
    targets: Array  # (N,) uint8 class labels, or (N, n_outputs) float32 values
    rows: Array  # (n,) int64: which of the N rows are these examples
    n_classes: int  # 0 for regression
    image_shape: tuple[int, int] | None = None  # (rows, columns); None where inputs are no picture
    # how pictures are distorted for each step of a training
    distort: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.n_classes and self.targets.ndim != 2:
            raise DataError(
                f"values must have the shape (N, n_outputs), and these have {self.targets.shape}"
            )
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
        """All inputs as float32 (n, n_inputs); pixels scaled to [0, 1]."""
        return scale(self.inputs[self.rows])

    @property
    def y(self) -> Array:
        """All targets: labels (n,) or values (n, n_outputs)."""
        return self.targets[self.rows]

    @property
    def variance(self) -> float:
        """The mean of ||y_i - mean y||^2 over values y: the squared error of the best constant."""
        y = self.y.astype(np.float64)
        return float(((y - y.mean(axis=0)) ** 2).sum(axis=1).mean())


def scale(inputs: Array) -> Array:
    """Pixels 0..255 as float32 in [0, 1]; real inputs as float32, unchanged."""
    if inputs.dtype == np.uint8:
        return np.multiply(inputs, PIXEL, dtype=np.float32)
    return inputs.astype(np.float32, copy=False)


@dataclass(frozen=True)
class Source:
    """What a data source returns: its own training and test part, and who it is."""

    name: str
    train: tuple[Array, Array]  # inputs (N, n_inputs), targets (N, ...)
    test: tuple[Array, Array]
    classes: tuple[str, ...]  # the name of each label; empty for regression
    # (rows, columns) of a picture; None where inputs are no picture
    image_shape: tuple[int, int] | None
    identity: dict[str, Any] = field(default_factory=dict)  # what it was: hashes, seed, folder


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
