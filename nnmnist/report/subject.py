"""What a report is about, each part of it computed when a section needs it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from nnmnist.checkpoint import Checkpoint
from nnmnist.data.examples import Examples, Splits
from nnmnist.evaluation.evaluate import Evaluation, evaluate, most_confident_mistakes, probabilities
from nnmnist.report.pictures import Sheet
from nnmnist.runs.history import History
from nnmnist.runs.resume import RunProgress
from nnmnist.types import Array

MOST_IN_CELL = 100  # pictures of a cell of the confusion matrix
MOST_MISTAKES = 24  # shown at once


@dataclass(frozen=True)
class Subject:
    """What a page is about."""

    name: str
    best: Checkpoint  # the network of the best epoch
    progress: RunProgress  # how far the run has come
    history: History
    splits: Splits
    split: str  # the one to be judged by: test, validation or train

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of each label; empty for regression."""
        return self.splits.classes

    @property
    def examples(self) -> Examples:
        """Those of the split."""
        examples: Examples = getattr(self.splits, self.split)
        return examples

    @cached_property
    def result(self) -> Evaluation:
        """What the network made of them."""
        return evaluate(self.best.network, self.examples)

    @cached_property
    def p(self) -> Array:
        """(n, classes) what it says of each class."""
        return probabilities(self.best.network, self.examples)

    def given(self, i: int, k: int) -> str:
        """p of example i and class k, in words."""
        return (
            f"{self.p[i, k]:.1%}"
            if self.best.network.output.is_probability
            else f"{self.p[i, k]:.2f}"
        )

    @cached_property
    def said(self) -> Array:
        """(n,) the classes that the network answers."""
        return self.p.argmax(axis=1)

    @cached_property
    def mistakes(self) -> Array:
        """(wrong,) indices into `examples`, the surest first."""
        return most_confident_mistakes(self.p, self.examples.y)

    @property
    def shown_mistakes(self) -> Array:
        """The surest of them."""
        return self.mistakes[:MOST_MISTAKES]

    @cached_property
    def cells(self) -> dict[tuple[int, int], Array]:
        """(true, answered) -> the indices to show: the surest mistakes, or the right answers that were least sure."""
        y, said = self.examples.y, self.said
        right = np.flatnonzero(y == said)
        right = right[np.argsort(self.p[right, said[right]], kind="stable")]
        order = np.concatenate([self.mistakes, right])
        pairs = y[order].astype(int) * len(self.classes) + said[order]
        return {
            divmod(int(pair), len(self.classes)): order[pairs == pair][:MOST_IN_CELL]
            for pair in np.unique(pairs)
        }

    @cached_property
    def sheet(self) -> Sheet:
        """The pictures in all cells, and all mistakes that are shown."""
        assert self.splits.image_shape is not None
        shown = np.unique(np.concatenate([self.shown_mistakes, *self.cells.values()]))
        pixels = self.examples.inputs[self.examples.rows[shown]].reshape(
            -1, *self.splits.image_shape
        )
        return Sheet("digit", pixels, shown)
