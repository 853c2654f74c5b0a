"""`nnmnist.plot_history`: the curves of what `fit` yields, and figures that a notebook shows."""

import io
import sys

import numpy as np
from msgspec.structs import replace
from PIL import Image

import nnmnist
from nnmnist.data.examples import Examples
from nnmnist.plots.confusion import confusion
from nnmnist.plots.curves import curves
from nnmnist.runs.history import of_epochs

X = np.random.default_rng(0).normal(size=(60, 4)).astype(np.float32)
DATA = Examples(X, (X[:, 0] > 0).astype(np.uint8), np.arange(60), 2)


def train(epochs=4):
    training = replace(nnmnist.Config().training, epochs=epochs)
    return list(nnmnist.fit(nnmnist.Network((4, 2)), DATA, DATA, training))


def lines(figure):
    return [line.get_xydata().tolist() for axes in figure.axes for line in axes.lines]


def test_one_training_is_drawn_as_nnmnist_plot_draws_it():
    epochs = train()
    figure = nnmnist.plot_history(epochs)
    assert lines(figure) == lines(curves([of_epochs(epochs)]))
    costs, accuracies = figure.axes
    assert costs.lines[0].get_xydata().tolist() == [[e.number - 0.5, e.cost] for e in epochs]
    assert accuracies.lines[1].get_ydata().tolist() == [100 * e.validation.accuracy for e in epochs]
    assert figure.get_suptitle() == "Cost and accuracy during the training"


def test_several_trainings_are_named():
    figure = nnmnist.plot_history({"short": train(2), "long": train(6)})
    [legend] = figure.legends
    assert [text.get_text() for text in legend.get_texts()][-2:] == ["short", "long"]
    assert len(figure.axes[0].lines[2].get_xdata()) == 6


def test_a_training_may_be_drawn_while_it_yields():
    training = replace(nnmnist.Config().training, epochs=2)
    figure = nnmnist.plot_history(nnmnist.fit(nnmnist.Network((4, 2)), DATA, DATA, training))
    assert len(figure.axes[0].lines[0].get_xdata()) == 2


def test_a_notebook_shows_every_figure_without_pyplot(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)  # an import would fail
    for figure in (nnmnist.plot_history(train(1)), confusion(np.eye(2, dtype=int), ["a", "b"])):
        shown = Image.open(io.BytesIO(figure._repr_png_()))
        assert shown.format == "PNG"
        width, height = figure.get_size_inches() * 80
        assert np.abs(np.subtract(shown.size, (width, height))).max() <= 1
