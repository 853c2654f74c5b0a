"""The subject of a report; each part is computed when a section needs it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nnmnist.checkpoint import Checkpoint
from nnmnist.data.examples import Examples, Splits
from nnmnist.evaluation.evaluate import Evaluation, evaluate, most_confident_mistakes, probabilities
from nnmnist.report.pictures import Sheet
from nnmnist.runs.facts import data_title, replaced_data
from nnmnist.runs.history import History
from nnmnist.runs.resume import RunProgress
from nnmnist.types import Array

MOST_IN_CELL = 100  # images of a cell of the confusion matrix
MOST_MISTAKES = 24  # shown at once


@dataclass(frozen=True)
class Subject:
    """A run and the split on which it is evaluated."""

    name: str
    best: Checkpoint  # the network of the best epoch
    progress: RunProgress  # of the run
    history: History
    splits: Splits
    split: str  # test, validation or train

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of each class; empty for regression."""
        return self.splits.classes

    @property
    def data_title(self) -> str:
        """The name of the data, and what it replaced if it is a fallback."""
        name = self.splits.name
        return data_title(name, replaced_data(self.progress.config.data, name))

    @property
    def examples(self) -> Examples:
        """The examples of the split."""
        examples: Examples = getattr(self.splits, self.split)
        return examples

    @cached_property
    def result(self) -> Evaluation:
        """The result of the network on them."""
        return evaluate(self.best.network, self.examples)

    @cached_property
    def p(self) -> Array:
        """(n, n_classes) its probabilities."""
        return probabilities(self.best.network, self.examples)

    def probability_text(self, i: int, k: int) -> str:
        """The probability of class k for example i, as text."""
        return (
            f"{self.p[i, k]:.1%}"
            if self.best.network.output.is_probability
            else f"{self.p[i, k]:.2f}"
        )

    @cached_property
    def predicted(self) -> Array:
        """(n,) the predicted classes."""
        return self.p.argmax(axis=1)

    @cached_property
    def mistakes(self) -> Array:
        """(n_wrong,) indices into `examples`, the most confident first."""
        return most_confident_mistakes(self.p, self.examples.y)

    @property
    def shown_mistakes(self) -> Array:
        """The most confident mistakes."""
        return self.mistakes[:MOST_MISTAKES]

    @cached_property
    def cells(self) -> dict[tuple[int, int], Array]:
        """(true, predicted) -> indices: confident mistakes, or the least confident correct ones."""
        y, predicted = self.examples.y, self.predicted
        right = np.flatnonzero(y == predicted)
        right = right[np.argsort(self.p[right, predicted[right]], kind="stable")]
        order = np.concatenate([self.mistakes, right])
        pairs = y[order].astype(int) * len(self.classes) + predicted[order]
        return {
            divmod(int(pair), len(self.classes)): order[pairs == pair][:MOST_IN_CELL]
            for pair in np.unique(pairs)
        }

    @cached_property
    def sheet(self) -> Sheet:
        """The images in all cells, and all mistakes that are shown."""
        assert self.splits.image_shape is not None
        shown = np.unique(np.concatenate([self.shown_mistakes, *self.cells.values()]))
        pixels = self.examples.inputs[self.examples.rows[shown]].reshape(
            -1, *self.splits.image_shape
        )
        return Sheet("digit", pixels, shown)
