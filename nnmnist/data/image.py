"""A person's own image of a digit, as the network takes it."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nnmnist.errors import DataError

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}


def read(file: Path | BinaryIO, name: str, shape: tuple[int, int] = (28, 28)) -> NDArray[Any]:
    """Grey values (rows * columns,) uint8 of an image that has the network's size already, white on black.

    Args:
        file: a path, or an open binary file.
        name: what to call it in an error.
        shape: (rows, columns).

    Raises:
        DataError: it is no image, or has another size.
    """
    from PIL import Image, UnidentifiedImageError

    rows, columns = shape
    try:
        data = file.read_bytes() if isinstance(file, Path) else file.read()
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as image:
                if image.size != (columns, rows):
                    width, height = image.size
                    raise DataError(f"{name}: is {width}x{height} pixels; the network takes {columns}x{rows}")
                return np.asarray(image.convert("L"), np.uint8).reshape(-1)
    except OSError as error:
        if isinstance(error, UnidentifiedImageError) or error.strerror is None:
            raise DataError(
                f"{name}: not an image that can be read; give a PNG, JPEG, GIF, BMP, TIFF or PGM"
            ) from None
        raise DataError(f"{name}: cannot be read: {error.strerror}") from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError, ValueError, SyntaxError) as error:
        raise DataError(f"{name}: not an image that can be read: {error}") from None
