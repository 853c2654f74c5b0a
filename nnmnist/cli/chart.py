"""A small curve in the terminal, for where no picture can be seen."""

from __future__ import annotations

import sys

import numpy as np

from nnmnist.cli.digits import can_show
from nnmnist.runs.history import History

WIDTH, HEIGHT = 60, 12  # characters
MARKS = {"training": "·", "validation": "█", "test": "★"}
PLAIN = {"training": ".", "validation": "#", "test": "*"}  # where the encoding lacks the marks


def chart(history: History, encoding: str | None = None) -> str:
    """The cost against the epochs as text: a mark a split, the later drawn over the earlier.

    `encoding` is that of stderr by default.
    """
    marks = MARKS if can_show("".join(MARKS.values()), encoding or sys.stderr.encoding) else PLAIN
    costs = np.concatenate([series.cost for series in history.splits.values()])
    low, high = float(np.nanmin(costs)), float(np.nanmax(costs))
    last = max(float(series.steps[-1]) for series in history.splits.values())
    canvas = np.full((HEIGHT, WIDTH), " ")
    columns = np.arange(WIDTH)
    for split, (steps, cost, _) in history.splits.items():
        at = np.rint(steps / last * (WIDTH - 1)).astype(int)
        inside = columns[(columns >= at[0]) & (columns <= at[-1])]
        y = np.interp(inside, at, cost)
        row = np.rint((high - y) / ((high - low) or 1) * (HEIGHT - 1)).astype(int)
        canvas[row, inside] = marks[split]
    lines = [f"{'':9} |{''.join(row)}".rstrip() for row in canvas]
    lines[0] = f"{high:9.4f}{lines[0][9:]}"
    lines[-1] = f"{low:9.4f}{lines[-1][9:]}"
    axis = f"{'':9} +{'-' * WIDTH}"
    legend = "   ".join(f"{marks[split]} {split}" for split in history.splits)
    return "\n".join(
        [
            f"cost of {history.name}:   {legend}",
            *lines,
            axis,
            f"{'':11}0{'epoch':^{WIDTH - 8}}{last:>7g}",
        ]
    )
