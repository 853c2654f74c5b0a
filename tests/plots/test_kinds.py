import sys
from itertools import pairwise

import numpy as np
import pytest

from nnmnist.data.examples import Examples
from nnmnist.errors import MissingLibrary, PlotError
from nnmnist.model.network import Network
from nnmnist.plots.boundary import boundary as plot_boundary
from nnmnist.plots.confusion import confusion as plot_confusion
from nnmnist.plots.curves import curves as plot_curves
from nnmnist.plots.fit import fit as plot_fit
from nnmnist.plots.mistakes import caption
from nnmnist.plots.mistakes import mistakes as plot_mistakes
from nnmnist.plots.predictions import predictions as plot_predictions
from nnmnist.plots.style import COLOURS, save
from nnmnist.plots.weights import MOST_UNITS
from nnmnist.plots.weights import weights as plot_weights
from nnmnist.runs.history import History, Series


def series(*cost, accuracy=np.nan, start=1):
    cost = np.array(cost, float)
    return Series(
        np.arange(start, start + len(cost), dtype=float), cost, np.full(len(cost), accuracy)
    )


def history(name="run", **splits):
    return History(name, splits)


def examples(n_inputs, n_classes=0, n=30):
    rng = np.random.default_rng(0)
    x = rng.uniform(-1, 1, (n, n_inputs)).astype(np.float32)
    y = np.arange(n, dtype=np.uint8) % n_classes if n_classes else x.sum(axis=1, keepdims=True)
    return Examples(x, y, np.arange(n), n_classes)


def texts(figure):
    from matplotlib.text import Text

    figure.draw_without_rendering()
    return [text for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


def words(figure):
    return " | ".join(text.get_text() for text in texts(figure))


def pictures():
    learned = history(
        training=series(3, 1, 0.5, accuracy=0.9), validation=series(2, 1.5, 1, accuracy=0.8)
    )
    three = Network((2, 3))
    three.W[0][:] = [[1, 0], [-1, 1], [0, -1]]
    return {
        "curves": plot_curves([learned]),
        "overlaid": plot_curves([learned, history("other", training=series(2, 1))]),
        "weights": plot_weights(np.arange(60.0).reshape(10, 6) - 30, (2, 3), list("0123456789")),
        "confusion": plot_confusion(np.array([[5, 1], [0, 7]]), ["no", "yes"]),
        "mistakes": plot_mistakes(
            np.arange(90, dtype=np.uint8).reshape(3, 6, 5), ["7\n0, read as 2"] * 3, 3
        ),
        "boundary": plot_boundary(three, examples(2, 3), ["red", "green", "blue"]),
        "fit": plot_fit({"one": Network((1, 1), output="linear")}, examples(1)),
        "predictions": plot_predictions(Network((3, 1), output="linear"), examples(3)),
    }


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_every_picture_is_written_in_all_formats_and_twice_the_same(ending, tmp_path):
    for name, figure in pictures().items():
        save(figure, tmp_path / f"{name}.{ending}")
    for name, figure in pictures().items():
        again = tmp_path / f"again.{ending}"
        save(figure, again)
        data = again.read_bytes()
        assert data == (tmp_path / f"{name}.{ending}").read_bytes(), name
        assert data.startswith({"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF"}[ending])
        assert len(data) > 3000


def test_text_can_be_read_at_half_size():
    for name, figure in pictures().items():
        assert max(figure.get_size_inches()) <= 12, name
        for text in texts(figure):
            assert text.get_fontsize() >= 11, (name, text.get_text())


def test_every_picture_has_a_title_and_a_mark_for_each_entry_of_its_legend():
    for name, figure in pictures().items():
        assert figure.get_suptitle() or any(axes.get_title() for axes in figure.axes), name
        for legend in figure.legends:
            marks = [mark for mark in legend.legend_handles if mark is not None]
            assert len(marks) == len(legend.get_texts()), name
            assert all(mark.get_visible() and mark.get_alpha() != 0 for mark in marks), name


def test_no_window_is_opened():
    pictures()
    assert "matplotlib.pyplot" not in sys.modules


def test_the_style_stays_inside():
    import matplotlib

    before = dict(matplotlib.rcParams)
    pictures()
    assert dict(matplotlib.rcParams) == before


def test_without_matplotlib_one_line_says_how_to_have_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingLibrary, match=r"pip install 'nnmnist\[plot\]'"):
        plot_confusion(np.eye(2, dtype=int), ["0", "1"])


