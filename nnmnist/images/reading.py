"""Reads a user's image of a digit, or of several, into the inputs of a network."""

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
from nnmnist.images.prepare import SIDE, WORKING_SIDE, NoInk, prepare
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
# Pillow starts another program for some formats, such as EPS; they are not allowed.
FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
MAX_BYTES = 50_000_000
MAX_PIXELS = 64_000_000
# An image whose border has this grey value or more is not in the format of MNIST.
LIGHT_BORDER = 200


def read(file: Path | BinaryIO, name: str, shape: tuple[int, int] = (SIDE, SIDE)) -> NDArray[Any]:
    """Read an image of one digit: grey values (rows * columns,) uint8, white on black.

    An image of the network's size is not changed; at 28x28 this holds only if it is light on dark.
    For networks that read 28x28, `prepare` turns all others into the format of MNIST.

    Args:
        file: a path, or an open binary file.
        name: the name of the image in errors.
        shape: (rows, columns) of the network's images.

    Raises:
        DataError: it is not an image, shows nothing, or has a size that the network cannot take.
    """
    takes_mnist = shape == (SIDE, SIDE)
    _, grey = _decode(file, name, 2 * WORKING_SIDE if takes_mnist else None)
    if grey.shape == shape and (not takes_mnist or _is_light_on_dark(grey)):
        return grey.reshape(-1)
    if not takes_mnist:
        (height, width), (rows, columns) = grey.shape, shape
        raise DataError(f"{name}: is {width}x{height} pixels; the network takes {columns}x{rows}")
    with _name_errors(name):
        return prepare(grey).reshape(-1)


def read_many(file: Path | BinaryIO, name: str) -> tuple[Image, list[list[Digit]]]:
    """Read an image of several digits: the picture, turned upright, and its lines of digits.

    Args:
        file: a path, or an open binary file.
        name: the name of the image in errors.

    Raises:
        DataError: it is not an image, or shows nothing.
    """
    picture, grey = _decode(file, name)
    with _name_errors(name):
        return picture, segment(grey)


def _is_light_on_dark(grey: NDArray[Any]) -> bool:
    """Whether the border is closer to the darkest pixel than to the lightest, and not light."""
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    return bool(np.median(border) < min(LIGHT_BORDER, (int(grey.min()) + int(grey.max())) / 2))


@contextmanager
def _name_errors(name: str) -> Iterator[None]:
    """Let an error say in which picture there is no ink."""
    try:
        yield
    except NoInk as error:
        raise DataError(f"{name}: {error}") from error


def _decode(
    file: Path | BinaryIO, name: str, side: int | None = None
) -> tuple[Image, NDArray[Any]]:
    """Decode a picture: turned by its EXIF orientation, opaque, with 8 bits; and its grey values.

    Of an animation, it takes the first picture. If `side` is given, a JPEG is decoded at a fraction
    of its size, with at least so many pixels on each side. The grey values are (rows, columns)
    uint8.
    """
    from PIL import Image, ImageOps, UnidentifiedImageError

    data = _read_bytes(file, name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                width, height = image.size
                if width * height > MAX_PIXELS:
                    raise DataError(
                        f"{name}: is {width}x{height} pixels, more than the allowed "
                        f"{MAX_PIXELS:,}; make it smaller"
                    )
                if side:
                    image.draft("RGB", (side, side))
                picture = _opaque(ImageOps.exif_transpose(image))
                return picture, np.asarray(picture.convert("L"), np.uint8)
    except DataError:
        raise
    # Pillow itself refuses huge images, without their size.
    except Image.DecompressionBombError as error:
        raise DataError(
            f"{name}: has more than the allowed {MAX_PIXELS:,} pixels; make it smaller"
        ) from error
    # For damaged files, the decoders raise a dozen different types.
    except Exception as error:
        words = str(error)[:100] or type(error).__name__
        reason = "" if isinstance(error, UnidentifiedImageError) else f" ({words})"
        raise DataError(
            f"{name}: cannot be read as an image{reason}; give a PNG, JPEG, GIF, BMP, TIFF, PGM or "
            "WebP"
        ) from error


def _read_bytes(file: Path | BinaryIO, name: str) -> bytes:
    try:
        if isinstance(file, Path):
            with file.open("rb") as opened:
                data = opened.read(MAX_BYTES + 1)
        else:
            data = file.read(MAX_BYTES + 1)
    # A null character in the path raises ValueError.
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{name}: cannot be read: {reason}") from error
    if len(data) > MAX_BYTES:
        raise DataError(
            f"{name}: larger than {MAX_BYTES:,} bytes, much more than a picture of a digit needs"
        )
    return data


def _opaque(image: Image) -> Image:
    """An image of any mode as a person sees it: opaque, with 8 bits.

    Transparent pixels become a background that contrasts with the visible ones, because some images
    contain only the ink.
    """
    from PIL import Image

    if image.mode == "F":
        raise ValueError("pixels are floating-point numbers; save it with 8 or 16 bits")
    if image.mode.startswith("I"):
        # 16 bits per pixel, in some versions of Pillow in a 32-bit mode. Pillow's own conversion
        # would clip at 255.
        return Image.fromarray(np.clip(np.asarray(image) >> 8, 0, 255).astype(np.uint8))
    if image.has_transparency_data:
        image = image.convert("RGBA")
        background = Image.new("RGBA", image.size, "white" if _is_dark(image) else "black")
        image = Image.alpha_composite(background, image)
    return image


def _is_dark(image: Image) -> bool:
    """Whether the visible pixels of an RGBA image are dark, weighted by their opacity."""
    # A sample of a large image is enough.
    step = 1 + max(image.size) // 1000
    colours = np.asarray(image)[::step, ::step].reshape(-1, 4).astype(np.float64)
    opacity = colours[:, 3]
    total = opacity.sum() or 1.0
    return bool((colours[:, :3].mean(axis=1) * opacity).sum() / total < 128)
