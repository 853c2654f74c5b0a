"""Turns a picture of one digit, of any size, light and ink, into an image in the format of MNIST.

The steps:

    flatten    remove the light of the paper
    find       find the pixels of the digit, without specks, edges, lines and frames
    fit        scale the digit to a 20x20 box, with line widths as in MNIST
    centre     put the box into a 28x28 image, by its centre of mass

The format of MNIST: an image has 28x28 bytes, 0 for the background and 255 for full ink. The digit
was scaled to fit a 20x20 box with its aspect ratio kept, with grey values from anti-aliasing, and
its centre of mass is pixel (14, 14), counted from 0 (LeCun, Bottou, Bengio, Haffner, Gradient-based
learning applied to document recognition, 1998, section III.A). A network reads a photo as well as
the test set only if the photo was prepared in the same way.
"""

from __future__ import annotations

import numpy as np

from nnmnist.images.regions import boxes, components
from nnmnist.images.ruled import without_frames, without_lines, without_pieces_of_lines
from nnmnist.types import Array

# The format of MNIST: pixels of a side of an image, and of the box that the digit fills.
SIDE = 28
BOX = 20

# A picture is brought to a longer side between these, in pixels, before the digit is searched.
SMALLEST_SIDE, WORKING_SIDE = 128, 256
# The light of the paper is estimated from so many pixels along the longer side.
SAMPLE_SIDE = 100
# At least this fraction of a picture is paper, and this fraction is ink.
MIN_PAPER = 0.55
MIN_INK = 0.001
# The border shows the paper if at least this fraction of it is within CLOSE grey values of its
# median. A digit crowds a picture of which less than this fraction is so close.
UNIFORM, CROWDED, CLOSE = 0.6, 0.75, 40
MARGIN = 1 / 8  # of the longer side
# Ink differs from paper by at least so many grey values, and by at least five times the noise.
MIN_CONTRAST = 12.0
# Parts smaller than this, relative to the largest part, are dirt.
MIN_PART = 0.08
# A part is a table or a shadow if more than this fraction of its outline is on the border.
EDGE = 0.3
# Other parts on the border are dropped if at least this fraction of the ink is elsewhere.
INSIDE = 0.4
# On a page, a part on the border is no digit if it is so many times as large as any other part.
FAR_LARGER = 4
# A digit on a line has sizes from and to these factors of the others' typical size, and is not
# flatter and not slimmer than this: pieces of lines are.
ON_LINES, FLATTEST, SLIMMEST = (0.5, 2.0), 2.5, 5.0
# The line width in the box, in pixels, is limited to that of MNIST's digits.
THINNEST, THICKEST = 2.0, 4.2
NO_INK_FOUND = "no ink found: nothing stands out from the background"


class NoInk(ValueError):
    """The picture shows no digit."""


def prepare(grey: Array) -> Array:
    """Turn a picture of a digit into an image in the format of MNIST.

    Args:
        grey: (rows, columns) uint8, dark on light or light on dark.

    Returns:
        (28, 28) uint8, white on black.

    Raises:
        NoInk: nothing stands out from the background.
    """
    soft, mask = find(flatten(to_working_size(grey, SMALLEST_SIDE, WORKING_SIDE)))
    labels = components(soft > 0)
    sizes = np.bincount(labels[mask], minlength=labels.max() + 1)
    digit = (sizes >= max(1.0, MIN_PART * sizes.max()))[labels]
    return to_mnist_image(soft * digit, mask & digit)


