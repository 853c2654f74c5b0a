import numpy as np
import pytest

from nnmnist.data import synthetic
from nnmnist.images.normalize import HEIGHT, PART, WIDTH, _sources, normalize

SHAPE = (28, 28)


def blob(width=3.6, height=5.3, lean=0.0, x=14.0, y=14.0, shape=SHAPE):
    """Ink of these deviations in pixels, leaning to the right by `lean` for each pixel down."""
    down, across = np.mgrid[: shape[0], : shape[1]].astype(float)
    down, across = down - y, across - x
    square = ((across - lean * down) / width) ** 2 + (down / height) ** 2
    return np.maximum(1 - square / 6, 0).astype(np.float32).reshape(1, -1)


@pytest.fixture(scope="module")
def digits():
    return synthetic.render((np.arange(200) % 10).astype(np.uint8), np.random.default_rng(0))


def test_a_normal_picture_stays_as_it_is():
    assert normalize(blob(), SHAPE) == pytest.approx(blob(), abs=0.01)


@pytest.mark.parametrize("lean", [-0.4, 0.3])
@pytest.mark.parametrize(("width", "height"), [(3.6, 5.3), (2.6, 4.4), (3.8, 5.0)])
def test_slant_size_and_place_are_taken_away(lean, width, height):
    picture = blob(width, height, lean, x=13.5, y=14.2)
    assert abs(picture - blob()).max() > 0.25
    assert normalize(picture, SHAPE) == pytest.approx(blob(), abs=0.08)


def test_a_slender_digit_stays_slender():
    thin = normalize(blob(width=1.5), SHAPE)
    assert thin == pytest.approx(blob(width=2.4), abs=0.1)


def test_pictures_of_another_shape():
    shape = (40, 20)
    standard = blob(WIDTH * 20, HEIGHT * 40, x=10, y=20, shape=shape)
    leaning = blob(WIDTH * 20, HEIGHT * 40 - 1, 0.15, x=10, y=20, shape=shape)
    assert normalize(leaning, shape) == pytest.approx(standard, abs=0.08)


def test_no_ink_and_one_pixel_of_ink():
    pictures = np.zeros((2, 784), np.uint8)
    pictures[1, 5 * 28 + 3] = 255
    found = normalize(pictures, SHAPE)
    assert not found[0].any()
    assert found[1].reshape(SHAPE)[14, 14] == 255


def test_bytes_stay_bytes_and_are_the_rounded_floats(digits):
    as_bytes = normalize(digits, SHAPE)
    assert as_bytes.dtype == np.uint8
    as_floats = normalize(digits / np.float32(255), SHAPE)
    assert as_floats.dtype == np.float32
    assert abs(as_floats * 255 - as_bytes).max() <= 0.501


def test_each_picture_alone_comes_out_as_among_others(digits):
    together = normalize(digits, SHAPE)
    np.testing.assert_array_equal(together[7:9], normalize(digits[7:9], SHAPE))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_every_pixel_is_the_mean_of_four_by_their_distances(digits, dtype):
    pictures = digits[:3].astype(dtype)
    found = normalize(pictures, SHAPE)
    for picture, normalized in zip(pictures, found, strict=True):
        x, y = (source[0] for source in _sources(picture[None], SHAPE))
        ink = np.pad(picture.reshape(SHAPE).astype(np.float32), ((1, 2), (1, 2)))
        wanted = [[bilinear(ink, x[r, c], y[r]) for c in range(28)] for r in range(28)]
        if dtype == np.uint8:
            wanted = np.rint(wanted)
        np.testing.assert_array_equal(normalized.reshape(SHAPE), np.array(wanted, dtype))


def bilinear(ink, x, y):
    """The brightness at column x and row y in float32, between the rows first.

    `ink` has one more row and column of zeros before the picture, and two after it.
    """
    x, y = (min(max(float(np.float32(at) + np.float32(1)), 0), 29) for at in (x, y))
    column, row = int(x), int(y)
    upper, lower = ink[row, column : column + 2], ink[row + 1, column : column + 2]
    left, right = upper + (lower - upper) * np.float32(y - row)
    return left + (right - left) * np.float32(x - column)


def test_threads_and_the_place_in_memory_change_nothing(digits):
    many = np.tile(digits, (PART // len(digits) + 2, 1))
    once = normalize(digits, SHAPE)
    for threads in (1, 3):
        for part in np.array_split(normalize(many, SHAPE, threads), len(many) // len(digits)):
            np.testing.assert_array_equal(part, once)


def test_digits_lean_no_more(digits):
    def leans(pictures):
        y, x = np.mgrid[:28, :28].reshape(2, -1)
        ink = pictures.astype(float) / pictures.sum(axis=1, keepdims=True, dtype=float)
        dx, dy = (side - (ink @ side)[:, None] for side in (x, y))
        return (ink * dx * dy).sum(axis=1) / (ink * dy * dy).sum(axis=1)

    assert abs(leans(digits)).mean() > 0.1
    assert abs(leans(normalize(digits, SHAPE))).mean() < 0.01