@pytest.mark.parametrize("name", ["curves.gif", "curves", "curves.png.txt"])
def test_another_format_is_refused(name, tmp_path):
    with pytest.raises(PlotError, match=r"written as \.png, \.svg or \.pdf"):
        save(plot_confusion(np.eye(2, dtype=int), ["0", "1"]), tmp_path / name)
    assert [path for path in tmp_path.iterdir() if path.is_file()] == []


def test_colours_are_apart_for_the_colour_blind():
    """Simulated by Machado, Oliveira and Fernandes (2009), measured as distance in CIE L*a*b*."""
    simulated = {
        "normal": np.eye(3),
        "protanopia": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481,
        1.0520]],
        "deuteranopia": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429,
        0.9689]],
    }  # fmt: skip
    rgb = np.array([[int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)] for colour in COLOURS])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    for kind, matrix in simulated.items():
        lab = cielab(np.clip(linear @ np.transpose(matrix), 0, 1))
        apart = np.linalg.norm(lab[:, None] - lab, axis=2)[np.triu_indices(len(lab), 1)]
        assert apart.min() > 10, kind
        assert np.linalg.norm(lab[0] - lab[1]) > 40, kind  # the two that are used most


def cielab(linear):
    to_xyz = np.array(
        [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    )
    t = linear @ to_xyz.T / to_xyz.sum(axis=1)
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], axis=1
    )


def test_the_gap_is_drawn_measured_and_named():
    figure = plot_curves(
        [
            history(
                training=series(3, 1, 0.5, accuracy=0.9),
                validation=series(2, 1.5, 1.25, accuracy=0.75),
            )
        ]
    )
    said = words(figure)
    assert "gap to validation\n0.750" in said
    assert "gap to validation\n15.0 points" in said
    assert all(axes.collections for axes in figure.axes)  # the shade


def test_the_figures_of_many_gaps_can_all_be_read():
    """Nine trainings of nearly one end, also at the top, where the curves of accuracy are."""
    figure = plot_curves(
        [
            history(
                training=series(2, 0.1, accuracy=1),
                validation=series(2, 0.2 + k / 1000, accuracy=0.99),
            )
            for k in range(9)
        ]
    )
    figure.canvas.draw()
    for axes in figure.axes:
        boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
        assert len(boxes) == 9
        boxes.sort(key=lambda box: box.y0)
        assert all(lower.y1 <= upper.y0 + 1 for lower, upper in pairwise(boxes))
        assert boxes[-1].y1 <= axes.get_window_extent().y1 + boxes[-1].height


def test_no_gap_is_claimed_where_training_is_no_better():
    figure = plot_curves([history(training=series(3, 2), validation=series(2, 1))])
    assert "\nerror" not in words(figure)


def test_without_accuracy_there_is_one_panel():
    assert len(plot_curves([history(training=series(3, 1))]).axes) == 1
    assert len(plot_curves([history(training=series(3, 1, accuracy=0.5))]).axes) == 2


def test_several_trainings_are_named_and_coloured():
    runs = [history(f"run {k}", training=series(3, k), test=series(2, start=2)) for k in range(3)]
    figure = plot_curves(runs, x_label="iteration")
    assert all(
        name in words(figure)
        for name in ("run 0", "run 1", "run 2", "iteration", "training", "test")
    )
    colours = {line.get_color() for line in figure.axes[0].lines if len(line.get_xdata())}
    assert colours == set(COLOURS[:3])


