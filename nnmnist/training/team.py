"""Several processes that train one network together, one core each.

NumPy can spread a matrix product over the cores, but a training step has dozens of other operations, each of which
runs on one core, and parameters that one core has moved must travel to the other's cache for the next step. Here each
process has its own part of every hidden layer's units, and what a layer makes of them is a sum over the processes:

    z = W h + b  =  sum over the processes of  W[:, own] h[own]  +  b

(tensor parallelism: Shoeybi et al. 2019, arXiv:1909.08053). A step then takes 0.5 to 0.85 of the time, see
benchmarks/README.md.
"""

from __future__ import annotations

import mmap
import os
import platform
import signal
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from copy import copy
from types import TracebackType
from typing import Any, Generic, Literal, NoReturn, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from nnmnist.errors import TrainingError
from nnmnist.model.network import Network
from nnmnist.model.optimizers import Optimizer
from nnmnist.training.threads import blas_threads_of
from nnmnist.types import Array

Result = TypeVar("Result")
Shared = Sequence[Sequence[Array]]  # by turns, of each worker

# Counters in shared memory need stores to be seen in the order in which they were made, as on x86.
AVAILABLE = sys.platform == "linux" and platform.machine() == "x86_64"
LINE = 16  # numbers of 8 bytes between two counters: two cores never write to one cache line
STOPS = (signal.SIGINT, signal.SIGTERM)
LOOKS = 10_000  # at a counter, a millisecond or so, before asking whether its owner is still alive
# What makes a team worth starting, measured on two cores: weights times examples of a step and of an epoch, and units
# of the first hidden layer a worker. Not the number of epochs: a run that goes on is shared as it was before.
STEP, EPOCH, UNITS = 500_000, 2_000_000_000, 32


