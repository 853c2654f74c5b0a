"""Removes the lines of ruled paper, from border to border, and frames around other parts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from nnmnist.images.regions import boxes, components, runs
from nnmnist.types import Array

STEEPEST = 0.25  # the largest slope of a line, in pixels per pixel: 14 degrees
# Of the length of a line: a digit that is as high as a strip of paper has thicker strokes.
THICKEST = 1 / 30
# A line closer to the border than this fraction of the picture may be the bar of a 7.
BORDER = 0.03
UNBROKEN = 0.9  # a line is visible on at least this fraction of its length
# The longer side of a frame is at least this fraction of the picture's, and that of a part in it is
# at least this fraction of its own; a piece of a line is thinner than the last fraction.
FRAME, FRAMED, THINNEST_PART = 1 / 3, 1 / 20, 1 / 64
PIECES = (8, 5, 3)  # sides, in heights of the digits
ROUNDS = 6  # in each round, lines of one slope are removed
SAMPLE_RUNS = 4000  # enough runs to find the slope


def without_frames(mask: Array, without: Array) -> Array:
    """The ink `mask` (rows, columns) bool without frames and tables: what surrounds other parts.

    A frame that touches the border surrounds at least one part, another frame two: an 0 may have a
    stroke in it.

    Args:
        mask: the ink.
        without: the ink without the lines of ruled paper, which count as no parts.
    """
    labels, part_labels = components(mask), components(without)
    frames, parts = boxes(labels), boxes(part_labels)
    owner = np.zeros(len(parts) + 1, np.intp)  # of each part: the component that it belongs to
    owner[part_labels] = np.where(without, labels, 0)
    side = _side(frames)
    on_border = (frames[:, :2] == 0).any(axis=1) | (frames[:, 2:] == mask.shape[::-1]).any(axis=1)
    is_frame = np.zeros(len(frames) + 1, bool)
    for i in np.flatnonzero(side >= FRAME * max(mask.shape)).tolist():
        other = (owner[1:] != i + 1) & (_side(parts) >= FRAMED * side[i])
        other &= _width(parts) >= THINNEST_PART * side[i]
        middles = parts[other].reshape(-1, 2, 2).sum(axis=1) // 2
        is_frame[i + 1] = _surrounded(labels == i + 1, middles) >= (1 if on_border[i] else 2)
    rest = without & ~is_frame[labels]
    return rest if rest.any() else without


def _width(boxes: Array) -> Array:
    """The shorter sides (n,) of boxes (n, 4)."""
    return (boxes[:, 2:] - boxes[:, :2]).min(axis=1)


def _side(boxes: Array) -> Array:
    """The longer sides (n,) of boxes (n, 4)."""
    return (boxes[:, 2:] - boxes[:, :2]).max(axis=1, initial=0)


def _surrounded(mask: Array, points: Array) -> int:
    """How many of the points (n, 2) as x, y have ink above and below, left and right of them."""
    return sum(
        bool(mask[:y, x].any() and mask[y:, x].any() and mask[y, :x].any() and mask[y, x:].any())
        for x, y in points.tolist()
    )


def without_lines(mask: Array) -> Array:
    """The ink `mask` (rows, columns) bool without the lines of ruled paper, in both directions.

    A line is removed column by column, where the ink is no thicker than the line. What crosses it
    stays (the criterion of line track height in Dalitz, Droettboom, Pranzas and Fujinaga, A
    comparative study of staff removal algorithms, 2008).
    """
    rest = _without_straight(mask)
    return rest if rest.any() else mask


def without_pieces_of_lines(mask: Array, digit_height: float) -> Array:
    """The ink `mask` (rows, columns) bool without lines that are straight only piece by piece.

    The picture is cut into pieces in several ways, and a line ends at the border of each. They are
    higher than digits, whose strokes are straight, too.
    """
    rest = mask.copy()
    for side in PIECES:
        rows, columns = (
            np.linspace(0, size, 1 + max(1, int(size / (side * digit_height)))).astype(int)
            for size in mask.shape
        )
        for top, bottom in pairwise(rows.tolist()):
            for left, right in pairwise(columns.tolist()):
                piece = rest[top:bottom, left:right]
                if piece.any():
                    piece[:] = _without_straight(piece)
    return rest


def _without_straight(mask: Array) -> Array:
    """The mask without lines in both directions, of several slopes."""
    for _ in range(ROUNDS):
        before, mask = mask, _without_vertical(_without_vertical(mask).T).T
        if (mask == before).all():
            break
    return mask


def _without_vertical(mask: Array) -> Array:
    """The mask without vertical lines. The level of a line is where it would meet the top."""
    row, first, length = runs(mask)
    thin = length <= max(2.0, THICKEST * len(mask))
    if np.count_nonzero(thin) < len(mask) / 2:
        return mask
    middle = first + (length - 1) / 2
    slope = _slope(row[thin], middle[thin], len(mask))
    level = np.rint(middle - slope * row).astype(np.intp)
    dropped = np.zeros(len(row), bool)
    for line in _lines(mask, level[thin], slope):
        near = np.abs(level - line) <= 2
        # Where a line is a little thicker, it is no longer thin.
        dropped |= near & (length <= 1.5 * np.median(length[near & thin]) + 1)
    mask = mask.copy()
    # Runs and pixels are in the same order.
    mask[mask] = ~np.repeat(dropped, length)
    return mask


def _slope(row: Array, middle: Array, rows: int) -> float:
    """The slope for which the middles of runs are on the fewest levels: most squared counts."""
    step = len(row) // SAMPLE_RUNS + 1
    slopes = np.arange(-STEEPEST, STEEPEST, 1 / rows)
    # (slopes, runs)
    level = np.rint(middle[::step] - slopes[:, None] * row[::step]).astype(np.intp)
    level -= level.min()
    bins = int(level.max()) + 1
    counts = np.bincount(
        (level + bins * np.arange(len(slopes))[:, None]).reshape(-1), minlength=bins * len(slopes)
    )
    return float(slopes[np.square(counts.reshape(-1, bins)).sum(axis=1).argmax()])


def _lines(mask: Array, level: Array, slope: float) -> list[int]:
    """The levels of lines, the strongest first: a line has ink in almost every row."""
    rows = len(mask)
    low = int(level.min())
    counts = np.bincount(level - low)
    shift = np.rint(slope * np.arange(rows)).astype(np.intp)
    lines: list[int] = []
    for line in (low + np.argsort(-counts, kind="stable")).tolist():
        if counts[line - low] < rows / 8:
            break
        is_new = all(abs(line - other) > 2 for other in lines)
        if is_new and _is_line(mask, line + shift):
            lines.append(line)
    return lines


def _is_line(mask: Array, middle: Array) -> bool:
    """Whether there is ink along the columns `middle` (rows,), a pixel more or less."""
    rows, columns = mask.shape
    place = middle + np.array([[-1], [0], [1]])  # (3, rows)
    inside = (place >= 0) & (place < columns)
    inked = mask[np.arange(rows), np.clip(place, 0, columns - 1)] & inside
    length = np.count_nonzero(inside.any(axis=0))
    unbroken = np.count_nonzero(inked.any(axis=0)) >= UNBROKEN * length
    off_border = BORDER < np.mean(place) / columns < 1 - BORDER
    return bool(unbroken and off_border and length >= rows / 4)
