import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps, features

from nnmnist.data import mnist, synthetic
from nnmnist.errors import DataError
from nnmnist.images import reading
from nnmnist.images.preparation import DIGIT, Preparation, has_layout_of_mnist


@pytest.fixture
def digit():
    """Noise where a digit of MNIST is."""
    noise = np.random.default_rng(0).integers(0, 256, (19, 19)).astype(np.uint8)
    return np.pad(noise, ((5, 4), (5, 4)))


@pytest.mark.parametrize("ending", ["png", "bmp", "gif", "pgm", "tiff", "webp"])
def test_lossless_formats_are_read_to_the_bit(digit, tmp_path, ending):
    path = tmp_path / f"digit.{ending}"
    Image.fromarray(digit).save(path, **({"lossless": True} if ending == "webp" else {}))
    assert reading.read(path, "x").tolist() == digit.reshape(-1).tolist()


def test_colour_becomes_grey(digit, tmp_path):
    Image.fromarray(digit).convert("RGB").save(tmp_path / "colour.png")
    assert reading.read(tmp_path / "colour.png", "x").tolist() == digit.reshape(-1).tolist()


def test_an_open_file(digit):
    buffer = io.BytesIO()
    Image.fromarray(digit).save(buffer, "PNG")
    buffer.seek(0)
    assert reading.read(buffer, "-").tolist() == digit.reshape(-1).tolist()


def drawing():
    """A 7 in black ink on white paper, 120 x 160."""
    picture = Image.new("L", (120, 160), 255)
    ImageDraw.Draw(picture).line([(30, 30), (90, 30), (55, 130)], fill=0, width=9)
    return picture


def test_any_size_and_polarity_becomes_the_digit(tmp_path):
    picture = drawing()
    picture.save(tmp_path / "black.png")
    ImageOps.invert(picture).save(tmp_path / "white.png")
    seven = reading.read(tmp_path / "black.png", "x").reshape(28, 28)
    assert seven.max() > 200
    assert not seven[:3].any()
    assert 3 < (seven > 127).sum(axis=1).argmax() < 12  # the bar of the 7 is on top
    other = reading.read(tmp_path / "white.png", "x").reshape(28, 28)
    assert np.corrcoef(seven.reshape(-1), other.reshape(-1))[0, 1] > 0.95


@pytest.mark.parametrize("ink", ["black", "white"])
def test_ink_on_a_transparent_sheet(tmp_path, ink):
    sheet = Image.new("RGBA", (120, 160))
    sheet.paste(ink, mask=ImageOps.invert(drawing()))
    sheet.save(tmp_path / "sheet.png")
    drawing().save(tmp_path / "paper.png")
    found, expected = (
        reading.read(tmp_path / name, "x").astype(float) for name in ("sheet.png", "paper.png")
    )
    assert np.corrcoef(found, expected)[0, 1] > 0.95


def test_dark_on_light_of_the_networks_own_size(tmp_path):
    drawing().resize((28, 28)).save(tmp_path / "small.png")
    seven = reading.read(tmp_path / "small.png", "x").reshape(28, 28)
    assert not seven[0].any()
    assert seven.max() > 200


@pytest.mark.parametrize("paper", [110, 150, 199, 240])
def test_dark_ink_on_grey_paper_of_the_networks_own_size(tmp_path, paper):
    small = np.asarray(drawing().resize((28, 28)), float) / 255
    Image.fromarray((20 + (paper - 20) * small).astype(np.uint8)).save(tmp_path / "grey.png")
    Image.fromarray((255 * small).astype(np.uint8)).save(tmp_path / "white.png")
    grey, white = (
        reading.read(tmp_path / name, "x").astype(float) for name in ("grey.png", "white.png")
    )
    assert np.corrcoef(grey, white)[0, 1] > 0.95


def test_mnist_passes_unchanged(real_mnist):
    """Each of 200 test images, to the bit."""
    for digit in mnist.load(real_mnist).test[0][:200]:
        file = io.BytesIO()
        Image.fromarray(digit.reshape(28, 28)).save(file, "PNG")
        file.seek(0)
        assert (reading.read(file, "x") == digit).all()


def moved(digit):
    return np.roll(digit, (3, -3), (0, 1))


def faint(digit):
    return digit // 3


def small(digit):
    return np.pad(np.asarray(Image.fromarray(digit).resize((16, 16))), 6)


@pytest.mark.parametrize("change", [moved, faint, small])
def test_pictures_of_28x28_with_another_layout_are_prepared(change):
    digits = synthetic.render(np.arange(10, dtype=np.uint8), np.random.default_rng(1))
    digits = [digit for digit in digits.reshape(-1, 28, 28) if has_layout_of_mnist(digit)]
    assert len(digits) > 5
    assert not any(has_layout_of_mnist(change(digit)) for digit in digits)
    alike = [
        np.corrcoef(DIGIT(change(digit)).reshape(-1), digit.reshape(-1))[0, 1] for digit in digits
    ]
    assert np.median(alike) > 0.85


@pytest.mark.parametrize("level", [0, 128, 199, 255])
def test_a_blank_picture_of_the_networks_own_size(tmp_path, level):
    Image.new("L", (28, 28), level).save(tmp_path / "blank.png")
    with pytest.raises(DataError, match="blank: no ink found"):
        reading.read(tmp_path / "blank.png", "blank")


