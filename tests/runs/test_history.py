import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nnmnist import checkpoint
from nnmnist.cli.app import cli
from nnmnist.config.loading import load_config
from nnmnist.errors import DataError
from nnmnist.evaluation.evaluate import evaluate
from nnmnist.runs import history
from nnmnist.training.fit import fit
from nnmnist.training.setup import build_network, load_data

HEADER = (
    "epoch,train_cost,train_accuracy,validation_cost,validation_accuracy,learning_rate,seconds\n"
)


def write_metrics(text, folder="run"):
    run = Path(folder)
    run.mkdir(exist_ok=True)
    (run / "metrics.csv").write_text(text)
    return run


def test_a_finished_run(tiny_config):
    CliRunner().invoke(cli, ["train", "-c", str(tiny_config), "-o", "run"])
    found = history.read(Path("run"))
    assert found.name == "run"
    assert list(found.splits) == ["training", "validation", "test"]
    training, validation, test = found.splits.values()
    # A mean over an epoch belongs to the middle of the epoch.
    assert training.steps.tolist() == [0.5, 1.5, 2.5, 3.5]
    assert validation.steps.tolist() == [1, 2, 3, 4]
    summary = json.loads(Path("run/summary.json").read_text())
    assert (test.cost.tolist(), test.accuracy.tolist()) == (
        [summary["test"]["cost"]],
        [summary["test"]["accuracy"]],
    )
    # The test result belongs to the best network.
    best = int(test.steps[0])
    assert validation.cost[best - 1] == summary["validation"]["cost"]


def test_an_unfinished_run_without_validation():
    found = history.read(write_metrics(HEADER + "1,0.5,0.8,,,0.1,1\n2,0.25,0.9,,,0.1,1\n3,0.2"))
    assert list(found.splits) == ["training"]
    # The incomplete last line is ignored.
    assert found.splits["training"].cost.tolist() == [0.5, 0.25]


def test_regression_has_no_accuracy():
    found = history.read(write_metrics(HEADER + "1,0.5,,0.6,,0.1,1\n"))
    assert np.isnan(found.splits["training"].accuracy).all()
    assert found.splits["validation"].cost.tolist() == [0.6]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER, "no epoch is complete yet"),
        ("", r"metrics.csv:1: has no column epoch"),
        (
            HEADER + "1,0.5,0.8,,,0.1,1\n2,much,0.9,,,0.1,1\n",
            r"metrics.csv:3: is not a row of metrics: '2,much",
        ),
        (HEADER + "1,nan,0.8,,,0.1,1\n", r"metrics.csv:2: is not a row"),
        (HEADER + "1,0.5\n", r"metrics.csv:2: is not a row"),
        (HEADER + "1,0.5,0.8,,,0.1,1,9\n", r"metrics.csv:2: is not a row"),
        ("a,b\n1,2\n", r"metrics.csv:1: has no column epoch"),
    ],
)
def test_an_error_about_damaged_metrics_names_the_line(text, message):
    with pytest.raises(DataError, match=message):
        history.read(write_metrics(text))


def test_bytes_that_are_not_text():
    run = write_metrics("")
    (run / "metrics.csv").write_bytes(HEADER.encode() + b"1,\xff\x00,0.8,,,0.1,1\n")
    with pytest.raises(DataError, match=r"metrics.csv:2: is not a row"):
        history.read(run)


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"test": {"cost": "much", "accuracy": 1}}', '{"test": null}']
)
def test_a_damaged_summary(tiny_config, text):
    CliRunner().invoke(cli, ["train", "-c", str(tiny_config), "-o", "run"])
    Path("run/summary.json").write_text(text)
    with pytest.raises(DataError, match=r"summary.json: `nnmnist train` did not write this"):
        history.read(Path("run"))


def test_a_missing_run():
    with pytest.raises(
        DataError, match=r"nowhere: has no curve, because it is not a run \(no metrics.csv\)"
    ):
        history.read(Path("nowhere"))


def test_a_checkpoint_that_does_not_state_its_epoch(tiny_config):
    CliRunner().invoke(cli, ["train", "-c", str(tiny_config), "-o", "run"])
    trained = checkpoint.load("run/best.npz")
    checkpoint.save("run/best.npz", trained.network, trained.classes)
    for command in (["plot", "run"], ["report", "run"], ["evaluate", "run/best.npz", "--chart"]):
        result = CliRunner().invoke(cli, command)
        assert result.exit_code == 1
        assert result.stderr == (
            f"Error: {Path('run/best.npz')}: does not state its epoch; give the directory of a "
            "run\n"
        )


def test_the_epochs_of_fit_give_the_curves_that_a_run_writes(tiny_config):
    CliRunner().invoke(cli, ["train", "-c", str(tiny_config), "-o", "run"])
    config = load_config(tiny_config)
    splits = load_data(config.data)
    network = build_network(config, splits)
    found = history.of_epochs(fit(network, splits.train, splits.validation, config.training), "x")
    expected = history.read(Path("run")).splits
    assert found.name == "x"
    assert list(found.splits) == ["training", "validation"]
    for name, series in found.splits.items():
        for values, written in zip(series, expected[name], strict=True):
            np.testing.assert_array_equal(values, written)


def test_a_history_in_iterations(tiny_config):
    words = ["train", "-c", str(tiny_config), "-o", "run", "--set", "training.curve_every=6"]
    assert CliRunner().invoke(cli, words).exit_code == 0
    splits = history.read(Path("run"), in_iterations=True).splits
    assert list(splits) == ["training", "validation", "test"]
    training, validation, test = splits.values()
    # 240 examples are 15 steps in each of 4 epochs
    steps = list(range(6, 61, 6))
    assert training.steps.tolist() == validation.steps.tolist() == test.steps.tolist() == steps
    by_epoch = history.read(Path("run")).splits
    assert validation.cost[[4, 9]].tolist() == by_epoch["validation"].cost[[1, 3]].tolist()
    last = checkpoint.load("run/last.npz").network
    data = load_data(load_config(tiny_config).data)
    assert test.cost[-1] == evaluate(last, data.test).cost


def test_a_damaged_curve_is_named():
    run = write_metrics(HEADER)
    (run / "curve.csv").write_text("iteration,epochs\n")
    with pytest.raises(DataError, match=r"curve.csv:1: has no column train_cost"):
        history.read(run, in_iterations=True)
