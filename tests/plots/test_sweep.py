from itertools import product

import numpy as np
import pytest

from nnmnist.plots.sweep import Point, sweep

pytest.importorskip("matplotlib")

LABEL = "validation accuracy (%)"


def grid(*axes, sd=0.0):
    """A point for each combination, the later the better."""
    return [Point(values, 90.0 + i, sd) for i, values in enumerate(product(*axes))]


def words(figure):
    from matplotlib.text import Text

    figure.draw_without_rendering()
    return " | ".join(
        text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()
    )


def ticks(axes, side):
    return [label.get_text() for label in getattr(axes, f"get_{side}ticklabels")()]


def test_one_key_is_a_line_with_its_deviations():
    points = grid([0.4, 0.1, 0.2], sd=0.5)
    figure = sweep(["training.learning_rate"], points, LABEL, complete=True)
    axes = figure.axes[0]
    line = axes.lines[0]
    assert line.get_xdata().tolist() == [0.1, 0.2, 0.4]
    assert line.get_ydata().tolist() == [91.0, 92.0, 90.0]
    assert axes.get_xscale() == "log"
    assert ticks(axes, "x") == ["0.1", "0.2", "0.4"]
    bars = axes.collections[0].get_segments()
    assert [list(bar[:, 1]) for bar in bars] == [[90.5, 91.5], [91.5, 92.5], [89.5, 90.5]]
    assert "best: 92 at learning_rate 0.2" in words(figure)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("training.learning_rate", LABEL)


def test_points_are_not_joined_where_other_keys_differ_too():
    figure = sweep(["training.learning_rate"], grid([0.1, 0.1, 0.2]), LABEL, complete=False)
    line = figure.axes[0].lines[0]
    assert line.get_linestyle() == "None"
    assert line.get_marker() == "o"
    assert not figure.axes[0].collections  # one seed has no deviation


def test_two_keys_are_a_plane_with_the_scores_written_on():
    figure = sweep(
        ["model.hidden", "training.learning_rate"],
        grid([[64], [128]], [0.1, 0.2]),
        LABEL,
        complete=True,
    )
    axes = figure.axes[0]
    offsets = axes.collections[0].get_offsets().tolist()
    assert offsets == [[0, 0.1], [0, 0.2], [1, 0.1], [1, 0.2]]
    assert axes.collections[0].get_array().tolist() == [90, 91, 92, 93]
    assert ticks(axes, "x") == ["[64]", "[128]"]
    text = words(figure)
    assert all(score in text for score in ("90", "91", "92", "93"))
    assert "best: 93 at hidden [128], learning_rate 0.2" in text


def test_the_best_is_marked():
    points = [Point((0.1, 8), 95.0, 0.0), Point((0.2, 4), 97.0, 0.0), Point((0.4, 2), 96.0, 0.0)]
    for n in (1, 2):
        figure = sweep(
            ["a", "b"][:n],
            [point._replace(values=point.values[:n]) for point in points],
            LABEL,
            True,
        )
        mark = figure.axes[0].lines[-1]
        assert mark.get_xdata() == 0.2
        assert mark.get_ydata() == (97 if n == 1 else 4)


def test_of_many_values_dots_alone_are_drawn():
    rng = np.random.default_rng(0)
    points = [Point((float(x), float(y)), 90.0, 0.0) for x, y in rng.uniform(0.001, 1, (60, 2))]
    figure = sweep(["a", "b"], points, LABEL, complete=True)
    assert len(figure.axes[0].texts) == 0
    assert len(ticks(figure.axes[0], "x")) < 30


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["tanh", "relu", "tanh"], ["relu", "tanh"]),
        ([[256], [64], [64, 32]], ["[64]", "[64, 32]", "[256]"]),
        ([True, False], ["false", "true"]),
        ([None, 3], ["3", "null"]),
        ([64, "full", [1]], ["[1]", "64", "full"]),
        ([0, 1, 2], ["0", "1", "2"]),
        ([7], ["7"]),
    ],
)
def test_any_value_has_a_place(values, expected):
    figure = sweep(["key"], [Point((value,), 90.0, 0.0) for value in values], LABEL, complete=True)
    assert ticks(figure.axes[0], "x") == expected
