"""Reads a user's image of a digit, or of several, into the inputs of a network."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nnmnist.errors import DataError
from nnmnist.images.preparation import DIGIT, Preparation
from nnmnist.images.prepare import WORKING_SIDE, NoInk
from nnmnist.images.segment import WORKING_SIDE as MANY_SIDE
from nnmnist.images.segment import Digit, count, segment
from nnmnist.images.touching import Score

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = {
    ".avif",
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
# The brands of HEIC files, which Pillow does not read.
HEIC = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
MAX_BYTES = 50_000_000
MAX_PIXELS = 64_000_000  # after a JPEG is decoded at a fraction of its size
# Other pictures of more pixels than this are made smaller before anything else.
LARGE = 16_000_000
STRIP = 64  # rows of a smaller picture that are computed at a time
# A picture of two values is dithered if more than this fraction of neighbours differ.
DITHERED = 0.25
ORIENTATION = 0x0112  # the EXIF tag; 5 to 8 swap rows and columns

Notify = Callable[[str], None]


def read(
    file: Path | BinaryIO,
    name: str,
    preparation: Preparation = DIGIT,
    notify: Notify | None = None,
) -> NDArray[Any]:
    """Read a picture into the inputs of a network: grey values (rows * columns,) uint8.

    Args:
        file: a path, or an open binary file.
        name: the name of the picture in errors.
        preparation: what the network was trained on.
        notify: told, if a digit is wanted, how many a picture of several shows.

    Raises:
        DataError: it is not a picture, or shows nothing.
    """
    return _inputs(decode(read_bytes(file, name), name, preparation), name, preparation, notify)


def take(
    picture: Image | ArrayLike,
    name: str,
    preparation: Preparation = DIGIT,
    notify: Notify | None = None,
) -> NDArray[Any]:
    """The same as `read`, for a picture in memory, which stays as it is.

    Args:
        picture: a Pillow image; or an array (rows, columns), or (rows, columns, 3 or 4) in colour,
            of integers from 0 to 255, or of numbers from 0 to 1.
        name: as in `read`.
        preparation: as in `read`.
        notify: as in `read`.

    Raises:
        ValueError: it is an array of another kind; the message says what is expected.
        DataError: it is damaged, or shows nothing.
    """
    from PIL import Image

    if not isinstance(picture, Image.Image):
        picture = Image.fromarray(_as_bytes(np.asarray(picture), name))
    try:
        _, grey = _to_grey(picture.copy(), _side(preparation))
    except Exception as error:  # the decoders raise a dozen different types
        raise DataError(f"{name}: {_reason(b'', error)}") from error
    return _inputs(grey, name, preparation, notify)


def _inputs(
    grey: NDArray[Any], name: str, preparation: Preparation, notify: Notify | None
) -> NDArray[Any]:
    """What `read` returns, for grey values (rows, columns) uint8."""
    with _name_errors(name):
        image = preparation(grey)
    # A picture that was taken as it is shows one digit.
    if notify and preparation.mode == "digit" and image is not grey and (n := count(grey)) > 1:
        notify(f"{name}: shows {n} digits; `nnmnist predict --many` reads them")
    return image.reshape(-1)


def _as_bytes(picture: NDArray[Any], name: str) -> NDArray[Any]:
    """The array of `take` as uint8. Raises ValueError."""
    kind, shape = picture.dtype.kind, picture.shape
    if picture.size == 0 or (len(shape) != 2 and (len(shape) != 3 or shape[2] not in (3, 4))):
        raise ValueError(
            f"{name} has the shape {shape}; expected (rows, columns), or (rows, columns, 3 or 4)"
        )
    if kind not in "biuf":
        raise ValueError(f"{name} has the data type {picture.dtype}; expected numbers")
    low, high, most = picture.min(), picture.max(), 255 if kind in "iu" else 1
    # A value that is not a number fails this, too.
    if not 0 <= low <= high <= most:
        raise ValueError(
            f"{name} has values from {low} to {high}; expected integers from 0 to 255, or numbers "
            "from 0 to 1"
        )
    return picture.astype(np.uint8) if most == 255 else np.rint(picture * 255.0).astype(np.uint8)


def decode(data: bytes, name: str, preparation: Preparation = DIGIT) -> NDArray[Any]:
    """The grey values (rows, columns) uint8 of an encoded picture.

    A large JPEG is decoded at a fraction of its size, unless pictures are taken as they are. Raises
    DataError, which calls it `name`.
    """
    return _decode(data, name, _side(preparation))[1]


def _side(preparation: Preparation) -> int | None:
    """The least side in pixels of a picture that is made smaller first; None takes all pixels."""
    return None if preparation.mode == "as_is" else 2 * WORKING_SIDE


def size(data: bytes, name: str) -> tuple[int, int]:
    """(rows, columns) of an encoded picture, without decoding it. Raises DataError."""
    with _opened(data, name) as image:
        columns, rows = image.size
        # Pillow decodes some pictures to find their orientation, which takes long.
        if columns != rows and image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8):
            return columns, rows
        return rows, columns


def read_many(
    file: Path | BinaryIO, name: str, score: Score | None = None
) -> tuple[Image, list[list[Digit]]]:
    """Read an image of several digits: the picture, turned upright, and its lines of digits.

    Args:
        file: a path, or an open binary file.
        name: the name of the image in errors.
        score: how sure the network is of images; see `segment`.

    Raises:
        DataError: it is not an image, or shows nothing.
    """
    picture, grey = _decode(read_bytes(file, name), name, many=True)
    with _name_errors(name):
        return picture, segment(grey, score)


def turn_left(
    picture: Image, quarters: int, score: Score | None = None
) -> tuple[Image, list[list[Digit]]]:
    """A picture of `read_many`, turned to the left by so many quarters, and its lines of digits."""
    picture = picture.rotate(90 * quarters, expand=True)
    return picture, segment(np.asarray(picture.convert("L"), np.uint8), score)


@contextmanager
def _name_errors(name: str) -> Iterator[None]:
    """Let an error say in which picture there is no ink."""
    try:
        yield
    except NoInk as error:
        raise DataError(f"{name}: {error}") from error


def _decode(
    data: bytes, name: str, side: int | None = None, many: bool = False
) -> tuple[Image, NDArray[Any]]:
    """Decode a picture: turned by its EXIF orientation, opaque, with 8 bits; and its grey values.

    Of an animation, it takes the first picture.

    Args:
        data: the encoded picture.
        name: its name in errors.
        side: if given, a JPEG is decoded at a fraction of its size, with at least so many pixels on
            each side, and another large picture is made smaller.
        many: decode a JPEG at a fraction of its size only if it is too large otherwise.

    Returns:
        The picture, and its grey values (rows, columns) uint8.
    """
    with _opened(data, name, MANY_SIDE if many else side, only_large=many) as image:
        return _to_grey(image, side, many)


def _to_grey(
    image: Image, side: int | None = None, many: bool = False
) -> tuple[Image, NDArray[Any]]:
    """What `_decode` returns, of an image that is open; it may be changed."""
    from PIL import ImageFilter, ImageOps

    if side and image.mode in ("L", "LA", "RGB", "RGBA") and image.width * image.height > LARGE:
        image = _reduced(image, max(1, min(image.size) // (2 * side)))
    ImageOps.exif_transpose(image, in_place=True)
    if image.mode == "1" and (side or many) and _is_dithered(np.asarray(image)):
        image = image.convert("L").filter(ImageFilter.GaussianBlur(1.5))
    picture = _opaque(image)
    return picture, np.asarray(picture.convert("L"), np.uint8)


def _reduced(image: Image, factor: int) -> Image:
    """An image made smaller by a whole factor, strip by strip.

    Pillow copies all of an image with transparency before it makes it smaller.
    """
    from PIL import Image

    width, height = image.size
    small = Image.new(image.mode, (-(-width // factor), -(-height // factor)))
    for row in range(0, small.height, STRIP):
        strip = image.crop((0, row * factor, width, min((row + STRIP) * factor, height)))
        small.paste(strip.reduce(factor), (0, row))
    return small


@contextmanager
def _opened(
    data: bytes, name: str, side: int | None = None, only_large: bool = False
) -> Iterator[Image]:
    """The picture in some bytes, not decoded yet. Any error in the block becomes a DataError.

    If `side` is given, a JPEG will be decoded at a fraction of its size, with at least so many
    pixels on each side; with `only_large`, only one of more than MAX_PIXELS.
    """
    from PIL import Image, features

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            formats = [*FORMATS, *(["AVIF"] if features.check("avif") else [])]
            with Image.open(io.BytesIO(data), formats=formats) as image:
                if side and not (only_large and image.width * image.height <= MAX_PIXELS):
                    image.draft("RGB", (side, side))
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
        raise DataError(f"{name}: {_reason(data, error)}") from error


def _reason(data: bytes, error: Exception) -> str:
    """Why some bytes cannot be decoded, and what to do."""
    from PIL import UnidentifiedImageError

    if data[4:8] == b"ftyp" and data[8:12] in HEIC:
        return (
            "is a HEIC picture, which cannot be read; convert it to JPEG (macOS: sips -s format "
            "jpeg FILE --out FILE.jpg; Linux: heif-convert FILE FILE.jpg)"
        )
    words = str(error)[:100] or type(error).__name__
    reason = "" if isinstance(error, UnidentifiedImageError) else f" ({words})"
    return (
        f"cannot be read as an image{reason}; give a PNG, JPEG, GIF, BMP, TIFF, PGM, WebP or AVIF"
    )


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

    if image.mode == "F" or image.mode.startswith("I"):
        # Pillow's own conversion would clip at 255.
        return Image.fromarray(_to_bytes(np.asarray(image)))
    if image.has_transparency_data:
        visible = image if image.mode == "RGBA" else image.convert("RGBA")
        image = Image.new("RGB", image.size, "white" if _is_dark(visible) else "black")
        image.paste(visible, mask=visible)
    return image


def _to_bytes(values: NDArray[Any]) -> NDArray[Any]:
    """Grey values of 16 bits, or floating-point numbers, as 8 bits.

    Integers keep the highest 8 of the bits that the picture uses: many cameras use 12 of 16. The
    largest floating-point number becomes 255.
    """
    most = values.max()
    if values.dtype.kind == "f":
        if not (np.isfinite(values).all() and most > 0):
            raise ValueError("its numbers are not finite, or not positive")
        return (np.clip(values, 0, None) * (255 / most)).astype(np.uint8)
    return np.clip(values >> max(0, int(most).bit_length() - 8), 0, 255).astype(np.uint8)


def _is_dithered(pixels: NDArray[Any]) -> bool:
    """Whether a picture (rows, columns) bool shows grey as a pattern of dots."""
    if min(pixels.shape) < 64:
        return False
    return bool(np.mean(pixels[:, 1:] != pixels[:, :-1]) > DITHERED)


def _is_dark(image: Image) -> bool:
    """Whether the visible pixels of an RGBA image are dark, weighted by their opacity."""
    # A sample of a large image is enough.
    step = 1 + max(image.size) // 1000
    sample = image.resize((-(-image.width // step), -(-image.height // step)), resample=0)
    colours = np.asarray(sample).reshape(-1, 4).astype(np.float64)
    opacity = colours[:, 3]
    total = opacity.sum() or 1.0
    return bool((colours[:, :3].mean(axis=1) * opacity).sum() / total < 128)
