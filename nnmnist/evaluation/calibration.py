"""Calibration: whether a network that says "80 %" is right in 80 % of such cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnmnist.types import Array

BINS = 15  # as Guo et al. count, so that errors can be compared with published ones


@dataclass(frozen=True)
class Calibration:
    """Predictions gathered by their confidence, the probability of the class that is answered.

    Bin m of M holds the confidences in (m / M, (m + 1) / M]; where it is empty, its means are NaN.
    """

    count: Array  # (M,) predictions
    correct: Array  # (M,) right ones among them
    confidence: Array  # (M,) their mean confidence

    @property
    def accuracy(self) -> Array:
        """(M,) the fraction of each bin that is right."""
        with np.errstate(invalid="ignore"):
            return self.correct / self.count

    @property
    def error(self) -> float:
        """The expected calibration error: |accuracy - confidence| of the bins, weighted by their counts.

        Naeini, Cooper and Hauskrecht 2015; Guo, Pleiss, Sun and Weinberger 2017, equation 3.
        """
        gaps = np.abs(self.accuracy - self.confidence)
        return float(np.nansum(gaps * self.count) / self.count.sum())


def calibration(p: Array, labels: Array, bins: int = BINS) -> Calibration:
    """Of the probabilities p (n, classes) and the true labels (n,)."""
    confidence = p.max(axis=1).astype(np.float64)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Calibration(
            count=count,
            correct=np.bincount(place[p.argmax(axis=1) == labels], minlength=bins),
            confidence=np.bincount(place, confidence, minlength=bins) / count,
        )
