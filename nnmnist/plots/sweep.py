"""The results of a sweep against one or two of the keys in which its runs differ."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from nnmnist.plots.style import BLUE, RED, house_style, panels, plain
from nnmnist.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_TICKS = 12  # up to so many values each have a tick


class Point(NamedTuple):
    """A run, or the mean of runs with several seeds."""

    values: tuple[Any, ...]  # numbers, texts, lists
    score: float
    sd: float  # of the score over the seeds; 0 for one run


@house_style()
def sweep(keys: Sequence[str], points: Sequence[Point], label: str, complete: bool) -> Figure:
    """The score against one key, or as colours in the plane of two.

    Args:
        keys: one or two dotted keys.
        points: at least one; the first with the best score is marked.
        label: what the score is; larger is better.
        complete: whether no other key differs, so that points may be joined by lines.
    """
    figure, (axes,) = panels(1, 6.4, 4.4)
    x, *rest = [
        _places(axes, side, key, [point.values[k] for point in points])
        for k, (side, key) in enumerate(zip("xy", keys, strict=False))
    ]
    scores, sds = np.array([(point.score, point.sd) for point in points]).T
    grid = complete and all(len(set(places)) <= MOST_TICKS for places in (x, *rest))
    if rest:
        _plane(figure, axes, x, rest[0], scores, label, grid)
    else:
        order = np.argsort(x, kind="stable")
        axes.errorbar(
            x[order], scores[order], sds[order] if sds.any() else None, color=BLUE, marker="o",
            linestyle="-" if complete else "", elinewidth=1.2, capsize=3,
        )  # fmt: skip
        axes.set_ylabel(label)
    best = int(np.argmax(scores))
    axes.plot(
        x[best], (rest[0] if rest else scores)[best],
        marker="s" if rest else "o", color=RED, fillstyle="none",
        markersize=32 if rest and grid else 12, markeredgewidth=2.5, zorder=4,
    )  # fmt: skip
    at = [
        f"{key.rpartition('.')[2]} {_word(value)}"
        for key, value in zip(keys, points[best].values, strict=True)
    ]
    axes.set_title(f"best: {scores[best]:.4g} at {', '.join(at)}", fontsize="medium")
    return figure


def _plane(
    figure: Figure, axes: Axes, x: Array, y: Array, scores: Array, label: str, grid: bool
) -> None:
    """Squares with their scores in a grid; otherwise dots."""
    image = axes.scatter(
        x, y, c=scores, cmap="viridis", marker="s" if grid else "o", s=1100 if grid else 70
    )
    axes.margins(0.18)
    figure.colorbar(image, label=label)
    middle = (scores.min() + scores.max()) / 2
    for place in zip(x, y, scores, strict=True) if grid else ():
        axes.annotate(
            f"{place[2]:.4g}", place[:2], ha="center", va="center", fontsize="xx-small", zorder=5,
            color="white" if place[2] < middle else "black",
        )  # fmt: skip


def _places(axes: Axes, side: str, key: str, values: Sequence[Any]) -> Array:
    """The positions (n,) of values on an axis: numbers to scale, others side by side."""
    axes.set(**{f"{side}label": key})
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in values):
        distinct = sorted({json.dumps(value): value for value in values}.values(), key=_order)
        axes.set(
            **{
                f"{side}ticks": range(len(distinct)),
                f"{side}ticklabels": list(map(_word, distinct)),
            }
        )
        return np.array([distinct.index(value) for value in values], float)
    places = np.array(values, float)
    distinct = sorted(set(values))
    if distinct[0] > 0 and distinct[-1] >= 4 * distinct[0]:
        axes.set(**{f"{side}scale": "log"})
    if len(distinct) <= MOST_TICKS:
        axes.set(
            **{f"{side}ticks": distinct, f"{side}ticklabels": [f"{value:g}" for value in distinct]}
        )
        axes.minorticks_off()
    return places


def _order(value: Any) -> tuple[bool, Sequence[Any], str]:
    """Lists in the order of their numbers, then other values by their text."""
    return (False, value, "") if isinstance(value, list) else (True, (), str(value))


def _word(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return plain(value if isinstance(value, str) else json.dumps(value))
