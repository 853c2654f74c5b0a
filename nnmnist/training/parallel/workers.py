"""The processes of a parallel training: how they start, train epochs and end."""

from __future__ import annotations

import os
import re
import signal
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np

from nnmnist.errors import TrainingError
from nnmnist.training.descent import Descent, EpochResult
from nnmnist.training.parallel.batches import ParallelBatches
from nnmnist.training.parallel.group import ProcessGroup
from nnmnist.training.parallel.layers import ShardedNetwork
from nnmnist.training.parallel.split import SplitNetwork
from nnmnist.training.threads import blas_threads_of
from nnmnist.types import Array

PROC_STAT = Path("/proc/stat")
# Looks at the machine's load before each epoch, and the time between two. The least counts, so that
# a process that runs for a moment does not.
LOADS, LOAD_SECONDS = 3, 0.0005
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SharedState:
    """Theta and the optimizer's state of the whole network, in memory that all processes share.

    Args:
        descent: the training of the whole network.
        group: the processes.
    """

    def __init__(self, descent: Descent, group: ProcessGroup) -> None:
        self.arrays = {"theta": descent.network.theta, **descent.optimizer.state}
        self.shared = {
            name: group.shared_array(name, array.size, array.dtype).reshape(array.shape)
            for name, array in self.arrays.items()
        }

    def publish(self) -> None:
        """Copy the state of this process's whole network to the shared memory."""
        for name, array in self.arrays.items():
            self.shared[name][...] = array

    def collect(self) -> None:
        """Copy the shared memory to this process's whole network and optimizer."""
        for name, array in self.arrays.items():
            array[...] = self.shared[name]


class Shard:
    """What one process trains: its shard of the network, and an optimizer for it.

    Their arrays are the process's own, and stay in the cache of its core.

    Args:
        descent: the training of the whole network.
        group: the processes; this is the one of rank `group.rank`.
    """

    def __init__(self, descent: Descent, group: ProcessGroup) -> None:
        self.whole, self.group = descent.network, group
        self.state = SharedState(descent, group)
        self.network = ShardedNetwork(self.whole, group, descent.batches.size)
        optimizer = copy(descent.optimizer)
        optimizer.state = {
            name: np.empty(self.network.theta.shape if array.ndim else (), array.dtype)
            for name, array in optimizer.state.items()
        }
        self.own = {"theta": self.network.theta, **optimizer.state}
        self.descent = replace(
            descent,
            network=self.network,
            optimizer=optimizer,
            batches=ParallelBatches(descent.batches, group),
            on_progress=descent.on_progress if group.rank == 0 else None,
        )

    def epoch(self, number: int) -> EpochResult:
        """Train one epoch, from the shared state on, together with the other processes."""
        for shared, own in self._pairs():
            own[...] = shared
        result = self.descent.epoch(number)
        for shared, own in self._pairs():
            shared[...] = own
        self.group.barrier()
        return result

    def _pairs(self) -> Iterator[tuple[Array, Array]]:
        """Views of the same values in the shared state and in this shard."""
        for name, own in self.own.items():
            shared = self.state.shared[name]
            if own.ndim:
                yield from self.network.pairs(self.whole, shared, own)
            else:
                yield shared, own


class Workers:
    """The parent process, of rank 0, and forked ones of ranks 1, 2, ...: a training context.

    Args:
        descent: the training of the whole network.
        count: number of processes, at least 2.
    """

    def __init__(self, descent: Descent, count: int) -> None:
        self.descent = descent
        self.group = ProcessGroup(count)
        self.group.check_alive = self._check_children
        self._pids: list[int] = []
        self._pipes: list[int] = []  # each tells a child the number of the next epoch
        self._parent = os.getpid()
        self._split: SplitNetwork | None = None

    def epoch(self, number: int) -> EpochResult:
        """Train one epoch in all processes, or in this one while the machine is busy.

        Both give the same bits.

        Raises:
            TrainingError: a process has ended.
        """
        if is_busy(self.group.world_size):
            return self._epoch_in_one_process(number)
        self.shard.state.publish()
        for pipe in self._pipes:
            with suppress(BrokenPipeError):  # the child has ended: the first barrier reports it
                os.write(pipe, number.to_bytes(8, "little"))
        result = self.shard.epoch(number)
        self.shard.state.collect()
        return result

    def _epoch_in_one_process(self, number: int) -> EpochResult:
        network = self.descent.network
        self._split = self._split or SplitNetwork(network, self.group.world_size)
        self._split.theta[:] = network.theta
        result = replace(self.descent, network=self._split).epoch(number)
        network.theta[:] = self._split.theta
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
            self.group.barrier()  # a child that still starts would make the machine look busy
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        try:
            for pipe in self._pipes:
                os.close(pipe)
            for pid in self._pids:  # nobody needs what they were doing
                os.kill(pid, signal.SIGKILL)
            for pid in self._pids:
                os.waitpid(pid, 0)
        finally:
            self._blas.__exit__(None, None, None)

    def _fork(self, rank: int, mask: set[int | signal.Signals]) -> None:
        read, write = os.pipe()
        with warnings.catch_warnings():
            # Python warns of forks beside threads, which may hold locks; a child uses NumPy alone.
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
            self.group.barrier()
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


def is_busy(cores: int) -> bool:
    """Whether other processes run on the cores that a group of this size needs.

    Processes that wait for each other lose much of their time to a third one on the same cores.
    """
    running = []
    for _ in range(LOADS):
        time.sleep(LOAD_SECONDS)
        found = None
        with suppress(OSError):  # some containers hide the file
            found = re.search(r"^procs_running (\d+)$", PROC_STAT.read_text(), re.MULTILINE)
        running.append(int(found[1]) - 1 if found else 0)  # without this process
    return min(running) + cores > (os.cpu_count() or cores)


def _close_files(keep: int) -> None:
    """Close what the parent has open, and perhaps locked, but the standard streams and `keep`."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2 and descriptor != keep:
            with suppress(OSError):
                os.close(descriptor)