def test_pictures_of_another_networks_size_are_taken_as_they_are(tmp_path):
    light = np.full((6, 5), 230, np.uint8)
    Image.fromarray(light).save(tmp_path / "light.png")
    taken = reading.read(tmp_path / "light.png", "light", Preparation("as_is", (6, 5)))
    assert (taken == 230).all()


def test_a_blank_sheet(tmp_path):
    Image.new("L", (300, 200), 255).save(tmp_path / "blank.png")
    with pytest.raises(DataError, match="blank: no ink found"):
        reading.read(tmp_path / "blank.png", "blank")


def test_another_size_for_another_network(tmp_path):
    Image.new("L", (30, 20), 200).save(tmp_path / "wide.png")
    taken = reading.read(tmp_path / "wide.png", "wide", Preparation("as_is", (6, 5)))
    assert taken.reshape(6, 5).tolist() == [[0] * 5] + [[200] * 5] * 3 + [[0] * 5] * 2


@pytest.mark.parametrize(
    ("side", "said"),
    [
        (10_000, "is 10000x10000 pixels, more than the allowed 64,000,000"),
        (20_000, "has more than the allowed 64,000,000 pixels"),
    ],
)
def test_far_too_many_pixels(side, said):
    """Past 89 million Pillow warns, and past twice that it raises an error of its own."""
    with pytest.raises(DataError, match=f"huge: {said}"):
        reading.read(io.BytesIO(f"P5 {side} {side} 255\n".encode()), "huge")


def test_a_jpeg_of_a_phone_with_too_many_pixels_is_decoded_small():
    """75 million pixels; a PNG of this size is refused."""
    large = drawing().resize((7500, 10_000))
    file = io.BytesIO()
    large.save(file, "JPEG")
    expected = reading.read(as_file(drawing()), "small").astype(float)
    file.seek(0)
    assert np.corrcoef(reading.read(file, "large"), expected)[0, 1] > 0.9
    file.seek(0)
    picture, [[digit]] = reading.read_many(file, "large")
    assert picture.size == (1875, 2500)
    assert np.corrcoef(digit.image.reshape(-1), expected)[0, 1] > 0.8


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_a_large_png_is_made_smaller_first(mode, monkeypatch):
    monkeypatch.setattr(reading, "LARGE", 1_000_000)
    large = drawing().resize((3000, 4000)).convert(mode)
    decoded = reading.decode(as_file(large).read(), "large")
    assert decoded.shape == (2000, 1500)
    expected = reading.read(as_file(drawing()), "small").astype(float)
    assert np.corrcoef(reading.read(as_file(large), "large"), expected)[0, 1] > 0.9


def as_file(picture, kind="PNG"):
    file = io.BytesIO()
    picture.save(file, kind)
    file.seek(0)
    return file


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_bits_of_16(bits):
    """They are those that the picture uses."""
    grey = np.asarray(drawing(), np.uint16) * ((2**bits - 1) // 255)
    file = as_file(Image.fromarray(grey))
    assert (np.abs(reading.decode(file.read(), "x") - np.asarray(drawing(), int)) <= 1).all()


def test_floating_point_numbers():
    grey = np.asarray(drawing(), np.float32) / 255
    decoded = reading.decode(as_file(Image.fromarray(grey), "TIFF").read(), "x")
    assert (np.abs(decoded - np.asarray(drawing(), int)) <= 1).all()
    broken = as_file(Image.fromarray(grey * np.nan), "TIFF")
    with pytest.raises(
        DataError, match=r"x: cannot be read as an image \(its numbers are not finite"
    ):
        reading.decode(broken.read(), "x")


def test_a_dithered_picture():
    grey = Image.fromarray(
        (140 + np.asarray(drawing()) * 0.1 - 130 * (np.asarray(drawing()) < 128)).astype(np.uint8)
    )
    found = reading.read(as_file(grey.convert("1")), "x").astype(float)
    expected = reading.read(as_file(drawing()), "x").astype(float)
    assert np.corrcoef(found, expected)[0, 1] > 0.85


def test_heic_is_named():
    data = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)
    with pytest.raises(DataError, match=r"photo: is a HEIC picture, .* convert it to JPEG"):
        reading.read(io.BytesIO(data), "photo")


def test_avif_is_read_where_pillow_can():
    if features.check("avif"):
        seven = reading.read(as_file(drawing(), "AVIF"), "x").astype(float)
        assert np.corrcoef(seven, reading.read(as_file(drawing()), "x"))[0, 1] > 0.95


def test_a_truncated_image(digit, tmp_path):
    path = tmp_path / "cut.png"
    Image.fromarray(digit).save(path)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match="cut: cannot be read as an image"):
        reading.read(path, "cut")


@pytest.mark.parametrize("content", [b"", b"hello", b"<svg/>"])
def test_no_image(tmp_path, content):
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(DataError, match="x: cannot be read as an image; give a PNG"):
        reading.read(tmp_path / "x.png", "x")


def test_a_missing_file(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        reading.read(tmp_path / "none.png", "none")


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
@pytest.mark.parametrize("factor", [1, 3])
def test_a_picture_is_reduced_in_strips_as_at_once(mode, factor):
    pixels = np.random.default_rng(0).integers(0, 256, (4 * 203, 61), dtype=np.uint8)
    picture = Image.frombytes(mode, (61, pixels.size // 61 // len(mode)), pixels.tobytes())
    reduced = reading._reduced(picture, factor)
    assert reduced.mode == mode
    assert (np.asarray(reduced) == np.asarray(picture.reduce(factor))).all()
