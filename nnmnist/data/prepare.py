"""A picture of one digit, of any size, light and colour of ink, made as MNIST's digits were made.

    flatten: the light of the paper taken away    ->  find: the pixels of the digit, without specks and edges
    ->  fit: into a 20x20 box, with MNIST's thickness of line   ->  centre: by mass in 28x28

MNIST's own digits were size-normalised into a 20x20 box with their aspect ratio kept, grey by anti-aliasing, and
centred by their centre of mass in 28x28 (LeCun, Bottou, Bengio, Haffner 1998, section III.A). A network reads a
photo as well as it reads the test set only if the photo has gone the same way.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnmnist.data.synthetic import BOX, SIDE

Array = NDArray[Any]

WORK = 256  # pixels of the longer side at which a digit is looked for
FAINTEST = 12.0  # grey values by which ink must differ from paper, and four times the noise
SPECK = 0.08  # parts smaller than this share of the largest are dirt
THINNEST, THICKEST = 2.0, 4.2  # pixels of a line in the box, as they occur in MNIST


class NoInk(ValueError):
    """There is nothing on the picture."""


def prepare(grey: Array) -> Array:
    """(28, 28) uint8, white on black, of a picture (rows, columns) uint8 of a digit, dark on light or light on dark.

    Raises:
        NoInk: nothing stands out from the background.
    """
    ink = flatten(_resize(grey, min(1.0, WORK / max(grey.shape))).astype(np.float64))
    threshold = otsu(ink)
    digit = find(ink > threshold)
    # Half the threshold is where the soft edge of a line ends; a pixel further out is noise.
    soft = np.clip((ink - threshold / 2) / (1 - threshold / 2), 0, 1) * _grow(digit)
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    cut = slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2)
    return centre(fit((255 * soft[cut]).astype(np.uint8), thickness(digit)))


def flatten(grey: Array) -> Array:
    """How much each pixel is ink, 0 to 1, whatever the light: the distance from the paper's brightness.

    The paper is a quadratic surface, fitted again and again without the pixels that lie far from it. Ink is what
    lies on the side of the larger outliers: the third moment of the differences tells dark from light.
    """
    y, x = np.meshgrid(*(np.linspace(-1, 1, n) for n in grey.shape), indexing="ij")
    surface = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).reshape(-1, 6)
    values = grey.reshape(-1)
    paper = np.ones(len(values), bool)
    for _ in range(4):
        sample = np.flatnonzero(paper)[:: max(1, int(paper.sum()) // 8000)]
        fitted = surface @ np.linalg.lstsq(surface[sample], values[sample], rcond=None)[0]
        difference = values - fitted
        noise = 1.4826 * np.median(np.abs(difference[paper])) + 1.0  # the deviation, from the median
        paper = np.abs(difference) < 2.5 * noise
    dark = (difference**3).sum() < 0
    ink = np.clip(-difference if dark else difference, 0, None)
    if np.percentile(ink, 99.7) < max(FAINTEST, 4 * 1.4826 * float(np.median(np.abs(difference)))):
        raise NoInk("no ink found: nothing stands out from the background")
    if dark:
        ink /= np.maximum(fitted, 1.0)  # dark ink takes away a share of the light that falls on it
    return np.clip(ink / np.percentile(ink, 99.7), 0, 1).reshape(grey.shape)


def otsu(values: Array) -> float:
    """The threshold in [0, 1] that parts `values` into two classes of the largest variance between (Otsu 1979)."""
    counts, edges = np.histogram(values, 256, (0.0, 1.0))
    share = counts / counts.sum()
    level = (edges[:-1] + edges[1:]) / 2
    below, mean = np.cumsum(share), np.cumsum(share * level)
    both = np.maximum(below * (1 - below), 1e-12)
    return float(edges[1 + ((mean[-1] * below - mean) ** 2 / both).argmax()])


def find(mask: Array) -> Array:
    """The part of `mask` (rows, columns) bool that is the digit: no specks, and no shadow or edge from the border."""
    labels = components(mask)
    sizes = np.bincount(labels.reshape(-1))
    sizes[0] = 0
    inside = sizes.copy()
    inside[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = 0
    sizes = inside if inside.any() else sizes  # a digit cut by the border is better than none
    return (sizes >= max(1.0, SPECK * sizes.max()))[labels]


def components(mask: Array) -> Array:
    """Labels (rows, columns) of the 8-connected parts of `mask`, 0 outside: runs of rows, joined where they touch."""
    labels = np.zeros(mask.shape, np.intp)
    parent = [0]

    def root(label: int) -> int:
        while parent[label] != label:
            label = parent[label]
        return label

    above: list[tuple[int, int, int]] = []
    for row in range(len(mask)):
        edges = np.flatnonzero(np.diff(mask[row].astype(np.int8), prepend=0, append=0))
        runs = []
        for start, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
            touching = {root(label) for first, last, label in above if first <= end and last >= start}
            label = min(touching, default=len(parent))
            if not touching:
                parent.append(label)
            for other in touching:
                parent[other] = label
            labels[row, start:end] = label
            runs.append((start, end, label))
        above = runs
    return np.array([root(label) for label in range(len(parent))])[labels]


def thickness(digit: Array) -> float:
    """The mean width of the lines of a mask, in its pixels: twice its area over the length of its outline."""
    padded = np.pad(digit, 1).astype(np.int8)
    steps = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    return float(
        2 * digit.sum() / (steps * np.pi / 4)
    )  # a staircase is 4 / pi as long as the line it follows


def fit(picture: Array, width: float) -> Array:
    """A cut-out digit (rows, columns) uint8 in a box of 20, its lines neither thinner nor thicker than MNIST's.

    Args:
        width: of its lines, in its own pixels.
    """
    from PIL import Image, ImageFilter

    pixel = max(picture.shape) / BOX  # of the box, in pixels of the picture
    reach = round((np.clip(width, THINNEST * pixel, THICKEST * pixel) - width) / 2)
    if reach > 0:
        grown = Image.fromarray(np.pad(picture, reach))
        picture = np.asarray(grown.filter(ImageFilter.MaxFilter(2 * reach + 1)))
    elif reach < 0:
        picture = np.asarray(Image.fromarray(picture).filter(ImageFilter.MinFilter(1 - 2 * reach)))
    small = _resize(picture, BOX / max(picture.shape)).astype(np.float64)
    inked = small[small > 20]
    full = np.percentile(inked, 95) if len(inked) else 255.0
    return np.clip(small * (255 / full), 0, 255).astype(np.uint8)


def centre(box: Array) -> Array:
    """`box` (rows, columns) in a black (28, 28), its centre of mass on pixel (14, 14) as far as the border allows."""
    image = np.zeros((SIDE, SIDE), np.uint8)
    place = []
    for axis, size in enumerate(box.shape):
        mass = box.sum(axis=1 - axis, dtype=np.float64)
        middle = mass @ np.arange(size) / max(mass.sum(), 1.0)
        start = int(np.clip(round(SIDE // 2 - middle), 0, SIDE - size))
        place.append(slice(start, start + size))
    image[tuple(place)] = box
    return image


def _resize(picture: Array, scale: float) -> Array:
    """`picture` at `scale`, each pixel the mean of what it covers, or interpolated where it grows."""
    from PIL import Image

    rows, columns = (max(1, round(size * scale)) for size in picture.shape)
    method = Image.Resampling.BOX if scale < 0.7 else Image.Resampling.LANCZOS
    return np.asarray(Image.fromarray(picture).resize((columns, rows), method))


def _grow(mask: Array) -> Array:
    """`mask` with the four neighbours of its pixels."""
    grown = mask.copy()
    grown[1:] |= mask[:-1]
    grown[:-1] |= mask[1:]
    grown[:, 1:] |= mask[:, :-1]
    grown[:, :-1] |= mask[:, 1:]
    return grown
