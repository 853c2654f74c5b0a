import numpy as np
import pytest
from msgspec.structs import replace

from nnmnist.config.schema import DistortConfig
from nnmnist.data import synthetic
from nnmnist.data.distort import BLOCK, Distortion
from nnmnist.training.threads import blas_threads_of

SHAPE = (28, 28)
NOTHING = DistortConfig(rotation=0, shear=0, scale=0, shift=0, alpha=0)


@pytest.fixture(scope="module")
def digits():
    labels = (np.arange(2 * BLOCK + 7) % 10).astype(np.uint8)
    return synthetic.render(labels, np.random.default_rng(0)), labels


def distorted(digits, settings, seed=0):
    images, labels = digits
    out = np.empty(images.shape, np.float32)
    return Distortion(SHAPE, **settings.as_json())(images, labels, np.random.default_rng(seed), out)


def only(**settings):
    return replace(NOTHING, **settings)


def scaled(images):
    return images * np.float32(1 / 255)


def test_identity_is_the_image_to_the_bit(digits):
    np.testing.assert_array_equal(distorted(digits, NOTHING), scaled(digits[0]))


@pytest.mark.parametrize("shape", [(28, 28), (16, 49), (49, 16)])
@pytest.mark.parametrize(("right", "down"), [(1, 0), (0, 1), (-1, 0), (0, -1), (3, -2)])
def test_a_shift_by_whole_pixels_is_a_roll(digits, shape, right, down):
    images, labels = digits
    images = images.copy().reshape(-1, *shape)
    images[:, :3] = images[:, -3:] = images[:, :, :3] = images[:, :, -3:] = 0
    distortion = Distortion(shape, **NOTHING.as_json())
    maps = distortion.sample(labels, np.random.default_rng(0))
    maps[0, :, 0] -= right
    maps[1, :, 0] -= down
    out = distortion.warp(
        images.reshape(len(images), -1), maps, np.empty((len(images), 784), np.float32)
    )
    rolled = np.roll(images, (down, right), axis=(1, 2)).reshape(len(images), -1)
    np.testing.assert_array_equal(out, scaled(rolled))


@pytest.mark.parametrize("step", [-30, -1, 0.5, 1, 29])
def test_outside_the_image_is_background(digits, step):
    """An image that is white up to its border, moved to the right and down."""
    white = np.full((1, 784), 255, np.uint8)
    distortion = Distortion(SHAPE, **NOTHING.as_json())
    maps = distortion.sample(np.zeros(1), np.random.default_rng(0))
    maps[:, :, 0] -= step
    found = distortion.warp(white, maps, np.empty((1, 784), np.float32)).reshape(SHAPE)
    covered = np.clip(28 - np.abs(np.arange(28) - step + 0.5 - 14) - 13.5, 0, 1)
    np.testing.assert_allclose(found, np.outer(covered, covered), atol=1e-6)


def test_between_pixels_it_is_bilinear(digits):
    settings = DistortConfig()
    images, labels = digits
    distortion = Distortion(SHAPE, **settings.as_json())
    maps = distortion.sample(labels, np.random.default_rng(5))
    found = distortion.warp(images, maps, np.empty(images.shape, np.float32))
    x, y = np.einsum("ank,kp->anp", maps.astype(np.float64), distortion.basis) + 13.5
    padded = np.pad(images.reshape(-1, *SHAPE) / 255, ((0, 0), (2, 2), (2, 2)))
    x, y = np.clip(x, -1.5, 28.5), np.clip(y, -1.5, 28.5)
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    which = np.arange(len(images))[:, None]
    expected = sum(
        padded[which, row + 2 + down, column + 2 + right]
        * (1 - np.abs(y - row - down))
        * (1 - np.abs(x - column - right))
        for down in (0, 1)
        for right in (0, 1)
    )
    # sources are whole numbers of 1/256 pixel
    np.testing.assert_allclose(found, expected, atol=2 / 256)


def test_the_mean_intensity_is_kept():
    labels = (np.arange(2000) % 10).astype(np.uint8)
    images = synthetic.render(labels, np.random.default_rng(1))
    found = distorted((images, labels), DistortConfig())
    assert found.mean() == pytest.approx(scaled(images).mean(), rel=0.05)
    assert np.abs(found - scaled(images)).mean() > 0.05  # and yet they are others


def blur(images):
    """How much of the square of the images (n, 784) is in the differences of neighbours: less of
    what is blurred.
    """
    pictures = images.reshape(-1, *SHAPE)
    return sum((np.diff(pictures, axis=axis) ** 2).sum() for axis in (1, 2)) / (pictures**2).sum()


def test_sharpening_takes_the_blur_of_interpolation_back():
    labels = (np.arange(2000) % 10).astype(np.uint8)
    images = synthetic.render(labels, np.random.default_rng(1))
    moved, sharp = (
        distorted((images, labels), only(shift=3, sharpen=sharpen)) for sharpen in (False, True)
    )
    blurred, left = (abs(blur(found) / blur(scaled(images)) - 1) for found in (moved, sharp))
    assert left < 0.6 * blurred  # ink is cut off at white, and no kernel so short takes all back
    assert sharp.min() >= 0
    assert sharp.max() <= 1
    assert sharp.mean() == pytest.approx(scaled(images).mean(), rel=0.05)


