"""The data classes for examples: pixels (or real inputs) with their labels (or real targets)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from nnmnist.errors import DataError
from nnmnist.images.preparation import Preparation
from nnmnist.types import Array, require_array

# A pixel, 0..255, times this is a number in [0, 1].
PIXEL = np.float32(1 / 255)
CHUNK = 10_000  # examples that a pass over all of them takes at once


class Interface(NamedTuple):
    """What a network reads, and what it tells apart."""

    preparation: Preparation
    classes: tuple[str, ...]


@dataclass(frozen=True)
class Examples:
    """A subset of N examples, selected by row numbers, so that a split does not copy any pixels.

    Pixels stay bytes, which take a quarter of the memory of float32. They become numbers in [0, 1]
    batch by batch.

    Attributes:
        inputs: (N, n_inputs) uint8 pixels, or float32 features.
        targets: (N,) uint8 class labels, or (N, n_outputs) float32 values.
        rows: (n,) int64, the row numbers that select these examples from the N.
        n_classes: the number of classes; 0 for regression.
        image_shape: (rows, columns) of an image; None if the inputs are not images.
        distort: keyword arguments of `nnmnist.data.distort.Distortion` for training steps; None for
            no distortion.
        has_others: whether the label n_classes is allowed: examples of none of the classes.

    Raises:
        DataError: an array has another shape or data type, a label is outside the classes, or a row
            is outside the N examples.
    """

    inputs: Array
    targets: Array
    rows: Array
    n_classes: int
    image_shape: tuple[int, int] | None = None
    distort: Mapping[str, Any] | None = None
    has_others: bool = False

    def __post_init__(self) -> None:
        inputs, targets, rows = self.inputs, self.targets, self.rows
        _require("inputs", inputs, ("N", "n_inputs"), (np.uint8, np.floating))
        n = len(inputs)
        if self.n_classes:
            _require("targets", targets, (n,), (np.integer,))
        else:
            _require("targets", targets, (n, "n_outputs"), (np.floating,))
        _require("rows", rows, ("n",), (np.integer,))
        if len(rows) and not 0 <= rows.min() <= rows.max() < n:
            raise DataError(
                f"rows has values from {rows.min()} to {rows.max()}; expected 0 to {n - 1}"
            )
        if self.image_shape and math.prod(self.image_shape) != inputs.shape[1]:
            raise DataError(
                f"image_shape is {self.image_shape}; expected the shape of {inputs.shape[1]} pixels"
            )
        if self.n_classes:
            y = self.y
            outside = y[(y < 0) | (y >= self.n_classes + self.has_others)]
            if len(outside):
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
        """All targets: labels (n,) or values (n, n_outputs)."""
        return self.targets[self.rows]

    def with_more(self, inputs: Array, targets: Array, rows: Array) -> Examples:
        """These examples and others, which may have the label n_classes.

        Args:
            inputs, targets: what is added to the N inputs and targets.
            rows: the row numbers of the other examples, counted from N for those that are added.
        """
        return replace(
            self,
            inputs=np.concatenate([self.inputs, inputs]),
            targets=np.concatenate([self.targets, targets]),
            rows=np.concatenate([self.rows, rows]),
            has_others=self.has_others or bool(np.any(targets == self.n_classes)),
        )

    def without_others(self) -> Examples:
        """The examples that belong to a class."""
        if not self.has_others:
            return self
        return replace(self, rows=self.rows[self.y < self.n_classes], has_others=False)

    @property
    def mean(self) -> Array:
        """The mean (n_inputs,) float32 of the inputs, as `x` has them."""
        total = np.zeros(self.inputs.shape[1])
        for start in range(0, len(self), CHUNK):
            rows = self.rows[start : start + CHUNK]
            total += np.add.reduce(self.inputs[rows], axis=0, dtype=np.float64)
        factor = float(PIXEL) if self.inputs.dtype == np.uint8 else 1.0
        return (factor * total / len(self)).astype(np.float32)

    @property
    def variance(self) -> float:
        """The mean of ||y_i - mean y||^2 over values y: the squared error of the best constant."""
        y = self.y.astype(np.float64)
        return float(((y - y.mean(axis=0)) ** 2).sum(axis=1).mean())


def scale(inputs: Array) -> Array:
    """Inputs of any shape as float32: bytes are scaled to [0, 1], real inputs keep their values."""
    if inputs.dtype == np.uint8:
        return np.multiply(inputs, PIXEL, dtype=np.float32)
    return inputs.astype(np.float32, copy=False)


def _require(
    name: str, array: Array, shape: tuple[int | str, ...], kinds: tuple[type[np.generic], ...]
) -> None:
    """Raise DataError unless an array has this shape, and a data type of these kinds."""
    try:
        require_array(name, array, shape)
    except (TypeError, ValueError) as error:
        raise DataError(str(error)) from None
    if not any(np.issubdtype(array.dtype, kind) for kind in kinds):
        expected = " or ".join(kind.__name__ for kind in kinds)
        raise DataError(f"{name} has the data type {array.dtype}; expected {expected}")


@dataclass(frozen=True)
class Source:
    """The data that a data source returns: a training part, a test part, and their description.

    Attributes:
        name: the name of the source.
        train: inputs (N, n_inputs) and targets (N, ...).
        test: the same for the test part.
        classes: the name of each label; empty for regression.
        image_shape: (rows, columns) of an image; None if the inputs are not images.
        identity: identifies the exact data, by hashes, seed or folder.
        preparation: how a picture becomes inputs; None if the inputs are not images.
        is_own: whether a user has named the data by its path.
        n_validation: how many of the last training examples the data itself sets aside for
            validation; with 0, a random choice is made.
    """

    name: str
    train: tuple[Array, Array]
    test: tuple[Array, Array]
    classes: tuple[str, ...]
    image_shape: tuple[int, int] | None
    identity: dict[str, Any] = field(default_factory=dict)
    preparation: Preparation | None = None
    is_own: bool = False
    n_validation: int = 0


@dataclass(frozen=True)
class Splits:
    """Training, validation and test examples, ready for `fit`.

    The validation part may be empty. The other attributes are those of the `Source`.
    """

    train: Examples
    validation: Examples
    test: Examples
    classes: tuple[str, ...]
    image_shape: tuple[int, int] | None
    name: str
    identity: dict[str, Any]
    preparation: Preparation | None = None
    extra: Examples | None = None  # of `data.extra`, to evaluate apart from the others
    n_generated: int = 0  # training examples of `data.generated` and `data.no_digits`
