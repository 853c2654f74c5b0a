"""Pictures, by matplotlib (the extra `plot`): functions from arrays to figures. No window is ever opened.

The colours are those of Okabe and Ito (2008), which colour-blind readers can tell apart; what is told of a split or a
class, a line style or a marker tells too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nnmnist.data.examples import Examples
from nnmnist.errors import MissingLibrary, PlotError
from nnmnist.files import write_atomic
from nnmnist.model.network import Network
from nnmnist.runs.history import History
from nnmnist.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, RED, GREEN = "#0072B2", "#D55E00", "#009E73"
COLOURS = (BLUE, RED, GREEN, "#E69F00", "#CC79A7", "#56B4E9", "#000000")
NAMED = {"blue": BLUE, "red": RED, "green": GREEN}  # classes that are called by a colour have it
MARKERS = "o^sDvP*"
# of curves, of points
LOOKS = {"training": ("--", "o"), "validation": ("-", "s"), "test": ("-", "*")}
GREY = "0.35"
FORMATS = {
    ".png": ["Software"],
    ".svg": ["Date", "Creator"],
}  # and what would make the same picture another file
LABEL_LINE = 0.06  # of the height of the axes: what a line of small letters takes
MOST_UNITS = 64  # drawn of a first layer
MOST_MISTAKES = 48
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
    "svg.hashsalt": "nnmnist",  # the same picture is the same file
}


@contextmanager
def house_style() -> Iterator[None]:
    """Within it, or in a function decorated with it, matplotlib draws in the house style.

    Raises:
        MissingLibrary: there is no matplotlib.
    """
    try:
        import matplotlib
    except ImportError:
        raise MissingLibrary(
            "plots need matplotlib, which is not installed: pip install 'nnmnist[plot]'"
        ) from None
    with matplotlib.rc_context(STYLE):
        yield


def panels(
    columns: int = 1, width: float = 5.2, height: float = 4.0, rows: int = 1
) -> tuple[Figure, list[Axes]]:
    """A figure of rows x columns axes, each `width` x `height` inches, as a list row by row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(columns * width, rows * height), layout="constrained")
    return figure, list(figure.subplots(rows, columns, squeeze=False).flat)


@house_style()
def save(figure: Figure, path: Path) -> None:
    """Write a picture in the format that the ending of `path` says, whole or not at all.

    Raises:
        PlotError: another ending. OSError: the file cannot be written.
    """
    ending = path.suffix.lower()
    if ending not in FORMATS:
        raise PlotError(f"{path}: pictures are written as {' or '.join(FORMATS)}; name the file so")
    dateless = dict.fromkeys(FORMATS[ending])
    write_atomic(path, lambda file: figure.savefig(file, format=ending[1:], metadata=dateless))


def _colours(n: int) -> Sequence[Any]:
    """A colour for each of n trainings; of more than the house has, shades from dark to light in their order."""
    import matplotlib

    if n <= len(COLOURS):
        return COLOURS[:n]
    return list(matplotlib.colormaps["viridis"](np.linspace(0, 0.95, n)))


@house_style()
def curves(histories: Sequence[History], x_label: str = "epoch") -> Figure:
    """Cost and accuracy against the steps on training and validation or test data, several trainings overlaid.

    The gap at the end between a training curve and that on data it was not trained on is the generalization error.
    """
    named = "generalization\nerror " if len(histories) == 1 else ""
    classes = any(np.isfinite(history.splits["training"].accuracy).any() for history in histories)
    figure, all_axes = panels(2 if classes else 1)
    for axes, name in zip(all_axes, ("cost", "accuracy"), strict=False):
        unit, form = (100, "{:.1f} points") if name == "accuracy" else (1, "{:.3f}")
        gaps = []
        for colour, history in zip(_colours(len(histories)), histories, strict=True):
            lines = {
                split: (series.steps, unit * getattr(series, name))
                for split, series in history.splits.items()
            }
            for split, (x, y) in lines.items():
                axes.plot(x, y, LOOKS[split][len(x) == 1], color=colour, markersize=11, zorder=3)
            gaps += _gap(axes, lines, name == "cost", named + form, colour)
        _label(axes, gaps)
        axes.set_xlabel(x_label)
        axes.locator_params(axis="x", integer=True)
        axes.set_ylabel("accuracy (%)" if name == "accuracy" else "cost (mean of $L_i$)")
    _legend(figure, all_axes[0], histories)
    return figure


