"""Learning curves: cost and accuracy against the epochs or iterations."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnmnist.plots.style import COLOURS, GREY, colours, house_style, legend_below, panels, plain
from nnmnist.runs.history import History, of_epochs
from nnmnist.training.fit import Epoch
from nnmnist.types import Array, require_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# of curves, of points
LOOKS = {"training": ("--", "o"), "validation": ("-", "s"), "test": (":", "*")}
LABEL_LINE = 0.06  # height of a line of small letters, relative to the axes
DECADES = 15  # from this ratio of costs on, their axis is logarithmic
SHADE = 0.25  # of gaps


def plot_history(history: Iterable[Epoch] | Mapping[str, Iterable[Epoch]]) -> Figure:
    """Draw the learning curves of a training: cost and accuracy per epoch, as `nnmnist plot` does.

    A training value is the mean over the steps of an epoch, and is drawn at its middle. A notebook
    shows the figure; `figure.savefig("curves.png")` writes it.

    Args:
        history: what `fit` yields, as in `list(nnmnist.fit(...))`; for several trainings in one
            figure, their names with what each of them yields.

    Raises:
        MissingLibrary: matplotlib is not installed.
        TypeError, ValueError: the history is something else, or has no epochs.
    """
    named = history if isinstance(history, Mapping) else {"": history}
    require_count("number of trainings", len(named), least=1)
    return curves([of_epochs(epochs, name) for name, epochs in named.items()])


@house_style()
def curves(histories: Sequence[History], x_label: str = "epoch", apart: bool = False) -> Figure:
    """Cost and accuracy against the steps, for training and validation or test data.

    The gap at the end between a training curve and one of other data is the generalization error.

    Args:
        histories: the curves of one training or several.
        x_label: what a step is.
        apart: whether each training has axes of its own; otherwise they are drawn over each other.
    """
    classes = any(np.isfinite(history.splits["training"].accuracy).any() for history in histories)
    names = ("cost", "accuracy") if classes else ("cost",)
    if apart:
        figure, grid = panels(len(histories), 4.0, 3.3, rows=len(names))
        cells = [(name, [history]) for name in names for history in histories]
    else:
        figure, grid = panels(len(names))
        cells = [(name, list(histories)) for name in names]
    for axes, (name, shown) in zip(grid, cells, strict=True):
        _draw(axes, name, shown)
        axes.set_xlabel(x_label)
        axes.locator_params(axis="x", integer=True)
        if apart and name == "cost":
            axes.set_title(plain(shown[0].name), fontsize="medium")
    of_one = f": {plain(histories[0].name)}" if len(histories) == 1 and histories[0].name else ""
    what = "Cost and accuracy" if classes else "Cost"
    figure.suptitle(f"{what} during the training{of_one}", fontsize="medium")
    _legend(figure, grid[0], histories, apart)
    return figure


def _draw(axes: Axes, name: str, histories: Sequence[History]) -> None:
    """The costs or accuracies of some trainings, with their gaps."""
    unit, form = (100, "{:.1f} points") if name == "accuracy" else (1, "{:.3f}")
    gaps: list[tuple[float, float, str, Any]] = []
    drawn = []
    for colour, history in zip(colours(len(histories)), histories, strict=True):
        lines = {
            split: (series.steps, unit * getattr(series, name))
            for split, series in history.splits.items()
        }
        for split, (x, y) in lines.items():
            axes.plot(x, y, LOOKS[split][len(x) == 1], color=colour, markersize=11, zorder=3)
        drawn.append((lines, colour))
    if name == "cost":
        _choose_scale(axes)
    for lines, colour in drawn:
        gaps += _gap(axes, lines, name == "cost", len(histories) == 1, form, colour)
    _label(axes, gaps)
    axes.set_ylabel("accuracy (%)" if name == "accuracy" else "cost (mean of $L_i$)")


def _choose_scale(axes: Axes) -> None:
    """A logarithmic axis for costs that fall over more than one decade."""
    values = np.concatenate([np.asarray(line.get_ydata(), float) for line in axes.lines])
    values = values[np.isfinite(values)]
    if len(values) and values.min() > 0 and values.max() > DECADES * values.min():
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")


def _gap(
    axes: Axes,
    lines: dict[str, tuple[Array, Array]],
    cost: bool,
    named: bool,
    form: str,
    look: Any,
) -> list[tuple[float, float, str, Any]]:
    """Shade the gap where the training curve is better than the other, and measure its end.

    Returns:
        The label of the gap, or none: x, its height as a fraction of the axes, text and colour.
    """
    split = _compared({split: len(x) for split, (x, _) in lines.items()})
    if split is None:
        return []
    steps, values = lines[split]
    training = np.interp(steps, *lines["training"])
    gap = values - training if cost else training - values
    axes.fill_between(steps, training, values, where=gap > 0, color=look, alpha=SHADE, linewidth=0)
    if not gap[-1] > 0:
        return []
    x, ends = steps[-1], (training[-1], values[-1])
    arrow = {"arrowstyle": "<->", "color": GREY, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", (x, ends[0]), (x, ends[1]), arrowprops=arrow)
    axes.get_ylim()  # settles the limits
    to_axes = axes.transData + axes.transAxes.inverted()
    middle = float(np.mean([to_axes.transform((x, end))[1] for end in ends]))
    text = form.format(gap[-1])
    return [(x, middle, f"gap to {split}\n{text}" if named else text, look)]


def _compared(lengths: Mapping[str, int]) -> str | None:
    """The split with the longest curve besides the training; of equal ones, validation."""
    others = [split for split in ("validation", "test") if split in lengths]
    return max(others, key=lengths.__getitem__, default=None)


def _label(axes: Axes, gaps: Sequence[tuple[float, float, str, Any]]) -> None:
    """Write the sizes of the gaps beside their ends, far enough apart to read them."""
    gaps = sorted(gaps, key=lambda gap: gap[1])
    places = [y for _, y, _, _ in gaps]
    for k in range(1, len(places)):
        places[k] = max(places[k], places[k - 1] + LABEL_LINE)
    for k in reversed(range(len(places))):  # what this has pushed over the top, down again
        places[k] = min(places[k], 1 - (len(places) - 1 - k) * LABEL_LINE)
    for (x, _, text, colour), y in zip(gaps, places, strict=True):
        axes.annotate(
            text, (x, y), (6, 0), xycoords=("data", "axes fraction"), textcoords="offset points",
            va="center", color=GREY if len(gaps) == 1 else colour, fontsize="small",
            annotation_clip=False,
        )  # fmt: skip


def _legend(figure: Figure, axes: Axes, histories: Sequence[History], apart: bool) -> None:
    """Line styles stand for splits; with several trainings, colours stand for trainings."""
    from matplotlib.patches import Patch

    one = apart or len(histories) == 1
    grey = COLOURS[0] if one else GREY
    handles: list[Any] = []
    for split, (line, marker) in LOOKS.items():
        lengths = [len(each.splits[split].steps) for each in histories if split in each.splits]
        if lengths:
            look = line if max(lengths) > 1 else marker
            handles += axes.plot([], [], look, color=grey, label=split, markersize=11)
    lengths_of = [{k: len(v.steps) for k, v in each.splits.items()} for each in histories]
    compared = {other for each in lengths_of if (other := _compared(each)) and each[other] > 1}
    if compared and any(each.collections for each in figure.axes):
        measured = " or ".join(sorted(compared, reverse=True))
        label = f"generalization error: gap to {measured}"
        handles.append(Patch(facecolor=grey, alpha=SHADE, edgecolor=grey, label=label))
    if not one:
        for colour, history in zip(colours(len(histories)), histories, strict=True):
            handles += axes.plot([], [], color=colour, label=plain(history.name), linewidth=5)
    legend_below(figure, handles)
