"""The classes of a network over the plane of its two inputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from nnmnist.data.examples import Examples
from nnmnist.errors import PlotError
from nnmnist.model.network import Network
from nnmnist.plots.style import BLUE, COLOURS, GREEN, house_style, panels, plain_classes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Classes that are called by a colour have it.
NAMED = {"blue": BLUE, "red": "#D00000", "green": GREEN}
MARKERS = "o^sDvP*"


def require_plane(network: Network, classes: Sequence[str]) -> None:
    """Raise PlotError unless `boundary` can draw the network: two inputs, and classes."""
    if network.sizes[0] != 2:
        raise PlotError(
            f"boundary needs a network with two inputs, but this one has {network.sizes[0]}"
        )
    if not classes:
        raise PlotError("boundary needs a classifier, but this network is a regression")


@house_style()
def boundary(network: Network, examples: Examples, classes: Sequence[str]) -> Figure:
    """The predicted class at each point of the plane, with the examples.

    Raises:
        PlotError: the network does not have two inputs, or is not a classifier.
    """
    require_plane(network, classes)
    from matplotlib.colors import ListedColormap

    x, labels = examples.x, examples.y
    low, high = x.min(axis=0), x.max(axis=0)
    margin = 0.08 * (high - low)
    sides = [np.linspace(a, b, 300) for a, b in zip(low - margin, high + margin, strict=True)]
    plane = np.stack([side.ravel() for side in np.meshgrid(*sides)], axis=1)  # (300 * 300, 2)
    seen = network.output.label(network.predict(plane).T).reshape(300, 300)
    figure, (axes,) = panels(1, 5.8, 4.5)
    figure.set_layout_engine("compressed")  # for axes with equal units
    colours = [NAMED.get(name, COLOURS[k % len(COLOURS)]) for k, name in enumerate(classes)]
    axes.pcolormesh(
        *sides, seen, cmap=ListedColormap(colours), vmin=0, vmax=max(1, len(classes) - 1),
        alpha=0.25, linewidth=0, rasterized=True,
    )  # fmt: skip
    for k, name in enumerate(plain_classes(classes)):
        x1, x2 = x[labels == k].T
        axes.scatter(
            x1, x2, s=22, color=colours[k], marker=MARKERS[k % len(MARKERS)],
            edgecolor="white", linewidth=0.5, label=name,
        )  # fmt: skip
    axes.set_aspect("equal")
    figure.suptitle("The predicted class of each point, and the data", fontsize="medium")
    axes.set_xlabel("$x_1$")
    axes.set_ylabel("$x_2$")
    axes.grid(visible=False)
    figure.legend(loc="outside right center", title="class", markerscale=1.5)
    return figure
