"""The confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnmnist.plots.style import LETTER, house_style, panels, plain_classes
from nnmnist.types import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LONGEST_NAME = 16  # letters


@house_style()
def confusion(matrix: Array, classes: Sequence[str]) -> Figure:
    """The counts (n_classes, n_classes): rows are true classes, columns predicted ones."""
    from matplotlib.ticker import MaxNLocator

    n, names = len(classes), plain_classes(classes, LONGEST_NAME)
    longest = LETTER * max(map(len, names))
    slanted = longest > max(0.4, 3.0 / n)  # the names of the columns would touch each other
    extra = longest if slanted else 0.0
    figure, (axes,) = panels(
        1, max(5.0, 0.62 * n + 1) + extra, max(4.2, 0.5 * n + 0.9) + 0.7 * extra
    )
    mistakes = matrix * (1 - np.eye(n, dtype=matrix.dtype))
    most = max(1, mistakes.max())
    image = axes.imshow(
        np.ma.masked_equal(mistakes, 0), cmap="Oranges", vmin=0, vmax=most, aspect="auto"
    )
    for (i, k), count in np.ndenumerate(matrix):
        if count and n <= 26:
            dark = mistakes[i, k] > 0.6 * most
            axes.text(
                k, i, str(count), ha="center", va="center", fontsize="small",
                color="white" if dark else "black", weight="bold" if i == k else "normal",
            )  # fmt: skip
    axes.set_xticks(range(n), names)
    axes.set_yticks(range(n), names)
    if slanted:
        for label in axes.get_xticklabels():
            label.set(rotation=45, ha="right", rotation_mode="anchor")
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    figure.colorbar(image, label="mistakes (examples)").locator = MaxNLocator(integer=True)
    right, total = int(matrix.trace()), int(matrix.sum())
    title = f"Confusion matrix: {right:,} of {total:,} right ({right / total:.2%})"
    axes.set_title(title, fontsize="medium")
    return figure
