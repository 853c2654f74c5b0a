"""How a picture becomes the input of a network: decided with the training data, then kept.

    digit   a digit is found in the picture and brought into the format of MNIST (prepare.py);
            a picture that has this format already is taken as it is
    as_is   training pictures have one size and are not changed; other pictures are resized
    resize  every picture is resized, with its aspect ratio kept

With `as_is` and `resize`, a picture whose background is light is inverted if the backgrounds of the
training pictures are dark, and the other way round. With `as_is`, this holds for pictures that are
read later; training pictures stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from nnmnist.images.prepare import BOX, SIDE, prepare, resize
from nnmnist.types import Array

MODES = ("as_is", "digit", "resize")

# A border is of one grey value if this fraction of its pixels is close to their median. Figures
# that fill a picture, as those of Fashion-MNIST, cover up to 40 % of the border.
UNIFORM, CLOSE = 0.5, 40
# Training data has dark (or light) backgrounds if this fraction of its pictures has.
MOST = 0.98
# An image of MNIST has a pixel of at least this grey value, and its centre of mass is at most so
# many pixels off.
WHITE, OFF_CENTRE = 250, 0.6


@dataclass(frozen=True)
class Preparation:
    """How a picture becomes an image (rows, columns) uint8 for a network."""

    mode: str  # one of MODES
    shape: tuple[int, int]  # (rows, columns) of the image
    # 0: light on dark, 255: dark on light; None where the training data has both, or is not known
    background: int | None = 0

    def __call__(self, grey: Array) -> Array:
        """The image of a picture (rows, columns) uint8.

        Raises:
            NoInk: the mode is `digit`, and nothing stands out from the background.
        """
        if self.mode == "digit":
            return grey if has_layout_of_mnist(grey) else prepare(grey)
        return resize(255 - grey if self.inverts(grey) else grey, self.shape, self.background or 0)

    def inverts(self, grey: Array) -> bool:
        """Whether a picture (rows, columns) uint8 has the other background than training data."""
        return {background_of(grey), self.background} == {0, 255}

    def facts(self) -> dict[str, Any]:
        """What a checkpoint stores."""
        return {**asdict(self), "shape": list(self.shape)}


DIGIT = Preparation("digit", (SIDE, SIDE))


def from_document(document: Mapping[str, Any]) -> Preparation | None:
    """The preparation that the document of a checkpoint states; None if it reads no images.

    Checkpoints of older versions state only the shape of the images.
    """
    if "prepare" in document:
        stated = document["prepare"]
        return stated and Preparation(stated["mode"], tuple(stated["shape"]), stated["background"])
    shape = document.get("image_shape")
    if not shape:
        return None
    return DIGIT if tuple(shape) == DIGIT.shape else Preparation("as_is", tuple(shape), None)


def has_layout_of_mnist(image: Array) -> bool:
    """Whether a picture has 28x28 pixels, and a digit of MNIST's size and brightness at its place.

    It has full white; its box is at most 20x20, with one side of 18 or more, and its centre of mass
    is within 0.6 pixels of pixel (14, 14). All training and test images of MNIST are so.
    """
    return bool(have_layout_of_mnist(image[None])[0])


def have_layout_of_mnist(images: Array) -> Array:
    """Which pictures (n, rows, columns) uint8 have the layout of MNIST: (n,) bool."""
    if images.shape[1:] != DIGIT.shape:
        return np.zeros(len(images), bool)
    ink = images.sum(axis=2, dtype=np.int64), images.sum(axis=1, dtype=np.int64)  # (n, 28) each
    total = np.maximum(ink[0].sum(axis=1), 1)
    centres = [line @ np.arange(SIDE) / total for line in ink]
    # From the first to the last pixel with ink.
    sides = [SIDE - (line > 0).argmax(1) - (line[:, ::-1] > 0).argmax(1) for line in ink]
    longer, off = np.maximum(*sides), np.abs(np.array(centres) - SIDE // 2).max(axis=0)
    is_white = images.max(axis=(1, 2)) >= WHITE
    fits: Array = is_white & (longer >= BOX - 2) & (longer <= BOX) & (off <= OFF_CENTRE)
    return fits


def background_of(grey: Array) -> int | None:
    """0 if the background of a picture is dark, 255 if it is light, None if that is not clear."""
    low, high = int(grey.min()), int(grey.max())
    border = np.sort(_border(grey)).astype(np.float64)
    n = len(border)
    # Each picture of a folder is asked; np.median would take three times as long.
    median = (border[(n - 1) // 2] + border[n // 2]) / 2
    uniform = np.count_nonzero(np.abs(border - median) <= CLOSE) / n
    if high - low < CLOSE or uniform < UNIFORM:
        return None
    return 255 if median > (low + high) / 2 else 0


def common_background(pictures: Iterable[Array]) -> int | None:
    """The background that most pictures (rows, columns) uint8 have; None if they have both."""
    found = [background_of(picture) for picture in pictures]
    clear = [background for background in found if background is not None]
    if 2 * len(clear) < len(found):
        return None
    return next((b for b in (0, 255) if clear.count(b) >= MOST * max(len(clear), 1)), None)


def _border(grey: Array) -> Array:
    """The outermost pixels (..., pixels) of a picture or of a stack of pictures."""
    sides = grey[..., 0, :], grey[..., -1, :], grey[..., 0], grey[..., -1]
    return np.concatenate(sides, axis=-1)
