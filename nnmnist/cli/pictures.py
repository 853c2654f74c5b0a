"""PNG files that commands write for a user."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnmnist.cli.options import require_output
from nnmnist.data.distort import Distortion
from nnmnist.data.examples import PIXEL, Source
from nnmnist.errors import DataError
from nnmnist.files import write_atomic
from nnmnist.types import Array

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[int, int, int, int]  # left, top, width, height

COLUMNS = 16  # digits in a row of a sheet
ENLARGEMENT = 2  # of a sheet
# Colours of a certain and an uncertain prediction, which can be read on paper.
CERTAIN, UNCERTAIN = (0, 130, 60), (200, 60, 0)


def save_png(path: Path, picture: Image, optimize: bool = False) -> None:
    """Write a picture as a PNG file, whole or not at all; `optimize` makes the file smaller."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=optimize)
    write_atomic(path, buffer.getvalue())


class PreparedImages:
    """A folder with the images that a network took, one PNG file each, named like the image."""

    def __init__(self, folder: Path, force: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.force = force
        self.names: set[str] = set()

    def save(self, pixels: Array, name: str, suffix: str = "") -> None:
        """Write one image.

        Args:
            pixels: (rows, columns) uint8.
            name: the file that the image came from.
            suffix: which digit of that file it is.
        """
        from PIL import Image

        stem = (re.sub(r"\W+", "-", Path(name).stem).strip("-") or "stdin") + suffix
        unique, n = stem, 1
        # an image of the same name may come from another folder
        while unique in self.names:
            n += 1
            unique = f"{stem}-{n}"
        self.names.add(unique)
        path = self.folder / f"{unique}.png"
        require_output(path, [".png"], self.force)
        save_png(path, Image.fromarray(pixels))


def annotate(picture: Image, predictions: Sequence[tuple[Box, str]]) -> Image:
    """A copy of `picture` with a box around each digit and its prediction above the box."""
    from PIL import ImageDraw, ImageFont

    picture = picture.convert("RGB")
    draw = ImageDraw.Draw(picture)
    height = float(np.median([box[3] for box, _ in predictions]))
    line = max(1, round(height / 30))
    font = ImageFont.load_default(max(10.0, height / 2.5))
    for (left, top, width, tall), prediction in predictions:
        colour = UNCERTAIN if prediction == "?" else CERTAIN
        right, bottom = left + width + line - 1, top + tall + line - 1
        draw.rectangle((left - line, top - line, right, bottom), None, colour, line)
        position = (left + width / 2, max(top - 2 * line, height / 2.5))
        outline: dict[str, Any] = {"stroke_width": line, "stroke_fill": "white"}
        draw.text(position, prediction, colour, font, "mb", **outline)
    return picture


def sheet(source: Source, distortion: Mapping[str, Any] | None = None) -> Image:
    """A picture with one row of training images per class.

    Args:
        source: the data.
        distortion: the settings `data.distort`. With them, a row shows the first image of the class
            and distorted copies of it.

    Raises:
        DataError: the inputs of the data are not images.
    """
    if source.image_shape is None:
        raise DataError(f"--data {source.name}: its inputs are not images")
    from PIL import Image

    inputs, labels = source.train
    distort = Distortion(source.image_shape, **distortion) if distortion else None
    rows = []
    for label in range(len(source.classes)):
        images = inputs[labels == label][:COLUMNS]
        if distort and len(images):
            images = _distorted_copies(images[0], label, distort)
        row = np.zeros((COLUMNS, *source.image_shape), np.uint8)
        row[: len(images)] = images.reshape(-1, *source.image_shape)
        rows.append(np.hstack(list(row)))
    pixels = np.vstack(rows).repeat(ENLARGEMENT, axis=0).repeat(ENLARGEMENT, axis=1)
    return Image.fromarray(255 - pixels)


def _distorted_copies(image: Array, label: int, distort: Distortion) -> Array:
    """(COLUMNS, n_inputs) uint8: the image, then distorted copies of it."""
    images = np.repeat(image[None], COLUMNS, axis=0)
    distorted = np.empty(images.shape, np.float32)
    labels = np.full(COLUMNS - 1, label)
    distort(images[1:], labels, np.random.default_rng(label), distorted[1:])
    images[1:] = np.rint(distorted[1:] / PIXEL)
    return images
