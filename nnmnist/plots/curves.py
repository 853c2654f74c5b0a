"""Learning curves: cost and accuracy against the epochs or iterations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nnmnist.plots.style import COLOURS, GREY, colours, house_style, legend_below, panels, plain
from nnmnist.runs.history import History
from nnmnist.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# of curves, of points
LOOKS = {"training": ("--", "o"), "validation": ("-", "s"), "test": ("-", "*")}
LABEL_LINE = 0.06  # height of a line of small letters, relative to the axes


@house_style()
def curves(histories: Sequence[History], x_label: str = "epoch") -> Figure:
    """Cost and accuracy against the steps, for training and validation or test data.

    Several trainings are drawn over each other. The gap at the end between a training curve and one
    of other data is the generalization error.
    """
    named = "generalization\nerror " if len(histories) == 1 else ""
    classes = any(np.isfinite(history.splits["training"].accuracy).any() for history in histories)
    figure, all_axes = panels(2 if classes else 1)
    for axes, name in zip(all_axes, ("cost", "accuracy"), strict=False):
        unit, form = (100, "{:.1f} points") if name == "accuracy" else (1, "{:.3f}")
        gaps = []
        for colour, history in zip(colours(len(histories)), histories, strict=True):
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
    """Shade the gap where the training curve is better than the other, and measure its end.

    Returns:
        The label of the gap, or none: x and y of its position, its text and its colour.
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
    """Write the sizes of the gaps beside their ends, far enough apart to read them."""
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
    """Line styles stand for splits; with several trainings, colours stand for trainings."""
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
        for colour, history in zip(colours(len(histories)), histories, strict=True):
            handles += axes.plot([], [], color=colour, label=plain(history.name), linewidth=5)
    legend_below(figure, handles)
