"""Removes the lines of ruled paper: straight, thin, and from one border to the other."""

from __future__ import annotations

import numpy as np

from nnmnist.images.regions import runs
from nnmnist.types import Array

STEEPEST = 0.25  # the largest slope of a line, in pixels per pixel: 14 degrees
THICKEST = 1 / 30  # of the longer side of the picture
# A line closer to the border than this fraction of the picture may be the bar of a 7.
BORDER = 0.03
UNBROKEN = 0.9  # a line is visible on at least this fraction of its length
SAMPLE_RUNS = 4000  # enough runs to find the slope


def without_lines(mask: Array) -> Array:
    """The ink `mask` (rows, columns) bool without the lines of ruled paper, in both directions.

    A line is removed column by column, where the ink is no thicker than the line. What crosses it
    stays (the criterion of line track height in Dalitz, Droettboom, Pranzas and Fujinaga, A
    comparative study of staff removal algorithms, 2008).
    """
    rest = _without_vertical(_without_vertical(mask).T).T
    return rest if rest.any() else mask


def _without_vertical(mask: Array) -> Array:
    """The mask without vertical lines. The level of a line is where it would meet the top."""
    row, first, length = runs(mask)
    thin = length <= max(2.0, THICKEST * max(mask.shape))
    if np.count_nonzero(thin) < len(mask) / 2:
        return mask
    middle = first + (length - 1) / 2
    slope = _slope(row[thin], middle[thin], len(mask))
    level = np.rint(middle - slope * row).astype(np.intp)
    dropped = np.zeros(len(row), bool)
    for line in _lines(mask, level[thin], slope):
        near = thin & (np.abs(level - line) <= 2)
        dropped |= near & (length <= 1.5 * np.median(length[near]) + 1)
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
