"""Finds the digits in a picture of several: a phone number, a column of figures, a page.

The steps:

    thin_ink                  remove the light of the paper, shadows and glare
    prepare.find              find what is written
    find_parts                split it into connected components
    join_parts                join the parts of a digit
    _join_broken              join more distant parts if the network then is sure of a digit
    touching.split            split digits that touch each other
    sort_by_line              sort lines from the top, and the digits of a line from the left
    prepare.to_mnist_image    bring each digit into the format of MNIST
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnmnist.images.prepare import (
    MIN_CONTRAST,
    MIN_INK,
    NO_INK_FOUND,
    NoInk,
    find,
    thickness,
    to_mnist_image,
    to_working_size,
)
from nnmnist.images.regions import components
from nnmnist.images.touching import GAIN, SURE, Score, image_of, split
from nnmnist.types import Array

# A picture is brought to a longer side between these, in pixels, before digits are searched.
SMALLEST_SIDE, WORKING_SIDE = 256, 1600
# To count digits: enough pixels of the longer side, and the lowest digit against the highest one.
COUNT_SIDE, ALIKE = 400, 0.5
# Strokes are thinner than this fraction of the shorter side, and than so many pixels.
STROKE, MAX_STROKE = 1 / 4, 120
# the largest number of separate marks on a page
MAX_MARKS = 5000

# In digit heights:
MAX_DIRT = 0.1  # parts up to this size are dirt
MIN_HEIGHT = 0.35  # lower parts are dots, commas or dashes
SCRAP = 0.7  # lower digits on the border of the picture are cut off too far
MAX_HEIGHT = 1.5  # of a digit with several parts
STROKE_GAP = 0.12  # the largest gap in a broken stroke
STACK_GAP = 0.2  # the largest gap between two parts of a digit, one above the other
COMMA_GAP = 0.5  # the largest gap between a digit and the comma behind it
BROKEN_GAP = 0.2  # the largest gap in a dotted stroke
BROKEN = (0.6, 2.0)  # the heights of a digit of dotted strokes
FRAGMENT = 0.7  # a part lower than this may belong to a part beside it

# The largest width of a digit in its heights, and its largest and smallest height in heights of the
# others.
MAX_ASPECT, SMALLEST = 2.5, 0.45
# The steepness of the ink at the outline of a digit, for its ink, as a fraction of the others'.
SHARPNESS = 0.5
# The width of the strokes of a digit, as a fraction of the others'.
THINNESS = 1 / 3

# A line is text if the mean probability of its digits is below this.
TEXT = 0.5

# As a fraction of the narrower or lower of two parts:
STACK_OVERLAP = 0.5  # the smallest overlap of two parts of a digit, one above the other
LINE_OVERLAP = 0.4  # the smallest overlap of two neighbours on a line


@dataclass(frozen=True)
class Digit:
    """One digit of a picture."""

    box: tuple[int, int, int, int]  # left, top, width, height in pixels of the picture
    image: Array  # (28, 28) uint8, white on black, in the format of MNIST


def segment(grey: Array, score: Score | None = None) -> list[list[Digit]]:
    """Find the digits of a picture (rows, columns) uint8, line by line, from the left.

    Lines may be tilted, but must not overlap.

    Args:
        grey: the picture.
        score: the log-probabilities (n,) of the predictions for images (n, 28, 28) uint8; they
            decide where digits that touch each other are split. Without it they count as one.

    Raises:
        NoInk: nothing stands out from the background, or too many marks do.
    """
    small = to_working_size(grey, SMALLEST_SIDE, WORKING_SIDE)
    soft, mask = find(thin_ink(small.astype(np.uint8)), keep_border=True)
    labels = components(mask)
    if labels.max() > MAX_MARKS:
        raise NoInk(
            f"no digits found among {labels.max():,} separate marks; at most {MAX_MARKS:,} are "
            "allowed"
        )
    boxes, pixels = find_parts(labels)
    groups = join_parts(boxes, pixels)
    if score:
        groups = _join_broken(groups, boxes, labels, soft, score)
    groups = _without_scraps(groups, boxes, small.shape)
    groups = _with_strokes_of_a_pen(groups, pixels, soft)
    # the digit of each component, -1 for none
    owner = np.full(len(boxes) + 1, -1)
    for number, group in enumerate(groups):
        owner[group] = number
    boxes = np.array([_bounding_box(boxes[group]) for group in groups]).reshape(-1, 4)
    owners = owner[labels - 1]  # (rows, columns)
    if score:
        owners, boxes = _split_touching(soft, owners, boxes, score)
    is_digit = _have_size_of_digits(boxes)
    scale = np.array(grey.shape[::-1] * 2) / (small.shape[::-1] * 2)
    return [
        [_digit(soft, owners, number, boxes[number], scale) for number in is_digit[line]]
        for line in sort_by_line(boxes[is_digit])
    ]


def _join_broken(
    groups: list[list[int]], boxes: Array, labels: Array, soft: Array, score: Score
) -> list[list[int]]:
    """Join what is close together if the network then is sure of a digit: a stroke is dotted.

    Args:
        groups: for each digit, the numbers of its parts.
        boxes: (n, 4) of the parts.
        labels: (rows, columns) the number of the part of each pixel, from 1; 0 for none.
        soft: (rows, columns) the ink, in [0, 1].
        score: how sure the network is of images.
    """
    heights = [_height(boxes[group]) for group in groups]
    digit_height = float(np.median(heights)) if groups else 0.0
    reach = max(1, round(BROKEN_GAP * digit_height / 2))
    near = components(_extreme((labels > 0).astype(np.uint8), reach, np.maximum) > 0)
    cluster = np.zeros(len(boxes) + 1, np.intp)  # of each part, from 1
    cluster[labels] = near
    owner = np.full(len(boxes) + 1, -1)
    for number, group in enumerate(groups):
        owner[group] = number
    joined, gone = [], set()
    order = np.argsort(cluster[1:], kind="stable")
    starts = np.flatnonzero(np.diff(cluster[1:][order])) + 1
    for parts in (part.tolist() for part in np.split(order, starts)):
        members = set(owner[parts].tolist()) - {-1}
        left, top, right, bottom = _bounding_box(boxes[parts]).tolist()
        low, high = (factor * digit_height for factor in BROKEN)
        is_whole = len(members) == 1 and len(groups[min(members)]) == len(parts)
        if is_whole or not low <= bottom - top <= high or right - left > high:
            continue
        ways = [parts, *(groups[member] for member in members)]
        sure = score(np.stack([_image_of_parts(soft, labels, boxes, way) for way in ways]))
        widths = [np.ptp(boxes[way][:, ::2]) for way in ways[1:]]
        before = float(np.average(sure[1:], weights=widths)) if members else -np.inf
        if sure[0] >= max(SURE, before + GAIN):
            joined.append(parts)
            gone |= members
    return [group for number, group in enumerate(groups) if number not in gone] + joined


def _image_of_parts(soft: Array, labels: Array, boxes: Array, parts: list[int]) -> Array:
    """The image (28, 28) uint8 of some parts together."""
    left, top, right, bottom = _bounding_box(boxes[parts]).tolist()
    place = slice(max(top - 2, 0), bottom + 2), slice(max(left - 2, 0), right + 2)
    return image_of(soft[place], np.isin(labels[place], np.array(parts) + 1))


def _with_strokes_of_a_pen(
    groups: list[list[int]], pixels: list[Array], soft: Array
) -> list[list[int]]:
    """The digits whose strokes are like the others': as sharp, and not far thinner.

    Stains and shadows have soft outlines, and pieces of lines and frames are thin.

    Args:
        groups: for each digit, the numbers of its parts.
        pixels: for each part, (k, 2) as x, y.
        soft: (rows, columns) the ink, in [0, 1].
    """
    if not groups:
        return groups
    steepness = np.hypot(*np.gradient(soft))
    strokes = []
    for group in groups:
        x, y = np.concatenate([pixels[part] for part in group]).T
        left, top = x.min(), y.min()
        own = np.zeros((np.ptp(y) + 3, np.ptp(x) + 3), bool)  # with a margin of one pixel
        own[y - top + 1, x - left + 1] = True
        level = soft[y, x].mean()
        inner = own[2:, 1:-1] & own[:-2, 1:-1] & own[1:-1, 2:] & own[1:-1, :-2]
        y, x = np.nonzero(own[1:-1, 1:-1] & ~inner)
        strokes.append((steepness[y + top, x + left].mean() / level, thickness(own)))
    least = np.array([SHARPNESS, THINNESS]) * np.median(strokes, axis=0)
    return [groups[number] for number in np.flatnonzero((strokes >= least).all(axis=1))]


def _have_size_of_digits(boxes: Array) -> Array:
    """The numbers of the boxes (n, 4) that are no dashes, edges and commas.

    A comma is low, and its middle is below the digit beside it.
    """
    width, height = (boxes[:, 2:] - boxes[:, :2]).T
    typical = float(np.median(height)) if len(boxes) else 0.0
    fits = (width <= MAX_ASPECT * height) & (height <= MAX_ASPECT * typical)
    fits &= height >= SMALLEST * typical
    middle = (boxes[:, 1] + boxes[:, 3]) / 2
    # (n, n), of each part and each digit beside it
    gap = np.maximum(boxes[:, None, 0], boxes[:, 0]) - np.minimum(boxes[:, None, 2], boxes[:, 2])
    is_comma = (
        (height[:, None] < FRAGMENT * height)
        & (gap < COMMA_GAP * height)
        & (boxes[:, None, 1] < boxes[:, 3])
        & (middle[:, None] > boxes[:, 3] - MAX_DIRT * height)
    )
    return np.flatnonzero(fits & ~is_comma.any(axis=1))


def _split_touching(soft: Array, owners: Array, boxes: Array, score: Score) -> tuple[Array, Array]:
    """The owners (rows, columns) and boxes (n, 4) of digits, where they touch no more."""
    owners, found = owners.copy(), list(boxes)
    for number, (left, top, right, bottom) in enumerate(boxes.tolist()):
        place = slice(top, bottom), slice(left, right)
        own = owners[place] == number
        for k, piece in enumerate(split(soft[place], own, score)):
            y, x = np.nonzero(piece)
            box = np.array([x.min(), y.min(), x.max() + 1, y.max() + 1])
            box += np.array([left, top, left, top])
            if k == 0:
                owners[place][own & ~piece] = -1
                found[number] = box
            else:
                owners[place][piece] = len(found)
                found.append(box)
    return owners, np.array(found).reshape(-1, 4)


def without_text(lines: list[list[Digit]], score: Score) -> list[list[Digit]]:
    """The lines of a page without lines of text: their mean probability of a digit is low.

    If all lines are so, they stay.
    """

    def mean_probability(line: list[Digit]) -> float:
        return float(np.exp(score(np.stack([digit.image for digit in line]))).mean())

    return [line for line in lines if mean_probability(line) >= TEXT] or lines


def count(grey: Array) -> int:
    """How many digits a picture (rows, columns) uint8 shows: rather too few.

    They are about equally high, and none touches the border. Marks above each other may be the
    pieces of one digit: they count as one.
    """
    small = to_working_size(grey, 1, COUNT_SIDE).astype(np.uint8)
    try:
        lines = segment(small)
    except NoInk:
        return 0
    rows, columns = small.shape
    boxes = [digit.box for line in lines for digit in line]
    least = ALIKE * max((height for *_, height in boxes), default=0)

    def counts(digit: Digit) -> bool:
        left, top, width, height = digit.box
        inside = min(left, top, columns - left - width, rows - top - height) > 0
        return inside and height >= least

    found = [sum(map(counts, line)) for line in lines]
    return sum(found) if max(found, default=0) > 1 else min(1, sum(found))


def _without_scraps(
    groups: list[list[int]], boxes: Array, shape: tuple[int, ...]
) -> list[list[int]]:
    """The digits without low ones on the border of the picture (rows, columns).

    They are what a closing leaves of a shadow's edge, or the digits of another line.
    """
    around = np.array([_bounding_box(boxes[group]) for group in groups]).reshape(-1, 4)
    heights = around[:, 3] - around[:, 1]
    inside = (around[:, :2] > 0).all(axis=1) & (around[:, 2:] < shape[::-1]).all(axis=1)
    least = SCRAP * float(np.median(heights)) if groups else 0.0
    kept = np.flatnonzero(inside | (heights >= least))
    return [groups[number] for number in kept.tolist()]


def thin_ink(grey: Array) -> Array:
    """The amount of ink of each pixel (rows, columns) uint8, from 0 up: thin strokes alone.

    Strokes cover less than the paper around them, so the differences from the local mean tell dark
    from light by their third moment. The paper around a dark stroke is what a closing leaves: the
    largest value near each pixel, and then the smallest of these (Serra 1982). It keeps shadows,
    glare and tables, which are wider than a stroke.

    Raises:
        NoInk: nothing stands out from the background.
    """
    reach = max(1, round(min(STROKE * min(grey.shape), MAX_STROKE)) // 2)
    is_dark = np.sum((grey - _local_mean(grey, reach)) ** 3) < 0
    grey = grey if is_dark else 255 - grey
    paper = _extreme(_extreme(grey, reach, np.maximum), reach, np.minimum)
    ink = (paper - grey).astype(np.float64)
    level = np.median(ink)  # a closing keeps the lightest noise
    noise = 1.4826 * np.median(np.abs(ink - level)) + 1
    ink = np.clip(ink - level, 0, None)
    if np.quantile(ink, 1 - MIN_INK / 2) < max(MIN_CONTRAST, 5 * noise):
        raise NoInk(NO_INK_FOUND)
    # Dark ink absorbs a share of the light that falls on it.
    return ink / np.maximum(paper, 1) if is_dark else ink


def _local_mean(grey: Array, reach: int) -> Array:
    """The mean (rows, columns) of the values within `reach` rows and columns."""
    mean = grey.astype(np.float64)
    for _ in range(2):
        padded = np.pad(mean.T, ((reach + 1, reach), (0, 0)), mode="edge")
        sums = np.cumsum(padded, axis=0)
        mean = (sums[2 * reach + 1 :] - sums[: -2 * reach - 1]) / (2 * reach + 1)
    return mean


def _extreme(grey: Array, reach: int, choose: np.ufunc) -> Array:
    """The largest (np.maximum) or smallest (np.minimum) value within `reach` rows and columns."""
    for _ in range(2):
        grey = np.pad(grey.T, ((reach, reach), (0, 0)), mode="edge")
        width = 1  # of the window that each value is chosen from
        while width <= 2 * reach:
            step = min(width, 2 * reach + 1 - width)
            grey = choose(grey[:-step], grey[step:])
            width += step
    return grey


def _digit(soft: Array, owners: Array, number: int, box: Array, scale: Array) -> Digit:
    """Cut out one digit.

    Args:
        soft: (rows, columns) the ink of the small picture, in [0, 1].
        owners: (rows, columns) the number of the digit of each pixel, -1 for none.
        number: the number of this digit.
        box: (4,) left, top, right, bottom in the small picture.
        scale: (4,) factors to pixels of the original picture.
    """
    left, top, right, bottom = box.tolist()
    around = slice(max(top - 2, 0), bottom + 2), slice(max(left - 2, 0), right + 2)
    own = owners[around] == number
    # The soft edges of a digit belong to none.
    image = to_mnist_image(soft[around] * (own | (owners[around] < 0)), own)
    left, top, right, bottom = np.rint(box * scale).astype(int).tolist()
    return Digit((left, top, right - left, bottom - top), image)


def find_parts(labels: Array) -> tuple[Array, list[Array]]:
    """The components 1..n of a picture with these labels (rows, columns).

    Returns:
        Boxes (n, 4) of left, top, right, bottom, and for each component its pixels (k, 2) as x, y.
    """
    y, x = np.nonzero(labels)
    order = np.argsort(labels[y, x], kind="stable")
    points = np.stack([x, y], axis=1)[order]
    starts = np.flatnonzero(np.diff(labels[y, x][order], prepend=0))
    boxes = np.hstack(
        [np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts) + 1]
    )
    return boxes, np.split(points, starts[1:])


def join_parts(boxes: Array, pixels: list[Array]) -> list[list[int]]:
    """Join the parts that form a digit together.

    A part belongs to the one above or below it. A part that is too low for a digit belongs to the
    one that it nearly touches.

    Args:
        boxes: (n, 4) left, top, right, bottom.
        pixels: for each part, (k, 2) as x, y.

    Returns:
        For each digit, the numbers of its parts. Dirt, dots and dashes are in no list.
    """
    heights = boxes[:, 3] - boxes[:, 1]
    digit_height = _typical_height(heights, np.array([len(part) for part in pixels]))
    large = np.maximum(heights, boxes[:, 2] - boxes[:, 0]) > MAX_DIRT * digit_height
    group = {i: [i] for i in np.flatnonzero(large).tolist()}
    for i, j in _close_pairs(boxes, large, digit_height):
        if group[i] is group[j] or _height(boxes[group[i] + group[j]]) > MAX_HEIGHT * digit_height:
            continue
        is_fragment = min(heights[i], heights[j]) < FRAGMENT * digit_height
        if _is_stacked(boxes[i], boxes[j]) or (
            is_fragment and _is_near(pixels[i], pixels[j], STROKE_GAP * digit_height)
        ):
            group[i] += group[j]
            group.update(dict.fromkeys(group[j], group[i]))
    # Several parts share the list of their digit.
    digits = {id(members): members for members in group.values()}.values()
    return [members for members in digits if _height(boxes[members]) >= MIN_HEIGHT * digit_height]


def _typical_height(heights: Array, areas: Array) -> float:
    """The height of the parts with the median ink, so that many small specks count little."""
    order = np.argsort(heights)
    return float(heights[order][np.searchsorted(np.cumsum(areas[order]), areas.sum() / 2)])


def _close_pairs(boxes: Array, large: Array, digit_height: float) -> list[tuple[int, int]]:
    """Pairs of large parts that are close enough for one digit, the closest first."""
    pairs: list[tuple[float, int, int]] = []
    for i in np.flatnonzero(large).tolist():
        later = boxes[i + 1 :]
        # horizontal and vertical gap; below 0 they overlap
        gap = np.maximum(boxes[i, :2], later[:, :2]) - np.minimum(boxes[i, 2:], later[:, 2:])
        gaps = gap.max(axis=1)
        near = i + 1 + np.flatnonzero(large[i + 1 :] & (gaps <= STACK_GAP * digit_height))
        pairs += [(float(gaps[j - i - 1]), i, j) for j in near.tolist()]
    return [(i, j) for _, i, j in sorted(pairs)]


def _is_stacked(one: Array, other: Array) -> bool:
    """Whether one part is above or below the other."""
    common = min(one[2], other[2]) - max(one[0], other[0])
    return bool(common >= STACK_OVERLAP * min(one[2] - one[0], other[2] - other[0]))


def _is_near(one: Array, other: Array, reach: float) -> bool:
    """Whether the pixels (k, 2) of two parts are at most `reach` from each other."""
    low, high = one.min(axis=0) - reach, one.max(axis=0) + reach
    other = other[((other >= low) & (other <= high)).all(axis=1)]
    return any(((one - pixel) ** 2).sum(axis=1).min() <= reach * reach for pixel in other)


def _height(boxes: Array) -> int:
    """The height of the box around boxes (n, 4)."""
    return int(boxes[:, 3].max() - boxes[:, 1].min())


def _bounding_box(boxes: Array) -> Array:
    """The box (4,) around boxes (n, 4)."""
    return np.append(boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0))


def sort_by_line(boxes: Array) -> list[list[int]]:
    """The numbers of boxes (n, 4) by line from the top, each line from left to right."""
    if not len(boxes):
        return []
    x, y = (boxes[:, :2] + boxes[:, 2:]).T / 2
    heights = boxes[:, 3] - boxes[:, 1]
    # pixels down per pixel to the right
    tilt = 0.0
    # The second time, the tilt of the lines that were found first is known.
    for _ in range(2):
        lines = _lines(x, y - tilt * x, heights)
        steps = [np.diff(np.stack([x, y])[:, line]) for line in lines]
        across, down = np.concatenate(steps, axis=1)
        tilt = float(np.median(down / np.maximum(across, 1))) if len(across) else 0.0
    return sorted(lines, key=lambda line: float(np.mean(y[line] - tilt * x[line])))


def _lines(x: Array, y: Array, heights: Array) -> list[list[int]]:
    """Boxes by line, from their centres and heights (n,): each joins the best matching line."""
    lines: list[list[int]] = []
    for i in np.argsort(x, kind="stable").tolist():
        last = [line[-1] for line in lines]
        overlap = (heights[last] + heights[i]) / 2 - np.abs(y[last] - y[i])
        share = overlap / np.minimum(heights[last], heights[i])
        if lines and share.max() >= LINE_OVERLAP:
            lines[int(share.argmax())].append(i)
        else:
            lines.append([i])
    return lines
