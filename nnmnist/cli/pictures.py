"""Pictures that a user names, and pictures written for a user."""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from nnmnist.cli.options import require_output
from nnmnist.errors import DataError, printable
from nnmnist.files import write_atomic
from nnmnist.images import reading

if TYPE_CHECKING:
    from PIL.Image import Image

Box = tuple[int, int, int, int]
Content = TypeVar("Content")

SURE, UNSURE = (0, 130, 60), (200, 60, 0)  # colours that show on paper


def each(
    names: Sequence[str], read: Callable[[Path | BinaryIO, str], Content]
) -> Iterator[tuple[str, Content | DataError]]:
    """What `read` makes of each file, folder and standard input; one that cannot be read is an error among them."""

    def one(file: Path | BinaryIO, name: str) -> tuple[str, Content | DataError]:
        try:
            return name, read(file, printable(name, 1000))
        except DataError as error:
            return name, error

    for name in names:
        if name == "-":
            yield one(sys.stdin.buffer, name)
        elif os.path.isdir(name):
            for file in _images_in(name):
                yield (name, file) if isinstance(file, DataError) else one(file, str(file))
        else:
            yield one(Path(name), name)


def _images_in(folder: str) -> list[Path] | list[DataError]:
    """The images of a folder by name, or what is wrong with it."""
    name = printable(folder, 1000)
    try:
        files = sorted(
            file for file in Path(folder).iterdir() if file.suffix.lower() in reading.SUFFIXES
        )
    except OSError as error:
        return [DataError(f"{name}: cannot be read: {error.strerror}")]
    return files or [
        DataError(f"{name}: no image in this folder ({', '.join(sorted(reading.SUFFIXES))})")
    ]


class Prepared:
    """A folder of what the network saw, one PNG an image, named like the image."""

    def __init__(self, folder: Path, force: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.force = force
        self.names: set[str] = set()

    def save(self, pixels: NDArray[Any], name: str, place: str = "") -> None:
        """Keep `pixels` (rows, columns) of the image `name`, or of a `place` in it."""
        from PIL import Image

        stem = (re.sub(r"\W+", "-", Path(name).stem).strip("-") or "stdin") + place
        unique, n = stem, 1
        while unique in self.names:  # another image of that name, from another folder
            n += 1
            unique = f"{stem}-{n}"
        self.names.add(unique)
        path = self.folder / f"{unique}.png"
        require_output(path, [".png"], self.force)
        save(path, Image.fromarray(pixels))


def annotated(picture: Image, answers: Sequence[tuple[Box, str]]) -> Image:
    """A copy of `picture` with a box around each digit and what was read above it."""
    from PIL import ImageDraw, ImageFont

    picture = picture.convert("RGB")
    draw = ImageDraw.Draw(picture)
    height = float(np.median([box[3] for box, _ in answers]))
    line = max(1, round(height / 30))
    font = ImageFont.load_default(max(10.0, height / 2.5))
    for (left, top, width, tall), answer in answers:
        colour = UNSURE if answer == "?" else SURE
        draw.rectangle(
            (left - line, top - line, left + width + line - 1, top + tall + line - 1),
            None,
            colour,
            line,
        )
        draw.text(
            (left + width / 2, max(top - 2 * line, height / 2.5)), answer, colour, font,
            "mb", stroke_width=line, stroke_fill="white",
        )  # fmt: skip
    return picture


def save(path: Path, picture: Image) -> None:
    """Write a picture as a PNG file, whole or not at all."""
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    write_atomic(path, buffer.getvalue())