def test_no_two_of_many_trainings_have_one_colour():
    figure = plot_curves([history(f"run {k}", training=series(3, k)) for k in range(12)])
    assert (
        len({tuple(line.get_color()) for line in figure.axes[0].lines if len(line.get_xdata())})
        == 12
    )


def test_a_name_is_no_formula():
    name = r"$\frac$"  # as a formula it would be wrong
    plot_curves([history(name, training=series(3, k)) for k in range(2)]).draw_without_rendering()


@pytest.mark.parametrize("n", [2, 5, 9])
def test_long_names_stay_inside_the_picture(n):
    names = [f"a-long-name-20261123-1645{k:02}" for k in range(n)]
    line = Network((1, 1), output="linear")
    for figure in (
        plot_curves([history(name, training=series(3, 1)) for name in names]),
        plot_fit(dict.fromkeys(names, line), examples(1)),
    ):
        figure.draw_without_rendering()
        (legend,) = figure.legends
        box = legend.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.width


def test_weights_are_centred_on_zero():
    figure = plot_weights(np.array([[-1.0, 0, 0, 0.5]]), (2, 2))
    (image,) = figure.axes[0].images
    assert image.norm.vmin == -image.norm.vmax < 0
    assert image.get_array().tolist() == [[-1, 0], [0, 0.5]]


def test_of_many_units_the_first_are_drawn():
    figure = plot_weights(np.ones((100, 4)), (2, 2))
    assert sum(len(axes.images) for axes in figure.axes) == MOST_UNITS
    assert "the first 64 of 100 units" in words(figure)


def test_weights_that_are_all_zero():
    plot_weights(np.zeros((3, 4)), (2, 2)).draw_without_rendering()


def test_confusion_shows_every_count():
    said = words(plot_confusion(np.array([[512, 13], [0, 77]]), ["no", "yes"])).split(" | ")
    assert {"512", "13", "77", "no", "yes"} <= set(said)
    assert "Confusion matrix: 589 of 602 right (97.84%)" in said


def test_mistakes_have_captions_and_tell_how_many_there_are():
    images = np.random.default_rng(0).integers(0, 256, (12, 6, 5)).astype(np.uint8)
    figure = plot_mistakes(images, [f"test {i}" for i in range(12)], 34)
    said = words(figure).split(" | ")
    assert {f"test {i}" for i in range(12)} <= set(said)
    assert "the 12 most confident of 34 mistakes" in said
    for axes, image in zip(figure.axes, images, strict=False):
        np.testing.assert_array_equal(axes.images[0].get_array(), image)


def test_boundary_shows_the_class_of_each_point():
    network = Network((2, 1), output="logistic")
    network.W[0][:] = [[1, 0]]  # class 1 where x1 > 0
    figure = plot_boundary(network, examples(2, 2), ["0", "1"])
    (region,) = [item for item in figure.axes[0].collections if item.get_array() is not None]
    seen = np.asarray(region.get_array()).reshape(300, 300)
    assert set(seen[:, :100].ravel()) == {0}
    assert set(seen[:, -100:].ravel()) == {1}


@pytest.mark.parametrize(
    ("sizes", "classes", "message"),
    [((3, 2), ["0", "1"], "this one has 3"), ((2, 1), [], "this network is a regression")],
)
def test_boundary_needs_a_plane_and_classes(sizes, classes, message):
    with pytest.raises(PlotError, match=message):
        plot_boundary(Network(sizes), examples(sizes[0], len(classes)), classes)


def test_fit_draws_what_the_network_predicts():
    network = Network((1, 1), output="linear")
    network.W[0][:], network.b[0][:] = 2, 1
    figure = plot_fit({"y = 2x + 1": network}, examples(1))
    (line,) = figure.axes[0].lines
    assert line.get_ydata().ravel() == pytest.approx(2 * line.get_xdata().ravel() + 1, abs=1e-5)
    with pytest.raises(PlotError, match="this network has 1 and 2"):
        plot_fit({"plane": Network((2, 1), output="linear")}, examples(2))


