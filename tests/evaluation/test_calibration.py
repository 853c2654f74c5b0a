import numpy as np
import pytest

from nnmnist.evaluation.calibration import calibration


def two_classes(*first):
    """Probabilities (n, 2) that give the first class the probabilities `first`."""
    return np.array([[p, 1 - p] for p in first])


def test_by_hand():
    p = two_classes(0.9, 0.9, 0.9, 0.9, 0.6, 0.6)
    found = calibration(p, np.array([0, 0, 0, 1, 0, 1]), bins=10)
    assert found.count.tolist() == [0, 0, 0, 0, 0, 2, 0, 0, 4, 0]  # a bin includes its upper edge
    assert found.correct.tolist() == [0, 0, 0, 0, 0, 1, 0, 0, 3, 0]
    assert found.confidence[[5, 8]] == pytest.approx([0.6, 0.9])
    assert found.accuracy[[5, 8]] == pytest.approx([0.5, 0.75])
    assert found.error == pytest.approx((2 * 0.1 + 4 * 0.15) / 6)


def test_a_calibrated_network_has_no_error():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(10), 200_000)
    labels = (rng.random((len(p), 1)) > p.cumsum(axis=1)).sum(axis=1).clip(max=9)  # sampled from p
    assert calibration(p, labels).error < 0.005
    assert calibration(p, p.argmax(axis=1)).error > 0.5  # always right, but less confident


def test_confidences_at_the_edges_of_bins():
    found = calibration(np.array([[1.0, 0.0], [0.5, 0.5]]), np.array([1, 0]))
    assert found.count.sum() == 2
    assert found.count[-1] == 1
    assert found.error == pytest.approx((1.0 + 0.5) / 2)
    linear = calibration(np.array([[1.2, -0.1], [-0.5, -0.2]]), np.array([0, 1]))  # outside [0, 1]
    assert (linear.count[0], linear.count[-1]) == (1, 1)
