import numpy as np
import pytest

from nnmnist.data import synthetic
from nnmnist.images.segment import segment


def drawn(label, seed=0):
    """A digit (28, columns) uint8 of the generator, without empty columns."""
    labels = np.array([label], np.uint8)
    image = synthetic.render(labels, np.random.default_rng(seed)).reshape(28, 28)
    return image[:, np.flatnonzero(image.max(axis=0) > 60)]


def overlapping(one, other, pixels):
    """A picture, dark on light, of two digits that share so many of their columns."""
    ink = np.zeros((28, one.shape[1] + other.shape[1] - pixels), np.uint8)
    ink[:, : one.shape[1]] = one
    ink[:, -other.shape[1] :] = np.maximum(ink[:, -other.shape[1] :], other)
    return np.kron(255 - np.pad(ink, 20), np.ones((5, 5), np.uint8))


def image_of(digit):
    [[found]] = segment(np.kron(255 - np.pad(digit, 20), np.ones((5, 5), np.uint8)))
    return found.image


def knows(*digits):
    """The score of a network that knows these digits alone: what looks like them is probable."""
    known = np.stack([image_of(digit).reshape(-1) for digit in digits]).astype(float)

    def score(images):
        together = np.corrcoef(np.vstack([images.reshape(len(images), -1), known]))
        alike = together[: len(images), len(images) :].max(axis=1)
        return np.where(alike > 0.6, np.log(0.95), np.log(0.2))

    return score


@pytest.mark.parametrize(("labels", "seed"), [((3, 7), 6), ((5, 2), 8)])
def test_two_digits_that_overlap(labels, seed):
    one, other = drawn(labels[0], seed), drawn(labels[1], seed + 1)
    picture = overlapping(one, other, 2)
    [whole] = segment(picture)
    assert len(whole) == 1
    [line] = segment(picture, knows(one, other))
    assert len(line) == 2
    for digit, true in zip(line, (one, other), strict=True):
        assert np.corrcoef(digit.image.reshape(-1), image_of(true).reshape(-1))[0, 1] > 0.6
    left, right = (digit.box for digit in line)
    assert left[0] < right[0]


@pytest.mark.parametrize("label", [0, 2, 8])
def test_a_wide_digit_stays_whole(label):
    """It is wider than digits that are split, and the network is sure of it."""
    digit = drawn(label)
    wide = np.kron(digit, np.ones((1, 2), np.uint8))
    picture = np.kron(255 - np.pad(wide, 20), np.ones((5, 5), np.uint8))
    [line] = segment(picture, knows(wide))
    assert len(line) == 1


def test_pieces_of_which_the_network_is_unsure_are_no_digits():
    picture = overlapping(drawn(3, 6), drawn(7, 7), 2)
    [line] = segment(picture, lambda images: np.full(len(images), -1.0))
    assert len(line) == 1
