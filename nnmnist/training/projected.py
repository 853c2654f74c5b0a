"""The network that training steps change: its first layer takes projected inputs.

With orthonormal columns in P, a network whose first layer has the parameters W' and b' and takes
P^T (x - mean) is the same function of x as one with

    W1 = W' P^T    and    b1 = b' - W1 mean.

A step of gradient descent on W' moves W1 as it would on inputs minus their mean, but only within
the span of P. So the parameters for the inputs as they are can be computed at any time. They are
what is evaluated and saved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from nnmnist.config.schema import TrainingConfig
from nnmnist.data.examples import Examples
from nnmnist.data.projection import Projection, principal_components
from nnmnist.model.network import Network
from nnmnist.training.descent import EpochResult
from nnmnist.training.parallel.layers import arguments


def make_projection(train: Examples, settings: TrainingConfig) -> Projection | None:
    """What training steps do to the inputs of the training examples; None for nothing."""
    k = settings.principal_components
    if k and k < train.inputs.shape[1]:
        return principal_components(train, k)
    return Projection(train.mean) if k or settings.centre_inputs else None


class ProjectedNetwork:
    """A network for inputs as they are, and the one that is trained on projected inputs.

    Args:
        whole: the network for inputs as they are.
        projection: None if they are not projected; then both networks are the same.
    """

    def __init__(self, whole: Network, projection: Projection | None) -> None:
        self.whole, self.projection, self.trained = whole, projection, whole
        if projection:
            self.trained = Network((len(projection.m), *whole.sizes[1:]), **arguments(whole))

    def load(self) -> None:
        """Take the parameters of the whole network; of W1, the part in the span of P remains."""
        if not self.projection:
            return
        mean, P = self.projection
        with np.errstate(over="ignore", invalid="ignore"):  # `fit` reports what is not finite
            W1, b1 = self.whole.W[0], self.whole.b[0]
            _copy_all_but_W1(self.whole, self.trained)
            self.trained.W[0][:] = W1 if P is None else W1 @ P
            np.add(b1, W1 @ mean, out=self.trained.b[0])

    def store(self, trained: Network) -> Network:
        """Give the whole network the parameters of one that takes projected inputs; return it."""
        if not self.projection:
            return trained
        mean, P = self.projection
        with np.errstate(over="ignore", invalid="ignore"):
            W1, b1 = self.whole.W[0], self.whole.b[0]
            _copy_all_but_W1(trained, self.whole)
            W1[:] = trained.W[0] if P is None else trained.W[0] @ P.T
            np.subtract(trained.b[0], W1 @ mean, out=b1)
        return self.whole


class Trainer(Protocol):
    """What trains a network for one epoch."""

    def epoch(self, number: int) -> EpochResult: ...


@dataclass
class ProjectedTraining:
    """Trains a network by way of the one that takes projected inputs."""

    projected: ProjectedNetwork
    trainer: Trainer  # of the network that takes projected inputs

    def epoch(self, number: int) -> EpochResult:
        self.projected.load()
        try:
            return self.trainer.epoch(number)
        finally:  # also after Ctrl-C
            self.projected.store(self.projected.trained)


def _copy_all_but_W1(source: Network, target: Network) -> None:
    # theta: W1, the other weights, the biases
    target.theta[target.W[0].size :] = source.theta[source.W[0].size :]
