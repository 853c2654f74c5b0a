import numpy as np
import pytest

from nnmnist.config.schema import DistortConfig
from nnmnist.data.batches import Batches, prefetch
from nnmnist.data.examples import Examples

ONE_HOT = np.eye(3, dtype=np.float32)


def pixels(n=10):
    inputs = np.arange(n, dtype=np.uint8)[:, None] * np.ones(4, np.uint8)
    return Examples(inputs, (np.arange(n) % 3).astype(np.uint8), np.arange(n), 3)


def copied(batches, rng=None):
    """The batches with their arrays copied: they are valid only until the next one."""
    return [
        (x.copy(), y.copy(), None if labels is None else labels.copy())
        for x, y, labels, _ in batches.epoch(rng)
    ]


def test_the_last_batch_is_what_is_left():
    batches = Batches(pixels(), 4, ONE_HOT)
    assert len(batches) == 3
    assert [len(x) for x, _, _ in copied(batches)] == [4, 4, 2]


def test_one_batch_of_all():
    [(x, _, _)] = copied(Batches(pixels(), None, ONE_HOT))
    assert len(x) == 10


def test_pixels_are_scaled_and_labels_become_one_hot():
    for x, y, labels in copied(Batches(pixels(), 4, ONE_HOT)):
        assert x.dtype == np.float32
        np.testing.assert_array_equal(np.round(x[:, 0] * 255) % 3, labels)
        np.testing.assert_array_equal(y, ONE_HOT[:, labels])


def test_the_order_is_the_generators():
    batches = Batches(pixels(), 4, ONE_HOT)

    def order(seed):
        return np.concatenate(
            [x[:, 0] for x, _, _ in copied(batches, np.random.default_rng(seed))]
        ).tolist()

    assert order(1) == order(1) != order(2)
    assert sorted(order(1)) == pytest.approx([i / 255 for i in range(10)])


def test_only_its_own_rows():
    examples = Examples(pixels().inputs, pixels().targets, np.array([7, 2]), 3)
    [(x, _, labels)] = copied(Batches(examples, 4, ONE_HOT))
    np.testing.assert_allclose(x[:, 0] * 255, [7, 2], rtol=1e-6)
    assert labels.tolist() == [1, 2]


def test_values_for_regression():
    inputs = np.linspace(0, 1, 12, dtype=np.float32).reshape(6, 2)
    targets = inputs * 2
    for x, y, labels in copied(Batches(Examples(inputs, targets, np.arange(6), 0), 4, None)):
        np.testing.assert_array_equal(y, 2 * x.T)
        assert labels is None


def test_each_batch_knows_its_rows():
    examples = Examples(pixels().inputs, pixels().targets, np.array([7, 2, 9]), 3)
    assert [rows.tolist() for *_, rows in Batches(examples, 2, ONE_HOT).epoch()] == [[7, 2], [9]]


def pictures(distort, n=100):
    rng = np.random.default_rng(0)
    inputs, labels = (
        rng.integers(0, 256, (n, 30)).astype(np.uint8),
        (np.arange(n) % 3).astype(np.uint8),
    )
    return Examples(inputs, labels, np.arange(n), 3, (6, 5), distort.as_json() if distort else None)


def test_distorted_batches_are_the_same_for_the_same_seed_and_others_in_the_next_epoch():
    batches = Batches(pictures(DistortConfig()), 16, ONE_HOT)

    def epoch(seed):
        return np.concatenate([x for x, *_ in copied(batches, np.random.default_rng(seed))])

    assert np.array_equal(epoch(1), epoch(1))
    assert np.abs(epoch(1) - epoch(2)).max() > 0.1
    one, other = (np.stack(sorted(map(tuple, epoch(seed)))) for seed in (1, 2))
    assert np.abs(one - other).max() > 0.1  # not the order alone


def test_a_thread_that_prepares_the_next_batch_changes_nothing():
    examples = pictures(DistortConfig())
    with_thread, without = Batches(examples, 16, ONE_HOT), Batches(examples, 16, ONE_HOT)
    without.prepare_distorted = map
    for a, b in zip(
        *(copied(each, np.random.default_rng(3)) for each in (with_thread, without)), strict=True
    ):
        for found, expected in zip(a, b, strict=True):
            np.testing.assert_array_equal(found, expected)


def test_a_batch_is_valid_until_the_next_is_copied():
    examples = pictures(DistortConfig(rotation=0, shear=0, scale=0, shift=0, alpha=0))
    for x, y, labels, rows in Batches(examples, 16, ONE_HOT).epoch(np.random.default_rng(0)):
        np.testing.assert_array_equal(x, examples.inputs[rows] * np.float32(1 / 255))
        np.testing.assert_array_equal(labels, examples.targets[rows])
        np.testing.assert_array_equal(y, ONE_HOT[:, labels])


def test_nothing_is_distorted_where_nothing_is_copied():
    examples = pictures(DistortConfig())
    [(x, *_)] = copied(Batches(examples, None, ONE_HOT))
    np.testing.assert_array_equal(x, examples.x)


def test_an_error_in_the_thread_is_raised_here():
    def prepare(number):
        return 1 / (2 - number)

    numbers = prefetch(prepare, range(4))
    assert [next(numbers), next(numbers)] == [0.5, 1]
    with pytest.raises(ZeroDivisionError):
        next(numbers)
