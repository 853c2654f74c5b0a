from dataclasses import replace

import numpy as np
import pytest

from nnmnist.config.loading import load_config
from nnmnist.config.schema import TrainingConfig
from nnmnist.data.examples import Examples
from nnmnist.errors import ConfigError
from nnmnist.model.outputs import OUTPUTS
from nnmnist.training.setup import (
    CHECK_PARAMETERS,
    check_gradient,
    class_weights,
    training_targets,
)


def test_the_gradient_check_covers_every_array_of_the_network(tiny_config):
    checks = check_gradient(load_config(tiny_config))
    assert {check.name: check.shape for check in checks} == {
        "W1": (8, 30), "W2": (3, 8), "b1": (8,), "b2": (3,)
    }  # fmt: skip
    assert [check.checked for check in checks] == [CHECK_PARAMETERS, 24, 8, 3]
    assert max(check.error for check in checks) < 1e-7


@pytest.mark.parametrize("name", ["mnist", "synthetic"])
def test_a_gradient_check_of_mnist_needs_no_files(name):
    settings = load_config(None, [f"data.name={name}", "model.hidden=[4]"])
    assert max(check.error for check in check_gradient(settings)) < 1e-6


@pytest.mark.parametrize("weights", ["balanced", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]"])
@pytest.mark.parametrize(
    "others", [["model.output=logistic"], ["model.output=linear"], ["training.label_smoothing=0.1"]]
)
def test_the_gradient_check_covers_class_weights_and_label_smoothing(weights, others):
    chosen = ["data.name=synthetic", "model.hidden=[4]", "training.label_smoothing=0"]
    chosen.append(f"training.class_weights={weights}")
    checks = check_gradient(load_config(None, [*chosen, *others]))
    assert max(check.error for check in checks) < 1e-6


def labelled(*labels, n_classes=3):
    y = np.array(labels, np.uint8)
    return Examples(np.zeros((len(y), 1), np.float32), y, np.arange(len(y)), n_classes)


@pytest.mark.parametrize(
    ("output", "none"), [("softmax", [1 / 3] * 3), ("softmax_or_none", [0.025] * 3 + [0.925])]
)
def test_the_target_of_examples_of_none_of_the_classes(output, none):
    train = replace(labelled(0, 1, 2), has_others=True)
    y = training_targets(OUTPUTS[output], train, TrainingConfig(label_smoothing=0.1))
    assert y.dtype == np.float32
    assert y[:, 3] == pytest.approx(none)
    assert y.sum(axis=0) == pytest.approx(1)
    assert y.argmax(axis=0)[:3].tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    ("labels", "given", "expected"),
    [
        ([0, 1, 1, 2, 2, 2], "balanced", [6 / 3, 6 / (3 * 2), 6 / (3 * 3)]),
        ([0, 0, 1, 2], (1.0, 2.0, 3.0), [4 / 7, 8 / 7, 12 / 7]),  # v has the mean 7 / 4
        ([0, 1, 2], (5.0, 5.0, 5.0), [1, 1, 1]),
        ([0, 0, 0, 2], "balanced", [2 / 3, None, 2]),  # no example of class 1
    ],
)
def test_class_weights_have_the_mean_1(labels, given, expected):
    train = labelled(*labels)
    found = class_weights(TrainingConfig(class_weights=given), train)
    for weight, wanted in zip(found.tolist(), expected, strict=True):
        assert wanted is None or weight == pytest.approx(wanted, rel=1e-6)
    assert found[train.y].mean() == pytest.approx(1, rel=1e-6)
    assert found.dtype == np.float32


def test_without_class_weights_there_are_none():
    assert class_weights(TrainingConfig(), labelled(0, 1)) is None


def test_class_weights_that_do_not_fit_the_data():
    given = TrainingConfig(class_weights=(1.0, 2.0))
    message = "^training.class_weights: has length 2, but the data has 3 classes; give one number"
    with pytest.raises(ConfigError, match=message):
        class_weights(given, labelled(0, 1))
    values = Examples(np.zeros((2, 1)), np.zeros((2, 1)), np.arange(2), 0)
    with pytest.raises(ConfigError, match="needs classes, but the data has values"):
        class_weights(given, values)
