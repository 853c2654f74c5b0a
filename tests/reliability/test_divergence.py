"""A training that diverges reports where, and does not change the best checkpoint."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from nnmnist import checkpoint
from nnmnist.config.schema import TrainingConfig
from nnmnist.data.examples import Examples
from nnmnist.errors import TrainingError
from nnmnist.model.network import Network
from nnmnist.training.fit import fit

from .support import assert_complete, assert_one_line, nnmnist, weights


def examples(n=64):
    rng = np.random.default_rng(0)
    return Examples(
        rng.normal(size=(n, 4)).astype(np.float32),
        np.arange(n, dtype=np.uint8) % 3,
        np.arange(n),
        3,
    )


@pytest.mark.parametrize("rate", ["1e30", "1e38"])
@pytest.mark.parametrize("optimizer", ["{optimizer: sgd}", "{optimizer: adam}"])
def test_a_huge_learning_rate_is_reported_with_step_rate_and_array(tiny_config, rate, optimizer):
    changes = ["--set", f"training={optimizer}", "--set", f"training.learning_rate={rate}"]
    result = nnmnist("train", "-c", tiny_config, "-o", "run", *changes, "--epochs", "30")
    assert result.exit_code == 1
    error = result.stderr.splitlines(keepends=True)[-1]
    assert_one_line(error)
    assert re.search(r"epoch \d+", error)
    assert re.search(r"step \d+ of \d+|last step", error)
    assert re.search(r"the learning rate was [-+.e\d]+, lower training.learning_rate", error)
    assert re.search(
        r"the first value that is not finite: (W\d|b\d|h\d|z)|Error: "
        r"(W\d|b\d|velocity|m|v) is",
        error,
    )
    assert_complete("run")


def test_large_adversarial_examples_are_named_too(tiny_config):
    changes = ["model={output: linear, hidden: []}", "training={adversarial: 1000, epochs: 30}"]
    settings = [word for change in changes for word in ("--set", change)]
    result = nnmnist("train", "-c", tiny_config, "-o", "run", *settings)
    assert result.exit_code == 1
    assert "lower training.learning_rate or training.adversarial" in result.stderr
    without = nnmnist(
        "train", "-c", tiny_config, "-o", "other", *settings[:2], "--set",
        "training={learning_rate: 1e30}",
    )  # fmt: skip
    assert without.exit_code == 1
    assert "training.adversarial" not in without.stderr


def test_the_best_checkpoint_is_untouched(tiny_config):
    """Make the weights of a good run huge, then resume it."""
    assert nnmnist("train", "-c", tiny_config, "-o", "run", "--epochs", "3").exit_code == 0
    best = Path("run/best.npz").read_bytes()
    last = checkpoint.load("run/last.npz")
    last.network.theta[:] = np.float32(3e38)

    class SavedOptimizer:
        state = last.optimizer

    checkpoint.save("run/last.npz", last.network, last.classes, last.document, SavedOptimizer())
    result = nnmnist("train", "--resume", "run", "--epochs", "4", "-q")
    assert result.exit_code == 1
    assert "the cost is no longer finite in epoch 4, step 1 of 15; " in result.stderr
    assert (
        "(the first value that is not finite: h1)" in result.stderr
    )  # the weights are huge, but finite
    assert Path("run/best.npz").read_bytes() == best


def test_an_infinite_weight_in_a_resumed_checkpoint(tiny_config, monkeypatch):
    assert nnmnist("train", "-c", tiny_config, "-o", "run", "--epochs", "3").exit_code == 0
    best = Path("run/best.npz").read_bytes()
    last = checkpoint.load("run/last.npz")
    last.network.W[1][0, 0] = np.inf
    monkeypatch.setattr(checkpoint, "_loadable", lambda document, network: json.dumps(document))
    checkpoint.save("run/last.npz", last.network, last.classes)
    result = nnmnist("train", "--resume", "run", "--epochs", "4")
    assert result.exit_code == 1
    assert_one_line(result.stderr.splitlines(keepends=True)[-1])
    assert "last.npz: W2 has values that are not finite" in result.stderr
    assert Path("run/best.npz").read_bytes() == best
    assert weights("run", "best.npz")


def message(network, train, validation, **changes):
    settings = TrainingConfig(**{"epochs": 3, "batch_size": 16, **changes})
    with pytest.raises(TrainingError) as error:
        list(fit(network, train, validation, settings))
    return str(error.value)


def test_a_nan_in_the_inputs_is_not_blamed_on_the_learning_rate():
    train = examples()
    train.inputs[40, 2] = np.nan
    text = message(Network((4, 3)), train, examples())
    assert re.match(
        r"the cost is no longer finite in epoch 1, step \d of 4; some inputs of the examples", text
    )
    assert "learning rate" not in text


def test_a_nan_only_in_the_validation_examples():
    validation = examples()
    validation.inputs[3, 1] = np.nan
    text = message(Network((4, 3)), examples(), validation)
    assert text.startswith(
        "the validation cost is no longer finite after epoch 1; some inputs of the examples"
    )


def test_an_overflow_in_the_first_layer():
    train = examples()
    train.inputs[:] = 1e30
    network = Network((4, 5, 3))
    network.theta[:] = 1e30
    text = message(network, train, examples())
    assert text.startswith(
        "the cost is no longer finite in epoch 1, step 1 of 4; the learning rate was 0.1, lower"
    )
    assert text.endswith("(the first value that is not finite: h1)")


def test_an_optimizer_state_that_overflows():
    """The squares of such gradients overflow; without an error Adam would make no more steps."""
    train = examples()
    train.inputs[:] *= np.float32(1e25)
    network = Network((4, 3))
    text = message(network, train, examples(), optimizer="adam", learning_rate=1e-38)
    assert text.startswith(
        "v is no longer finite after the last step of epoch 1; the learning rate was 1e-38, "
    )
