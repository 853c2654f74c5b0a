"""`predict` answers each file with a prediction or a one-line error, whatever the others are."""

import io
import os
import random
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnmnist import checkpoint
from nnmnist.errors import DataError
from nnmnist.images import reading
from nnmnist.model.network import Network

from .support import assert_one_line, counts, nnmnist, posix, raised

DIGIT = np.pad(np.random.default_rng(0).integers(0, 256, (26, 26)).astype(np.uint8), 1)


def encoded(picture, kind="PNG", **settings):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **settings)
    return buffer.getvalue()


def png_of_size(width, height):
    """Return a PNG that declares a size but has almost no content."""

    def chunk(name, content):
        return (
            struct.pack(">I", len(content))
            + name
            + content
            + struct.pack(">I", zlib.crc32(name + content))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(1 << 20))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")
    )


def text_bomb():
    """Return a small PNG with a comment that unpacks to 100 MB."""
    content = b"comment\0\0" + zlib.compress(bytes(100_000_000))
    chunk = (
        struct.pack(">I", len(content))
        + b"zTXt"
        + content
        + struct.pack(">I", zlib.crc32(b"zTXt" + content))
    )
    data = encoded(Image.fromarray(DIGIT))
    return data[:33] + chunk + data[33:]


GREY = Image.fromarray(DIGIT)
SIDEWAYS = Image.Exif()
SIDEWAYS[0x0112] = 6  # rotate by 90 degrees clockwise
READABLE = {
    "16-bit.png": encoded(Image.fromarray(DIGIT.astype(np.uint16) * 257)),
    "16-bit.pgm": b"P5 28 28 65535\n" + (DIGIT.astype(">u2") * 257).tobytes(),
    "16-bit.tif": encoded(Image.fromarray(DIGIT.astype(np.uint16) * 257), "TIFF"),
    "cmyk.tif": encoded(
        Image.merge("CMYK", [Image.new("L", (28, 28))] * 3 + [Image.fromarray(255 - DIGIT)]), "TIFF"
    ),
    "palette.png": encoded(GREY.convert("P")),
    "palette.gif": encoded(GREY, "GIF"),
    "opaque.png": encoded(GREY.convert("RGBA")),
    "alpha.png": encoded(Image.merge("LA", [Image.new("L", (28, 28), 255), GREY])),
    "animated.gif": encoded(
        GREY, "GIF", save_all=True, append_images=[Image.new("L", (28, 28))] * 3
    ),
    "animated.png": encoded(GREY, save_all=True, append_images=[Image.new("L", (28, 28))] * 3),
    "wrong-ending.jpg": encoded(GREY),
    "no-ending": encoded(GREY, "BMP"),
    "turned.png": encoded(GREY.transpose(Image.Transpose.ROTATE_90), exif=SIDEWAYS),
    "white.ppm": encoded(GREY.convert("RGB"), "PPM"),
}
UNREADABLE = {
    "truncated.png": encoded(GREY)[:200],
    "truncated.gif": encoded(GREY, "GIF")[:60],
    "truncated.jpg": encoded(GREY, "JPEG")[:300],
    "truncated.tif": encoded(GREY, "TIFF")[:200],
    "empty.png": b"",
    "zero-sized.png": png_of_size(0, 0),
    "bomb.png": png_of_size(30_000, 30_000),
    "smaller-bomb.png": png_of_size(9_000, 9_000),
    "declared-but-absent.png": png_of_size(28, 28)[:50],
    "text-bomb.png": text_bomb(),
    "floating.tif": encoded(Image.fromarray(DIGIT.astype(np.float32)), "TIFF"),
    "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="28" height="28"/>',
    "text.png": b"seven\n",
    "page.png": b"<!DOCTYPE html><title>404</title>",
    "postscript.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 "
    b"28\n%%EndComments\nshowpage\n%%EOF\n",
    "vector.wmf": b"\xd7\xcd\xc6\x9a" + bytes(100),
}


@pytest.fixture
def trained():
    network = Network((784, 10))
    network.theta[:] = np.random.default_rng(1).normal(size=network.theta.size)
    checkpoint.save("net.npz", network, list("0123456789"), {"image_shape": [28, 28]})
    return "net.npz"


@pytest.mark.parametrize("name", READABLE)
def test_every_image_format_gives_the_same_pixels(name):
    """Up to the rounding of colours."""
    found = reading.read(io.BytesIO(READABLE[name]), name).reshape(28, 28).astype(int)
    assert np.abs(found - DIGIT).max() <= 1


def test_unreadable_files_are_named_and_the_others_are_read(trained):
    for name, content in {**READABLE, **UNREADABLE}.items():
        Path(name).write_bytes(content)
    names = sorted({**READABLE, **UNREADABLE}, key=lambda name: zlib.crc32(name.encode()))
    result = nnmnist("predict", trained, *names, "gone.png")
    assert result.exit_code == 1
    assert [line.split(":")[0] for line in result.stdout.splitlines()] == [
        n for n in names if n in READABLE
    ]
    errors = result.stderr.splitlines(keepends=True)
    for name, line in zip(
        [*(name for name in names if name in UNREADABLE), "gone.png"], errors, strict=True
    ):
        assert_one_line(line)
        assert line.startswith(f"Error: {name}: ")
    assert nnmnist("predict", trained, *READABLE).exit_code == 0


@posix
def test_paths_that_are_not_images(trained):
    Path("good.png").write_bytes(READABLE["opaque.png"])
    Path("endless.png").symlink_to("/dev/zero")
    Path("folder").mkdir()
    Path("loop.png").symlink_to("loop.png")
    names = ["endless.png", "folder", "loop.png", "x" * 5000, "a\0b", "\x1b[2J.png", "good.png"]
    result = nnmnist("predict", trained, *names)
    assert result.exit_code == 1
    assert result.stdout.startswith("good.png: ")
    assert len(result.stdout.splitlines()) == 1
    errors = result.stderr.splitlines(keepends=True)
    assert len(errors) == len(names) - 1
    for line in errors:
        assert_one_line(line)


@posix
def test_a_folder_that_cannot_be_listed(trained, monkeypatch):
    """Simulated, because root may list every folder."""
    Path("good.png").write_bytes(READABLE["opaque.png"])
    Path("closed").mkdir()

    def refuse(folder):
        raise PermissionError(13, "Permission denied", str(folder))

    monkeypatch.setattr(os, "scandir", refuse)
    result = nnmnist("predict", trained, "closed", "good.png")
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: closed: cannot be read: Permission denied\n",
    )
    assert result.stdout.startswith("good.png: ")


@pytest.mark.skipif(os.name != "posix", reason="only POSIX has file names that are not text")
def test_a_file_name_that_is_not_text(trained):
    name = os.fsdecode(b"\xff.png")
    Path(name).write_bytes(READABLE["opaque.png"])
    assert nnmnist("predict", trained, name).stdout.startswith("\\udcff.png: ")
    assert nnmnist("predict", trained, name, "--json").exit_code == 0


@counts(quick=300, slow=5000)
def test_a_damaged_image_is_read_or_refused(count):
    rng, kinds = random.Random(6), list(READABLE.items())
    refused = 0
    for _ in range(count):
        name, content = rng.choice(kinds)
        damaged = bytearray(content)
        for _ in range(rng.choice([1, 3, 20])):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        size = rng.choice([len(damaged), rng.randrange(len(damaged))])
        error = raised(DataError, reading.read, io.BytesIO(damaged[:size]), name)
        refused += error is not None
        assert error is None or (str(error).startswith(f"{name}: ") and str(error).isprintable())
    assert refused > count / 4
