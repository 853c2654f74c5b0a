"""The bar of `fit`."""

import numpy as np
import pytest

from nnmnist.config.schema import TrainingConfig
from nnmnist.data.examples import Examples
from nnmnist.model.network import Network
from nnmnist.training.fit import fit

X = np.random.default_rng(0).normal(size=(40, 4)).astype(np.float32)
CLASSES = Examples(X, (np.arange(40) % 3).astype(np.uint8), np.arange(40), 3)
VALUES = Examples(X, X[:, :1], np.arange(40), 0)


def train(data=CLASSES, output="softmax", stop_after=3, optimizer="sgd", **settings):
    """A trained network; there are 3 epochs of 5 steps."""
    training = TrainingConfig(epochs=3, batch_size=8, learning_rate=0.01, optimizer=optimizer)
    network = Network((4, 3 if data.n_classes else 1), output=output)
    for epoch in fit(network, data, data, training, **settings):
        if epoch.number == stop_after:
            break
    return network


@pytest.mark.parametrize(
    ("settings", "first", "last"),
    [
        ({}, "100%|", "| 15/15 ["),
        ({"stop_after": 1}, "33%|", "| 5/15 ["),
        ({"epochs_done": 1}, "100%|", "| 10/10 ["),
    ],
)
def test_it_shows_the_steps_of_all_epochs(capsys, settings, first, last):
    train(progress=True, **settings)
    out, err = capsys.readouterr()
    *_, line = err.rstrip("\n").split("\r")
    assert out == ""
    assert line.lstrip().startswith(first)
    assert last in line
    assert " step/s, cost 1." in line
    assert ", accuracy " in line
    assert line.endswith("%]")


def test_values_have_no_accuracy(capsys):
    train(VALUES, "linear", progress=True)
    line = capsys.readouterr().err
    assert ", cost " in line
    assert "accuracy" not in line


def test_a_solver_has_no_steps_and_no_bar(capsys):
    train(VALUES, "linear", optimizer="least_squares", progress=True)
    assert capsys.readouterr() == ("", "")


def test_without_asking_nothing_is_printed_and_the_bits_are_the_same(capsys):
    plain = train()
    assert capsys.readouterr() == ("", "")
    assert train(progress=True).theta.tobytes() == plain.theta.tobytes()


def test_the_function_of_the_caller_is_called_too():
    steps = []
    train(progress=True, on_progress=lambda step, *_: steps.append(step))
    assert steps == [1, 2, 3, 4, 5] * 3