def _gap(
    axes: Axes, lines: dict[str, tuple[Array, Array]], cost: bool, form: str, look: Any
) -> list[tuple[float, float, str, Any]]:
    """Shade the gap between the training curve and the other, where training is better, and measure its end.

    Returns:
        The label of that: x and y of its place, its text and its colour; or none.
    """
    other = [lines[split] for split in ("validation", "test") if split in lines]
    if not other:
        return []
    steps, values = max(other, key=lambda line: len(line[0]))
    training = np.interp(steps, *lines["training"])
    gap = values - training if cost else training - values
    axes.fill_between(steps, training, values, where=gap > 0, color=look, alpha=0.15, linewidth=0)
    if not gap[-1] > 0:
        return []
    x, ends = steps[-1], (training[-1], values[-1])
    arrow = {"arrowstyle": "<->", "color": GREY, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x, ends[0]), (x, ends[1]), arrowprops=arrow)
    return [(x, sum(ends) / 2, form.format(gap[-1]), look)]


def _label(axes: Axes, gaps: Sequence[tuple[float, float, str, Any]]) -> None:
    """Write the figures of the gaps beside their ends, far enough apart to be read."""
    low, high = axes.get_ylim()
    line = LABEL_LINE * (high - low)
    gaps = sorted(gaps, key=lambda gap: gap[1])
    places = [y for _, y, _, _ in gaps]
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + line)
    for k in reversed(range(len(places))):  # what this has pushed over the top, down again
        places[k] = min(places[k], high - (len(places) - 1 - k) * line)
    for (x, _, text, colour), y in zip(gaps, places, strict=True):
        axes.annotate(
            text, (x, y), (6, 0), textcoords="offset points", va="center",
            color=GREY if len(gaps) == 1 else colour, fontsize="small", annotation_clip=False,
        )  # fmt: skip


def _legend(figure: Figure, axes: Axes, histories: Sequence[History]) -> None:
    """Line styles name the splits; colours name the trainings, where there are several."""
    from matplotlib.patches import Patch

    one = len(histories) == 1
    grey = COLOURS[0] if one else GREY
    handles: list[Any] = []
    for split, (line, marker) in LOOKS.items():
        if lengths := [
            len(history.splits[split].steps) for history in histories if split in history.splits
        ]:
            look = line if max(lengths) > 1 else marker
            handles += axes.plot([], [], look, color=grey, label=split, markersize=11)
    if len(handles) > 1:
        handles.append(Patch(color=grey, alpha=0.15, linewidth=0, label="generalization error"))
    if not one:
        for colour, history in zip(_colours(len(histories)), histories, strict=True):
            handles += axes.plot([], [], color=colour, label=history.name, linewidth=5)
    _put_below(figure, handles)


def _put_below(figure: Figure, handles: Sequence[Any]) -> None:
    """A legend below the axes, in as many columns as the figure's width has room for, at about 0.13 inch a letter."""
    labels = [handle.get_label() for handle in handles]

    def width(n: int) -> float:
        return sum(0.85 + 0.13 * max(map(len, column)) for column in np.array_split(labels, n))

    n = len(labels)
    while n > 1 and width(n) > figure.get_figwidth():
        n -= 1
    legend = figure.legend(handles=handles, loc="outside lower center", ncols=n)
    for text in legend.get_texts():
        text.set_parse_math(False)  # names of runs may hold a $


@house_style()
def weights(W: Array, image_shape: tuple[int, int], names: Sequence[str] = ()) -> Figure:
    """The rows of W (units, rows * columns) as images: how each pixel speaks for a unit or against it."""
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
    for axes, name in zip(grid, names, strict=False):
        axes.set_title(name, fontsize="medium", pad=2)
    figure.colorbar(image, ax=grid, label="weight", shrink=0.9, extend="both")
    if len(shown) < len(W):
        figure.supxlabel(f"the first {len(shown)} of {len(W)} units", fontsize="medium")
    return figure


