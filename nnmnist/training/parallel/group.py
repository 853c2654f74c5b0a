"""A group of processes that share memory: their ranks, a barrier, and sums over all of them."""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import DTypeLike

from nnmnist.types import Array, Order

LINE = 16  # numbers of 8 bytes between two counters: two cores never write to one cache line
# A process that waits looks at a counter some 10 million times per second. After so many looks it
# lets other processes have the core, and after many more it sleeps between two looks: for a tenth
# of the time that it has slept so far, within these bounds.
YIELD_AFTER, SLEEP_AFTER = 10_000, 100_000
SLEEP, MAX_SLEEP = 0.001, 0.02  # seconds


def shards(n: int, world_size: int) -> list[slice]:
    """Which of n units belong to each process."""
    bounds = [n * rank // world_size for rank in range(world_size + 1)]
    return [slice(start, stop) for start, stop in pairwise(bounds)]


class ProcessGroup:
    """The processes of ranks 0 .. world_size - 1, as one of them sees them.

    Shared memory is allocated in the first process, of rank 0, before the others are forked.

    Args:
        world_size: number of processes.
    """

    def __init__(self, world_size: int) -> None:
        self.rank, self.world_size = 0, world_size
        # Raises if the process of this rank, for which this one has slept so many seconds, will
        # never arrive.
        self.check_alive: Callable[[int, float], None] = lambda rank, slept: None
        self.barriers = 0  # that this process has reached
        self._reached = memoryview(mmap.mmap(-1, world_size * LINE * 8)).cast("q")
        self._memory: dict[str, Array] = {}
        self._complete = False

    def start(self, rank: int) -> None:
        """In the process of this rank: from now on shared memory is found, not allocated."""
        self.rank, self._complete = rank, True

    def shard(self, n: int) -> slice:
        """Which of n units belong to this process."""
        return shards(n, self.world_size)[self.rank]

    def shared_array(self, name: str, size: int, dtype: DTypeLike) -> Array:
        """The array (size,) of this name, in memory that all processes share."""
        if not self._complete and name not in self._memory:
            memory = mmap.mmap(-1, size * np.dtype(dtype).itemsize)
            self._memory[name] = np.frombuffer(memory, dtype, size)
        return self._memory[name]

    def barrier(self) -> None:
        """Wait until all processes are here."""
        self.barriers += 1
        self._reached[self.rank * LINE] = self.barriers
        for rank in range(self.world_size):
            looks, slept = 0, 0.0
            while self._reached[rank * LINE] < self.barriers:
                looks += 1
                if looks > SLEEP_AFTER:
                    time.sleep(pause := min(max(SLEEP, slept / 10), MAX_SLEEP))
                    slept += pause
                    self.check_alive(rank, slept)
                elif looks % YIELD_AFTER == 0:
                    os.sched_yield()
                    self.check_alive(rank, slept)


class PartialSums:
    """Shared memory for the sums over all processes of arrays (n, batch).

    There are two sets of send buffers, used in turns: no process writes to a buffer that others
    still read for the last sum.
    """

    def __init__(
        self,
        group: ProcessGroup,
        name: str,
        n: int,
        max_batch: int,
        dtype: DTypeLike,
        order: Order = "F",
    ) -> None:
        self.group, self.n, self.order = group, n, order
        self._flat = [
            [
                group.shared_array(f"{name}.{turn}.{rank}", n * max_batch, dtype)
                for rank in range(group.world_size)
            ]
            for turn in range(2)
        ]
        self._views: dict[int, list[list[Array]]] = {}

    def send_buffer(self, batch: int) -> Array:
        """Where this process puts its part (n, batch) of the next sum."""
        return self._parts(batch)[self.group.rank]

    def all_reduce(self, batch: int, rows: slice, out: Array) -> Array:
        """The given rows of the sum of all parts, which are added in the order of the ranks."""
        first, second, *others = self._parts(batch)
        self.group.barrier()
        np.add(first[rows], second[rows], out=out)
        for part in others:
            out += part[rows]
        return out

    def _parts(self, batch: int) -> list[Array]:
        """The send buffers (n, batch) of all processes whose turn it is."""
        if batch not in self._views:
            shape = self.n, batch
            self._views[batch] = [
                [flat[: self.n * batch].reshape(shape, order=self.order) for flat in turn]
                for turn in self._flat
            ]
        return self._views[batch][self.group.barriers % 2]
