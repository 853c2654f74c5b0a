"""A figure that a notebook shows."""

from __future__ import annotations

import io

from matplotlib.figure import Figure


class NotebookFigure(Figure):
    """A figure that shows itself at the end of a cell.

    Jupyter shows figures of pyplot alone. Pyplot keeps every figure in memory until it is closed.
    """

    def _repr_png_(self) -> bytes:
        file = io.BytesIO()
        self.savefig(file, format="png")
        return file.getvalue()
