"""Minibatches: examples in an order drawn anew each epoch, made ready in buffers that are allocated once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from nnmnist.data.examples import PIXEL, Examples

Array = NDArray[Any]


class Batch(NamedTuple):
    """Some examples as the network takes them; valid until the next batch is drawn."""

    x: Array  # (batch, n_inputs) float32
    y: Array  # (M, batch) float32, targets: for classes, one column of `codes` each
    labels: Array | None  # (batch,) class labels; None for regression


class Batches:
    """Cuts examples into minibatches; the last one is smaller where the size does not divide their number.

    Args:
        examples: what to cut.
        size: examples a batch; None takes all at once.
        codes: (M, n_classes), column k the target of class k; None where the targets are values.
    """

    def __init__(self, examples: Examples, size: int | None, codes: Array | None) -> None:
        self.examples = examples
        self.codes = codes
        self.size = min(size or len(examples), len(examples))
        n_inputs = examples.inputs.shape[1]
        self._x = np.empty((self.size, n_inputs), np.float32)
        self._pixels = (
            np.empty((self.size, n_inputs), np.uint8) if examples.inputs.dtype == np.uint8 else None
        )
        if codes is not None:
            self._y = np.empty((len(codes), self.size), np.float32)

    def __len__(self) -> int:
        return -(-len(self.examples) // self.size)

    def draw(self, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        """All examples once, in an order drawn from `rng`; None keeps their own order."""
        order = self.examples.rows if rng is None else self.examples.rows[rng.permutation(len(self.examples))]
        labels = self.examples.targets[order] if self.codes is not None else None
        for start in range(0, len(order), self.size):
            rows = order[start : start + self.size]
            x = self._gather(rows)
            if self.codes is None or labels is None:
                yield Batch(x, self.examples.targets[rows].T, None)
            else:
                part = labels[start : start + self.size]
                y = np.take(self.codes, part, axis=1, out=self._y[:, : len(rows)], mode="clip")
                yield Batch(x, y, part)

    def _gather(self, rows: Array) -> Array:
        # mode='clip' lets take write straight into `out`: three times faster, and no row number is out of range
        x = self._x[: len(rows)]
        if self._pixels is None:
            return np.take(self.examples.inputs, rows, axis=0, out=x, mode="clip")
        pixels = np.take(self.examples.inputs, rows, axis=0, out=self._pixels[: len(rows)], mode="clip")
        return np.multiply(pixels, PIXEL, out=x)
