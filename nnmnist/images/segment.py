"""Finds the digits in a picture of several: a phone number, a column of figures, a page.

prepare.find: what is written   ->  parts: connected components   ->  join: the parts of a
broken digit ->  line_up: lines from the top, digits from the left   ->  prepare.to_mnist_image: each in
MNIST's format
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnmnist.images.prepare import NoInk, find, flatten, shrink, to_mnist_image
from nnmnist.images.regions import components
from nnmnist.types import Array

PAGE = 1600  # pixels of the longer side of the picture in which digits are searched
MOST = 5000  # largest number of separate marks on a page
# In digit heights:
DIRT = 0.1  # parts up to this size are dirt
SHORTEST = 0.35  # shorter parts are dots, commas or dashes
CLOSE = 0.12  # the gap in a broken stroke
ABOVE = 0.2  # the gap between two parts one above the other
FRAGMENT = 0.7  # a part lower than this may belong to a part beside it
TALLEST = 1.5  # a digit of several parts
# As a fraction of the narrower or lower of two parts:
UNDER = 0.5  # overlap of two parts of a digit, one above the other
LEVEL = 0.4  # overlap of two neighbours on a line


@dataclass(frozen=True)
class Digit:
    """One digit of a picture."""

    box: tuple[int, int, int, int]  # left, top, width, height in pixels of the picture
    image: Array  # (28, 28) uint8, white on black, in the format of MNIST


def segment(grey: Array) -> list[list[Digit]]:
    """Find the digits of a picture (rows, columns) uint8, line by line, from the left.

    Digits that touch each other count as one. Lines may be tilted, but must not overlap.

    Raises:
        NoInk: nothing stands out from the background, or too many marks do.
    """
    small = shrink(grey, PAGE)
    soft, mask = find(flatten(small))
    labels = components(mask)
    if labels.max() > MOST:
        raise NoInk(
            f"no digits found among {labels.max():,} separate marks; at most {MOST:,} are allowed"
        )
    boxes, pixels = parts(labels)
    groups = join(boxes, pixels)
    # the digit of each component, -1 for none
    owner = np.full(len(boxes) + 1, -1)
    for number, group in enumerate(groups):
        owner[group] = number
    boxes = np.array([_hull(boxes[group]) for group in groups]).reshape(-1, 4)
    owners = owner[labels - 1]  # (rows, columns)
    scale = np.array(grey.shape[::-1] * 2) / (small.shape[::-1] * 2)
    return [[_digit(soft, owners, n, boxes[n], scale) for n in line] for line in line_up(boxes)]


def _digit(soft: Array, labels: Array, number: int, box: Array, scale: Array) -> Digit:
    left, top, right, bottom = box.tolist()
    around = slice(max(top - 2, 0), bottom + 2), slice(max(left - 2, 0), right + 2)
    own = labels[around] == number
    image = to_mnist_image(soft[around] * (own | (labels[around] < 0)), own)
    left, top, right, bottom = np.rint(box * scale).astype(int).tolist()
    return Digit((left, top, right - left, bottom - top), image)


def parts(labels: Array) -> tuple[Array, list[Array]]:
    """The components 1..n: boxes (n, 4) of left, top, right, bottom, and pixels (k, 2) each."""
    y, x = np.nonzero(labels)
    order = np.argsort(labels[y, x], kind="stable")
    points = np.stack([x, y], axis=1)[order]
    starts = np.flatnonzero(np.diff(labels[y, x][order], prepend=0))
    boxes = np.hstack(
        [np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts) + 1]
    )
    return boxes, np.split(points, starts[1:])


def join(boxes: Array, pixels: list[Array]) -> list[list[int]]:
    """Which parts form a digit together: lists of their numbers; other parts are in no list.

    A part belongs to the one above or below it. A part that is too low for a digit belongs to the
    one that it nearly touches.
    """
    tall = boxes[:, 3] - boxes[:, 1]
    height = _typical(tall, np.array([len(part) for part in pixels]))
    large = np.maximum(tall, boxes[:, 2] - boxes[:, 0]) > DIRT * height
    group = {i: [i] for i in np.flatnonzero(large).tolist()}
    for i, j in _pairs(boxes, large, height):
        low = min(tall[i], tall[j]) < FRAGMENT * height
        top, bottom = _hull(boxes[group[i] + group[j]])[1::2]
        if (
            group[i] is not group[j]
            and bottom - top <= TALLEST * height
            and (
                _under(boxes[i], boxes[j]) or (low and _near(pixels[i], pixels[j], CLOSE * height))
            )
        ):
            group[i] += group[j]
            group.update(dict.fromkeys(group[j], group[i]))
    digits = {id(members): members for members in group.values()}.values()
    hulls = [_hull(boxes[members]) for members in digits]
    return [
        parts
        for parts, box in zip(digits, hulls, strict=True)
        if box[3] - box[1] >= SHORTEST * height
    ]


def _typical(tall: Array, areas: Array) -> float:
    """The height of the parts with the median ink, so that many small specks count little."""
    order = np.argsort(tall)
    return float(tall[order][np.searchsorted(np.cumsum(areas[order]), areas.sum() / 2)])


def _pairs(boxes: Array, large: Array, height: float) -> list[tuple[int, int]]:
    """Pairs of large parts that are close enough for one digit, the closest first."""
    pairs: list[tuple[float, int, int]] = []
    for i in np.flatnonzero(large).tolist():
        later = boxes[i + 1 :]
        # below 0: overlap
        gap = np.maximum(boxes[i, :2], later[:, :2]) - np.minimum(boxes[i, 2:], later[:, 2:])
        gaps = gap.max(axis=1)
        near = i + 1 + np.flatnonzero(large[i + 1 :] & (gaps <= ABOVE * height))
        pairs += [(float(gaps[j - i - 1]), i, j) for j in near.tolist()]
    return [(i, j) for _, i, j in sorted(pairs)]


def _under(one: Array, other: Array) -> bool:
    """Whether one part is above or below the other."""
    common = min(one[2], other[2]) - max(one[0], other[0])
    return bool(common >= UNDER * min(one[2] - one[0], other[2] - other[0]))


def _near(one: Array, other: Array, reach: float) -> bool:
    """Whether the pixels (k, 2) of two parts are at most `reach` from each other."""
    low, high = one.min(axis=0) - reach, one.max(axis=0) + reach
    other = other[((other >= low) & (other <= high)).all(axis=1)]
    return any(((one - pixel) ** 2).sum(axis=1).min() <= reach * reach for pixel in other)


def _hull(boxes: Array) -> Array:
    """The box (4,) around boxes (n, 4)."""
    return np.append(boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0))


def line_up(boxes: Array) -> list[list[int]]:
    """The numbers of boxes (n, 4) by line from the top, each from left to right."""
    x, y = (boxes[:, :2] + boxes[:, 2:]).T / 2
    tall = boxes[:, 3] - boxes[:, 1]
    tilt = 0.0  # pixels down per pixel to the right
    for _ in range(2):  # the second time with the tilt of the lines found first
        lines = _lines(x, y - tilt * x, tall)
        steps = [np.diff(np.stack([x, y])[:, line]) for line in lines]
        across, down = np.concatenate(steps, axis=1)
        tilt = float(np.median(down / np.maximum(across, 1))) if len(across) else 0.0
    return sorted(lines, key=lambda line: float(np.mean(y[line] - tilt * x[line])))


def _lines(x: Array, y: Array, tall: Array) -> list[list[int]]:
    """Boxes by line, from their middles and heights (n,): each joins the best matching line."""
    lines: list[list[int]] = []
    for i in np.argsort(x, kind="stable").tolist():
        last = [line[-1] for line in lines]
        common = (tall[last] + tall[i]) / 2 - np.abs(y[last] - y[i])
        share = common / np.minimum(tall[last], tall[i])
        if lines and share.max() >= LEVEL:
            lines[int(share.argmax())].append(i)
        else:
            lines.append([i])
    return lines
