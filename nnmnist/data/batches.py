"""Minibatches: the examples in a new random order in each epoch, in buffers that are reused."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import cycle
from typing import NamedTuple, TypeVar

import numpy as np

from nnmnist.data.distort import Distortion
from nnmnist.data.examples import PIXEL, Examples
from nnmnist.data.projection import Projection
from nnmnist.types import Array

T = TypeVar("T")


class Batch(NamedTuple):
    """Some examples in the form that a network takes; valid until the next batch."""

    x: Array  # (batch, n_inputs) float32; (batch, k) with principal components
    y: Array  # (M, batch) float32 targets; for classes, columns of `one_hot`
    labels: Array | None  # (batch,) class labels; None for regression
    rows: Array  # (batch,) the rows of these examples


class Batches:
    """Cuts examples into minibatches. The last one is smaller where the size leaves a remainder.

    Args:
        examples: at least one.
        size: number of examples in a batch; None takes all at once.
        one_hot: (M, n_classes), column k is the target of class k; None where targets are values.
        projection: what all inputs become; None if they stay as they are.
        threads: number of threads that project the inputs, if this is done once.
    """

    def __init__(
        self,
        examples: Examples,
        size: int | None,
        one_hot: Array | None,
        projection: Projection | None = None,
        threads: int = 1,
    ) -> None:
        self.distortion: Distortion | None = None
        if examples.distort and examples.image_shape:
            self.distortion = Distortion(examples.image_shape, **examples.distort)
        elif projection and projection.P is not None:
            examples, projection = projection.of(examples, threads), None  # once, not in each epoch
        self.examples, self.one_hot, self.projection = examples, one_hot, projection
        self.size = min(size or len(examples), len(examples))
        n_inputs = examples.inputs.shape[1]
        self._pixels = np.empty((self.size, n_inputs), np.uint8)
        n_outputs = 0 if one_hot is None else len(one_hot)
        self._buffers = cycle(
            (
                inputs,
                np.empty((self.size, len(projection.m)), np.float32) if projection else inputs,
                np.empty((n_outputs, self.size), np.float32),
            )
            for inputs in self.input_buffers()
        )

    def __len__(self) -> int:
        return -(-len(self.examples) // self.size)

    def epoch(self, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        """All examples once, in a random order, and distorted where their source asks for it.

        Args:
            rng: samples the order and the distortions. None keeps the order and distorts nothing.
        """
        order = self.examples.rows
        if rng is not None:
            order = order[rng.permutation(len(order))]
        # Each batch has a generator of its own, so that all processes get the same distortions.
        generators = rng.spawn(len(self)) if rng is not None and self.distortion else None

        def batch(number: int) -> Batch:
            rows = order[number * self.size : (number + 1) * self.size]
            return self._batch(rows, generators[number] if generators else None)

        numbers = range(len(self))
        return self.prepare_distorted(batch, numbers) if generators else map(batch, numbers)

    def input_buffers(self) -> list[Array]:
        """Memory for inputs (size, n_inputs), before projection, of one batch or two in turns."""
        shape = self.size, self.examples.inputs.shape[1]
        return [np.empty(shape, np.float32) for _ in range(2 if self.distortion else 1)]

    def prepare_distorted(self, batch: Callable[[int], Batch], numbers: range) -> Iterator[Batch]:
        """The batches of these numbers; distorting takes a while, so a thread works ahead."""
        return prefetch(batch, numbers)

    def distort(self, rows: Array, rng: np.random.Generator, x: Array) -> None:
        """Fill x (batch, n_inputs) with the distorted images of these rows."""
        assert self.distortion is not None
        maps = self.distortion.sample(self.examples.targets[rows], rng)
        self.distortion.warp(self._gather_pixels(rows), maps, x)

    def _batch(self, rows: Array, rng: np.random.Generator | None) -> Batch:
        inputs, x, y = next(self._buffers)
        inputs, x = inputs[: len(rows)], x[: len(rows)]
        if self.examples.inputs.dtype != np.uint8:
            # mode="clip" lets `take` write straight into `out`, three times faster than without
            np.take(self.examples.inputs, rows, axis=0, out=inputs, mode="clip")
        elif rng:
            self.distort(rows, rng, inputs)
        else:
            np.multiply(self._gather_pixels(rows), PIXEL, out=inputs)
        if self.projection:
            self.projection.apply(inputs, x)
        targets = self.examples.targets[rows]
        if self.one_hot is None:
            return Batch(x, targets.T, None, rows)
        y = np.take(self.one_hot, targets, axis=1, out=y[:, : len(rows)], mode="clip")
        return Batch(x, y, targets, rows)

    def _gather_pixels(self, rows: Array) -> Array:
        pixels = self._pixels[: len(rows)]
        return np.take(self.examples.inputs, rows, axis=0, out=pixels, mode="clip")


def prefetch(prepare: Callable[[int], T], numbers: range) -> Iterator[T]:
    """prepare(n) for each number: a thread prepares one while the caller uses the one before it."""
    from concurrent.futures import ThreadPoolExecutor  # here, because the import takes 15 ms

    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(prepare, numbers[0])
        for number in numbers[1:]:
            ready = following.result()
            following = thread.submit(prepare, number)
            yield ready
        yield following.result()
