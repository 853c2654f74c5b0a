"""How good a network is at each class: precision, recall and F1, from the confusion matrix."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nnmnist.types import Array


class ClassScores(NamedTuple):
    """The scores of each class, and the number of its examples: arrays (n_classes,)."""

    precision: Array
    recall: Array
    f1: Array
    support: Array

    @property
    def macro(self) -> dict[str, float]:
        """The mean of each score over all classes."""
        return self._means(np.ones(len(self.support)))

    @property
    def weighted(self) -> dict[str, float]:
        """The mean of each score, where a class counts with the number of its examples."""
        return self._means(self.support)

    def _means(self, weights: Array) -> dict[str, float]:
        scores = {"precision": self.precision, "recall": self.recall, "f1": self.f1}
        return {name: float(np.average(each, weights=weights)) for name, each in scores.items()}


def class_scores(confusion: Array) -> ClassScores:
    """The scores of each class.

    With c_jk examples of class j that are predicted as class k:

        precision_k = c_kk / sum_j c_jk    the part of the predictions of class k that is right
        recall_k    = c_kk / sum_j c_kj    the part of the examples of class k that is found
        F1_k        = 2 precision_k recall_k / (precision_k + recall_k)    their harmonic mean

    A score is 0 where it would be 0 / 0: a class that is never predicted has precision 0, and a
    class without examples has recall 0. Both count in the macro average. These are the numbers of
    scikit-learn's `classification_report(y, predicted, labels=all classes, zero_division=0)`.

    Args:
        confusion: (n_classes, n_classes) counts: rows are the true classes, columns the predicted
            ones.
    """
    right, support, predicted = confusion.diagonal(), confusion.sum(axis=1), confusion.sum(axis=0)
    return ClassScores(
        precision=right / np.maximum(predicted, 1),
        recall=right / np.maximum(support, 1),
        f1=2 * right / np.maximum(predicted + support, 1),
        support=support,
    )
