import numpy as np
import pytest

from nnmnist.data import prepare, synthetic
from nnmnist.data.prepare import NoInk

from .photos import photo


def digits(n=40, seed=0):
    rng = np.random.default_rng(seed)
    return synthetic.draw((np.arange(n) % 10).astype(np.uint8), rng).reshape(n, 28, 28), rng


def likeness(a, b):
    """The correlation of two images."""
    return np.corrcoef(a.reshape(-1).astype(float), b.reshape(-1).astype(float))[0, 1]


def centre_of_mass(image):
    return [image.sum(axis=1 - axis) @ np.arange(28) / image.sum() for axis in (0, 1)]


def test_a_photo_becomes_the_digit_that_it_shows():
    originals, rng = digits()
    alike = [likeness(prepare.prepare(photo(digit, rng)), digit) for digit in originals]
    assert np.median(alike) > 0.85
    # what a plain resize gives
    assert np.median([likeness(255 - digit[::-1], digit) for digit in originals]) < 0.5


def test_the_result_lies_as_mnists_digits_do():
    originals, rng = digits()
    for digit in originals:
        image = prepare.prepare(photo(digit, rng))
        assert image.shape == (28, 28)
        assert image.dtype == np.uint8
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        assert max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 <= 20
        assert centre_of_mass(image) == pytest.approx([14, 14], abs=2)


def test_polarity_size_and_place_do_not_matter():
    [digit, *_], _ = digits()
    large = np.kron(digit, np.ones((8, 8), np.uint8))
    white_on_black = prepare.prepare(large)
    assert likeness(prepare.prepare(255 - large), white_on_black) > 0.99
    moved = np.pad(255 - large, ((10, 90), (200, 0)), constant_values=255)
    assert likeness(prepare.prepare(moved), white_on_black) > 0.97


def test_uneven_light_is_evened_out():
    [digit, *_], _ = digits()
    cover = np.kron(digit, np.ones((6, 6))) / 255
    y, x = np.meshgrid(np.linspace(0, 1, 168), np.linspace(0, 1, 168), indexing="ij")
    for light in (100 + 120 * x, 220 - 100 * y, 100 + 60 * (x + y)):
        picture = (light * (1 - 0.7 * cover)).astype(np.uint8)
        assert likeness(prepare.prepare(picture), prepare.prepare((255 * cover).astype(np.uint8))) > 0.95


def test_specks_and_edges_are_dropped():
    [digit, *_], _ = digits()
    large = 255 - np.kron(np.pad(digit, 4), np.ones((6, 6), np.uint8))
    dirty = large.copy()
    dirty[20:24, 20:24] = 0
    dirty[:, :5] = 30
    assert likeness(prepare.prepare(dirty), prepare.prepare(large)) > 0.97


@pytest.mark.parametrize("reach", [1, 9])
def test_thin_and_thick_pens_come_to_mnists_lines(reach):
    """A plain 1 of any thickness fills about as much of the box."""
    picture = np.full((200, 200), 255, np.uint8)
    picture[20:180, 100 - reach : 100 + reach] = 0
    inked = (prepare.prepare(picture) > 127).sum(axis=1)
    assert 2 <= np.median(inked[inked > 0]) <= 5


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_blank_picture_has_no_ink(level):
    with pytest.raises(NoInk, match="no ink found"):
        prepare.prepare(np.full((60, 40), level, np.uint8))
    noise = np.random.default_rng(0).normal(level, 3, (300, 300))
    with pytest.raises(NoInk):
        prepare.prepare(np.clip(noise, 0, 255).astype(np.uint8))


def test_components():
    mask = np.array(
        [[1, 0, 1, 0, 0], [1, 0, 1, 0, 1], [1, 1, 1, 0, 0], [0, 0, 0, 1, 0], [1, 0, 0, 0, 0]], bool
    )
    labels = prepare.components(mask)
    assert (labels > 0).tolist() == mask.tolist()
    assert (
        len(set(labels[mask].tolist())) == 3
    )  # the u with the diagonal dot, the dot on the right, the one below
    assert labels[0, 0] == labels[0, 2] == labels[3, 3]
    assert labels[1, 4] != labels[0, 0]


def test_otsu_parts_two_heaps():
    values = np.concatenate([np.full(900, 0.1), np.full(100, 0.8)])
    assert 0.1 <= prepare.otsu(values) < 0.8


@pytest.mark.parametrize("width", [4, 10, 20])
def test_thickness_of_a_bar(width):
    bar = np.zeros((300, 60), bool)
    bar[20:280, 20 : 20 + width] = True
    assert prepare.thickness(bar) == pytest.approx(
        width * 4 / np.pi, rel=0.15
    )  # a straight bar has no staircase