NAMES = ["$\\frac{$", "a$x_{$" * 20_000, "\x1b\udcff\nb"]  # formulas; a long name; no text


def test_names_from_outside_are_short_texts_without_formulas():
    network = Network((2, 3))
    learned = [history(name, training=series(2, 1)) for name in NAMES]
    line = {name: Network((1, 1)) for name in NAMES}
    figures = [
        plot_curves(learned),
        plot_weights(network.W[0], (1, 2), NAMES),
        plot_confusion(np.eye(3, dtype=int), NAMES),
        plot_boundary(network, examples(2, n_classes=3), NAMES),
        plot_fit(line, examples(1)),
    ]
    for figure in figures:
        shown = words(figure)
        assert r"\$\frac{\$" in shown
        assert r"\x1b\udcff\nb" in shown
        assert max(len(text.get_text()) for text in texts(figure)) < 120


CLASSES = [
    "cat",
    "a very long name of a class",
    "é",
    "10",
    *(f"class number {k}" for k in range(6)),
]


def overlap(first, second):
    """Whether two texts cover each other."""
    return first.get_window_extent().overlaps(second.get_window_extent())


def test_long_names_of_classes_do_not_overlap_above_weights():
    figure = plot_weights(np.ones((10, 6)), (2, 3), CLASSES)
    figure.draw_without_rendering()
    titles = [axes.title for axes in figure.axes if axes.get_title()]
    assert len(titles) == 10
    assert not any(overlap(a, b) for a, b in pairwise(titles))


@pytest.mark.parametrize("n", [2, 4, 10])
def test_long_names_of_classes_leave_room_for_the_confusion(n):
    figure = plot_confusion(np.full((n, n), 100), CLASSES[:n])
    figure.draw_without_rendering()
    axes = figure.axes[0]
    across = figure.bbox.width / figure.dpi
    cell = axes.get_window_extent().width / figure.dpi / n
    assert cell > 0.45  # inches: three digits
    assert axes.get_window_extent().width / figure.dpi > 0.4 * across
    labels = axes.get_xticklabels() + axes.get_yticklabels()
    boxes = [label.get_window_extent() for label in labels]
    assert min(box.x0 for box in boxes) >= 0
    assert min(box.y0 for box in boxes) >= 0
    assert "a very long n..." in words(figure)


def test_short_names_of_classes_stay_horizontal():
    for names in ("0123456789", ["red", "green", "blue"]):
        figure = plot_confusion(np.eye(len(names), dtype=int), list(names))
        assert {label.get_rotation() for label in figure.axes[0].get_xticklabels()} == {0}


def test_captions_of_mistakes_do_not_overlap():
    captions = [caption(k, CLASSES[k % 10], CLASSES[(k + 1) % 10]) for k in range(20)]
    assert caption(7, "0", "2") == "7\n0, read as 2"
    figure = plot_mistakes(np.zeros((20, 6, 5), np.uint8), captions, 20)
    figure.draw_without_rendering()
    titles = [axes.title for axes in figure.axes if axes.get_title()]
    assert len(titles) == 20
    assert not any(overlap(a, b) for a, b in pairwise(titles))
    assert max(title.get_window_extent().x1 for title in titles) <= figure.bbox.width


@pytest.mark.parametrize(
    ("costs", "scale"), [([2, 1, 0.5], "linear"), ([2, 0.1, 0.002], "log"), ([2, 0.1, 0], "linear")]
)
def test_costs_that_fall_over_decades_have_a_logarithmic_axis(costs, scale):
    validation = [2 * cost for cost in costs]
    figure = plot_curves([history(training=series(*costs), validation=series(*validation))])
    assert figure.axes[0].get_yscale() == scale
    if scale == "log":
        (label,) = [text for text in texts(figure) if text.get_text().startswith("gap to")]
        assert "0.002" in label.get_text()
        # beside the arrow, halfway between both ends on this axis
        ends = figure.axes[0].transData.transform([(3, 0.002), (3, 0.004)])[:, 1]
        height = figure.axes[0].transAxes.transform((0, label.xy[1]))[1]
        assert height == pytest.approx(ends.mean(), abs=1)


