"""A person's own image of a digit, or of several, as the network takes it."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nnmnist.errors import DataError
from nnmnist.images.prepare import SIDE, WORK, NoInk, prepare
from nnmnist.images.segment import Digit, segment

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = {
    ".bmp",
    ".gif",
    ".jpeg",
    ".jpg",
    ".pbm",
    ".pgm",
    ".png",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
}
# none that starts a program, as EPS does
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MAX_BYTES = 50_000_000
MAX_PIXELS = 64_000_000
# a border of this grey value or above: no digit of MNIST's kind, even at the network's own size
LIGHT = 200


def read(file: Path | BinaryIO, name: str, shape: tuple[int, int] = (SIDE, SIDE)) -> NDArray[Any]:
    """Grey values (rows * columns,) uint8, white on black, of an image as the network takes it.

    An image of the network's size is taken as it is, at 28x28 only if it is light on dark. All others are made
    what MNIST's digits are by `prepare`, for networks that read 28x28.

    Args:
        file: a path, or an open binary file.
        name: what to call it in an error.
        shape: (rows, columns).

    Raises:
        DataError: it is no image, shows nothing, or has another size than a network takes that reads no 28x28.
    """
    mnists = shape == (SIDE, SIDE)
    _, grey = _decode(file, name, 2 * WORK if mnists else None)
    if grey.shape == shape and (not mnists or _light_on_dark(grey)):
        return grey.reshape(-1)
    if not mnists:
        (height, width), (rows, columns) = grey.shape, shape
        raise DataError(f"{name}: is {width}x{height} pixels; the network takes {columns}x{rows}")
    with _named(name):
        return prepare(grey).reshape(-1)


def read_many(file: Path | BinaryIO, name: str) -> tuple[Image, list[list[Digit]]]:
    """A picture with several digits, turned as it is to be seen, and its lines of digits.

    Args:
        file: a path, or an open binary file.
        name: what to call it in an error.

    Raises:
        DataError: it is no image, or shows nothing.
    """
    picture, grey = _decode(file, name)
    with _named(name):
        return picture, segment(grey)


def _light_on_dark(grey: NDArray[Any]) -> bool:
    """Whether the border is nearer to the darkest pixel than to the lightest, and not light itself."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return bool(np.median(border) < min(LIGHT, (int(grey.min()) + int(grey.max())) / 2))


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Says in which picture there is no ink."""
    try:
        yield
    except NoInk as error:
        raise DataError(f"{name}: {error}") from error


def _decode(
    file: Path | BinaryIO, name: str, side: int | None = None
) -> tuple[Image, NDArray[Any]]:
    """The picture, turned as its EXIF orientation says, opaque, with 8 bits; its grey values (rows, columns) uint8.

    Of an animation the first picture counts. A JPEG comes at a fraction of its size where no more than `side`
    pixels are wanted.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    data = _bytes(file, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise DataError(
                        f"{name}: is {width}x{height} pixels, more than the {MAX_PIXELS:,} that are read"
                    )
                if side:
                    image.draft("RGB", (side, side))
                picture = _plain(ImageOps.exif_transpose(image))
                return picture, np.asarray(picture.convert("L"), np.uint8)
    except DataError:
        raise
    except Image.DecompressionBombError as error:  # it does not say how many
        raise DataError(
            f"{name}: has more than {MAX_PIXELS:,} pixels, which are not read"
        ) from error
    except Exception as error:  # on damaged files the decoders raise a dozen types
        reason = "" if isinstance(error, UnidentifiedImageError) else f" ({error!r:.100})"
        raise DataError(
            f"{name}: not an image that can be read{reason}; give a PNG, JPEG, GIF, BMP, TIFF, PGM or WebP"
        ) from error


def _bytes(file: Path | BinaryIO, name: str) -> bytes:
    try:
        if isinstance(file, Path):
            with file.open("rb") as opened:
                data = opened.read(MAX_BYTES + 1)
        else:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{name}: cannot be read: {reason}") from error
    if len(data) > MAX_BYTES:
        raise DataError(
            f"{name}: larger than {MAX_BYTES:,} bytes, far more than a picture of a digit needs"
        )
    return data


def _plain(image: Image) -> Image:
    """An image of any mode as it is to be seen: opaque, with 8 bits."""
    from PIL import Image

    if image.mode == "F":
        raise ValueError("pixels are floating-point numbers; save it with 8 or 16 bits")
    # 16 bits, in some versions in a 32-bit mode; Pillow would cut at 255
    if image.mode.startswith("I"):
        return Image.fromarray(np.clip(np.asarray(image) >> 8, 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        step = 1 + max(image.size) // 1000  # of the many pixels of a large picture, some say enough
        colours = np.asarray(image)[::step, ::step].reshape(-1, 4).astype(np.float64)
        seen = colours[:, 3].sum() or 1.0
        dark = (
            colours[:, :3].mean(axis=1) * colours[:, 3]
        ).sum() / seen < 128  # ink of which only itself is there
        paper = Image.new("RGBA", image.size, "white" if dark else "black")
        image = Image.alpha_composite(paper, image)
    return image
