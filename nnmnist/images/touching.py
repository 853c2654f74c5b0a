"""Splits digits that touch each other where the network is surest.

Each wide part is cut along straight lines through little ink. Of all ways to cut it, and not to cut
it, the one wins whose pieces have the highest mean log-probability, weighted by their widths
(heuristic over-segmentation: LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to
document recognition, 1998, section V).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnmnist.images.prepare import to_mnist_image
from nnmnist.images.regions import components
from nnmnist.types import Array

# The log-probabilities (n,) of the classes that a network predicts for images (n, 28, 28) uint8.
Score = Callable[[Array], Array]

# In heights of the part:
WIDE = 0.7  # only wider parts may be several digits
NARROWEST, WIDEST, LOWEST = 0.12, 1.2, 0.6  # widths and height of a piece
APART = 0.1  # the smallest distance of two cuts
MAX_CUT_INK = 0.3  # the most ink on a cut

MAX_CUTS = 10
# The slopes of the cuts, in columns to the left for each row down: upright, and as people slant.
SLOPES = (0.0, 0.25, 0.5)
# What is smaller, as a fraction of the largest part of a piece, belongs to its neighbour.
CRUMB = 0.1
# A part is cut if its log-probability gains so much: that of an odd digit gains less.
GAIN = 0.5
# The log-probability of each piece: the network is at least so sure (two thirds).
SURE = -0.4


def split(soft: Array, own: Array, score: Score) -> list[Array]:
    """The digits of one part.

    Args:
        soft: (rows, columns) the ink around the part, in [0, 1].
        own: (rows, columns) bool, the pixels of the part.
        score: tells how sure the network is of pieces.

    Returns:
        For each digit, its pixels (rows, columns) bool, from the left: [own] if it is one.
    """
    y, x = np.nonzero(own)
    height = int(np.ptp(y)) + 1
    if np.ptp(x) + 1 <= WIDE * height:
        return [own]
    least = float(score(image_of(soft, own)[None])[0]) + GAIN
    if least >= 0:  # no piece has a higher log-probability than 0
        return [own]
    ways: list[tuple[float, list[Array]]] = [(least, [own])]
    for slope in SLOPES:
        place = np.arange(own.shape[1]) + np.rint(slope * np.arange(own.shape[0]))[:, None]
        ways.append(_best_way(soft, own, place.astype(np.intp), height, score))
    return max(ways, key=lambda way: way[0])[1]


def image_of(soft: Array, own: Array) -> Array:
    """The image (28, 28) uint8 of the pixels `own`; the soft edges belong to no part."""
    return to_mnist_image(soft * own, own)


def _best_way(
    soft: Array, own: Array, place: Array, height: int, score: Score
) -> tuple[float, list[Array]]:
    """The best way to cut where `place` (rows, columns) has some values: its score, and the pieces.

    The scores of pieces, times their widths, add up; so the best way to each cut is known from the
    best ways to the cuts before it (Viterbi's algorithm).
    """
    cuts = _cuts(np.bincount(place[own]), height)
    pieces: dict[tuple[int, int], Array] = {}
    for j in range(1, len(cuts)):
        for i in range(j):
            if NARROWEST * height <= cuts[j] - cuts[i] <= WIDEST * height:
                piece = _without_crumbs(own & (place >= cuts[i]) & (place < cuts[j]))
                if np.ptp(np.flatnonzero(piece.any(axis=1))) + 1 >= LOWEST * height:
                    pieces[i, j] = piece
    if not pieces:
        return -np.inf, [own]
    sure = score(np.stack([image_of(soft, piece) for piece in pieces.values()]))
    best: list[tuple[float, list[Array]]] = [(0.0, []), *((-np.inf, []) for _ in cuts[1:])]
    for ((i, j), piece), log_p in zip(pieces.items(), sure.tolist(), strict=True):
        total = best[i][0] + log_p * (cuts[j] - cuts[i])
        if log_p >= SURE and total > best[j][0]:
            best[j] = total, [*best[i][1], piece]
    return best[-1][0] / (cuts[-1] - cuts[0]), best[-1][1]


def _cuts(ink: Array, height: int) -> list[int]:
    """Where to cut, with both ends: at the least `ink` (n,), but only where there is some."""
    inked = np.flatnonzero(ink)
    chosen = [int(inked[0]), int(inked[-1]) + 1]
    for column in inked[np.argsort(ink[inked], kind="stable")].tolist():
        if len(chosen) == MAX_CUTS + 2 or ink[column] > MAX_CUT_INK * height:
            break
        if all(abs(column - other) >= APART * height for other in chosen):
            chosen.append(column)
    return sorted(chosen)


def _without_crumbs(piece: Array) -> Array:
    """A piece (rows, columns) bool without what a cut leaves of its neighbour."""
    labels = components(piece)
    sizes = np.bincount(labels[piece])
    kept: Array = (sizes >= CRUMB * sizes.max())[labels] & piece
    return kept
