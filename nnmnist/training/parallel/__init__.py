"""Training with several processes, one per core, each of which holds a shard of every layer.

NumPy can spread a matrix product over the cores, but a training step has dozens of other
operations, each of which runs on one core, and parameters that one core has updated must travel to
the cache of the other. Here each process holds some of the units of each hidden layer, and the next
layer is a sum over the processes:

    z = W h + b = (sum over the processes of W[:, shard] h[shard]) + b

This is tensor parallelism (Shoeybi et al. 2019, "Megatron-LM", arXiv:1909.08053). It works on
Linux on x86-64. Where other programs use the cores, one process computes the same numbers alone.
benchmarks/README.md says what it is worth.
"""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from operator import mul

from nnmnist.config.schema import TrainingConfig
from nnmnist.data.examples import Examples
from nnmnist.data.projection import projected_sizes
from nnmnist.errors import TrainingError
from nnmnist.model.network import Network
from nnmnist.model.solvers import SOLVERS
from nnmnist.training.descent import Descent
from nnmnist.training.parallel.workers import Workers
from nnmnist.training.threads import available_cores, blas_threads, has_thread_limit

# Processes that wait for each other watch counters in shared memory. Other cores must see stores in
# the order in which they were made, as on x86.
AVAILABLE = sys.platform == "linux" and platform.machine() == "x86_64"
# Workers pay from these sizes on, measured on two cores: weights times examples of a step, and of
# an epoch, and units of the first hidden layer per worker. The number of epochs does not count, so
# that a run that is resumed has as many workers as before.
STEP, EPOCH, UNITS = 500_000, 2_000_000_000, 32
# One process uses BLAS's threads if the largest product has so many multiplications, about 2 ms of
# one core: an epoch then takes 0.5 to 0.75 of the time. With smaller products it may take 1.6 times
# as long, and many times as long beside another program. benchmarks/README.md has the numbers.
PRODUCT = 100_000_000


def on_cores(descent: Descent, processes: int) -> AbstractContextManager[Descent | Workers]:
    """A context with what trains one epoch after the other, with the bits of so many processes.

    With `training.curve_every`, this process computes them alone, because the points of the curve
    need the whole network.

    Raises TrainingError if the network has fewer hidden units than that.
    """
    network = descent.network
    if not 1 <= processes <= (network.sizes[1] if len(network.W) > 1 else 1):
        raise TrainingError(
            f"{processes} processes cannot train a network of sizes {network.sizes}"
        )
    if processes == 1:
        return nullcontext(descent)
    can_fork = AVAILABLE and processes <= available_cores() and not descent.settings.curve_every
    return Workers(descent, processes, can_fork)


def process_count(network: Network, train: Examples, settings: TrainingConfig, cores: int) -> int:
    """The number of processes with which `fit` trains if it is not told another one.

    The last bits of a result depend on it.

    Args:
        network: the network to train.
        train: the examples to learn from.
        settings: the section `training` of a config.
        cores: number of cores to use.
    """
    if settings.optimizer in SOLVERS:
        return 1
    sizes = projected_sizes(network.sizes, settings.principal_components)
    return worker_count(sizes, _batch_size(train, settings), len(train), cores)


def thread_count(network: Network, train: Examples, settings: TrainingConfig) -> int:
    """The number of BLAS threads with which `fit` trains in one process.

    One for small networks, else that of BLAS; after `limit_blas_threads` always that of BLAS. The
    last bits of a result depend on it.

    Args:
        network: the network to train.
        train: the examples to learn from.
        settings: the section `training` of a config.
    """
    threads = blas_threads()
    if settings.optimizer in SOLVERS or has_thread_limit():
        return threads
    sizes = projected_sizes(network.sizes, settings.principal_components)
    largest = max(map(mul, sizes, sizes[1:])) * _batch_size(train, settings)
    return threads if largest >= PRODUCT else 1


def _batch_size(train: Examples, settings: TrainingConfig) -> int:
    n = len(train)
    return n if settings.batch_size == "full" else min(settings.batch_size, n)


def worker_count(sizes: Sequence[int], batch_size: int, n_examples: int, cores: int) -> int:
    """The number of processes that train a network of these sizes fastest on so many cores.

    `sizes` are units of each layer, inputs first, as training steps see them.
    """
    weights = sum(map(mul, sizes, sizes[1:]))
    small = weights * batch_size < STEP or weights * n_examples < EPOCH
    if not AVAILABLE or len(sizes) == 2 or small:
        return 1
    return max(1, min(cores, sizes[1] // UNITS))
