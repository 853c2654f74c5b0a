"""What the preparation is for: a network trained on MNIST reads photos about as well as MNIST."""

import io

import numpy as np
import pytest
from PIL import Image

import nnmnist
from nnmnist.data import mnist
from nnmnist.data.examples import scale
from nnmnist.images import reading
from nnmnist.images.prepare import NoInk, prepare
from nnmnist.images.segment import segment

from .photos import page, photo


@pytest.fixture
def read(real_mnist):
    """Labels that the recipe `plain` gives to images (n, 28, 28)."""
    config = nnmnist.load_config("plain")
    splits = nnmnist.load_data(config.data)
    network = nnmnist.Network((784, 256, 10))
    network.initialize(np.random.default_rng(0))
    for _ in nnmnist.fit(network, splits.train, splits.validation, config.training):
        pass
    return lambda images: network.predict(scale(np.reshape(images, (-1, 784)))).argmax(axis=1)


def prepared(picture):
    try:
        return prepare(picture)
    except NoInk:
        return np.zeros((28, 28), np.uint8)


# The smaller the count, the wider the bounds: chance takes a part.
@pytest.mark.parametrize(
    ("count", "least", "pages", "rows"),
    [(60, 0.85, 1, 0.5), pytest.param(2000, 0.93, 20, 0.65, marks=pytest.mark.slow)],
)
def test_photos_and_pages_are_read(read, count, least, pages, rows):
    images, labels = mnist.load().test
    images, rng = images.reshape(-1, 28, 28), np.random.default_rng(0)
    chosen = rng.permutation(len(images))[:count]
    found = {"prepared": [], "resized": []}
    for i in chosen:
        picture = photo(images[i], rng)
        found["prepared"].append(prepared(picture))
        found["resized"].append(255 - np.asarray(Image.fromarray(picture).resize((28, 28))))
    assert np.mean(read(found["prepared"]) == labels[chosen]) >= least
    assert np.mean(read(found["resized"]) == labels[chosen]) < 0.5
    right = 0
    for _ in range(pages):
        lines = [rng.integers(0, len(images), rng.integers(5, 11)) for _ in range(10)]
        picture, _ = page([images[line] for line in lines], rng)
        for line, digits in zip(lines, segment(picture), strict=False):
            right += read([digit.image for digit in digits]).tolist() == labels[line].tolist()
    assert right >= rows * 10 * pages


@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_the_test_set_passes_unchanged(real_mnist, step):
    images, _ = mnist.load().test
    for pixels in images[::step]:
        file = io.BytesIO(b"P5 28 28 255\n" + pixels.tobytes())
        assert np.array_equal(reading.read(file, "digit"), pixels)
