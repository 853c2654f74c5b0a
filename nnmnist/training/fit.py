"""Training: `fit` is a generator that yields one record per epoch. It prints only a bar, if asked.

The caller shows, saves or stops: a `for` loop with a `break` is early stopping.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

import numpy as np

from nnmnist.config.schema import TrainingConfig
from nnmnist.data.batches import Batches
from nnmnist.data.examples import Examples, scale
from nnmnist.errors import TrainingError
from nnmnist.evaluation.evaluate import Evaluation, evaluate, r_squared, require_examples
from nnmnist.evaluation.predictor import skip_normalization
from nnmnist.model.layers import Dense
from nnmnist.model.network import Network
from nnmnist.model.optimizers import Optimizer
from nnmnist.model.solvers import SOLVERS
from nnmnist.training import parallel
from nnmnist.training.descent import (
    ClosedForm,
    CurveExamples,
    CurvePoint,
    Descent,
    EpochResult,
    OnProgress,
)
from nnmnist.training.progress import progress_bar
from nnmnist.training.projected import ProjectedNetwork, ProjectedTraining, Trainer, make_projection
from nnmnist.training.setup import class_weights, make_optimizer, training_targets
from nnmnist.training.threads import blas_threads_of, training
from nnmnist.types import Array, require_attribute, require_count, require_type


@dataclass(frozen=True)
class Epoch:
    """The record of one epoch."""

    number: int  # 1, 2, ...
    # Mean of w_i L_i over the training examples, each before the step it is used in. The weights
    # w_i are those of `class_weights`; the cost on other examples has none.
    cost: float
    accuracy: float | None  # the same; None for regression
    r2: float | None  # of that cost; None for classes
    validation: Evaluation | None  # after the epoch; None without validation examples
    extra: Evaluation | None  # the same on the examples of `data.extra`
    learning_rate: float  # of the last step
    seconds: float  # of training and validation
    examples_per_second: float  # of training alone
    curve: tuple[CurvePoint, ...] = ()  # points within the epoch, see `training.curve_every`


def fit(
    network: Network,
    train: Examples,
    validation: Examples,
    settings: TrainingConfig,
    seed: int = 0,
    optimizer: Optimizer | None = None,
    epochs_done: int = 0,
    on_progress: OnProgress | None = None,
    cores: int = 1,
    processes: int | None = None,
    extra: Examples | None = None,
    progress: bool = False,
    test: Examples | None = None,
) -> Generator[Epoch, None, None]:
    """Train `network` in place and yield a record after each epoch.

    Args:
        network: with inputs and outputs that fit the examples.
        train: the examples to learn from.
        validation: the examples to evaluate after each epoch; may be empty.
        settings: the section `training` of a config.
        seed: seeds the order of the examples and the dropped units, for each epoch anew.
        optimizer: from `make_optimizer`, with the state after `epochs_done` epochs; None starts a
            new one.
        epochs_done: number of epochs that were trained before.
        on_progress: is called after each step.
        cores: number of cores to use. With more than one, large trainings use several processes,
            see `nnmnist.training.parallel`.
        extra: other examples to evaluate after each epoch.
        processes: number of processes; None takes as many as pay (`parallel.process_count`). Where
            they cannot start, this process computes the same bits alone.
        progress: whether to show a bar, on a terminal or in a notebook.
        test: examples for the points of `training.curve_every` alone.

    Until the last epoch, BLAS has one thread, or all where they pay (`parallel.thread_count`).

    Raises:
        ConfigError: the class weights do not fit the classes of the examples.
        DataError: the inputs are not finite, or too large for `principal_components`.
        TrainingError: the cost is no longer finite; the message names epoch, step and learning
            rate. Or a worker process has ended, or does not answer.
        TypeError, ValueError: an argument is of another kind, or the examples do not fit the
            network; the message names the argument and says what is expected.
    """
    _require_arguments(network, train, validation, {"extra": extra, "test": test}, settings)
    require_attribute("optimizer", optimizer, "step", "an optimizer of nnmnist.model.optimizers")
    require_attribute("on_progress", on_progress, "__call__", "a function")
    require_count("epochs_done", epochs_done)
    require_count("cores", cores, least=1)
    if processes is not None:
        require_count("processes", processes)
    others = [validation, *(each for each in (extra, test) if each)]
    network, train, [validation, *others] = skip_normalization(
        network, train, *others, threads=cores
    )
    extra = others.pop(0) if extra else None
    evaluated = CurveExamples(train, validation, others[0] if test else None)
    if optimizer is None:
        optimizer = make_optimizer(network, settings)
    last = settings.epochs if optimizer else 1
    if processes is None:
        processes = parallel.process_count(network, train, settings, cores)
    threads = 1 if processes > 1 else parallel.thread_count(network, train, settings)
    evaluators = cores if threads == 1 else 1  # threads: several of BLAS use the cores already
    bar: AbstractContextManager[OnProgress | None] = nullcontext(on_progress)
    if progress and optimizer:
        bar = progress_bar(last - epochs_done, on_progress)
    with (
        bar as shown,
        training(),
        _trainer(network, evaluated, settings, seed, optimizer, shown, cores, processes) as trainer,
    ):
        for number in range(epochs_done + 1, last + 1):
            started = time.perf_counter()
            with blas_threads_of(threads):
                result = trainer.epoch(number)
                trained = time.perf_counter()
                lower = _lower(result.learning_rate, settings)
                _require_finite(network, optimizer, train, number, result, lower)
                evaluation = _validate(network, validation, number, lower, evaluators)
                apart = evaluate(network, extra, evaluators) if extra else None
            yield Epoch(
                number=number,
                cost=result.cost,
                accuracy=result.accuracy,
                r2=r_squared(result.cost, network.output, train),
                validation=evaluation,
                extra=apart,
                learning_rate=result.learning_rate,
                seconds=time.perf_counter() - started,
                examples_per_second=len(train) / (trained - started),
                curve=result.curve,
            )


def _require_arguments(
    network: Network,
    train: Examples,
    validation: Examples,
    others: Mapping[str, Examples | None],
    settings: TrainingConfig,
) -> None:
    """Raise TypeError or ValueError for arguments of `fit` that are of another kind."""
    require_type("network", network, Network, "a Network")
    section = "the section `training` of a config: config.training"
    require_type("settings", settings, TrainingConfig, section)
    require_examples("train", train, network)
    require_examples("validation", validation, network, least=0)
    for name, examples in others.items():
        if examples is not None:
            require_examples(name, examples, network, least=0)
    if network.input_dropout and settings.principal_components:
        raise ValueError(
            "network has input_dropout, but with principal_components it takes no inputs"
        )


@contextmanager
def _trainer(
    network: Network,
    evaluated: CurveExamples,
    settings: TrainingConfig,
    seed: int,
    optimizer: Optimizer | None,
    on_progress: OnProgress | None,
    cores: int,
    processes: int,
) -> Iterator[Trainer]:
    """A context with what trains one epoch after the other."""
    train = evaluated.train
    y = training_targets(network.output, train, settings)
    if optimizer is None:
        solver = SOLVERS[settings.optimizer]
        yield ClosedForm(network, solver, Batches(train, len(train), y))
        return
    size = len(train) if settings.batch_size == "full" else settings.batch_size
    weights = class_weights(settings, train)
    if weights is not None:
        weights = np.append(weights, 1).astype(network.dtype)  # the last is that of no class
    with blas_threads_of(1):  # any other number would give other last bits
        projection = make_projection(train, settings)
        batches = Batches(train, size, y, projection, cores)
    projected = ProjectedNetwork(network, projection)
    descent = Descent(
        projected.trained,
        optimizer,
        batches,
        settings,
        seed,
        on_progress,
        weights,
        evaluated,
        projected.store,
    )
    with parallel.on_cores(descent, processes) as trainer:
        yield ProjectedTraining(projected, trainer)


def _validate(
    network: Network, validation: Examples, number: int, lower: str, threads: int
) -> Evaluation | None:
    """The result on the validation examples, if there are any; `lower` is advice for an error."""
    if not len(validation):
        return None
    result = evaluate(network, validation, threads)
    if not math.isfinite(result.cost):
        raise TrainingError(
            f"the validation cost is no longer finite after epoch {number}; "
            f"{_cause(network, validation.x, lower)}"
        )
    return result


def _require_finite(
    network: Network,
    optimizer: Optimizer | None,
    train: Examples,
    number: int,
    result: EpochResult,
    lower: str,
) -> None:
    """Raise TrainingError where training cannot continue from here; `lower` is advice for it."""
    if result.divergence:
        step, steps, rows = result.divergence
        raise TrainingError(
            f"the cost is no longer finite in epoch {number}, step {step} of {steps}; "
            f"{_cause(network, scale(train.inputs[rows]), lower)}"
        )
    state = optimizer.state if optimizer else {}
    if name := _first_not_finite({**network.parameters(), **state}):
        raise TrainingError(
            f"{name} is no longer finite after the last step of epoch {number}; {lower}"
        )


def _cause(network: Network, x: Array, lower: str) -> str:
    """What to do, and the first array that is not finite on the way from the inputs to the cost."""
    if not np.isfinite(x).all():
        return "some inputs of the examples are not finite: correct the data"
    arrays = network.parameters()
    with np.errstate(over="ignore", invalid="ignore"):
        h, l = x.T, 0
        for layer in network.layers:
            if isinstance(layer, Dense):
                arrays[f"h{l}"], l = h.copy(), l + 1
            h = layer.forward(h)
    name = _first_not_finite({**arrays, "z": h}) or "the cost alone"
    return f"{lower} (the first value that is not finite: {name})"


def _first_not_finite(arrays: Mapping[str, Array]) -> str | None:
    return next((name for name, array in arrays.items() if not np.isfinite(array).all()), None)


def _lower(rate: float, settings: TrainingConfig) -> str:
    """What to lower after a divergence. Large adversarial perturbations cause one too."""
    also = " or training.adversarial" if settings.adversarial else ""
    return f"the learning rate was {rate:.3g}, lower training.learning_rate{also}"
