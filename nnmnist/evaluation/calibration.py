"""Calibration: whether predictions with a confidence of 80 % are right in 80 % of the cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnmnist.types import Array

BINS = 15  # as in Guo et al. 2017, to compare with published errors


@dataclass(frozen=True)
class Calibration:
    """Predictions in bins of their confidence, which is the probability of the predicted class.

    Bin m of M has the confidences in (m / M, (m + 1) / M]; the means of an empty bin are NaN.
    """

    count: Array  # (M,) predictions
    correct: Array  # (M,) of them correct
    confidence: Array  # (M,) their mean confidence

    @property
    def accuracy(self) -> Array:
        """(M,) the fraction of each bin that is correct."""
        with np.errstate(invalid="ignore"):
            return self.correct / self.count

    @property
    def error(self) -> float:
        """The expected calibration error: the mean |accuracy - confidence| over all predictions.

        Naeini, Cooper and Hauskrecht 2015; Guo, Pleiss, Sun and Weinberger 2017, equation 3.
        """
        gaps = np.abs(self.accuracy - self.confidence)
        return float(np.nansum(gaps * self.count) / self.count.sum())


def calibration(p: Array, labels: Array, bins: int = BINS) -> Calibration:
    """The calibration of the probabilities p (n, n_classes) for the true labels (n,)."""
    confidence = p.max(axis=1).astype(np.float64)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Calibration(
            count=count,
            correct=np.bincount(place[p.argmax(axis=1) == labels], minlength=bins),
            confidence=np.bincount(place, confidence, minlength=bins) / count,
        )
