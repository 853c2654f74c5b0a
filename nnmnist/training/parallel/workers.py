"""The processes of a parallel training: how they start, train epochs and end."""

from __future__ import annotations

import os
import signal
import traceback
import warnings
from contextlib import suppress
from copy import copy
from dataclasses import replace
from types import TracebackType
from typing import NoReturn

import numpy as np

from nnmnist.errors import TrainingError
from nnmnist.training.descent import Descent, EpochResult
from nnmnist.training.parallel.batches import ParallelBatches
from nnmnist.training.parallel.group import ProcessGroup
from nnmnist.training.parallel.layers import ShardedNetwork
from nnmnist.training.threads import blas_threads_of
from nnmnist.types import Array

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Shard:
    """What one process trains: its shard of the network, and an optimizer for it.

    Their arrays are the process's own, and stay in the cache of its core.

    Args:
        descent: the training as one process would do it.
        group: the processes; this is the process of rank `group.rank`.
    """

    def __init__(self, descent: Descent, group: ProcessGroup) -> None:
        self.whole, self.group = descent, group
        self.network = ShardedNetwork(descent.network, group, descent.batches.size)
        self.optimizer = copy(descent.optimizer)
        self.optimizer.state = {
            name: np.empty(self.network.theta.size, array.dtype) if array.ndim else array.copy()
            for name, array in descent.optimizer.state.items()
        }
        for name, whole, own in self._arrays():
            group.shared_array(name, whole.size, whole.dtype)
            for of_whole, of_own in self.network.pairs(descent.network, whole, own):
                of_own[...] = of_whole
        self.descent = replace(
            descent,
            network=self.network,
            optimizer=self.optimizer,
            batches=ParallelBatches(descent.batches, group),
            on_progress=descent.on_progress if group.rank == 0 else None,
        )

    def epoch(self, number: int) -> EpochResult:
        """Train one epoch together with the other processes."""
        result = self.descent.epoch(number)
        for name, whole, own in self._arrays():
            shared = self.group.shared_array(name, whole.size, whole.dtype)
            for of_shared, of_own in self.network.pairs(self.whole.network, shared, own):
                of_shared[...] = of_own
        self.group.barrier()
        return result

    def collect(self) -> None:
        """Bring the whole network and its optimizer up to date, with the shards of all processes."""
        for name, whole, _ in self._arrays():
            whole[...] = self.group.shared_array(name, whole.size, whole.dtype)
        for name, array in self.optimizer.state.items():
            if not array.ndim:
                self.whole.optimizer.state[name][...] = array

    def _arrays(self) -> list[tuple[str, Array, Array]]:
        """The name, whole array and own array of theta and of each array of the optimizer's state."""
        arrays = [("theta", self.whole.network.theta, self.network.theta)]
        for name, own in self.optimizer.state.items():
            if own.ndim:
                arrays.append((f"optimizer.{name}", self.whole.optimizer.state[name], own))
        return arrays


class Workers:
    """This process, of rank 0, and forked ones of ranks 1, 2, ...: a context in which they train.

    Args:
        descent: the training as one process would do it.
        count: number of processes, at least 2.
    """

    def __init__(self, descent: Descent, count: int) -> None:
        self.descent = descent
        self.group = ProcessGroup(count)
        self.group.check_alive = self._check_children
        self._pids: list[int] = []
        self._pipes: list[int] = []  # each tells a child the number of the next epoch
        self._parent = os.getpid()

    def epoch(self, number: int) -> EpochResult:
        """Train one epoch in all processes; then network and optimizer are up to date.

        Raises:
            TrainingError: a process has ended.
        """
        for pipe in self._pipes:
            with suppress(BrokenPipeError):  # the child has ended: the first barrier reports it
                os.write(pipe, number.to_bytes(8, "little"))
        result = self.shard.epoch(number)
        self.shard.collect()
        return result

    def __enter__(self) -> Workers:
        # BLAS threads without work spin for a while before they sleep: they would take the cores.
        self._blas = blas_threads_of(1)
        try:
            self.shard = Shard(self.descent, self.group)  # allocates the memory that all share
            # Signals wait until it is clear which process gets them.
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
            try:
                for rank in range(1, self.group.world_size):
                    self._fork(rank, mask)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            for pipe in self._pipes:
                os.close(pipe)
            for pid in self._pids:  # nobody needs what they were doing
                os.kill(pid, signal.SIGKILL)
            for pid in self._pids:
                os.waitpid(pid, 0)
        finally:
            self._blas.__exit__(kind, error, trace)

    def _fork(self, rank: int, mask: set[int | signal.Signals]) -> None:
        read, write = os.pipe()
        with warnings.catch_warnings():
            # Python warns of forks beside threads, which may hold locks; the child uses NumPy alone.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if not pid:
            self._serve(rank, read, mask)
        os.close(read)
        self._pipes.append(write)
        self._pids.append(pid)

    def _serve(self, rank: int, pipe: int, mask: set[int | signal.Signals]) -> NoReturn:
        """What a child does until its parent closes the pipe, or ends."""
        status = 1
        try:
            # Ctrl-C reaches all processes; the parent decides what happens.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            _close_files(keep=pipe)
            self.group.check_alive = self._check_parent
            self.group.start(rank)
            shard = Shard(self.descent, self.group)
            while number := os.read(pipe, 8):
                shard.epoch(int.from_bytes(number, "little"))
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def _check_parent(self) -> None:
        """End with the parent."""
        if os.getppid() != self._parent:
            os._exit(1)

    def _check_children(self) -> None:
        """Raise TrainingError where a child has ended."""
        for pid in self._pids:
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._pids.remove(pid)
                raise TrainingError(
                    f"a worker process, {pid}, has ended before its work was done: killed, or out "
                    "of memory; train in one process with --threads 1"
                )


def _close_files(keep: int) -> None:
    """Close what the parent has open, and perhaps locked, but the standard streams and `keep`."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2 and descriptor != keep:
            with suppress(OSError):
                os.close(descriptor)
