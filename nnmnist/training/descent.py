"""One epoch of training: gradient descent in minibatches, or the closed form of a linear model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from nnmnist.config.schema import TrainingConfig
from nnmnist.data.batches import Batches
from nnmnist.data.examples import Examples
from nnmnist.evaluation.evaluate import Evaluation, evaluate
from nnmnist.model.network import Network
from nnmnist.model.optimizers import Optimizer
from nnmnist.model.schedules import SCHEDULES
from nnmnist.randomness import generator
from nnmnist.training.adversarial import adversarial_examples
from nnmnist.types import Array

# Is called after each step with: step within the epoch, steps per epoch, and the epoch's mean cost
# and accuracy so far (None for regression).
OnProgress = Callable[[int, int, float, float | None], None]
# Training examples for a point of the curve; MNIST has as many test examples.
MOST_EVALUATED = 10_000


class CurveExamples(NamedTuple):
    """What a point of the curve is evaluated on."""

    train: Examples
    validation: Examples | None = None
    test: Examples | None = None


class CurvePoint(NamedTuple):
    """The network after some iterations, see `training.curve_every`."""

    iteration: int  # 1, 2, ... since the start of the training
    epochs: float  # the same in epochs
    train: Evaluation
    validation: Evaluation | None  # None without such examples
    test: Evaluation | None


class Divergence(NamedTuple):
    """The first step of an epoch whose cost is not finite."""

    step: int  # 1, 2, ...
    steps: int  # in an epoch
    rows: Array  # (batch,) the rows of its examples


class EpochResult(NamedTuple):
    """What the steps of one epoch gave."""

    cost: float  # mean of w_i L_i over all examples, each before the step it is used in
    accuracy: float | None  # of the examples that belong to a class; None for regression
    learning_rate: float  # of the last step
    divergence: Divergence | None = None
    curve: tuple[CurvePoint, ...] = ()


@dataclass
class Descent:
    """Minibatch gradient descent on one network."""

    network: Network  # takes the inputs of the batches
    optimizer: Optimizer
    batches: Batches
    settings: TrainingConfig
    seed: int  # seeds the order of the examples and the dropped units, for each epoch anew
    on_progress: OnProgress | None = None
    class_weights: Array | None = None  # (n_classes + 1,) w of an example of each class
    evaluated: CurveExamples | None = None
    # Returns the network that a point of the curve evaluates, from the trained one.
    whole: Callable[[Network], Network] = lambda network: network

    def epoch(self, number: int) -> EpochResult:
        """All steps of epoch `number` = 1, 2, ..., as long as the cost is finite."""
        network, settings, steps = self.network, self.settings, len(self.batches)
        dropout = generator(self.seed, "dropout", number)
        order = generator(self.seed, "order", number)
        n_classes = self.batches.examples.n_classes
        total, seen, correct, labelled, accuracy, rate = 0.0, 0, 0, 0, None, 0.0
        curve: list[CurvePoint] = []
        # `fit` reports a cost that is not finite as one error.
        with np.errstate(over="ignore", invalid="ignore"):
            for step, (x, y, labels, rows) in enumerate(self.batches.epoch(order)):
                rate = self._learning_rate((number - 1) * steps + step)
                if settings.adversarial:
                    x = adversarial_examples(network, x, y, settings.adversarial)
                w = 1.0 if self.class_weights is None else self.class_weights[labels]
                costs, p = network.gradient(x, y, settings.weight_decay, dropout, w)
                total += float(np.add.reduce(costs))
                seen += len(x)
                if not math.isfinite(total):
                    return EpochResult(total, accuracy, rate, Divergence(step + 1, steps, rows))
                if labels is not None:
                    correct += int(np.count_nonzero(network.output.label(p) == labels))
                    labelled += int(np.count_nonzero(labels < n_classes))
                    accuracy = correct / max(1, labelled)
                self.optimizer.step(network.theta, network.grad, rate)
                iteration = (number - 1) * steps + step + 1
                if settings.curve_every and iteration % settings.curve_every == 0:
                    curve.append(self._evaluate(iteration))
                if self.on_progress:
                    self.on_progress(step + 1, steps, total / seen, accuracy)
        return EpochResult(total / seen, accuracy, rate, curve=tuple(curve))

    def _evaluate(self, iteration: int) -> CurvePoint:
        """A point of the curve."""
        assert self.evaluated
        network, train = self.whole(self.network), self.evaluated.train.without_others()
        n = min(len(train), MOST_EVALUATED)
        # evenly spaced, because the examples may be sorted by class
        some = replace(train, rows=train.rows[np.arange(n) * len(train) // n])
        return CurvePoint(
            iteration,
            iteration / len(self.batches),
            evaluate(network, some),
            *(evaluate(network, each) if each else None for each in self.evaluated[1:]),
        )

    def _learning_rate(self, steps_done: int) -> float:
        all_steps = self.settings.epochs * len(self.batches)
        schedule = SCHEDULES[self.settings.schedule]
        progress = (steps_done + 0.5) / all_steps
        return self.settings.learning_rate * schedule(progress, self.settings.warmup)


@dataclass
class ClosedForm:
    """A solver, which finds the parameters from all examples at once, in one epoch."""

    network: Network
    solver: Callable[[Network, Array, Array], None]
    batches: Batches  # one batch that holds all examples

    def epoch(self, number: int) -> EpochResult:
        """The cost and accuracy of the solution; there is no learning rate."""
        [(x, y, labels, _)] = self.batches.epoch()
        self.solver(self.network, x, y)
        costs, p = self.network.gradient(x, y)
        predicted = self.network.output.label(p)
        accuracy = None if labels is None else float(np.mean(predicted == labels))
        return EpochResult(float(costs.mean(dtype=np.float64)), accuracy, 0.0)
