"""Connected components of a mask, computed from its runs: stretches of a row without a gap."""

from __future__ import annotations

import numpy as np

from nnmnist.types import Array


def runs(mask: Array) -> tuple[Array, Array, Array]:
    """The runs of a mask (rows, columns) in order: rows, first columns and lengths, (n,) each."""
    # with a gap at both ends, all rows together are one long row
    width = mask.shape[1] + 2
    edges = np.flatnonzero(np.diff(np.pad(mask, ((0, 0), (1, 1))).reshape(-1).view(np.int8)))
    start, end = edges[::2], edges[1::2]
    row, first = np.divmod(start, width)
    return row, first, end - start


def components(mask: Array) -> Array:
    """Label the 8-connected components of a mask (rows, columns) 1, 2, ...; 0 outside."""
    row, first, length = runs(mask)
    width = mask.shape[1] + 2
    start, end = row * width + first, row * width + first + length
    # The runs in the row above that touch a run are neighbours in the list.
    low = np.searchsorted(end, start - width, "left")
    high = np.searchsorted(start, end - width, "right")
    parent = list(range(len(row)))

    def root(run: int) -> int:
        while parent[run] != run:
            parent[run] = run = parent[parent[run]]
        return run

    for run, (a, b) in enumerate(zip(low.tolist(), high.tolist(), strict=True)):
        for above in range(a, b):
            one, other = root(run), root(above)
            parent[max(one, other)] = min(one, other)
    labels = np.zeros(mask.shape, np.intp)
    _, numbers = np.unique([root(run) for run in range(len(row))], return_inverse=True)
    labels[mask] = np.repeat(numbers + 1, length)
    return labels


def boxes(labels: Array) -> Array:
    """The boxes (n, 4) of components 1 to n: left, top, right, bottom (not included)."""
    row, first, length = runs(labels > 0)
    label = labels[row, first] - 1
    low = np.full((labels.max(), 2), max(labels.shape))
    high = np.zeros_like(low)
    np.minimum.at(low, label, np.stack([first, row], axis=1))
    np.maximum.at(high, label, np.stack([first + length, row + 1], axis=1))
    return np.hstack([low, high])
