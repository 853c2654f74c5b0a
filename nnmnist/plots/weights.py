"""The weights of the first layer as images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnmnist.evaluation.text import counted
from nnmnist.plots.style import LETTER, house_style, panels, plain_classes
from nnmnist.types import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_UNITS = 64  # drawn of a first layer


@house_style()
def weights(W: Array, image_shape: tuple[int, int], names: Sequence[str] = ()) -> Figure:
    """The rows of W (n_units, rows * columns) as images: the weight of each pixel."""
    shown = W[:MOST_UNITS]
    columns = 5 if len(shown) <= 10 else 8
    size = 1.5 if names else 0.95
    figure, grid = panels(columns, size, size * (1.1 if names else 0.9), -(-len(shown) // columns))
    # a few pixels at the rim would pale all others
    limit = float(np.quantile(np.abs(shown), 0.998)) or 1.0
    for axes in grid:
        axes.set_axis_off()
    for axes, row in zip(grid, shown, strict=False):
        image = axes.imshow(row.reshape(image_shape), cmap="RdBu_r", vmin=-limit, vmax=limit)
    names = plain_classes(names, int(size / LETTER))
    letters = "medium" if max(map(len, names), default=0) < 0.8 * size / LETTER else "small"
    for axes, name in zip(grid, names, strict=False):
        axes.set_title(name, fontsize=letters, pad=2)
    figure.colorbar(image, ax=grid, label="weight", shrink=0.9, extend="both")
    whose = "each class" if len(names) else "each unit of the first hidden layer"
    figure.suptitle(f"Weights of the pixels, for {whose}", fontsize="medium")
    if len(shown) < len(W):
        figure.supxlabel(f"the first {len(shown)} of {counted(len(W), 'unit')}", fontsize="medium")
    return figure