def test_sharpening_is_the_kernel_along_rows_and_columns(digits):
    """(-1, 14, -1) / 12 each way, and what then lies outside [0, 1] cut off."""
    pictures = np.pad(
        distorted(digits, DistortConfig()).reshape(-1, *SHAPE), ((0, 0), (1, 1), (1, 1))
    )
    rows = (14 * pictures[:, 1:-1] - pictures[:, 2:] - pictures[:, :-2]) / 12
    both = (14 * rows[:, :, 1:-1] - rows[:, :, 2:] - rows[:, :, :-2]) / 12
    found = distorted(digits, DistortConfig(sharpen=True))
    np.testing.assert_allclose(found, np.clip(both, 0, 1).reshape(found.shape), atol=1e-6)


def test_the_same_seed_gives_the_same_digits_whatever_the_number_of_threads(digits):
    found = []
    for n in (1, 2, 4):
        with blas_threads_of(n):
            found.append(distorted(digits, DistortConfig(), seed=7))
    np.testing.assert_array_equal(found[1], found[0])
    np.testing.assert_array_equal(found[2], found[0])
    assert not np.array_equal(distorted(digits, DistortConfig(), seed=8), found[0])


def test_a_part_comes_out_as_in_the_whole(digits):
    images, labels = digits
    whole = distorted(digits, DistortConfig())
    distortion = Distortion(SHAPE, **DistortConfig().as_json())
    maps = distortion.sample(labels, np.random.default_rng(0))
    part = distortion.warp(images[3:90], maps[:, 3:90], np.empty((87, 784), np.float32))
    np.testing.assert_array_equal(part, whole[3:90])


def angles(settings, label, n=2000):
    """How far, in degrees, the horizontal and the vertical of n digits are turned."""
    maps = (
        Distortion(SHAPE, **settings.as_json())
        .sample(np.full(n, label), np.random.default_rng(0))
        .astype(float)
    )
    horizontal = np.arctan2(maps[1, :, 1], maps[0, :, 1])
    vertical = np.arctan2(-maps[0, :, 2], maps[1, :, 2])
    return np.degrees(horizontal), np.degrees(vertical)


@pytest.mark.parametrize(("label", "share"), [(0, 1), (1, 0.5), (4, 1), (7, 0.5), (9, 1)])
def test_ones_and_sevens_are_tilted_half_as_far(label, share):
    horizontal, vertical = angles(only(rotation=20), label)
    np.testing.assert_allclose(horizontal, vertical, atol=1e-4)
    assert 19 * share < np.abs(horizontal).max() <= 20.001 * share
    horizontal, vertical = angles(only(shear=20), label)
    assert np.abs(horizontal).max() == 0
    assert 19 * share < np.abs(vertical).max() <= 20.001 * share


def test_scale_and_shift_stay_in_their_bounds():
    maps = Distortion(SHAPE, **only(scale=0.2, shift=3).as_json()).sample(
        np.zeros(2000), np.random.default_rng(0)
    )
    for scale in (1 / maps[0, :, 1], 1 / maps[1, :, 2]):
        assert 0.799 < scale.min() < 0.81
        assert 1.19 < scale.max() < 1.201
    for shift in maps[:, :, 0]:
        assert -3 <= shift.min() < -2.9
        assert 2.9 < shift.max() <= 3


@pytest.mark.parametrize("sigma", [1.5, 4, 6])
def test_elastic_fields_are_smoothed_uniform_noise(sigma):
    """Against the definition: noise in every pixel, and both of its axes convolved with the
    Gaussian.
    """
    rng = np.random.default_rng(0)
    distortion = Distortion(SHAPE, **only(alpha=30, sigma=sigma).as_json())
    maps = distortion.sample(np.zeros(4000), rng)
    found = (maps[0, :, 3:] @ distortion.basis[3:]).reshape(-1, *SHAPE)
    distance = np.subtract.outer(np.arange(28), np.arange(28))
    gaussian = np.exp(-0.5 * (distance / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    expected = 30 * (gaussian @ rng.uniform(-1, 1, (4000, *SHAPE)) @ gaussian.T)
    for pixel, other in [
        ((14, 14), (14, 14)),
        ((0, 0), (0, 0)),
        ((14, 14), (14, 18)),
        ((20, 5), (18, 8)),
    ]:
        here, there = (slice(None), *pixel), (slice(None), *other)
        scale = np.mean(expected[here] ** 2)
        assert np.mean(found[here] * found[there]) == pytest.approx(
            np.mean(expected[here] * expected[there]), abs=0.12 * scale
        )
    assert np.abs(found.mean(axis=0)).max() < 0.1 * expected.std()
