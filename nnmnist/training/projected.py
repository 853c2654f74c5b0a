"""The network that training steps change: its first layer takes projected inputs.

With orthonormal columns in P, a network whose first layer has the parameters W' and b' and takes
P^T x - m is the same function of x as one with

    W1 = W' P^T    and    b1 = b' - W' m,

and a step on W' moves W1 as a step on W1 itself would, within the span of P. So the parameters of
the inputs as they are can be had at any time. They are what is evaluated and saved.
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
        W, b = self.trained.W[0], self.trained.b[0]
        _copy_other_layers(self.whole, self.trained)
        W[:] = self.whole.W[0] if self.projection.P is None else self.whole.W[0] @ self.projection.P
        np.add(self.whole.b[0], W @ self.projection.m, out=b)

    def store(self, trained: Network | None = None) -> Network:
        """Give the whole network the parameters of the trained one, and return it."""
        trained = trained or self.trained
        if not self.projection:
            return trained
        W, b = trained.W[0], trained.b[0]
        _copy_other_layers(trained, self.whole)
        self.whole.W[0][:] = W if self.projection.P is None else W @ self.projection.P.T
        np.subtract(b, W @ self.projection.m, out=self.whole.b[0])
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
        result = self.trainer.epoch(number)
        self.projected.store()
        return result


def _copy_other_layers(source: Network, target: Network) -> None:
    target.theta[target.W[0].size :] = source.theta[source.W[0].size :]
