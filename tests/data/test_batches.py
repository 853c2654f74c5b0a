import numpy as np
import pytest

from nnmnist.data.batches import Batches
from nnmnist.data.examples import Examples

CODES = np.eye(3, dtype=np.float32)


def pixels(n=10):
    inputs = np.arange(n, dtype=np.uint8)[:, None] * np.ones(4, np.uint8)
    return Examples(inputs, (np.arange(n) % 3).astype(np.uint8), np.arange(n), 3)


def drawn(batches, rng=None):
    """The batches with their arrays copied: they are valid only until the next one."""
    return [
        (x.copy(), y.copy(), None if labels is None else labels.copy()) for x, y, labels in batches.draw(rng)
    ]


def test_the_last_batch_is_what_is_left():
    batches = Batches(pixels(), 4, CODES)
    assert len(batches) == 3
    assert [len(x) for x, _, _ in drawn(batches)] == [4, 4, 2]


def test_one_batch_of_all():
    [(x, _, _)] = drawn(Batches(pixels(), None, CODES))
    assert len(x) == 10


def test_pixels_are_scaled_and_labels_coded():
    for x, y, labels in drawn(Batches(pixels(), 4, CODES)):
        assert x.dtype == np.float32
        np.testing.assert_array_equal(np.round(x[:, 0] * 255) % 3, labels)
        np.testing.assert_array_equal(y, CODES[:, labels])


def test_the_order_is_the_generators():
    batches = Batches(pixels(), 4, CODES)

    def order(seed):
        return np.concatenate([x[:, 0] for x, _, _ in drawn(batches, np.random.default_rng(seed))]).tolist()

    assert order(1) == order(1) != order(2)
    assert sorted(order(1)) == pytest.approx([i / 255 for i in range(10)])


def test_only_its_own_rows():
    examples = Examples(pixels().inputs, pixels().targets, np.array([7, 2]), 3)
    [(x, _, labels)] = drawn(Batches(examples, 4, CODES))
    np.testing.assert_allclose(x[:, 0] * 255, [7, 2], rtol=1e-6)
    assert labels.tolist() == [1, 2]


def test_values_for_regression():
    inputs = np.linspace(0, 1, 12, dtype=np.float32).reshape(6, 2)
    targets = inputs * 2
    for x, y, labels in drawn(Batches(Examples(inputs, targets, np.arange(6), 0), 4, None)):
        np.testing.assert_array_equal(y, 2 * x.T)
        assert labels is None
