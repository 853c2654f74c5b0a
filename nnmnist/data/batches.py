"""Minibatches: examples in an order drawn anew each epoch, made ready in buffers that are allocated once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from nnmnist.data.distort import Distortion
from nnmnist.data.examples import PIXEL, Examples
from nnmnist.types import Array

T = TypeVar("T")


class Batch(NamedTuple):
    """Some examples as the network takes them; valid until the next batch is drawn."""

    x: Array  # (batch, n_inputs) float32
    y: Array  # (M, batch) float32, targets: for classes, one column of `codes` each
    labels: Array | None  # (batch,) class labels; None for regression
    rows: Array  # (batch,) where they stand among all examples


class Team(Protocol):
    """Processes that train together; see `nnmnist.team`."""

    def own(self, n: int) -> slice: ...
    def inputs(self, batch: int) -> Sequence[Array]: ...
    def meet(self) -> None: ...


class Batches:
    """Cuts examples into minibatches; the last one is smaller where the size does not divide their number.

    Args:
        examples: what to cut.
        size: examples a batch; None takes all at once.
        codes: (M, n_classes), column k the target of class k; None where the targets are values.
        team: the processes that draw the same batches, and share the work of distorting them.
    """

    def __init__(
        self, examples: Examples, size: int | None, codes: Array | None, team: Team | None = None
    ) -> None:
        self.examples = examples
        self.codes = codes
        self.size = min(size or len(examples), len(examples))
        self.distortion: Distortion | None = None
        if examples.distort and examples.image_shape:
            self.distortion = Distortion(examples.image_shape, **examples.distort)
        # Distorting takes a while. A team's processes each do a part of the batch, and have no core to spare; one
        # process alone has a thread do the next batch while this one is in use.
        self.team = team if self.distortion else None
        self._ahead = self.distortion is not None and team is None
        n_inputs = examples.inputs.shape[1]
        self._pixels = (
            np.empty((self.size, n_inputs), np.uint8) if examples.inputs.dtype == np.uint8 else None
        )
        inputs = [
            np.empty((self.size, n_inputs), np.float32) for _ in range(2 if self._ahead else 1)
        ]
        n_codes = 0 if codes is None else len(codes)
        self._buffers = cycle(
            (x, np.empty((n_codes, self.size), np.float32))
            for x in (self.team.inputs(self.size) if self.team else inputs)
        )

    def __len__(self) -> int:
        return -(-len(self.examples) // self.size)

    def epoch(self, rng: np.random.Generator | None = None) -> Iterator[Batch]:
        """All examples once, in an order drawn from `rng`, distorted where they are to be.

        None keeps their own order and leaves them as they are.
        """
        order = (
            self.examples.rows
            if rng is None
            else self.examples.rows[rng.permutation(len(self.examples))]
        )
        labels = self.examples.targets[order] if self.codes is not None else None
        draws = rng.spawn(len(self)) if rng is not None and self.distortion else None

        def batch(number: int) -> Batch:
            part = slice(number * self.size, (number + 1) * self.size)
            own = None if labels is None else labels[part]
            return self._batch(order[part], own, draws[number] if draws else None)

        numbers = range(len(self))
        return ahead(batch, numbers) if draws and self._ahead else map(batch, numbers)

    def _batch(self, rows: Array, labels: Array | None, draw: np.random.Generator | None) -> Batch:
        x, y = next(self._buffers)
        x = self._gather(rows, draw, x[: len(rows)])
        if self.codes is None or labels is None:
            return Batch(x, self.examples.targets[rows].T, None, rows)
        y = np.take(self.codes, labels, axis=1, out=y[:, : len(rows)], mode="clip")
        return Batch(x, y, labels, rows)

    def _gather(self, rows: Array, draw: np.random.Generator | None, x: Array) -> Array:
        # mode='clip' lets take write straight into `out`: three times faster, and no row number is out of range
        if self._pixels is None:
            return np.take(self.examples.inputs, rows, axis=0, out=x, mode="clip")
        if self.distortion and draw:
            maps = self.distortion.sample(self.examples.targets[rows], draw)
            own = self.team.own(len(rows)) if self.team else slice(0, len(rows))
            self.distortion.warp(self._take(rows[own]), maps[:, own], x[own])
            if self.team:
                self.team.meet()
            return x
        return np.multiply(self._take(rows), PIXEL, out=x)

    def _take(self, rows: Array) -> Array:
        assert self._pixels is not None
        return np.take(
            self.examples.inputs, rows, axis=0, out=self._pixels[: len(rows)], mode="clip"
        )


def ahead(prepare: Callable[[int], T], numbers: range) -> Iterator[T]:
    """prepare(n) for each of the numbers, made by a thread while what the number before it gave is in use."""
    from concurrent.futures import ThreadPoolExecutor  # takes 15 ms

    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(prepare, numbers[0])
        for number in numbers[1:]:
            ready = coming.result()
            coming = thread.submit(prepare, number)
            yield ready
        yield coming.result()
