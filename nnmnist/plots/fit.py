"""The predictions of networks with one input and one output as lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nnmnist.data.examples import Examples
from nnmnist.errors import PlotError
from nnmnist.model.network import Network
from nnmnist.plots.style import COLOURS, GREY, house_style, legend_below, panels, plain
from nnmnist.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_RESIDUALS = 3  # networks whose residuals have room beside their lines
STYLES = ("-", "--", "-.", ":")


def require_line(network: Network) -> None:
    """Raise PlotError unless `fit` can draw the network: one input and one output."""
    if (network.sizes[0], network.sizes[-1]) != (1, 1):
        raise PlotError(
            "fit draws one output against one input, and this network has "
            f"{network.sizes[-1]} and {network.sizes[0]}"
        )


@house_style()
def fit(networks: Mapping[str, Network], examples: Examples) -> Figure:
    """The predictions of networks as lines: values, or the probability of class 1.

    Beside values, their residuals are drawn. On the line of a probability, the point is marked
    where both classes have the same probability.

    Args:
        networks: name -> network.
        examples: what they trained on; drawn as points.

    Raises:
        PlotError: a network has more than one input or output.
    """
    for network in networks.values():
        require_line(network)
    with_residuals = not examples.n_classes and len(networks) <= MOST_RESIDUALS
    figure, axes, others = _panels(len(networks) if with_residuals else 0)
    x = examples.x
    axes.scatter(x, examples.y, s=14, color="0.6", label="data")
    line = np.linspace(x.min(), x.max(), 400)[:, None]
    for k, (name, network) in enumerate(networks.items()):
        above = len(networks) - 1 - k  # a line is seen under those that lie upon it
        colour = COLOURS[k % len(COLOURS)]
        axes.plot(
            line, network.predict(line), STYLES[k % len(STYLES)], color=colour,
            label=plain(name), linewidth=2 + 3 * above, alpha=0.4 if above else 1.0,
        )  # fmt: skip
        if examples.n_classes:
            _mark_threshold(axes, line[:, 0], network.predict(line)[:, 0], colour)
        if with_residuals:
            _draw_residuals(others[k], x[:, 0], examples.y - network.predict(x), name, colour)
    axes.set_xlabel("input $x$")
    axes.set_ylabel("probability $p$ of class 1" if examples.n_classes else "output $y$")
    what = "the probability of class 1" if examples.n_classes else "the prediction"
    axes.set_title(f"The data and {what}", fontsize="medium")
    legend_below(figure, axes.get_legend_handles_labels()[0])
    return figure


def _panels(n_residuals: int) -> tuple[Figure, Axes, list[Axes]]:
    """A figure with large axes, and small ones for residuals, one below the other."""
    if not n_residuals:
        figure, (axes,) = panels(1, 5.6, 4.4)
        return figure, axes, []
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.4, 4.6), layout="constrained")
    grid = figure.add_gridspec(n_residuals, 2)
    large = figure.add_subplot(grid[:, 0])
    others: list[Axes] = []
    for k in range(n_residuals):
        shared = others[0] if others else None
        others.append(figure.add_subplot(grid[k, 1], sharex=shared, sharey=shared))
    for axes in others[:-1]:
        axes.tick_params(labelbottom=False)
    others[-1].set_xlabel("input $x$")
    return figure, large, others


def _draw_residuals(axes: Axes, x: Array, residuals: Array, name: str, colour: str) -> None:
    axes.axhline(0, color=GREY, linewidth=1)
    axes.scatter(x, residuals, s=9, color=colour)
    title = f"Data minus prediction: {plain(name, 40)}"
    axes.set_title(title, fontsize="small", color=colour)
    axes.set_ylabel("residual", fontsize="small")


def _mark_threshold(axes: Axes, x: Array, p: Array, colour: str) -> None:
    """Mark where z = 0, so that p = 1/2: there the predicted class changes."""
    for i in np.flatnonzero(np.diff(p > 0.5)):
        at = float(x[i] + (0.5 - p[i]) / (p[i + 1] - p[i]) * (x[i + 1] - x[i]))
        axes.plot([at, at], [0, 0.5], ":", color=colour, linewidth=1.5)
        axes.plot([at], [0.5], "o", color=colour, markersize=9, markerfacecolor="white")
        text = f"$z = 0$ at $x = {at:.2f}$:\n$p = 1/2$"
        axes.annotate(
            text, (at, 0.5), (12, -4), textcoords="offset points", va="top", fontsize="small"
        )
