"""A figure that a notebook shows."""

from __future__ import annotations

import io

from matplotlib.figure import Figure

DPI = 80  # pixels per inch of a screen


class NotebookFigure(Figure):
    """A figure that shows itself at the end of a cell, as large as the text of the page.

    Jupyter shows figures of pyplot alone. Pyplot keeps every figure in memory until it is closed.
    """

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=DPI)
        return file.getvalue()