def crew(network: Network, batch: int, examples: int, cores: int) -> int:
    """How many workers train the network fastest on so many cores: 1 where a team would not be worth starting."""
    weights = network.n_weights
    if not AVAILABLE or len(network.W) == 1 or weights * batch < STEP or weights * examples < EPOCH:
        return 1
    return max(1, min(cores, network.sizes[1] // UNITS))


class Team(Generic[Result]):
    """This process, of rank 0, and forked ones of ranks 1, 2, ...: a context in which they wait for `run`.

    Args:
        workers: how many processes, at least 2.
        network, optimizer: what they train. Parameters and state are moved into memory that the processes share.
        batch: the most examples that a step has.
        prepare: called once in each process with its part; what it returns does the work of a given number.

    Attributes:
        rank: which of the processes this is.
    """

    def __init__(
        self,
        workers: int,
        network: Network,
        optimizer: Optimizer,
        batch: int,
        prepare: Callable[[Part], Callable[[int], Result]],
    ) -> None:
        self.workers, self.rank = workers, 0
        self._network, self._optimizer, self._prepare = network, optimizer, prepare
        self._place(_shared_copy)
        # whose sums workers share: dx, and all z but the first
        layers = (0, *range(2, len(network.sizes)))
        self._terms = {
            l - 1: [
                [_shared(network.sizes[l] * batch, network.dtype) for _ in range(workers)]
                for _ in range(2)
            ]
            for l in layers
        }
        self._inputs = [_shared(network.sizes[0] * batch, np.float32) for _ in range(2)]
        self._deltas = {
            l: _shared(n * batch, network.dtype) for l, n in enumerate(network.sizes[2:-1], start=1)
        }
        self._arrived = memoryview(mmap.mmap(-1, workers * LINE * 8)).cast("q")
        self._meetings = 0
        self._parent = os.getpid()
        self._orders: list[int] = []  # the pipes by which the others are told what to do
        self._pids: list[int] = []

    def __enter__(self) -> Team[Result]:
        # BLAS threads without work spin for a while before they sleep, and would take the cores from the workers.
        self._blas = blas_threads_of(1)
        try:
            # till it is known who is to get them
            mask = signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
            try:
                for rank in range(1, self.workers):
                    self._fork(rank, mask)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            self._part, self._work = self._begin()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def _fork(self, rank: int, mask: set[int | signal.Signals]) -> None:
        orders, give = os.pipe()
        with warnings.catch_warnings():
            # Of a fork beside other threads, which may hold locks: the forked process takes none but NumPy's.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if not pid:
            self._serve(rank, orders, mask)
        os.close(orders)
        self._orders.append(give)
        self._pids.append(pid)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            for give in self._orders:
                os.close(give)
            for pid in self._pids:  # whatever they were doing is of no use any more
                os.kill(pid, signal.SIGKILL)
            for pid in self._pids:
                os.waitpid(pid, 0)
        finally:
            self._place(np.copy)
            self._blas.__exit__(kind, error, trace)

    def _place(self, copied: Callable[[Array], Array]) -> None:
        """Have network and optimizer keep what they hold in a copy of it."""
        self._network.place(copied(self._network.theta))
        state = self._optimizer.state
        state.update({name: copied(array) for name, array in state.items() if array.ndim})

    def run(self, number: int) -> Result:
        """Do the work of this number in all processes; afterwards network and optimizer are what came of it.

        Raises:
            TrainingError: a process has ended.
        """
        for give in self._orders:
            with suppress(BrokenPipeError):  # of a process that has ended: they will not meet
                os.write(give, number.to_bytes(8, "little"))
        result = self._work(number)
        self._part.give()
        self.meet()
        return result

    def own(self, n: int) -> slice:
        """Which of n units belong to this worker."""
        return slice(n * self.rank // self.workers, n * (self.rank + 1) // self.workers)

    def meet(self) -> None:
        """Wait until all processes have come here."""
        self._meetings += 1
        self._arrived[self.rank * LINE] = self._meetings
        for other in range(self.workers):
            looks = 0
            while self._arrived[other * LINE] < self._meetings:
                looks += 1
                if looks % LOOKS == 0:
                    self._look_after()
                    os.sched_yield()

    def terms(self, l: int, batch: int) -> Shared:
        """Room for each worker's term of z (n_out, batch) in layer l = 1 .. L-1, or of dx with l = -1; twice.

        It is used by turns, so that nobody writes the terms for a meeting while others still read the last one's.
        """
        n = self._network.sizes[l + 1]
        # as `Buffers` has them
        order: Literal["F", "C"] = "F" if l + 2 < len(self._network.sizes) else "C"
        return [
            [flat[: n * batch].reshape((n, batch), order=order) for flat in turn]
            for turn in self._terms[l]
        ]

    def inputs(self, batch: int) -> list[Array]:
        """Inputs (batch, n_inputs) that all workers fill, each its part: of one step, and of the next one."""
        return [flat[: batch * self._network.sizes[0]].reshape(batch, -1) for flat in self._inputs]

    def delta(self, l: int, batch: int) -> Array:
        """Room for dJ/dz (n_out, batch) of the hidden layer l = 1 .. L-2, with all workers' units."""
        n = self._network.sizes[l + 1]
        return self._deltas[l][: n * batch].reshape((n, batch), order="F")

    def room(self, terms: Shared) -> Array:
        """Where this worker's term for the next `total` goes."""
        return terms[self._meetings % 2][self.rank]

    def total(self, terms: Shared, own: slice, out: Array) -> Array:
        """The sum of all workers' terms for the `own` units, added up in the order of the ranks."""
        first, second, *others = terms[self._meetings % 2]
        self.meet()
        np.add(first[own], second[own], out=out)
        for term in others:
            out += term[own]
        return out

    def _begin(self) -> tuple[Part, Callable[[int], Result]]:
        part = Part(self._network, self._optimizer, self)
        return part, self._prepare(part)

    def _serve(self, rank: int, orders: int, mask: set[int | signal.Signals]) -> NoReturn:
        """What a forked process does, until the pipe closes because its parent has ended."""
        status = 1
        try:
            signal.signal(
                signal.SIGINT, signal.SIG_IGN
            )  # Ctrl-C reaches all, and the parent decides what follows
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            for opened in map(int, os.listdir("/proc/self/fd")):
                if (
                    opened > 2 and opened != orders
                ):  # what the parent holds open and locked is not ours to hold
                    with suppress(OSError):
                        os.close(opened)
            self.rank = rank
            part, work = self._begin()
            while number := os.read(orders, 8):
                work(int.from_bytes(number, "little"))
                part.give()
                self.meet()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)

    def _look_after(self) -> None:
        """End with the parent; raise where a worker has ended."""
        if self.rank:
            if os.getppid() != self._parent:
                os._exit(1)
            return
        for pid in self._pids:
            if os.waitpid(pid, os.WNOHANG)[0]:
                self._pids.remove(pid)
                raise TrainingError(
                    f"a worker process, {pid}, has ended before its work was done: killed, or out of memory; "
                    "train in one process by --threads 1"
                )


class Part:
    """What one worker trains: its part of the network, and an optimizer for it.

    Both have arrays of their own, which stay in the cache of the worker's core.
    """

    def __init__(self, network: Network, optimizer: Optimizer, team: Team[Any]) -> None:
        self.team = team
        self.network = network.share(team)
        self.optimizer = copy(optimizer)
        self.optimizer.state = {
            name: np.empty(self.network.theta.size, a.dtype) if a.ndim else a.copy()
            for name, a in optimizer.state.items()
        }
        self._whole, self._whole_state = network, optimizer.state
        self._arrays = [
            (network.theta, self.network.theta),
            *((a, self.optimizer.state[name]) for name, a in optimizer.state.items() if a.ndim),
        ]
        for whole, own in self._pieces():
            own[...] = whole

    def give(self) -> None:
        """Bring the whole network and optimizer up to date with this part."""
        for whole, own in self._pieces():
            whole[...] = own
        for name, array in self.optimizer.state.items():
            if not array.ndim:
                self._whole_state[name][...] = array

    def _pieces(self) -> Iterator[tuple[Array, Array]]:
        """Views of the same parameters, or of their state, in the whole and in this part."""
        for whole, own in self._arrays:
            weights, biases = self._whole.views(whole)
            own_weights, own_biases = self.network.views(own)
            for W, block, own_W in zip(weights, self.network.blocks(), own_weights, strict=True):
                yield W[block], own_W
            for b, units, own_b in zip(biases, self.network.units[1:], own_biases, strict=True):
                yield b[units], own_b


def _shared(size: int, dtype: DTypeLike) -> Array:
    """`size` zeros in memory that processes forked later have in common."""
    return np.frombuffer(mmap.mmap(-1, size * np.dtype(dtype).itemsize), dtype, size)


def _shared_copy(array: Array) -> Array:
    copied = _shared(array.size, array.dtype)
    copied[:] = array
    return copied
