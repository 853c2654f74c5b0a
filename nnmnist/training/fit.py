"""Gradient descent in minibatches: `fit` is a generator of one record an epoch. It never prints.

Whoever consumes it shows, saves or stops: a `for` loop with a `break` is early stopping.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from nnmnist.config.schema import TrainingConfig
from nnmnist.data.batches import Batches
from nnmnist.data.examples import Examples, scale
from nnmnist.errors import TrainingError
from nnmnist.evaluation.evaluate import Evaluation, codes, evaluate, r_squared
from nnmnist.model.network import Buffers, Network
from nnmnist.model.optimizers import Optimizer
from nnmnist.model.schedules import SCHEDULES
from nnmnist.model.solvers import SOLVERS
from nnmnist.randomness import generator
from nnmnist.training.setup import make_optimizer
from nnmnist.training.team import Part, Team, crew
from nnmnist.types import Array


@dataclass(frozen=True)
class Epoch:
    """What one pass over the training examples came to."""

    number: int  # 1, 2, ...
    cost: float  # mean over the minibatches, each before its own step
    accuracy: float | None  # the same; None for regression
    r2: float | None  # of that cost; None for classes
    validation: Evaluation | None  # after the epoch; None without validation examples
    learning_rate: float  # of the last step
    seconds: float  # training and validation
    examples_per_second: float  # training alone


class Descent(NamedTuple):
    """What the steps of an epoch came to."""

    cost: float
    accuracy: float | None
    learning_rate: float  # of the last step
    # the step whose cost was not finite, and the rows of its examples
    broken: tuple[int, Array] | None = None


# step within the epoch, steps an epoch, and the epoch's mean cost and accuracy so far
OnProgress = Callable[[int, int, float, float | None], None]


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
) -> Generator[Epoch, None, None]:
    """Train `network` in place, yielding a record after each epoch. A solver is done after the first.

    Args:
        seed: draws the order of the examples and the dropped units, anew for each epoch.
        optimizer: with the state of the epochs done; None starts a new one.
        epochs_done: epochs that `network` and `optimizer` have behind them.
        on_progress: called after each step.
        cores: how many there are; where steps are large enough, a process on each takes its part of them, see
            `nnmnist.team`. BLAS then has one thread until the last epoch, and `network.theta`, `W` and `b` are
            other arrays from then on: take them from the network afterwards.

    Raises:
        TrainingError: the cost is no longer finite; names epoch, step and learning rate. Or a process has ended.
    """
    optimizer = optimizer or make_optimizer(network, settings)
    size = (
        len(train)
        if settings.batch_size == "full" or not optimizer
        else min(settings.batch_size, len(train))
    )

    if (
        network.normalized_shape
    ):  # once, and before they are distorted: after it, turns and shears would be undone
        train = replace(train, inputs=network.normalized(train.inputs))
        x, rows = network.normalized(validation.x), np.arange(len(validation))
        validation = replace(validation, inputs=x, targets=validation.y, rows=rows)
    y_codes = codes(network, train.n_classes)
    if y_codes is not None and settings.label_smoothing:
        y_codes += settings.label_smoothing * (1 / len(y_codes) - y_codes)

    def work(part: Part) -> Callable[[int], Descent]:
        shown = on_progress if part.team.rank == 0 else None
        own = Batches(train, size, y_codes, part.team)
        return partial(_descend, part.network, part.optimizer, own, settings, seed, shown)

    with ExitStack() as stack:
        run: Callable[[int], Descent]
        if not optimizer:
            run = partial(
                _solve, network, Batches(train, size, y_codes), SOLVERS[settings.optimizer]
            )
        elif (workers := crew(network, size, len(train), cores)) > 1:
            run = stack.enter_context(Team(workers, network, optimizer, size, work)).run
        else:
            batches = Batches(train, size, y_codes)
            run = partial(_descend, network, optimizer, batches, settings, seed, on_progress)
        for epoch in range(epochs_done + 1, (settings.epochs if optimizer else 1) + 1):
            started = time.perf_counter()
            cost, accuracy, rate, broken = run(epoch)
            if broken:
                step, rows = broken
                raise TrainingError(
                    f"the cost is no longer finite in epoch {epoch}, step {step} of {-(-len(train) // size)}; "
                    f"{_blame(network, scale(train.inputs[rows]), rate)}"
                )
            trained = time.perf_counter()
            _require_finite(network, optimizer, epoch, rate)
            result = evaluate(network.past_normalization(), validation) if len(validation) else None
            if result and not math.isfinite(result.cost):
                raise TrainingError(
                    f"the validation cost is no longer finite after epoch {epoch}; "
                    f"{_blame(network, validation.x, rate)}"
                )
            yield Epoch(
                number=epoch,
                cost=cost,
                accuracy=accuracy,
                r2=r_squared(cost, network, train),
                validation=result,
                learning_rate=rate,
                seconds=time.perf_counter() - started,
                examples_per_second=len(train) / (trained - started),
            )


def _descend(
    network: Network,
    optimizer: Optimizer,
    batches: Batches,
    settings: TrainingConfig,
    seed: int,
    on_progress: OnProgress | None,
    epoch: int,
) -> Descent:
    """One epoch of steps, as far as the cost is finite."""
    schedule, steps = SCHEDULES[settings.schedule], len(batches)
    dropout = generator(seed, "dropout", epoch)
    total, correct, seen, accuracy, rate = 0.0, 0, 0, None, 0.0
    with np.errstate(over="ignore", invalid="ignore"):  # told as one error by `fit`
        for step, (x, y, labels, rows) in enumerate(batches.epoch(generator(seed, "order", epoch))):
            rate = settings.learning_rate * schedule(
                ((epoch - 1) * steps + step + 0.5) / (settings.epochs * steps)
            )
            if settings.adversarial:
                x = network.adversarial(x, y, settings.adversarial)
            costs, p = network.gradient(x, y, settings.weight_decay, dropout)
            total += float(np.add.reduce(costs))
            seen += len(x)
            if not math.isfinite(total):
                return Descent(total, accuracy, rate, (step + 1, rows))
            if labels is not None:
                correct += int(np.count_nonzero(network.output.label(p) == labels))
                accuracy = correct / seen
            optimizer.step(network.theta, network.grad, rate)
            if on_progress:
                on_progress(step + 1, steps, total / seen, accuracy)
    return Descent(total / seen, accuracy, rate)


def _solve(
    network: Network, batches: Batches, solver: Callable[[Network, Array, Array], None], epoch: int
) -> Descent:
    """All examples at once: the cost and accuracy of the solution, and no learning rate."""
    [(x, y, labels, _)] = batches.epoch()
    solver(network, x, y)
    costs, p = network.gradient(x, y)
    accuracy = None if labels is None else float(np.mean(network.output.label(p) == labels))
    return Descent(float(costs.mean(dtype=np.float64)), accuracy, 0.0)


def _require_finite(network: Network, optimizer: Optimizer | None, epoch: int, rate: float) -> None:
    """A checkpoint of this moment must be one that training can go on from."""
    if name := _first_broken({**network.parameters(), **(optimizer.state if optimizer else {})}):
        raise TrainingError(
            f"{name} is no longer finite after the last step of epoch {epoch}; {_lower(rate)}"
        )


def _blame(network: Network, x: Array, rate: float) -> str:
    """The first array that is not finite on the way from the inputs `x` to their cost, and what to do."""
    if _first_broken({"x": x}):
        return "the examples themselves hold inputs that are not finite"
    buffers = Buffers(network, len(x))
    with np.errstate(over="ignore", invalid="ignore"):
        network.forward(x, buffers)
    layers = {f"h{l}": h for l, h in enumerate(buffers.h[:-1], start=1)} | {"z": buffers.h[-1]}
    broken = _first_broken({**network.parameters(), **layers}) or "the cost alone"
    return f"{_lower(rate)} (the first to break: {broken})"


def _first_broken(arrays: Mapping[str, Array]) -> str | None:
    return next((name for name, array in arrays.items() if not np.isfinite(array).all()), None)


def _lower(rate: float) -> str:
    return f"the learning rate was {rate:.3g}, lower training.learning_rate"
