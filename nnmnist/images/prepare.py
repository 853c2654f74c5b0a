"""A picture of one digit, of any size, light and colour of ink, made as MNIST's digits were made.

    flatten: the light of the paper taken away    ->  find: the pixels of the digit, without specks and edges
    ->  fit: into a 20x20 box, with MNIST's thickness of line   ->  centre: by mass in 28x28

MNIST's own digits were size-normalised into a 20x20 box with their aspect ratio kept, grey by anti-aliasing, and
centred by their centre of mass in 28x28 (LeCun, Bottou, Bengio, Haffner 1998, section III.A). A network reads a
photo as well as it reads the test set only if the photo has gone the same way.
"""

from __future__ import annotations

import numpy as np

from nnmnist.images.regions import components
from nnmnist.images.ruled import without_lines
from nnmnist.types import Array

SIDE = 28  # pixels of an image of MNIST
BOX = 20  # pixels of the square in its middle that holds the ink
WORK = 256  # pixels of the longer side at which a digit is looked for
SAMPLE = 100  # pixels of the longer side that are enough to find the light of the paper
PAPER = 0.55  # the part of a picture that is paper, at the least
FAINTEST = 12.0  # grey values by which ink must differ from paper, and five times the noise
SPECK = 0.08  # parts smaller than this share of the largest are dirt
LEAST = 0.001  # of the picture is ink
THINNEST, THICKEST = 2.0, 4.2  # pixels of a line in the box, as they occur in MNIST
NOTHING = "no ink found: nothing stands out from the background"


class NoInk(ValueError):
    """There is nothing on the picture."""


def prepare(grey: Array) -> Array:
    """(28, 28) uint8, white on black, of a picture (rows, columns) uint8 of a digit, dark on light or light on dark.

    Raises:
        NoInk: nothing stands out from the background.
    """
    soft, mask = find(flatten(shrink(grey, WORK)))
    labels = components(soft > 0)
    sizes = np.bincount(labels[mask], minlength=labels.max() + 1)
    digit = (sizes >= max(1.0, SPECK * sizes.max()))[labels]
    return boxed(soft * digit, mask & digit)


def shrink(grey: Array, side: int) -> Array:
    """A picture (rows, columns) uint8 as floats, its longer side at most `side` pixels."""
    return _resize(grey, min(1.0, side / max(grey.shape))).astype(np.float64)


def boxed(soft: Array, digit: Array) -> Array:
    """(28, 28) uint8 of the ink (rows, columns), 0 to 1, of a digit, and its mask."""
    rows, columns = np.flatnonzero(digit.any(axis=1)), np.flatnonzero(digit.any(axis=0))
    cut = slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2)
    return centre(fit(np.rint(255 * soft[cut]).astype(np.uint8), thickness(digit)))


def flatten(grey: Array) -> Array:
    """How much each pixel is ink, from 0 up, whatever the light: the distance from the paper's brightness.

    The paper is a quadratic surface through the greater part of the pixels, those closest to it (least trimmed
    squares: Rousseeuw 1984), found by way of a level and a plane, which cannot bend towards what is no paper. Ink
    is what lies on the side of the larger outliers: the third moment of the differences, weighed by how far from
    the border they are, tells dark from light.
    """
    y, x = np.linspace(-1, 1, grey.shape[0])[:, None], np.linspace(-1, 1, grey.shape[1])
    step = 1 + max(grey.shape) // SAMPLE
    sample = np.stack(np.broadcast_arrays(*_surface(y[::step], x[::step])), axis=-1).reshape(-1, 6)
    values = grey[::step, ::step].reshape(-1)
    difference, noise = np.abs(values - np.median(values)), 0.0
    for terms in (3, 3, 3, 6, 6, 6):
        paper = difference <= max(np.quantile(difference, PAPER), 2.5 * noise)
        fitted = np.linalg.lstsq(sample[paper, :terms], values[paper], rcond=None)[0]
        difference = np.abs(values - sample[:, :terms] @ fitted)
        noise = 1.4826 * float(np.median(difference[paper])) + 1.0  # the deviation, from the median
    light = sum(factor * term for factor, term in zip(fitted, _surface(y, x), strict=True))
    difference = grey - light
    dark = np.sum(difference**3 * (1 - x * x) * (1 - y * y)) < 0
    ink = np.clip(-difference if dark else difference, 0, None)
    if np.quantile(ink, 1 - LEAST / 2) < max(FAINTEST, 5 * noise):
        raise NoInk(NOTHING)
    if dark:
        ink /= np.maximum(light, 1.0)  # dark ink takes away a share of the light that falls on it
    return ink


