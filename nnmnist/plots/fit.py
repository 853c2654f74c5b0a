"""The predictions of networks with one input and one output as lines."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from nnmnist.data.examples import Examples
from nnmnist.errors import PlotError
from nnmnist.model.network import Network
from nnmnist.plots.style import COLOURS, house_style, legend_below, panels, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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

    Args:
        networks: name -> network.
        examples: what they trained on; drawn as points.

    Raises:
        PlotError: a network has more than one input or output.
    """
    for network in networks.values():
        require_line(network)
    figure, (axes,) = panels()
    x = examples.x
    axes.scatter(x, examples.y, s=14, color="0.6", label="data")
    line = np.linspace(x.min(), x.max(), 400)[:, None]
    for k, (name, network) in enumerate(networks.items()):
        above = len(networks) - 1 - k  # a line is seen under those that lie upon it
        axes.plot(
            line, network.predict(line), STYLES[k % len(STYLES)],
            color=COLOURS[k % len(COLOURS)],
            label=plain(name), linewidth=2 + 3 * above, alpha=0.4 if above else 1.0,
        )  # fmt: skip
    axes.set_xlabel("input $x$")
    axes.set_ylabel("probability $p$ of class 1" if examples.n_classes else "output $y$")
    legend_below(figure, axes.get_legend_handles_labels()[0])
    return figure
