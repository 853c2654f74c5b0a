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
from nnmnist.errors import DataError, printable
from nnmnist.files import write_atomic
from nnmnist.types import Array

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[int, int, int, int]  # left, top, width, height

# A sheet: images in a row, rows below each other at most, and characters of a name;
COLUMNS, MAX_ROWS, MAX_NAME = 10, 24, 30
# pixels between images, of a row at least, and of letters; the grey value between images.
GAP, ROW, FONT, PAPER = 3, 56, 14, 225
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
    """A picture with one row of training images per class, and the names of the classes.

    Args:
        source: the data.
        distortion: the settings `data.distort`. With them, a row shows the first image of the class
            and distorted copies of it.

    Raises:
        DataError: the inputs of the data are not images.
    """
    if source.image_shape is None:
        raise DataError(f"--data {source.name}: its inputs are not images")
    from PIL import Image, ImageDraw, ImageFont

    inputs, labels = source.train
    distort = Distortion(source.image_shape, **distortion) if distortion else None
    # The font of Pillow has only ASCII characters.
    names = [
        printable(name, MAX_NAME) if name.isascii() else f"#{label}"
        for label, name in enumerate(source.classes)
    ]
    font = ImageFont.load_default(FONT)
    scale = max(1, -(-ROW // source.image_shape[0]))  # small images are enlarged
    height, width = (scale * side + GAP for side in source.image_shape)
    left = 3 * GAP + max(round(font.getlength(name)) for name in names)
    n_rows = -(-len(names) // -(-len(names) // MAX_ROWS))
    n_blocks = -(-len(names) // n_rows)  # many classes stand side by side
    block = left + COLUMNS * width
    is_dark_on_light = source.preparation and source.preparation.background == 255
    picture = Image.new("L", (n_blocks * block, n_rows * height + GAP), PAPER)
    draw = ImageDraw.Draw(picture)
    for label, name in enumerate(names):
        images = inputs[labels == label][:COLUMNS]
        if distort and len(images):
            images = _distorted_copies(images[0], label, distort)
        x, y = label // n_rows * block + left, label % n_rows * height + GAP
        draw.text((x - 2 * GAP, y + height / 2), name, 0, font, "rm")
        for image in (images if is_dark_on_light else 255 - images).reshape(
            -1, *source.image_shape
        ):
            pixels = image.repeat(scale, axis=0).repeat(scale, axis=1)
            picture.paste(Image.fromarray(pixels), (x, y))
            x += width
    return picture


def _distorted_copies(image: Array, label: int, distort: Distortion) -> Array:
    """(COLUMNS, n_inputs) uint8: the image, then distorted copies of it."""
    images = np.repeat(image[None], COLUMNS, axis=0)
    distorted = np.empty(images.shape, np.float32)
    labels = np.full(COLUMNS - 1, label)
    distort(images[1:], labels, np.random.default_rng(label), distorted[1:])
    images[1:] = np.rint(distorted[1:] / PIXEL)
    return images
