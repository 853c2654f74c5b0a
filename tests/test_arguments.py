"""Wrong arguments of the public functions: the error names the argument and what is expected."""

import re

import numpy as np
import pytest
from msgspec.structs import replace

import nnmnist
from nnmnist.data.examples import Examples
from nnmnist.errors import DataError

X = np.random.default_rng(0).random((12, 4), dtype=np.float32)
Y = (np.arange(12) % 3).astype(np.uint8)
ROWS = np.arange(12)
DATA, EMPTY = Examples(X, Y, ROWS, 3), Examples(X, Y, ROWS[:0], 3)
VALUES = Examples(X, X[:, :2], ROWS, 0)
ONE_HOT = np.eye(3, dtype=np.float32)[:, Y]
CONFIG = nnmnist.Config()
TRAINING = replace(CONFIG.training, epochs=1)
EXAMPLES = "expected nnmnist.data.examples.Examples, such as splits.test"


def network(sizes=(4, 3), **settings):
    return nnmnist.Network(sizes, **settings)


def fit(*arguments, **settings):
    return list(nnmnist.fit(*(arguments or (network(), DATA, DATA, TRAINING)), **settings))


def save(model=None, classes=("a", "b", "c"), facts=None, path="x.npz", optimizer=None):
    nnmnist.save(path, model or network(), classes, facts, optimizer)


def not_finite():
    broken = network()
    broken.W[0][0, 0] = np.nan
    return broken


