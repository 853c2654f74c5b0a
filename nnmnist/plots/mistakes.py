"""Images that a network misclassifies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from nnmnist.evaluation.text import counted
from nnmnist.plots.style import LETTER, house_style, panels, plain
from nnmnist.types import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_MISTAKES = 48
LONGEST_NAME = 16  # letters


def caption(index: int, label: str, prediction: str) -> str:
    """The index of an image, its class and its prediction; long names have lines of their own."""
    label, prediction = plain(label, LONGEST_NAME), plain(prediction, LONGEST_NAME)
    space = " " if len(label + prediction) <= 5 else "\n"
    return f"{index}\n{label},{space}read as {prediction}"


@house_style()
def mistakes(images: Array, captions: Sequence[str], total: int) -> Figure:
    """Misclassified images (n, rows, columns) with captions; `total` is the number of mistakes."""
    lines = [text.split("\n") for text in captions]
    width = max(1.4, 0.8 * LETTER * max(len(line) for text in lines for line in text))
    height = 1.4 + 0.175 * max(map(len, lines))
    columns = min(int(11.2 / width), max(4, len(images)))
    figure, grid = panels(columns, width, height, -(-len(images) // columns))
    # inches: the first captions stand clear of the edge
    figure.set_layout_engine("constrained", h_pad=0.1)
    for axes in grid:
        axes.set_axis_off()
    for axes, image, text in zip(grid, images, captions, strict=False):
        axes.imshow(image, cmap="gray_r", vmin=0, vmax=255)
        axes.set_title(text, fontsize="small", pad=2)
    figure.suptitle("Mistakes on the test set, the most confident first", fontsize="medium")
    if len(images) < total:
        figure.supxlabel(
            f"the {len(images)} most confident of {counted(total, 'mistake')}", fontsize="medium"
        )
    return figure