def test_trainings_may_have_axes_of_their_own():
    shown = [
        history(
            name, training=series(*costs, accuracy=0.9), validation=series(*costs, accuracy=0.8)
        )
        for name, costs in (("one", (3, 2, 1)), ("two", (9, 8)))
    ]
    figure = plot_curves(shown, apart=True)
    assert [axes.get_title() for axes in figure.axes] == ["one", "two", "", ""]
    assert [axes.get_ylabel()[:4] for axes in figure.axes] == ["cost", "cost", "accu", "accu"]
    drawn = [axes.lines[0].get_ydata().tolist() for axes in figure.axes[:2]]
    assert drawn == [[3, 2, 1], [9, 8]]


def test_the_gap_names_what_it_is_measured_on():
    training = series(3, 1, 0.5)
    assert "gap to test" in words(plot_curves([history(training=training, test=series(3, 2, 1))]))
    alone = words(plot_curves([history(training=training, test=series(1, start=3))]))
    assert "generalization error" not in alone


def test_fit_shows_the_residuals_of_each_network():
    network = Network((1, 1), output="linear")
    network.W[0][:], network.b[0][:] = 2, 1
    points = examples(1)
    figure = plot_fit({"a": network, "b": network}, points)
    for axes, name in zip(figure.axes[1:], "ab", strict=True):
        (dots,) = axes.collections
        x, residual = np.asarray(dots.get_offsets()).T
        assert residual == pytest.approx(points.y[:, 0] - 2 * x - 1, abs=1e-5)
        assert axes.get_title() == f"Data minus prediction: {name}"
    assert len(plot_fit(dict.fromkeys("abcd", network), points).axes) == 1


@pytest.mark.parametrize("slope", [4.0, -4.0])
def test_fit_marks_where_both_classes_have_the_same_probability(slope):
    network = Network((1, 1), output="logistic")
    network.W[0][:], network.b[0][:] = slope, 1
    figure = plot_fit({"p": network}, examples(1, 2))
    assert f"$z = 0$ at $x = {-1 / slope:.2f}$" in words(figure)
    (mark,) = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert mark.get_xydata()[0] == pytest.approx([-1 / slope, 0.5], abs=1e-3)


def test_predictions_against_true_values():
    network = Network((3, 1), output="linear")
    network.W[0][:], network.b[0][:] = [[1, 1, 2]], 0.5
    points = examples(3)
    figure = plot_predictions(network, points)
    (axes,) = figure.axes
    (dots,) = axes.collections
    truth, prediction = np.asarray(dots.get_offsets()).T
    assert truth == pytest.approx(points.y[:, 0])
    assert prediction == pytest.approx(points.x @ [1, 1, 2] + 0.5, abs=1e-5)
    assert axes.get_aspect() == 1
    error = np.mean((truth - prediction) ** 2)
    assert axes.get_title() == f"$R^2 = {1 - error / truth.var():.3f}$"
    two = Network((3, 2), output="linear")
    both = Examples(points.x, np.repeat(points.y, 2, axis=1), np.arange(30), 0)
    titles = [axes.get_title()[:9] for axes in plot_predictions(two, both).axes]
    assert titles == ["output 1:", "output 2:"]
    with pytest.raises(PlotError, match="this network is a classifier"):
        plot_predictions(Network((3, 2)), examples(3, 2))


def test_in_the_plane_units_are_equal_and_red_is_red():
    from matplotlib.colors import to_rgb

    three = Network((2, 3))
    figure = plot_boundary(three, examples(2, 3), ["red", "green", "blue"])
    assert figure.axes[0].get_aspect() == 1
    for k, dots in enumerate(figure.axes[0].collections[1:]):
        rgb = to_rgb(dots.get_facecolor()[0])
        assert rgb[k] == max(rgb)
        assert k or rgb[0] > 0.8 > 4 * max(rgb[1:])