CASES = {
    # Network
    "sizes": (lambda: network(784), "sizes is 784; expected two or more numbers of units >= 1"),
    "width": (lambda: network((4, 2.5)), "sizes is (4, 2.5); expected two or more numbers of un"),
    "text": (lambda: network("43"), "sizes is '43'; expected two or more numbers of units >= 1"),
    "activation": (
        lambda: network(activation=["relu"]),
        "activation is ['relu']; expected one of identity, relu, sigmoid, softplus, tanh",
    ),
    "dropout": (lambda: network(dropout=1.0), "dropout is 1.0; expected a probability, at least"),
    "input_dropout": (lambda: network(input_dropout="0.5"), "input_dropout is '0.5'; expected a"),
    "nan": (lambda: network(dropout=float("nan")), "dropout is nan; expected a probability, at"),
    "dtype": (lambda: network(dtype="int32"), "dtype is 'int32'; expected float32 or float64"),
    "initialize": (
        lambda: network().initialize(0),
        "rng has the type int; expected np.random.default_rng(seed)",
    ),
    "predict a list": (
        lambda: network().predict(X.tolist()),
        "x has the type list; expected an array of the shape (n, 4)",
    ),
    "predict None": (lambda: network().predict(None), "x has the type NoneType; expected an arr"),
    "predict one": (lambda: network().predict(X[0]), "x has the shape (4,); expected (n, 4)"),
    "predict texts": (
        lambda: network().predict(X.astype(str)),
        "x has the data type <U32; expected real numbers",
    ),
    "predict complex": (lambda: network().logits(X * 1j), "x has the data type complex64; expect"),
    "forward": (lambda: network().forward(X[:, :3]), "x has the shape (12, 3); expected (batch, 4"),
    "labels for y": (
        lambda: network().gradient(X, Y),
        "y has the shape (12,); expected (3, 12)",
    ),
    "no examples": (
        lambda: network().gradient(X[:0], ONE_HOT[:, :0]),
        "x has 0 examples; expected at least 1",
    ),
    "example_weights": (
        lambda: network().gradient(X, ONE_HOT, example_weights=np.ones(5)),
        "example_weights has the shape (5,); expected (12,)",
    ),
    # fit
    "no network": (lambda: fit(None, DATA, DATA, TRAINING), "network has the type NoneType; exp"),
    "train": (lambda: fit(network(), X, DATA, TRAINING), f"train has the type ndarray; {EXAMPLES}"),
    "empty train": (
        lambda: fit(network(), EMPTY, DATA, TRAINING),
        "train is empty; expected at least one example",
    ),
    "validation": (lambda: fit(network(), DATA, None, TRAINING), "validation has the type None"),
    "extra": (lambda: fit(extra=X), f"extra has the type ndarray; {EXAMPLES}"),
    "settings": (
        lambda: fit(network(), DATA, DATA, CONFIG),
        "settings has the type Config; expected the section `training` of a config: config.train",
    ),
    "inputs": (
        lambda: fit(network((5, 3)), DATA, DATA, TRAINING),
        "train has 4 inputs per example; expected 5, as the network has sizes (5, 3)",
    ),
    "classes": (
        lambda: fit(network((4, 10)), DATA, DATA, TRAINING),
        "train has 3 classes, which need 3 outputs; the network has sizes (4, 10)",
    ),
    "values": (
        lambda: fit(network(output="linear"), VALUES, VALUES, TRAINING),
        "train has 2 values per example, which need 2 outputs; the network has sizes (4, 3)",
    ),
    "other classes": (
        lambda: fit(network(), DATA, Examples(X, Y, ROWS, 4), TRAINING),
        "validation has 4 classes, which need 4 outputs; the network has sizes (4, 3)",
    ),
    "seed": (lambda: fit(seed="a"), "seed is 'a'; expected a whole number >= 0"),
    "negative seed": (lambda: fit(seed=-1), "seed is -1; expected a whole number >= 0"),
    "epochs_done": (lambda: fit(epochs_done=-1), "epochs_done is -1; expected a whole number >= 0"),
    "cores": (lambda: fit(cores="2"), "cores is '2'; expected a whole number >= 1"),
    "processes": (lambda: fit(processes=1.5), "processes is 1.5; expected a whole number >= 0"),
    "on_progress": (lambda: fit(on_progress=True), "on_progress has the type bool; expected a fu"),
    "optimizer": (lambda: fit(optimizer="sgd"), "optimizer has the type str; expected an optimi"),
    # evaluate
    "a path": (
        lambda: nnmnist.evaluate("x.npz", DATA),
        "network has the type str; expected a Network, such as nnmnist.load(path).network",
    ),
    "no member": (lambda: nnmnist.evaluate([], DATA), "network is an ensemble of 0 networks"),
    "a member": (
        lambda: nnmnist.evaluate([network(), "x.npz"], DATA),
        "network[1] has the type str; expected a Network",
    ),
    "two kinds": (
        lambda: nnmnist.evaluate([network(), network(output="linear")], DATA),
        "network is an ensemble of 2 networks with 2 kinds of inputs and outputs; expected one",
    ),
    "arrays": (
        lambda: nnmnist.evaluate(network(), (X, Y)),
        f"examples has the type tuple; {EXAMPLES}",
    ),
    "empty": (lambda: nnmnist.evaluate(network(), EMPTY), "examples is empty; expected at least"),
    # save and load
    "save a path": (lambda: save(path=5), "path has the type int; expected a path"),
    "save a text": (lambda: save("x.npz"), "network has the type str; expected a Network"),
    "too few names": (
        lambda: save(classes=["a"]),
        "classes is ['a']; expected a name for each class, as 3 outputs of the network need them",
    ),
    "numbers as names": (lambda: save(classes=[0, 1, 2]), "classes is [0, 1, 2]; expected a name"),
    "number of classes": (lambda: save(classes=3), "classes has the type int; expected a name f"),
    "facts": (lambda: save(facts=[1]), "facts has the type list; expected a dictionary"),
    "an array in facts": (lambda: save(facts={"x": X}), "facts must be JSON: Object of type ndarr"),
    "image_shape": (
        lambda: save(facts={"image_shape": [28, 28]}),
        "facts: its image shape does not match its inputs",
    ),
    "save an optimizer": (lambda: save(optimizer="sgd"), "optimizer has the type str; expected an"),
    "not finite": (lambda: save(not_finite()), "network has values that are not finite in W1"),
    "load": (lambda: nnmnist.load(None), "path has the type NoneType; expected a path"),
    # load_config and load_data
    "config": (
        lambda: nnmnist.load_config({"seed": 1}),
        "path has the type dict; expected a path, the name of a recipe, or None",
    ),
    "overrides": (
        lambda: nnmnist.load_config("mnist", "training.epochs=5"),
        "overrides has the type str; expected a list, such as ['training.epochs=5']",
    ),
    "an override": (
        lambda: nnmnist.load_config("mnist", [("training.epochs", 5)]),
        "overrides has the type tuple; expected texts such as 'training.epochs=5'",
    ),
    "a whole config": (
        lambda: nnmnist.load_data(CONFIG),
        "settings has the type Config; expected the section `data` of a config: config.data",
    ),
    "data_dir": (
        lambda: nnmnist.load_data(CONFIG.data, data_dir=5),
        "data_dir has the type int; expected the path of a folder, or None",
    ),
    # plot_history
    "a number": (lambda: nnmnist.plot_history(5), "history has the type int; expected what nnmni"),
    "no epochs": (lambda: nnmnist.plot_history([]), "history has no epochs; expected at least one"),
    "no trainings": (lambda: nnmnist.plot_history({}), "number of trainings is 0; expected a who"),
    "costs": (
        lambda: nnmnist.plot_history([0.5, 0.4]),
        "an epoch of history has the type float; expected a record that nnmnist.fit yields",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_argument(case):
    call, message = CASES[case]
    with pytest.raises((TypeError, ValueError), match="^" + re.escape(message)):
        call()


@pytest.mark.parametrize(
    ("arrays", "n_classes", "message"),
    [
        ((X.tolist(), Y, ROWS), 3, "inputs has the type list; expected an array of the shape (N, "),
        ((X.reshape(12, 2, 2), Y, ROWS), 3, "inputs has the shape (12, 2, 2); expected (N, n_inp"),
        ((Y[:, None].astype(int), Y, ROWS), 3, "inputs has the data type int64; expected uint8 or"),
        ((X, Y[:5], ROWS), 3, "targets has the shape (5,); expected (12,)"),
        ((X, ONE_HOT.T, ROWS), 3, "targets has the shape (12, 3); expected (12,)"),
        ((X, Y.astype(float), ROWS), 3, "targets has the data type float64; expected integer"),
        ((X, Y + 1, ROWS), 3, "label 3 is outside the classes 0 .. 2"),
        ((X, X[:, 0], ROWS), 0, "targets has the shape (12,); expected (12, n_outputs)"),
        ((X, Y, ROWS + 1), 3, "rows has values from 1 to 12; expected 0 to 11"),
        ((X, Y, ROWS - 1), 3, "rows has values from -1 to 10; expected 0 to 11"),
        ((X, Y, Y > 1), 3, "rows has the data type bool; expected integer"),
    ],
)
def test_examples_of_another_kind(arrays, n_classes, message):
    with pytest.raises(DataError, match="^" + re.escape(message)):
        Examples(*arrays, n_classes)


def test_the_shape_of_images_fits_their_pixels():
    with pytest.raises(DataError, match=r"^image_shape is \(28, 28\); expected the shape of 4 pix"):
        Examples(X, Y, ROWS, 3, (28, 28))


def test_a_folder_is_no_file_to_save():
    with pytest.raises(IsADirectoryError, match="is a folder; give the name of a file"):
        save(path=".")


def test_numbers_of_numpy_are_numbers():
    built = network(np.array([4, 3]), dropout=np.float32(0.5))
    assert repr(built.sizes) == "(4, 3)"
    assert fit(seed=np.int64(3))[0].cost == fit(seed=3)[0].cost
