"""Which of two networks is better, measured on the same examples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnmnist.types import Array

SIGNIFICANCE = 0.05  # a difference with a smaller p is significant


@dataclass(frozen=True)
class Comparison:
    """How many examples the networks A and B classify correctly."""

    both: int
    only_a: int
    only_b: int
    neither: int

    @property
    def n(self) -> int:
        """The number of all examples."""
        return self.both + self.only_a + self.only_b + self.neither

    @property
    def accuracy(self) -> tuple[float, float]:
        """The accuracy of A and that of B."""
        return (self.both + self.only_a) / self.n, (self.both + self.only_b) / self.n

    @property
    def p(self) -> float:
        """The p-value of McNemar's exact test, see `mcnemar`."""
        return mcnemar(self.only_a, self.only_b)

    @property
    def better(self) -> str | None:
        """A or B if the difference is significant, else None."""
        if self.p >= SIGNIFICANCE:
            return None
        return "A" if self.only_a > self.only_b else "B"


def compare(a: Array, b: Array, labels: Array) -> Comparison:
    """Compare the classes (n,) that two networks predict with the true ones."""
    a_right, b_right = a == labels, b == labels
    return Comparison(
        both=int(np.sum(a_right & b_right)),
        only_a=int(np.sum(a_right & ~b_right)),
        only_b=int(np.sum(~a_right & b_right)),
        neither=int(np.sum(~a_right & ~b_right)),
    )


def mcnemar(only_a: int, only_b: int) -> float:
    """The two-sided p-value of McNemar's exact test.

    McNemar 1947; for classifiers, Dietterich 1998, section 3.1. If both networks are equally good,
    each is equally likely to be the only one that is right: `only_a` has the binomial distribution
    of n = only_a + only_b trials with probability 1/2. The p-value is the probability of a split
    that is at least as uneven:

        p = 2 sum_{k = 0}^{min(only_a, only_b)} (n choose k) / 2^n,    at most 1.
    """
    n, least = only_a + only_b, min(only_a, only_b)
    term = total = 1  # n choose 0
    for k in range(least):
        term = term * (n - k) // (k + 1)  # n choose k + 1, exactly
        total += term
    return min(1.0, 2 * total / 2**n)
