import numpy as np
import pytest

from nnmnist.data import synthetic
from nnmnist.images import preparation
from nnmnist.images.preparation import DIGIT, Preparation, background_of, common_background


@pytest.fixture(scope="module")
def digits():
    return synthetic.load(0, n_train=200, n_test=10).train[0].reshape(-1, 28, 28)


def filling(image):
    """The digit of an image, scaled so that it fills 28x28 pixels, as in Fashion-MNIST."""
    rows, columns = np.flatnonzero(image.any(1)), np.flatnonzero(image.any(0))
    cut = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    y = np.arange(28) * cut.shape[0] // 28
    x = np.arange(28) * cut.shape[1] // 28
    return cut[y][:, x]


def test_backgrounds_of_digits_also_where_they_fill_the_picture(digits):
    for images in (digits, np.stack([filling(image) for image in digits])):
        assert {background_of(image) for image in images} == {0}
        assert {background_of(255 - image) for image in images} == {255}
        assert common_background(images) == 0
        assert common_background(255 - images) == 255


def test_no_background():
    ramp = np.tile(np.arange(0, 252, 9, dtype=np.uint8), (28, 1))
    assert background_of(ramp) is None
    assert background_of(np.full((28, 28), 90, np.uint8)) is None


def test_training_data_with_both_backgrounds_has_none(digits):
    mixed = digits.copy()
    mixed[::20] = 255 - mixed[::20]
    assert common_background(mixed) is None
    assert common_background([]) is None


@pytest.mark.parametrize("mode", ["as_is", "resize"])
@pytest.mark.parametrize("background", [0, 255])
def test_pictures_are_inverted_if_training_pictures_have_the_other_background(
    digits, mode, background
):
    image = filling(digits[0])
    own = image if background == 0 else 255 - image
    prepare = Preparation(mode, (28, 28), background)
    np.testing.assert_array_equal(prepare(image), own)
    np.testing.assert_array_equal(prepare(255 - image), own)
    np.testing.assert_array_equal(prepare(image.repeat(5, 0).repeat(5, 1)), own)
    np.testing.assert_array_equal(Preparation(mode, (28, 28), None)(255 - image), 255 - image)


def test_the_layout_of_mnist_is_found_in_one_picture_and_in_many(digits):
    changed = [digits[0], 255 - digits[1], np.roll(digits[2], 2, 1), digits[3] // 2, digits[4] * 0]
    right = [True, False, False, False, False]
    assert preparation.have_layout_of_mnist(np.stack(changed)).tolist() == right
    assert list(map(preparation.has_layout_of_mnist, changed)) == right
    assert preparation.have_layout_of_mnist(digits).mean() > 0.9
    assert not preparation.have_layout_of_mnist(digits[:, 1:]).any()


@pytest.mark.parametrize("shape", [(1, 5000), (5000, 1), (1, 1), (3, 2)])
def test_pictures_of_any_shape_are_resized(shape):
    picture = np.arange(np.prod(shape)).astype(np.uint8).reshape(shape)
    assert Preparation("resize", (28, 28), 0)(picture).shape == (28, 28)


def test_what_a_checkpoint_stores_is_read_again():
    for chosen in (
        DIGIT,
        Preparation("as_is", (20, 30), None),
        Preparation("resize", (28, 28), 255),
    ):
        assert preparation.from_document({"prepare": chosen.facts()}) == chosen
    assert preparation.from_document({"image_shape": [28, 28]}) == DIGIT
    assert preparation.from_document({"image_shape": [6, 5]}).shape == (6, 5)
    assert preparation.from_document({"image_shape": None}) is None