def resize(grey: Array, shape: tuple[int, int], background: int) -> Array:
    """Fit a whole picture into an image of another size, with its aspect ratio kept.

    A pixel is the mean of what it covers, or interpolated if the picture grows. The picture is in
    the middle; the space around it has the grey value `background`.

    Args:
        grey: (rows, columns) uint8.
        shape: (rows, columns) of the image.
        background: a grey value, 0 to 255.

    Returns:
        an image of this shape, uint8; a picture that has this shape is not changed.
    """
    small = _resize(grey, min(shape[0] / grey.shape[0], shape[1] / grey.shape[1]))
    image = np.full(shape, background, np.uint8)
    top, left = (shape[0] - small.shape[0]) // 2, (shape[1] - small.shape[1]) // 2
    image[top : top + small.shape[0], left : left + small.shape[1]] = small
    return image


def to_working_size(grey: Array, smallest: int, largest: int) -> Array:
    """A picture (rows, columns) uint8 as floats, its longer side within these limits in pixels.

    In a picture that is not larger than its digit, a line is as wide as a few pixels: larger, it
    has an outline, and is wider than the lines of ruled paper.
    """
    side = max(grey.shape)
    return _resize(grey, min(max(1.0, smallest / side), largest / side)).astype(np.float64)


def to_mnist_image(ink: Array, mask: Array) -> Array:
    """Cut out a digit and bring it into the format of MNIST: (28, 28) uint8.

    Args:
        ink: (rows, columns) in [0, 1], 0 outside the digit.
        mask: (rows, columns) bool, the pixels of the digit.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    cut = slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2)
    return centre(fit(np.rint(255 * ink[cut]).astype(np.uint8), thickness(mask)))


def flatten(grey: Array) -> Array:
    """The amount of ink of each pixel, from 0 up: its distance from the brightness of the paper.

    Where a digit crowds the picture, the paper is mostly outside: it gets a margin, which the
    result is without.

    Args:
        grey: (rows, columns) float.

    Raises:
        NoInk: nothing stands out from the background.
    """
    border = _border(grey)
    paper = np.median(border)
    is_uniform = np.mean(np.abs(border - paper) <= CLOSE) >= UNIFORM
    if not is_uniform or np.mean(np.abs(grey - paper) <= CLOSE) >= CROWDED:
        return _subtract_paper(grey)
    margin = round(MARGIN * max(grey.shape))
    ink = _subtract_paper(np.pad(grey, margin, constant_values=paper))
    return ink[margin:-margin, margin:-margin]


def _border(picture: Array) -> Array:
    """The outermost pixels of a picture (rows, columns); the corners come twice."""
    return np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])


def _subtract_paper(grey: Array) -> Array:
    """The amount of ink of a picture in which most pixels are paper.

    The paper is a quadratic surface through most of the pixels, those that are closest to it (least
    trimmed squares: Rousseeuw 1984). Fits of a constant and of a plane come first, because they
    cannot bend towards anything that is not paper. Ink is on the side of the larger outliers: the
    third moment of the differences, weighted by their distance from the border, tells dark from
    light.
    """
    y, x = np.linspace(-1, 1, grey.shape[0])[:, None], np.linspace(-1, 1, grey.shape[1])
    coefficients, noise = _fit_paper(grey, y, x)
    light = sum(c * term for c, term in zip(coefficients, _surface(y, x), strict=True))
    difference = grey - light
    dark = np.sum(difference**3 * (1 - x * x) * (1 - y * y)) < 0
    ink = np.clip(-difference if dark else difference, 0, None)
    if np.quantile(ink, 1 - MIN_INK / 2) < max(MIN_CONTRAST, 5 * noise):
        raise NoInk(NO_INK_FOUND)
    if dark:
        # Dark ink absorbs a share of the light that falls on it.
        ink /= np.maximum(light, 1.0)
    return ink


def _fit_paper(grey: Array, y: Array, x: Array) -> tuple[Array, float]:
    """The brightness of the paper: the coefficients (6,) of a quadratic surface, and its noise."""
    step = 1 + max(grey.shape) // SAMPLE_SIDE
    sample = np.stack(np.broadcast_arrays(*_surface(y[::step], x[::step])), axis=-1).reshape(-1, 6)
    values = grey[::step, ::step].reshape(-1)
    difference, noise = np.abs(values - np.median(values)), 0.0
    for terms in (3, 3, 3, 6, 6, 6):
        paper = difference <= max(np.quantile(difference, MIN_PAPER), 2.5 * noise)
        coefficients = np.linalg.lstsq(sample[paper, :terms], values[paper], rcond=None)[0]
        difference = np.abs(values - sample[:, :terms] @ coefficients)
        # standard deviation, estimated from the median
        noise = 1.4826 * float(np.median(difference[paper])) + 1.0
    return coefficients, noise


def _surface(y: Array, x: Array) -> list[Array]:
    """The terms of a quadratic surface; the first three are a plane."""
    return [np.ones_like(x), x, y, x * x, x * y, y * y]


def find(ink: Array, keep_border: bool = False) -> tuple[Array, Array]:
    """Find what is written in `ink` (rows, columns): its soft edges in [0, 1], and its mask.

    Lines of ruled paper are removed, and what the border shows of a shadow or a table (_written).
    These may be much darker than the ink, so the threshold is computed again without them.

    Args:
        ink: (rows, columns) from 0 up.
        keep_border: keep other parts that touch the border even if most of the ink is elsewhere.

    Raises:
        NoInk: nothing is left.
    """
    ink, threshold = _scale_ink(ink)
    # The soft edge of a line ends at half the threshold.
    faint = ink > threshold / 2
    labels = components(without_frames(faint, without_lines(faint)))
    written = _written(labels, keep_border)[labels] & (labels > 0)
    if keep_border:
        written |= _on_lines(faint & ~written, written)
    dropped = faint & ~written
    if dropped.any():
        ink, threshold = _scale_ink(np.where(dropped, 0, ink))
    mask = (ink > threshold) & written
    if not mask.any():
        raise NoInk(NO_INK_FOUND)
    return np.clip((ink - threshold / 2) / (1 - threshold / 2), 0, 1) * written, mask


def _scale_ink(ink: Array) -> tuple[Array, float]:
    """The ink scaled so that full ink is 1, and the threshold between ink and paper."""
    ink = np.clip(ink / np.percentile(ink[ink > ink.max() / 4], 95), 0, 1)
    return ink, otsu(ink)


def _written(labels: Array, keep_border: bool) -> Array:
    """Which components (n,) bool are written, and no tables or shadows; 0 is."""
    n = int(labels.max()) + 1
    contact = np.bincount(_border(labels), minlength=n)
    sizes = np.bincount(labels.reshape(-1), minlength=n)
    contact[0] = sizes[0] = 0
    written = contact <= EDGE * (contact + _steps(labels, n))
    inside = contact == 0
    if keep_border:
        size = _sizes(labels)
        side = size.max(axis=1)
        # The outline of a noisy table is long, that of its box is not.
        written &= contact <= EDGE * 2 * size.sum(axis=1)
        written &= inside | (side <= FAR_LARGER * side[inside].max()) | (side[inside].max() == 0)
    elif sizes[inside].sum() >= INSIDE * sizes[written].sum():
        written = inside
    # A table is better than nothing: it may be a digit.
    return written if sizes[written].sum() >= MIN_INK * labels.size else np.ones_like(written)


def _on_lines(ink: Array, written: Array) -> Array:
    """What is written on lines or on a frame, (rows, columns) bool.

    Args:
        ink: (rows, columns) bool, what is not written alone.
        written: (rows, columns) bool, what is; parts of other sizes are pieces of lines.
    """
    if not written.any():
        return written
    labels = components(written)
    side = _sizes(labels)[1:].max(axis=1)
    area = np.bincount(labels[written])[1:]
    order = np.argsort(side)
    # Half of what is written is in parts up to this size.
    typical = side[order][np.searchsorted(np.cumsum(area[order]), area.sum() / 2)]
    labels = components(without_pieces_of_lines(ink, typical))
    size = _sizes(labels)
    width, height = size.T
    fits = (size.max(axis=1) >= ON_LINES[0] * typical) & (size.max(axis=1) <= ON_LINES[1] * typical)
    fits &= (width <= FLATTEST * height) & (height <= SLIMMEST * width)
    fits[_border(labels)] = False
    found: Array = fits[labels] & (labels > 0)
    return found


def _sizes(labels: Array) -> Array:
    """The width and height (n + 1, 2) of components 0 to n, of which 0 has no size."""
    return np.vstack([[0, 0], np.diff(boxes(labels).reshape(-1, 2, 2), axis=1)[:, 0]])


def _steps(labels: Array, n: int) -> Array:
    """The outline of each component (n,) inside the picture, in steps between pixels."""
    steps = np.zeros(n, np.intp)
    for one, other in (labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1]):
        differ = one != other
        steps += np.bincount(one[differ], minlength=n) + np.bincount(other[differ], minlength=n)
    return steps


def otsu(values: Array) -> float:
    """The threshold in [0, 1] with the largest variance between both classes (Otsu 1979)."""
    counts, edges = np.histogram(values, 256, (0.0, 1.0))
    share = counts / counts.sum()
    level = (edges[:-1] + edges[1:]) / 2
    below, mean = np.cumsum(share), np.cumsum(share * level)
    both = np.maximum(below * (1 - below), 1e-12)
    return float(edges[1 + ((mean[-1] * below - mean) ** 2 / both).argmax()])


def thickness(digit: Array) -> float:
    """The mean line width of a mask in pixels: twice its area over the length of its outline."""
    padded = np.pad(digit, 1).astype(np.int8)
    steps = np.abs(np.diff(padded, axis=0)).sum() + np.abs(np.diff(padded, axis=1)).sum()
    # a staircase is 4 / pi as long as the line it follows
    return float(2 * digit.sum() / (steps * np.pi / 4))


def fit(picture: Array, width: float) -> Array:
    """Fit a cut-out digit into a box of 20x20 pixels, with line widths as in MNIST.

    Args:
        picture: (rows, columns) uint8, the digit.
        width: the width of its lines, in its own pixels.

    Returns:
        (rows, columns) uint8, the larger of both 20.
    """
    from PIL import Image, ImageFilter

    # More pixels would only take longer.
    scale = min(1.0, WORKING_SIDE / max(picture.shape))
    picture, width = _resize(picture, scale), width * scale
    # one pixel of the box, in pixels of the picture
    pixel = max(picture.shape) / BOX
    reach = round((np.clip(width, THINNEST * pixel, THICKEST * pixel) - width) / 2)
    digit = Image.fromarray(np.pad(picture, max(reach, 0)))
    line_filter = ImageFilter.MaxFilter(3) if reach > 0 else ImageFilter.MinFilter(3)
    # Many small filters: a single one of the whole size would take the square of the time.
    for _ in range(abs(reach)):
        digit = digit.filter(line_filter)
    small = _resize(np.asarray(digit), BOX / max(digit.size)).astype(np.float64)
    inked = small[small > 20]
    full = np.percentile(inked, 95) if len(inked) else 255.0
    return np.clip(small * (255 / full), 0, 255).astype(np.uint8)


def centre(box: Array) -> Array:
    """Put a box into a black (28, 28) image, its centre of mass on pixel (14, 14) if it fits."""
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
    """Resize a picture: a pixel is the mean of what it covers, or interpolated if it grows."""
    from PIL import Image

    rows, columns = (max(1, round(size * scale)) for size in picture.shape)
    method = Image.Resampling.BOX if scale < 0.7 else Image.Resampling.LANCZOS
    # First columns, then rows: the order of Pillow, and so the rounding, depends on its version.
    narrow = Image.fromarray(picture).resize((columns, len(picture)), method)
    return np.asarray(narrow.resize((columns, rows), method))
