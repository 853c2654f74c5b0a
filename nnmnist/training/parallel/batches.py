"""Minibatches for a process group, which shares the work of distorting images."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from nnmnist.data.batches import Batch, Batches
from nnmnist.training.parallel.group import ProcessGroup
from nnmnist.types import Array


class ParallelBatches(Batches):
    """The same batches in all processes. Each process distorts its share of the images.

    Args:
        batches: the batches that one process would use.
        group: the processes.
    """

    def __init__(self, batches: Batches, group: ProcessGroup) -> None:
        self.group = group
        super().__init__(batches.examples, batches.size, batches.one_hot, batches.projection)

    def input_buffers(self) -> list[Array]:
        if not self.distortion:
            return super().input_buffers()
        shape = self.size, self.examples.inputs.shape[1]
        return [
            self.group.shared_array(f"x{turn}", shape[0] * shape[1], np.float32).reshape(shape)
            for turn in range(2)
        ]

    def prepare_distorted(self, batch: Callable[[int], Batch], numbers: range) -> Iterator[Batch]:
        """The batches of these numbers; no core is idle that could work ahead."""
        return map(batch, numbers)

    def distort(self, rows: Array, rng: np.random.Generator, x: Array) -> None:
        assert self.distortion is not None
        maps = self.distortion.sample(self.examples.targets[rows], rng)
        own = self.group.shard(len(rows))
        self.distortion.warp(self._gather_pixels(rows[own]), maps[:, own], x[own])
        self.group.barrier()
