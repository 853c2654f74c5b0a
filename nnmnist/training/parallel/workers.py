"""The processes of a parallel training: how they start, train epochs and end."""

from __future__ import annotations

import ctypes
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
from nnmnist.training.threads import blas_threads_of, only_training
from nnmnist.types import Array

PROC_STAT = Path("/proc/stat")
OWN_THREADS = Path("/proc/self/task")
# Looks at the machine's load before each epoch, and the time between two. The least counts, so that
# a process that runs for a moment does not.
LOADS, LOAD_SECONDS = 3, 0.0005
PR_SET_PDEATHSIG = 1  # of prctl(2): the signal that a process gets when its parent ends
# Seconds that this process sleeps between its looks while a child computes nothing: while both are
# suspended, or the machine sleeps, none pass.
PATIENCE = 10.0
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
    """A context in which several processes train a network: this one and its children.

    Without children, this process computes the same numbers alone.

    Args:
        descent: the training of the whole network.
        count: number of processes, at least 2.
        can_fork: whether the system allows children, and has a core for each process.
    """

    def __init__(self, descent: Descent, count: int, can_fork: bool = True) -> None:
        self.descent, self.can_fork = descent, can_fork
        self.group = ProcessGroup(count)
        self.group.check_alive = self._check_children
        self._pids: list[int] = []
        self._pipes: list[int] = []  # each tells a child the number of the next epoch
        self._parent = os.getpid()
        self._split: SplitNetwork | None = None
        self._seen = 0.0, 0.0  # time that a child has computed, and how long this process had slept

    def epoch(self, number: int) -> EpochResult:
        """Train one epoch in all processes, or in this one while the machine is busy.

        Both give the same bits.

        Raises:
            TrainingError: a process has ended, or does not answer.
        """
        if not self._pids or is_busy(self.group.world_size):
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
        with blas_threads_of(1), only_training() as may_fork:
            if may_fork and self.can_fork:
                try:
                    self._start()
                except BaseException:
                    self.__exit__()
                    raise
        return self

    def _start(self) -> None:
        """Start the children and wait until they are ready."""
        self.shard = Shard(self.descent, self.group)  # allocates the memory that all share
        # Signals wait until it is clear which process gets them.
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            for rank in range(1, self.group.world_size):
                self._fork(rank, mask)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self.group.barrier()  # a child that still starts would make the machine look busy

    def __exit__(self, *error: object) -> None:
        for pipe in self._pipes:
            os.close(pipe)
        running = [pid for pid in self._pids if not has_ended(pid)]
        for pid in running:  # nobody needs what they were doing
            os.kill(pid, signal.SIGKILL)
        for pid in running:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)

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
            # The parent may be killed at any moment, also during a long product.
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            self._check_parent()
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

    def _check_parent(self, rank: int = 0, slept: float = 0.0) -> None:
        """End with the parent."""
        if os.getppid() != self._parent:
            os._exit(1)

    def _check_children(self, rank: int, slept: float) -> None:
        """Raise TrainingError where a child has ended, or the one of this rank does nothing."""
        for pid in self._pids:
            if has_ended(pid):
                raise TrainingError(
                    f"a worker process, {pid}, has ended before its work was done: killed, or out "
                    "of memory; train in one process with --threads 1"
                )
        pid = self._pids[rank - 1]
        computed, (before, since) = cpu_seconds(pid), self._seen
        if computed is None or computed != before or slept < since:
            self._seen = computed or 0.0, slept
        elif slept - since > PATIENCE:
            raise TrainingError(
                f"a worker process, {pid}, does not answer: it was suspended, or hangs; the run "
                "can be resumed; --threads 1 trains in one process"
            )


def has_ended(pid: int) -> bool:
    """Whether a child has ended."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        # Another part of the program has waited for all children, or ignores SIGCHLD; then the
        # system forgets a child when it ends.
        return True


def cpu_seconds(pid: int) -> float | None:
    """The time that a process has computed so far; None if it is not known."""
    try:
        # the name of the program, in brackets, may contain spaces
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return None


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
        running.append(int(found[1]) - _own_running_threads() if found else 0)
    return min(running) + cores > (os.cpu_count() or cores)


def _own_running_threads() -> int:
    """How many threads of this process run: this one, and BLAS's, which spin after a product."""
    states = []
    for thread in OWN_THREADS.iterdir():
        with suppress(OSError):  # it has just ended
            states.append((thread / "stat").read_text().rpartition(") ")[2][:1])
    return states.count("R")


def _close_files(keep: int) -> None:
    """Close what the parent has open, and perhaps locked, but the standard streams and `keep`."""
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        if descriptor > 2 and descriptor != keep:
            with suppress(OSError):
                os.close(descriptor)