def _surface(y: Array, x: Array) -> list[Array]:
    """The terms of a quadratic surface; the first three are a plane."""
    return [np.ones_like(x), x, y, x * x, x * y, y * y]


def find(ink: Array) -> tuple[Array, Array]:
    """What is written in `ink` (rows, columns): the ink with its soft edges, 0 to 1, and the mask of its pixels.

    Lines of ruled paper are left out, and what touches the border: shadows, a table. That may be far darker than
    the ink, so the threshold is set anew without it.

    Raises:
        NoInk: nothing is left.
    """
    ink, threshold = _normal(ink)
    # Half the threshold is where the soft edge of a line ends.
    faint = ink > threshold / 2
    labels = components(without_lines(faint))
    written = _off_border(labels)[labels] & (labels > 0)
    dropped = faint & ~written
    if dropped.any():
        ink, threshold = _normal(np.where(dropped, 0, ink))
    mask = (ink > threshold) & written
    if not mask.any():
        raise NoInk(NOTHING)
    return np.clip((ink - threshold / 2) / (1 - threshold / 2), 0, 1) * written, mask


def _normal(ink: Array) -> tuple[Array, float]:
    """`ink` with full ink as 1, however little of it there is, and the threshold that parts it from the paper."""
    ink = np.clip(ink / np.percentile(ink[ink > ink.max() / 4], 95), 0, 1)
    return ink, otsu(ink)


def _off_border(labels: Array) -> Array:
    """Which components (n,) bool do not touch the border; all where nothing else is there."""
    inside = np.ones(labels.max() + 1, bool)
    inside[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = False
    inside[0] = True
    ink = np.count_nonzero(inside[labels] & (labels > 0))
    return (
        inside if ink >= LEAST * labels.size else np.ones_like(inside)
    )  # a digit on the border is better than none


def otsu(values: Array) -> float:
    """The threshold in [0, 1] that parts `values` into two classes of the largest variance between (Otsu 1979)."""
    counts, edges = np.histogram(values, 256, (0.0, 1.0))
    share = counts / counts.sum()
    level = (edges[:-1] + edges[1:]) / 2
    below, mean = np.cumsum(share), np.cumsum(share * level)
    both = np.maximum(below * (1 - below), 1e-12)
    return float(edges[1 + ((mean[-1] * below - mean) ** 2 / both).argmax()])


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

    scale = min(1.0, WORK / max(picture.shape))  # more pixels would only take longer
    picture, width = _resize(picture, scale), width * scale
    pixel = max(picture.shape) / BOX  # of the box, in pixels of the picture
    reach = round((np.clip(width, THINNEST * pixel, THICKEST * pixel) - width) / 2)
    digit = Image.fromarray(np.pad(picture, max(reach, 0)))
    for _ in range(abs(reach)):  # one filter of their whole reach takes the square of the time
        digit = digit.filter(ImageFilter.MaxFilter(3) if reach > 0 else ImageFilter.MinFilter(3))
    small = _resize(np.asarray(digit), BOX / max(digit.size)).astype(np.float64)
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
    # Columns first, then rows: left to itself, Pillow's order, and with it the rounding, depends on its version.
    narrow = Image.fromarray(picture).resize((columns, len(picture)), method)
    return np.asarray(narrow.resize((columns, rows), method))
