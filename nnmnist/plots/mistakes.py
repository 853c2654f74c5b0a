"""Images that a network misclassifies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nnmnist.plots.style import house_style, panels
from nnmnist.types import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_MISTAKES = 48


@house_style()
def mistakes(images: Array, captions: Sequence[str], total: int) -> Figure:
    """Misclassified images (n, rows, columns) with captions; `total` is the number of mistakes."""
    columns = min(8, max(4, len(images)))
    figure, grid = panels(columns, 1.4, 1.75, -(-len(images) // columns))
    # inches: the first captions stand clear of the edge
    figure.set_layout_engine("constrained", h_pad=0.1)
    for axes in grid:
        axes.set_axis_off()
    for axes, image, caption in zip(grid, images, captions, strict=False):
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=255)
        axes.set_title(caption, fontsize="small", pad=2)
    if len(images) < total:
        figure.supxlabel(
            f"the {len(images)} most confident of {total:,} mistakes", fontsize="medium"
        )
    return figure
