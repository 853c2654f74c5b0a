import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nnmnist.images.regions import components, runs


def test_runs():
    mask = np.array([[1, 1, 0, 1], [0, 0, 0, 0], [0, 1, 1, 1]], bool)
    assert [part.tolist() for part in runs(mask)] == [[0, 0, 2], [0, 3, 1], [2, 1, 3]]


def test_components():
    mask = np.array(
        [[1, 0, 1, 0, 0], [1, 0, 1, 0, 1], [1, 1, 1, 0, 0], [0, 0, 0, 1, 0], [1, 0, 0, 0, 0]], bool
    )
    # a u with a diagonal dot, the dot on the right, the one below
    assert components(mask).tolist() == [
        [1, 0, 1, 0, 0],
        [1, 0, 1, 0, 2],
        [1, 1, 1, 0, 0],
        [0, 0, 0, 1, 0],
        [3, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1)])
def test_nothing_and_everything(shape):
    assert not components(np.zeros(shape, bool)).any()
    assert (components(np.ones(shape, bool)) == 1).all()


@given(st.integers(0, 2**32 - 1), st.floats(0.2, 0.8))
def test_components_are_what_a_flood_reaches(seed, share):
    mask = np.random.default_rng(seed).random((12, 17)) < share
    labels = components(mask)
    flooded = np.zeros_like(labels)
    for y, x in zip(*np.nonzero(mask), strict=True):
        if not flooded[y, x]:
            waiting, number = [(y, x)], flooded.max() + 1
            while waiting:
                i, j = waiting.pop()
                if 0 <= i < 12 and 0 <= j < 17 and mask[i, j] and not flooded[i, j]:
                    flooded[i, j] = number
                    waiting += [(i + a, j + b) for a in (-1, 0, 1) for b in (-1, 0, 1)]
    assert labels.tolist() == flooded.tolist()
