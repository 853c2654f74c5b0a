import numpy as np
import pytest

from nnmnist.evaluation.classes import class_scores

# The third class is never predicted, and the fourth has no example.
CONFUSION = np.array([[3, 1, 0, 1], [2, 2, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0]])


def test_scores_computed_by_hand():
    scores = class_scores(CONFUSION)
    assert scores.precision == pytest.approx([3 / 7, 2 / 3, 0, 0])
    assert scores.recall == pytest.approx([3 / 5, 2 / 4, 0, 0])
    assert scores.f1 == pytest.approx([6 / 12, 4 / 7, 0, 0])  # 2 c_kk / (predicted + support)
    assert scores.support.tolist() == [5, 4, 2, 0]


def test_f1_is_the_harmonic_mean():
    scores = class_scores(CONFUSION)
    p, r = scores.precision[:2], scores.recall[:2]
    assert scores.f1[:2] == pytest.approx(2 * p * r / (p + r))


def test_averages_computed_by_hand():
    scores = class_scores(CONFUSION)
    assert scores.macro == pytest.approx(
        {"precision": (3 / 7 + 2 / 3) / 4, "recall": 1.1 / 4, "f1": (1 / 2 + 4 / 7) / 4}
    )
    assert scores.weighted == pytest.approx(
        {
            "precision": (5 * 3 / 7 + 4 * 2 / 3) / 11,
            "recall": 5 / 11,  # the accuracy
            "f1": (5 / 2 + 4 * 4 / 7) / 11,
        }
    )
