"""The digits of a picture that holds several: a phone number, a column of figures, a page.

prepare.find: what is written   ->  parts: its connected components   ->  join: the parts of a broken digit
->  line_up: lines from the top, digits from the left   ->  prepare.boxed: each as MNIST's digits are
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nnmnist.images.prepare import NoInk, boxed, find, flatten, shrink
from nnmnist.images.regions import components
from nnmnist.types import Array

PAGE = 1600  # pixels of the longer side at which digits are looked for
MOST = 5000  # separate marks that a page of digits may have
# In heights of a digit:
DIRT = 0.1  # a part no longer than this
SHORTEST = 0.35  # a digit; what is shorter is a dot, a comma or a dash
CLOSE = 0.12  # the gap in a broken stroke
ABOVE = 0.2  # the gap between two parts one above the other
FRAGMENT = 0.7  # a part lower than this may belong to what is beside it
TALLEST = 1.5  # a digit of several parts
# In parts of the narrower or lower of two:
UNDER = 0.5  # what two parts of a digit, one above the other, have in common
LEVEL = 0.4  # what two neighbours on a line have in common


@dataclass(frozen=True)
class Digit:
    """One of the digits of a picture."""

    box: tuple[int, int, int, int]  # left, top, width, height in pixels of the picture
    image: Array  # (28, 28) uint8, white on black, as MNIST's digits are


def segment(grey: Array) -> list[list[Digit]]:
    """The digits of a picture (rows, columns) uint8, line by line from the top, each line from the left.

    Digits that touch each other are taken for one. Lines may be tilted, as long as they do not run into each other.

    Raises:
        NoInk: nothing stands out from the background, or too much.
    """
    small = shrink(grey, PAGE)
    soft, mask = find(flatten(small))
    labels = components(mask)
    if labels.max() > MOST:
        raise NoInk(
            f"no digits found among {labels.max():,} separate marks, more than the {MOST:,} that are read"
        )
    boxes, pixels = parts(labels)
    groups = join(boxes, pixels)
    # the number of the digit that a component belongs to, -1 for none
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
    image = boxed(soft[around] * (own | (labels[around] < 0)), own)
    left, top, right, bottom = np.rint(box * scale).astype(int).tolist()
    return Digit((left, top, right - left, bottom - top), image)


def parts(labels: Array) -> tuple[Array, list[Array]]:
    """The components 1..n of a picture: boxes (n, 4) of left, top, right, bottom, and pixels (x, y), (k, 2) each."""
    y, x = np.nonzero(labels)
    order = np.argsort(labels[y, x], kind="stable")
    points = np.stack([x, y], axis=1)[order]
    starts = np.flatnonzero(np.diff(labels[y, x][order], prepend=0))
    boxes = np.hstack(
        [np.minimum.reduceat(points, starts), np.maximum.reduceat(points, starts) + 1]
    )
    return boxes, np.split(points, starts[1:])


def join(boxes: Array, pixels: list[Array]) -> list[list[int]]:
    """Which parts make a digit together: lists of their numbers. Those of no digit are in none of them.

    A part belongs to the one that it lies above or below, or, where it is too low for a digit, to the one that it
    nearly touches.
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
    """The height of the parts that hold the middle of the ink: specks count little, however many."""
    order = np.argsort(tall)
    return float(tall[order][np.searchsorted(np.cumsum(areas[order]), areas.sum() / 2)])


def _pairs(boxes: Array, large: Array, height: float) -> list[tuple[int, int]]:
    """The pairs of large parts whose boxes are not too far from each other for one digit, the closest first."""
    pairs: list[tuple[float, int, int]] = []
    for i in np.flatnonzero(large).tolist():
        later = boxes[i + 1 :]
        gap = np.maximum(boxes[i, :2], later[:, :2]) - np.minimum(
            boxes[i, 2:], later[:, 2:]
        )  # below 0: overlap
        gaps = gap.max(axis=1)
        near = i + 1 + np.flatnonzero(large[i + 1 :] & (gaps <= ABOVE * height))
        pairs += [(float(gaps[j - i - 1]), i, j) for j in near.tolist()]
    return [(i, j) for _, i, j in sorted(pairs)]


def _under(one: Array, other: Array) -> bool:
    """Whether one part is above or below the other."""
    common = min(one[2], other[2]) - max(one[0], other[0])
    return bool(common >= UNDER * min(one[2] - one[0], other[2] - other[0]))


def _near(one: Array, other: Array, reach: float) -> bool:
    """Whether pixels (k, 2) of two parts are no further than `reach` from each other."""
    low, high = one.min(axis=0) - reach, one.max(axis=0) + reach
    other = other[((other >= low) & (other <= high)).all(axis=1)]
    return any(((one - pixel) ** 2).sum(axis=1).min() <= reach * reach for pixel in other)


def _hull(boxes: Array) -> Array:
    """The box (4,) around boxes (n, 4)."""
    return np.append(boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0))


def line_up(boxes: Array) -> list[list[int]]:
    """The numbers of boxes (n, 4) by line from the top, from left to right, as they are when the picture is upright."""
    x, y = (boxes[:, :2] + boxes[:, 2:]).T / 2
    tall = boxes[:, 3] - boxes[:, 1]
    tilt = 0.0  # pixels that the lines fall a pixel
    for _ in range(2):  # by the tilt of the lines that were found without knowing it
        lines = _lines(x, y - tilt * x, tall)
        steps = [np.diff(np.stack([x, y])[:, line]) for line in lines]
        across, down = np.concatenate(steps, axis=1)
        tilt = float(np.median(down / np.maximum(across, 1))) if len(across) else 0.0
    return sorted(lines, key=lambda line: float(np.mean(y[line] - tilt * x[line])))


def _lines(x: Array, y: Array, tall: Array) -> list[list[int]]:
    """Boxes by line, given their middles and heights (n,): each goes from the left on to where it is level best."""
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
