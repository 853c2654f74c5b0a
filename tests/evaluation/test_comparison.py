import math

import numpy as np
import pytest

from nnmnist.evaluation.comparison import Comparison, compare, mcnemar


def test_counts_by_hand():
    labels = np.array([0, 1, 2, 0, 1, 2, 0])
    a = np.array([0, 1, 2, 0, 2, 0, 1])
    b = np.array([0, 1, 0, 1, 1, 1, 1])  # both are wrong in the last two examples
    found = compare(a, b, labels)
    assert found == Comparison(both=2, only_a=2, only_b=1, neither=2)
    assert found.n == 7
    assert found.accuracy == (4 / 7, 3 / 7)


def test_p_by_hand():
    assert mcnemar(1, 9) == 2 * (1 + 10) / 1024
    assert mcnemar(9, 1) == mcnemar(1, 9)
    assert mcnemar(0, 5) == 2 / 32
    assert mcnemar(0, 0) == 1
    assert mcnemar(4, 4) == 1


@pytest.mark.parametrize(("a", "b"), [(3, 8), (12, 5), (40, 61)])
def test_p_is_the_sum_over_all_splits_that_are_at_least_as_uneven(a, b):
    n = a + b
    uneven = [k for k in range(n + 1) if abs(2 * k - n) >= abs(a - b)]
    assert mcnemar(a, b) == pytest.approx(sum(math.comb(n, k) for k in uneven) / 2**n, rel=1e-12)


def test_equal_networks_differ_significantly_in_at_most_five_percent():
    rng = np.random.default_rng(0)
    splits = rng.binomial(60, 0.5, 4000)
    different = np.mean([mcnemar(int(k), 60 - int(k)) < 0.05 for k in splits])
    assert 0.01 < different < 0.05  # the exact test is conservative


def test_large_counts_are_exact():
    # Close to the normal distribution: erfc(299.5 / sqrt(2n))
    assert mcnemar(10_000, 10_300) == pytest.approx(0.0359, abs=2e-4)
    assert mcnemar(30_000, 0) == 0.0  # far below the smallest float


def test_which_is_better():
    assert Comparison(90, 9, 1, 0).better == "A"
    assert Comparison(90, 1, 9, 0).better == "B"
    assert Comparison(90, 6, 4, 0).better is None
    assert Comparison(100, 0, 0, 0).better is None
