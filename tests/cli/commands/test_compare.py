import json
import re
import shutil

import numpy as np
import pytest
from click.testing import CliRunner

from nnmnist import checkpoint
from nnmnist.cli.app import cli
from nnmnist.data import synthetic
from nnmnist.data.sources import SOURCES
from nnmnist.evaluation.comparison import mcnemar
from nnmnist.model.network import Network


def nnmnist(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def train(config, name, *settings):
    result = nnmnist("train", "-c", config, "-o", name, "--json", *settings)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["checkpoint"]


@pytest.fixture
def trained(tiny_run):
    """A trained network, and one that was hardly trained."""
    hardly = ["--epochs", "1", "--set", "training.learning_rate=1e-4"]
    return [str(run / "best.npz") for run in (tiny_run("good"), tiny_run("bad", *hardly))]


def accuracy_of(path, split="test"):
    record = json.loads(nnmnist("evaluate", path, "--split", split, "--json").stdout)
    return record["accuracy"], record["n"]


def test_json(trained):
    record = json.loads(nnmnist("compare", *trained, "--json").stdout)
    assert record.keys() == {"checkpoints", "split", "n", "accuracy", "right", "p", "better"}
    assert record["checkpoints"] == trained
    accuracy, n = zip(*map(accuracy_of, trained), strict=True)
    assert record["accuracy"] == list(accuracy)
    right = record["right"]
    assert sum(right.values()) == record["n"] == n[0] == 60
    assert (right["both"] + right["only_a"]) / 60 == accuracy[0]
    assert record["p"] == mcnemar(right["only_a"], right["only_b"])
    assert record["better"] == "A"


def test_the_table_and_the_sentence(trained):
    right = json.loads(nnmnist("compare", *trained, "--json").stdout)["right"]
    text = nnmnist("compare", *trained).stdout
    rows = [
        list(map(int, line.split()[2:])) for line in re.findall("^A (?:right|wrong).*$", text, re.M)
    ]
    assert rows == [[right["both"], right["only_a"]], [right["only_b"], right["neither"]]]
    only = right["only_a"] + right["only_b"]
    sentence = (
        f"Of the {only} examples that only one of them gets right, A has {right['only_a']} and B"
    )
    assert sentence in " ".join(text.split())
    assert text.endswith(": A is better.\n")
    assert nnmnist("compare", *reversed(trained)).stdout.endswith(": B is better.\n")


def test_a_difference_that_is_not_significant(trained):
    found = checkpoint.load(trained[0])
    found.network.theta += np.random.default_rng(0).normal(0, 0.05, found.network.theta.size)
    checkpoint.save("perturbed.npz", found.network, found.classes)
    record = json.loads(nnmnist("compare", trained[0], "perturbed.npz", "--json").stdout)
    assert record["better"] is None
    assert record["right"]["only_a"] + record["right"]["only_b"] > 0
    assert "this may well be chance" in nnmnist("compare", trained[0], "perturbed.npz").stdout


def test_a_network_with_itself(trained):
    text = nnmnist("compare", trained[0], trained[0]).stdout
    assert "p = 1\n" in text
    assert text.endswith("No difference: both are right on the same examples.\n")


def test_outputs_of_another_kind_are_compared(tiny_config, trained):
    logistic = train(tiny_config, "logistic", "--set", "model.output=logistic")
    record = json.loads(nnmnist("compare", trained[0], logistic, "--json").stdout)
    assert record["accuracy"][1] == accuracy_of(logistic)[0]


def test_validation_examples_that_one_network_was_trained_on(tiny_config, trained):
    same = nnmnist("compare", *trained, "--split", "validation", "--json")
    assert json.loads(same.stdout)["n"] == 60
    other_seed = train(tiny_config, "seed1", "--seed", "1")
    for split in ("validation", "train"):
        result = nnmnist("compare", trained[0], other_seed, "--split", split)
        assert result.exit_code == 1
        assert re.search(
            r"seed1/best.npz: was trained on [\d,]+ of these (60|240) examples", result.stderr
        )
        assert "--split test" in result.stderr


def test_other_data(trained, tiny):
    record = json.loads(
        nnmnist("compare", *trained, "--data", tiny, "--split", "train", "--json").stdout
    )
    assert record["n"] == 300


def test_its_own_data_under_another_name_is_recognised(tiny_config, trained, tiny):
    other_seed = train(tiny_config, "seed1", "--seed", "1", "--set", "data.validation=30")
    shutil.copytree(tiny, "copied")
    for folder in (tiny, "copied"):
        result = nnmnist("compare", trained[0], other_seed, "--data", folder, "--split", "train")
        assert result.exit_code == 1
        assert (
            "was trained on 270 of these 300 examples and the other network on 240" in result.stderr
        )
        assert nnmnist("compare", trained[0], other_seed, "--data", folder).exit_code == 0


def test_other_data_has_no_validation_split(trained, tiny):
    for command in (["compare", *trained], ["evaluate", trained[0]]):
        result = nnmnist(*command, "--data", tiny, "--split", "validation")
        assert result.exit_code == 2
        assert f"--split validation: --data {tiny} has no such split" in " ".join(
            result.stderr.split()
        )


@pytest.mark.parametrize(
    ("other", "message"),
    [
        (Network((30, 2)), "has other inputs or classes than good/best.npz"),
        (Network((20, 3)), "has other inputs or classes than good/best.npz"),
        (Network((30, 1), output="linear"), "other.npz: is a regression"),
    ],
)
def test_networks_that_cannot_be_compared(trained, other, message):
    classes = [str(k) for k in range(other.sizes[-1])] if other.output_name == "softmax" else []
    checkpoint.save("other.npz", other, classes)
    result = nnmnist("compare", trained[0], "other.npz")
    assert result.exit_code == 1
    assert message in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["good/best.npz"], 2, "Missing argument 'B'"),
        (["good/best.npz", "."], 1, ".: is a directory; give an .npz file"),
        (["good/best.npz", "none.npz"], 1, "none.npz: does not exist"),
        (
            ["good/best.npz", "bad/best.npz", "--data", "synthetic"],
            1,
            "takes 30 inputs, but synthetic has 784",
        ),
    ],
)
def test_bad_input(trained, monkeypatch, arguments, code, message):
    few = synthetic.load(0, n_train=20, n_test=10)
    monkeypatch.setitem(SOURCES, "synthetic", lambda **_: few)
    result = nnmnist("compare", *arguments)
    assert result.exit_code == code
    assert message in result.stderr


def test_real_mnist(real_mnist):
    """Softmax regression against the same with a hidden layer: a highly significant difference."""
    settings = ("--epochs", "1", "--json")
    pair = [
        json.loads(nnmnist("train", "-c", name, "-o", name, *settings).stdout)["checkpoint"]
        for name in ("plain", "softmax")
    ]
    record = json.loads(nnmnist("compare", *pair, "--json").stdout)
    assert record["better"] == "A"
    assert record["p"] < 1e-20
    assert np.isclose(sum(record["right"].values()), 10_000)
