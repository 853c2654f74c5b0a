"""How good a network is: cost, accuracy with its interval, confusion matrix; R^2 for regression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from nnmnist.data.batches import Batches
from nnmnist.data.examples import Examples
from nnmnist.evaluation.predictor import Ensemble, as_predictor
from nnmnist.model.network import CHUNK, Network
from nnmnist.model.outputs import Output, SquaredError
from nnmnist.training.threads import blas_threads_of, in_threads, training_cores
from nnmnist.types import Array, require_type


@dataclass(frozen=True)
class Evaluation:
    """The result of a network on n examples: a confusion matrix for classes, R^2 for values."""

    n: int
    cost: float  # mean of L_i
    # (n_classes, n_classes) counts: rows are the true classes, columns the predicted ones
    confusion: Array | None = None
    r2: float | None = None  # see `r_squared`

    @property
    def correct(self) -> int:
        """The number of examples with the right class."""
        return 0 if self.confusion is None else int(self.confusion.trace())

    @property
    def accuracy(self) -> float | None:
        """The fraction of examples with the right class; None for regression."""
        return None if self.confusion is None else self.correct / self.n

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % interval of the accuracy; None for regression."""
        return None if self.confusion is None else wilson_interval(self.correct, self.n)


def r_squared(cost: float, output: Output, examples: Examples) -> float | None:
    """R^2 = 1 - (mean squared error) / (variance of the values).

    1 is perfect, and 0 no better than the mean of the values. It is None for classes, for a cost
    other than the squared error, and where all values are equal.

    Args:
        cost: the mean squared error.
        output: the output of the network.
        examples: what the cost is about.
    """
    if examples.n_classes or not isinstance(output, SquaredError):
        return None
    variance = examples.variance
    return 1 - cost / variance if variance else None


def wilson_interval(correct: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The score interval of a proportion, right also near 0 and 1 (Wilson 1927).

    z = 1.96 gives the interval of 95 %.
    """
    p = correct / n
    centre = p + z * z / (2 * n)
    half = z * (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    scale = 1 + z * z / n
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def is_chance(confusion: Array) -> bool:
    """Whether a network is no better than a guess, which always takes the largest class.

    A guess is right in a share s of the examples, which is that of the largest class. Its standard
    error is sqrt(s (1 - s) / n): the accuracy of a better network is at least two of these higher.
    A network without a mistake is always better.

    Args:
        confusion: (n_classes, n_classes) counts of n examples, at least one; perhaps multiplied by
            the weights of their classes.
    """
    n = float(confusion.sum())
    accuracy, s = float(confusion.trace()) / n, float(confusion.sum(axis=1).max()) / n
    return accuracy < min(1.0, s + 2 * (s * (1 - s) / n) ** 0.5)


def targets(output: Output, examples: Examples) -> Array | None:
    """(M, n_classes): column k is the target vector of class k; None for regression."""
    return output.one_hot(examples.n_classes) if examples.n_classes else None


def require_examples(
    name: str, examples: Examples, network: Network | Ensemble, least: int = 1
) -> None:
    """Raise TypeError or ValueError unless the argument `name` has examples for a network."""
    require_type(name, examples, Examples, "nnmnist.data.examples.Examples, such as splits.test")
    if len(examples) < least:
        raise ValueError(f"{name} is empty; expected at least one example")
    n_inputs, n_classes = examples.inputs.shape[1], examples.n_classes
    if n_inputs != network.sizes[0]:
        raise ValueError(
            f"{name} has {n_inputs} inputs per example; expected {network.sizes[0]}, as the "
            f"network has sizes {network.sizes}"
        )
    n_outputs = network.output.n_units(n_classes) if n_classes else examples.targets.shape[1]
    if n_outputs != network.sizes[-1]:
        what = f"{n_classes} classes" if n_classes else f"{n_outputs} values per example"
        raise ValueError(
            f"{name} has {what}, which need {n_outputs} outputs; the network has sizes "
            f"{network.sizes}"
        )


def evaluate(
    network: Network | Sequence[Network], examples: Examples, threads: int = 1
) -> Evaluation:
    """The cost and the confusion matrix, or R^2, of a network on some examples.

    Args:
        network: one network, or several, whose predictions are then averaged. These have the same
            inputs, outputs and kind of output.
        examples: at least one example.
        threads: number of threads that share the examples. The result has the same bits with any
            number of them.

    Raises:
        TypeError, ValueError: an argument is of another kind, or the examples do not fit.
    """
    predictor = as_predictor(network)
    require_examples("examples", examples, predictor)
    n_classes = examples.n_classes
    output = predictor.output
    one_hot = targets(output, examples)

    def chunk(start: int) -> tuple[float, Array]:
        """The sum of some costs, and the counts of the confusion matrix in one row."""
        some = replace(examples, rows=examples.rows[start : start + CHUNK])
        [(x, y, labels, _)] = Batches(some, CHUNK, one_hot).epoch()
        # The cost of a network that has diverged is not finite: that says enough.
        with np.errstate(over="ignore", invalid="ignore"):
            costs, p, _ = output.cost(predictor.logits(x), y)
        total = float(costs.sum(dtype=np.float64))
        if labels is None:
            return total, np.empty(0)
        pairs = labels.astype(np.intp) * n_classes + output.label(p)
        return total, np.bincount(pairs, minlength=n_classes**2)

    totals, counts = zip(*in_threads(chunk, range(0, len(examples), CHUNK), threads), strict=True)
    cost = sum(totals) / len(examples)
    confusion = np.sum(counts, axis=0).reshape(n_classes, n_classes) if n_classes else None
    return Evaluation(len(examples), cost, confusion, r_squared(cost, output, examples))


def evaluate_on_cores(network: Network | Sequence[Network], examples: Examples) -> Evaluation:
    """The same as `evaluate`, with one thread per core, for use outside of trainings.

    Waits until no training in another thread of this process computes with several BLAS threads.
    """
    with blas_threads_of(1):
        return evaluate(network, examples, training_cores())


def probabilities(network: Network | Sequence[Network], examples: Examples) -> Array:
    """The probability of each class: (n, n_classes), in the order of `examples`.

    With a squared error these are predictions of the one-hot vectors, which may lie outside [0, 1].

    Args:
        network: as in `evaluate`; a classifier.
        examples: at least one example.
    """
    predictor = as_predictor(network)
    output = predictor.output
    parts = []
    with np.errstate(over="ignore", invalid="ignore"):  # as in `evaluate`
        for batch in Batches(examples, CHUNK, targets(output, examples)).epoch():
            p = output.predict(predictor.logits(batch.x))
            parts.append(output.class_probabilities(p).T)
    return np.concatenate(parts)


def most_confident_mistakes(p: Array, labels: Array) -> Array:
    """The indices (n_wrong,) of misclassified examples, the highest probability first.

    Args:
        p: (n, n_classes) probabilities.
        labels: (n,) true classes.
    """
    predicted = p.argmax(axis=1)
    wrong = np.flatnonzero(predicted != labels)
    return wrong[np.argsort(-p[wrong, predicted[wrong]], kind="stable")]
