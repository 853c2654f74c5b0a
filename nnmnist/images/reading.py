"""Reads a user's image of a digit, or of several, into the inputs of a network."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nnmnist.errors import DataError
from nnmnist.images.preparation import DIGIT, Preparation
from nnmnist.images.prepare import WORKING_SIDE, NoInk
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
ORIENTATION = 0x0112  # the EXIF tag; 5 to 8 swap rows and columns

Notify = Callable[[str], None]


def read(file: Path | BinaryIO, name: str, preparation: Preparation = DIGIT) -> NDArray[Any]:
    """Read a picture into the inputs of a network: grey values (rows * columns,) uint8.

    Args:
        file: a path, or an open binary file.
        name: the name of the picture in errors.
        preparation: what the network was trained on.

    Raises:
        DataError: it is not a picture, or shows nothing.
    """
    grey = decode(read_bytes(file, name), name, preparation)
    with _name_errors(name):
        return preparation(grey).reshape(-1)


def decode(data: bytes, name: str, preparation: Preparation = DIGIT) -> NDArray[Any]:
    """The grey values (rows, columns) uint8 of an encoded picture.

    A large JPEG is decoded at a fraction of its size, unless pictures are taken as they are. Raises
    DataError, which calls it `name`.
    """
    return _decode(data, name, None if preparation.mode == "as_is" else 2 * WORKING_SIDE)[1]


def size(data: bytes, name: str) -> tuple[int, int]:
    """(rows, columns) of an encoded picture, without decoding it. Raises DataError."""
    with _opened(data, name) as image:
        swapped = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
        columns, rows = reversed(image.size) if swapped else image.size
        return rows, columns


def read_many(file: Path | BinaryIO, name: str) -> tuple[Image, list[list[Digit]]]:
    """Read an image of several digits: the picture, turned upright, and its lines of digits.

    Args:
        file: a path, or an open binary file.
        name: the name of the image in errors.

    Raises:
        DataError: it is not an image, or shows nothing.
    """
    picture, grey = _decode(read_bytes(file, name), name)
    with _name_errors(name):
        return picture, segment(grey)


@contextmanager
def _name_errors(name: str) -> Iterator[None]:
    """Let an error say in which picture there is no ink."""
    try:
        yield
    except NoInk as error:
        raise DataError(f"{name}: {error}") from error


def _decode(data: bytes, name: str, side: int | None = None) -> tuple[Image, NDArray[Any]]:
    """Decode a picture: turned by its EXIF orientation, opaque, with 8 bits; and its grey values.

    Of an animation, it takes the first picture. If `side` is given, a JPEG is decoded at a fraction
    of its size, with at least so many pixels on each side. The grey values are (rows, columns)
    uint8.
    """
    from PIL import ImageOps

    with _opened(data, name) as image:
        if side:
            image.draft("RGB", (side, side))
        picture = _opaque(ImageOps.exif_transpose(image))
        return picture, np.asarray(picture.convert("L"), np.uint8)


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image]:
    """The picture in some bytes, not decoded yet. Any error in the block becomes a DataError."""
    from PIL import Image, UnidentifiedImageError

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
                yield image
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


def read_bytes(file: Path | BinaryIO, name: str) -> bytes:
    """The content of an encoded picture, which errors call `name`. Raises DataError."""
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
