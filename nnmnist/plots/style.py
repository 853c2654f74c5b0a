"""The style of all figures: colours that colour-blind readers can tell apart (Okabe and Ito 2008).

What a colour says, a line style or a marker says too. No window is ever opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnmnist.errors import MissingLibrary, PlotError, printable
from nnmnist.files import write_atomic

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"
COLOURS = (BLUE, RED, GREEN, "#E69F00", "#CC79A7", "#56B4E9", "#000000")
GREY = "0.35"
LETTER = 0.11  # mean width of a letter of the usual size, in inches
# and what would make the same picture another file
FORMATS = {
    ".png": ["Software"],
    ".svg": ["Date", "Creator"],
    ".pdf": ["CreationDate", "Creator", "Producer"],
}
STYLE: dict[Any, Any] = {
    "figure.dpi": 120,
    "font.size": 13.5,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": "0.9",
    "legend.frameon": False,
    "lines.linewidth": 2,
    "svg.hashsalt": "nnmnist",  # the same figure gives the same file
}


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style, within this context or in a function with this decorator.

    Raises:
        MissingLibrary: matplotlib is not installed.
    """
    try:
        import matplotlib
    except ImportError:
        raise MissingLibrary(
            "plots need the library matplotlib: pip install 'nnmnist[plot]'"
        ) from None
    with matplotlib.rc_context(STYLE):
        yield


def panels(
    columns: int = 1, width: float = 5.2, height: float = 4.0, rows: int = 1
) -> tuple[Figure, list[Axes]]:
    """A figure of rows x columns axes, each `width` x `height` inches; the axes row by row."""
    from nnmnist.plots.figure import NotebookFigure

    figure = NotebookFigure(figsize=(columns * width, rows * height), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


@house_style()
def save(figure: Figure, path: Path) -> None:
    """Write a figure in the format of the file name's ending, completely or not at all.

    Raises:
        PlotError: the ending is not a known format.
        OSError: the file cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        *others, last = FORMATS
        raise PlotError(
            f"{path}: figures are written as {', '.join(others)} or {last}; choose such a name"
        )
    dateless = dict.fromkeys(FORMATS[ending])
    write_atomic(path, lambda file: figure.savefig(file, format=ending[1:], metadata=dateless))


def plain(name: str, limit: int = 80) -> str:
    """A name from outside as a text of a figure: not long, on one line, and without formulas."""
    return printable(name, limit).replace("$", r"\$")


def plain_classes(classes: Sequence[str], limit: int = 20) -> list[str]:
    """The names of classes, `plain` and so short that all of them fit into a figure."""
    return [plain(name, limit) for name in classes]


def colours(n: int) -> Sequence[Any]:
    """A colour for each of n trainings; if there are many, shades from dark to light."""
    import matplotlib

    if n <= len(COLOURS):
        return COLOURS[:n]
    return list(matplotlib.colormaps["viridis"](np.linspace(0, 0.95, n)))


def legend_below(figure: Figure, handles: Sequence[Any]) -> None:
    """A legend below the axes, with as many columns as fit (0.13 inch per letter)."""
    labels = [handle.get_label() for handle in handles]

    def width(n: int) -> float:
        return sum(0.85 + 0.13 * max(map(len, column)) for column in np.array_split(labels, n))

    n = len(labels)
    while n > 1 and width(n) > figure.get_figwidth():
        n -= 1
    figure.legend(handles=handles, loc="outside lower center", ncols=n)
