import io

import numpy as np
import pytest
from PIL import Image

from nnmnist.data import image
from nnmnist.errors import DataError


@pytest.fixture
def digit():
    return np.random.default_rng(0).integers(0, 256, (28, 28)).astype(np.uint8)


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "pgm", "tiff", "webp"])
def test_lossless_formats_are_read_to_the_bit(digit, tmp_path, ending):
    path = tmp_path / f"digit.{ending}"
    Image.fromarray(digit).save(path, **({"lossless": True} if ending == "webp" else {}))
    assert image.read(path, "x").tolist() == digit.reshape(-1).tolist()


def test_colour_becomes_grey(tmp_path):
    Image.new("RGB", (28, 28), (255, 255, 255)).save(tmp_path / "white.png")
    assert set(image.read(tmp_path / "white.png", "x").tolist()) == {255}


def test_an_open_file(digit):
    buffer = io.BytesIO()
    Image.fromarray(digit).save(buffer, "PNG")
    buffer.seek(0)
    assert image.read(buffer, "-").tolist() == digit.reshape(-1).tolist()


def test_another_size(tmp_path):
    Image.new("L", (30, 20)).save(tmp_path / "wide.png")
    with pytest.raises(DataError, match="wide: is 30x20 pixels; the network takes 28x28"):
        image.read(tmp_path / "wide.png", "wide")


def test_a_truncated_image(digit, tmp_path):
    path = tmp_path / "cut.png"
    Image.fromarray(digit).save(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match="cut: not an image that can be read"):
        image.read(path, "cut")


@pytest.mark.parametrize("content", [b"", b"hello", b"<svg/>"])
def test_no_image(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(DataError, match="x: not an image that can be read; give a PNG"):
        image.read(tmp_path / "x.png", "x")


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        image.read(tmp_path / "none.png", "none")
