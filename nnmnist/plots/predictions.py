"""Predicted against true values of a regression."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nnmnist.data.examples import Examples
from nnmnist.errors import PlotError
from nnmnist.model.network import Network
from nnmnist.plots.style import BLUE, GREY, house_style, panels

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_OUTPUTS = 8  # drawn of a network


def require_values(network: Network, n_classes: int) -> None:
    """Raise PlotError unless `predictions` can draw the network: a regression."""
    if n_classes:
        raise PlotError(
            "predictions draws the values of a regression, and this network is a classifier; "
            "draw its confusion"
        )


@house_style()
def predictions(network: Network, examples: Examples) -> Figure:
    """Each output against the true value, one point per example; on the diagonal both are equal.

    Raises:
        PlotError: the network is a classifier.
    """
    require_values(network, examples.n_classes)
    y, p = examples.y, network.predict(examples.x)
    n = min(y.shape[1], MOST_OUTPUTS)
    columns = min(n, 4)
    figure, grid = panels(columns, 4.4, 4.4, -(-n // columns))
    for k, axes in enumerate(grid):
        if k >= n:
            axes.set_axis_off()
            continue
        ends = [min(y[:, k].min(), p[:, k].min()), max(y[:, k].max(), p[:, k].max())]
        axes.plot(ends, ends, color=GREY, linewidth=1.2, label="prediction = true value")
        axes.scatter(y[:, k], p[:, k], s=12, color=BLUE, label="an example", zorder=3)
        r2 = 1 - float(np.mean((y[:, k] - p[:, k]) ** 2) / max(np.var(y[:, k]), 1e-300))
        name = f"output {k + 1}: " if y.shape[1] > 1 else ""
        axes.set_title(f"{name}$R^2 = {r2:.3f}$", fontsize="medium")
        axes.set_aspect("equal")
        axes.set(xlabel="true value", ylabel="prediction")
    figure.suptitle("Predictions and true values of the test set", fontsize="medium")
    figure.legend(
        handles=grid[0].get_legend_handles_labels()[0], loc="outside lower center", ncols=2
    )
    return figure