@house_style()
def confusion(matrix: Array, classes: Sequence[str]) -> Figure:
    """The counts (classes, classes), row the true class, column the predicted one; mistakes are coloured."""
    from matplotlib.ticker import MaxNLocator

    n = len(classes)
    figure, (axes,) = panels(1, max(5.0, 0.62 * n + 1), max(4.2, 0.5 * n + 0.9))
    mistakes = matrix * (1 - np.eye(n, dtype=matrix.dtype))
    most = max(1, mistakes.max())
    image = axes.imshow(
        np.ma.masked_equal(mistakes, 0), cmap="Oranges", vmin=0, vmax=most, aspect="auto"
    )
    for (i, k), count in np.ndenumerate(matrix):
        if count and n <= 26:
            dark = mistakes[i, k] > 0.6 * most
            axes.text(
                k, i, str(count), ha="center", va="center", fontsize="small",
                color="white" if dark else "black", weight="bold" if i == k else "normal",
            )  # fmt: skip
    axes.set_xticks(range(n), classes)
    axes.set_yticks(range(n), classes)
    axes.tick_params(length=0)
    axes.grid(visible=False)
    axes.set_xlabel("predicted class")
    axes.set_ylabel("true class")
    figure.colorbar(image, label="mistakes (examples)").locator = MaxNLocator(integer=True)
    right, total = int(matrix.trace()), int(matrix.sum())
    axes.set_title(f"{right:,} of {total:,} right ({right / total:.2%})", fontsize="medium")
    return figure


@house_style()
def mistakes(images: Array, captions: Sequence[str], total: int) -> Figure:
    """Examples that a network gets wrong, (n, rows, columns) each under its caption; `total` is how many there are."""
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
        figure.supxlabel(f"the surest {len(images)} of {total:,} mistakes", fontsize="medium")
    return figure


def require_plane(network: Network, classes: Sequence[str]) -> None:
    """Raise PlotError unless `boundary` can draw the network: two inputs, and classes."""
    if network.sizes[0] != 2:
        raise PlotError(
            f"boundary draws a plane of two inputs, and this network takes {network.sizes[0]}"
        )
    if not classes:
        raise PlotError("boundary draws where classes meet, and this network is a regression")


def require_line(network: Network) -> None:
    """Raise PlotError unless `fit` can draw the network: one output of one input."""
    if (network.sizes[0], network.sizes[-1]) != (1, 1):
        raise PlotError(
            "fit draws one output against one input, and this network has "
            f"{network.sizes[-1]} and {network.sizes[0]}"
        )


@house_style()
def boundary(network: Network, examples: Examples, classes: Sequence[str]) -> Figure:
    """Which class the network sees in each point of the plane, with the examples.

    Raises:
        PlotError: the network has other than two inputs, or tells no classes apart.
    """
    require_plane(network, classes)
    from matplotlib.colors import ListedColormap

    x, labels = examples.x, examples.y
    low, high = x.min(axis=0), x.max(axis=0)
    margin = 0.08 * (high - low)
    sides = [np.linspace(a, b, 300) for a, b in zip(low - margin, high + margin, strict=True)]
    plane = np.stack([side.ravel() for side in np.meshgrid(*sides)], axis=1)  # (300 * 300, 2)
    seen = network.output.label(network.predict(plane).T).reshape(300, 300)
    figure, (axes,) = panels(1, 5.8, 4.3)
    colours = [NAMED.get(name, COLOURS[k % len(COLOURS)]) for k, name in enumerate(classes)]
    axes.pcolormesh(
        *sides, seen, cmap=ListedColormap(colours), vmin=0, vmax=max(1, len(classes) - 1),
        alpha=0.25, linewidth=0, rasterized=True,
    )  # fmt: skip
    for k, name in enumerate(classes):
        x1, x2 = x[labels == k].T
        axes.scatter(
            x1, x2, s=22, color=colours[k], marker=MARKERS[k % len(MARKERS)],
            edgecolor="white", linewidth=0.5, label=name,
        )  # fmt: skip
    axes.set_xlabel("$x_1$")
    axes.set_ylabel("$x_2$")
    axes.grid(visible=False)
    figure.legend(loc="outside right center", title="class", markerscale=1.5)
    return figure


@house_style()
def fit(networks: Mapping[str, Network], examples: Examples) -> Figure:
    """The predictions of named networks as lines over the examples: values, or the probability of class 1.

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
            line, network.predict(line), ("-", "--", "-.", ":")[k % 4], color=COLOURS[k % len(COLOURS)],
            label=name, linewidth=2 + 3 * above, alpha=0.4 if above else 1.0,
        )  # fmt: skip
    axes.set_xlabel("input $x$")
    axes.set_ylabel("probability $p$ of class 1" if examples.n_classes else "output $y$")
    _put_below(figure, axes.get_legend_handles_labels()[0])
    return figure
