"""How good a network is: cost, accuracy with its interval, confusion and mistakes; R^2 for regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from nnmnist.data.batches import Batches
from nnmnist.data.examples import Examples
from nnmnist.model.network import CHUNK, Network
from nnmnist.model.outputs import SquaredError
from nnmnist.types import Array


@dataclass(frozen=True)
class Evaluation:
    """What a network made of `n` examples: of classes `confusion` and all that follows from it, of values `r2`."""

    n: int
    cost: float  # mean of L_i
    # (classes, classes) counts: row the true class, column the predicted one
    confusion: Array | None = None
    r2: float | None = None  # see `r_squared`

    @property
    def correct(self) -> int:
        """How many examples were classified rightly."""
        return 0 if self.confusion is None else int(self.confusion.trace())

    @property
    def accuracy(self) -> float | None:
        """The fraction classified rightly."""
        return None if self.confusion is None else self.correct / self.n

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the accuracy."""
        return None if self.confusion is None else wilson_interval(self.correct, self.n)


def r_squared(cost: float, network: Network, examples: Examples) -> float | None:
    """1 - (mean squared error `cost`) / (variance of the values): 1 is perfect, 0 no better than their mean.

    None for classes, for another cost than the squared error, and where all values are equal.
    """
    if examples.n_classes or not isinstance(network.output, SquaredError):
        return None
    variance = examples.variance
    return 1 - cost / variance if variance else None


def wilson_interval(correct: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The score interval of a proportion, right also near 0 and 1 (Wilson 1927); z = 1.96 gives 95 %."""
    p = correct / n
    centre = p + z * z / (2 * n)
    half = z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def codes(network: Network, n_classes: int) -> Array | None:
    """(M, n_classes): column k is the target vector of class k; None for regression (no classes)."""
    if not n_classes:
        return None
    units = network.sizes[-1]
    code: Array = (
        np.eye(n_classes, dtype=network.dtype) if units > 1 else np.array([[0, 1]], network.dtype)
    )
    return code


def evaluate(network: Network | Sequence[Network], examples: Examples) -> Evaluation:
    """Cost and confusion of a network on `examples`; of several, their averaged predictions.

    Args:
        network: one, or several that share inputs, outputs and kind of output.
        examples: at least one.
    """
    n_classes = examples.n_classes
    members = _members(network)
    output = members[0].output
    total = 0.0
    confusion = np.zeros((n_classes, n_classes), np.int64) if n_classes else None
    # of a network that diverged: its cost says so
    with np.errstate(over="ignore", invalid="ignore"):
        for x, y, labels, _ in Batches(examples, CHUNK, codes(members[0], n_classes)).epoch():
            z = _logits(members, x)
            total += float(output.cost(z, y, np.empty_like(z)).sum(dtype=np.float64))
            if confusion is not None and labels is not None:
                pairs = labels.astype(np.intp) * n_classes + output.label(z)  # cost turned z into p
                confusion += np.bincount(pairs, minlength=n_classes**2).reshape(
                    n_classes, n_classes
                )
    cost = total / len(examples)
    return Evaluation(len(examples), cost, confusion, r_squared(cost, members[0], examples))


def probabilities(network: Network | Sequence[Network], examples: Examples) -> Array:
    """What a network, or several on the average, says of every class: (n, n_classes), in the order of `examples`.

    Of a squared error these are its predictions of the one-hot code, which need not lie in [0, 1].

    Args:
        network: one, or several that share inputs, outputs and kind of output; trained to tell classes apart.
    """
    members = _members(network)
    parts = []
    with np.errstate(over="ignore", invalid="ignore"):  # as in `evaluate`
        for batch in Batches(examples, CHUNK, codes(members[0], examples.n_classes)).epoch():
            p = _logits(members, batch.x)
            members[0].output.predict(p)
            # one unit: p of class 1
            parts.append(p.T if len(p) > 1 else np.stack([1 - p[0], p[0]], axis=1))
    return np.concatenate(parts)


def most_confident_mistakes(p: Array, labels: Array) -> Array:
    """The indices (wrong,) of the examples that p (n, classes) gets wrong, the surest of its answer first."""
    said = p.argmax(axis=1)
    wrong = np.flatnonzero(said != labels)
    return wrong[np.argsort(-p[wrong, said[wrong]], kind="stable")]


def _members(network: Network | Sequence[Network]) -> list[Network]:
    return [network] if isinstance(network, Network) else list(network)


def _logits(members: Sequence[Network], x: Array) -> Array:
    """z (M, batch) of one network, or the z whose prediction is the mean of all their predictions."""
    if len(members) == 1:
        return members[0].logits(x)
    mean = np.zeros((members[0].sizes[-1], len(x)))
    for member in members:
        z = member.logits(x).astype(np.float64)
        member.output.predict(z)
        mean += z
    return members[0].output.inverse(mean / len(members))
