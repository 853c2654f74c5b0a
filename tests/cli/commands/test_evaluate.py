import json
import re

import numpy as np
import pytest
from click.testing import CliRunner

from nnmnist import checkpoint
from nnmnist.cli.app import cli
from nnmnist.cli.commands.evaluate import classes_as_text, confusion_as_text
from nnmnist.data import synthetic
from nnmnist.data.readers import idx
from nnmnist.data.sources import SOURCES
from nnmnist.evaluation.predictor import NormalizedNetwork
from nnmnist.model.network import Network
from nnmnist.training.setup import load_data


def nnmnist(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def trained(tiny_run):
    return [str(tiny_run(f"run{seed}", "--seed", seed) / "best.npz") for seed in (0, 1)]


def test_json(trained):
    record = json.loads(nnmnist("evaluate", trained[0], "--json").stdout)
    assert record.keys() == {
        "checkpoint",
        "split",
        "n",
        "cost",
        "accuracy",
        "interval",
        "confusion",
        "classes",
        "macro",
        "weighted",
    }
    assert record["n"] == 60
    assert record["split"] == "test"
    confusion = np.array(record["confusion"])
    assert confusion.sum(axis=1).tolist() == [20, 20, 20]
    assert confusion.trace() / 60 == record["accuracy"]
    assert record["interval"][0] <= record["accuracy"] <= record["interval"][1]


def test_the_tables_are_aligned(trained):
    result = nnmnist("evaluate", trained[0], "--split", "train")
    assert result.exit_code == 0
    scores, classes, confusion = result.stdout.split("\n\n")
    assert "95 % confidence" in scores
    header, *rows = classes.splitlines()
    assert header.split() == ["class", "precision", "recall", "F1", "support"]
    assert [row.split()[0] for row in rows] == ["0", "1", "2", "macro", "weighted"]
    *support, total, again = (int(row.split()[-1]) for row in rows)
    assert sum(support) == total == again == 240
    assert len({len(row) for row in (header, *rows)}) == 1
    title, *table = confusion.splitlines()
    assert title == "rows: true class, columns: predicted class"
    assert table[0].split() == ["0", "1", "2"]
    assert [row.split()[0] for row in table[1:]] == ["0", "1", "2"]
    assert len({len(row) for row in table}) == 1


def test_the_scores_of_the_text_are_those_of_the_json(trained):
    record = json.loads(nnmnist("evaluate", trained[0], "--json").stdout)
    rows = nnmnist("evaluate", trained[0]).stdout.split("\n\n")[1].splitlines()[1:]
    records = [*record["classes"], record["macro"], record["weighted"]]
    for row, scores in zip(rows, records, strict=True):
        values = [f"{scores[name]:.2%}" for name in ("precision", "recall", "f1")]
        assert row.split()[-4:-1] == values
    assert record["weighted"]["recall"] == pytest.approx(record["accuracy"])


LONG = ["cat", "a very long name of a class", "é", "10", *(f"class number {k}" for k in range(6))]


def test_ten_classes_with_long_names_fit_80_columns():
    confusion = np.full((10, 10), 1000)
    for table in (classes_as_text(confusion, LONG), confusion_as_text(confusion, LONG)):
        assert max(map(len, table.splitlines())) <= 80
        assert "a very long name ..." in table  # in the rows
        assert "class number 5" in table
    lines = confusion_as_text(confusion, LONG).splitlines()[1:]
    assert len({len(line) for line in lines}) == 1
    assert lines[0].split()[:4] == ["cat", "a", "...", "é"]


def test_a_few_classes_have_their_names_above_the_columns():
    header = confusion_as_text(np.eye(3, dtype=int), LONG[:3]).splitlines()[1]
    assert header.split("  ")[-1].strip() == "é"
    assert "a very long name..." in header


def test_a_class_that_is_never_predicted_has_precision_0():
    rows = classes_as_text(np.array([[3, 0], [1, 0]]), ["yes", "no"]).splitlines()
    assert rows[1].split() == ["yes", "75.00%", "100.00%", "85.71%", "3"]
    assert rows[2].split() == ["no", "0.00%", "0.00%", "0.00%", "1"]


def test_a_cost_that_is_not_finite_is_named_so(tiny):
    network = Network((30, 3))
    network.W[0][:] = 1e38
    checkpoint.save("huge.npz", network, ["0", "1", "2"])
    result = nnmnist("evaluate", "huge.npz", "--data", tiny)
    assert "cost       not finite\n" in result.stdout
    assert "nan" not in result.stdout
    record = json.loads(nnmnist("evaluate", "huge.npz", "--data", tiny, "--json").stdout)
    assert record["cost"] is None


def test_splits_are_those_of_the_training(trained):
    sizes = [
        json.loads(nnmnist("evaluate", trained[0], "--split", s, "--json").stdout)["n"]
        for s in ("train", "validation")
    ]
    assert sizes == [240, 60]


def test_an_ensemble(trained):
    record = json.loads(nnmnist("evaluate", *trained, "--json").stdout)
    assert record["checkpoint"] == trained
    costs = [json.loads(nnmnist("evaluate", path, "--json").stdout)["cost"] for path in trained]
    assert record["cost"] <= np.mean(costs)  # ln is concave


def test_an_ensemble_of_a_network_that_normalizes_and_one_that_does_not(trained, tiny_config):
    settings = ["--set", "model.normalize=true", "-o", "straight", "--json"]
    straight = json.loads(nnmnist("train", "-c", tiny_config, *settings).stdout)["checkpoint"]
    records = [
        json.loads(nnmnist("evaluate", *paths, "--json").stdout)
        for paths in ([trained[0]], [straight], [trained[0], straight])
    ]
    costs = [record["cost"] for record in records]
    assert costs[0] != costs[1]
    assert costs[2] <= np.mean(costs[:2])
    assert checkpoint.load(straight).network.image_shape == (6, 5)


def test_other_data(trained, tiny, tmp_path):
    folder = tmp_path / "other"
    folder.mkdir()
    rng = np.random.default_rng(1)
    for part, n in (("train", 12), ("t10k", 9)):
        labels = np.arange(n, dtype=np.uint8) % 3
        (folder / f"{part}-images-idx3-ubyte").write_bytes(
            idx.encode(rng.integers(0, 255, (n, 6, 5)).astype(np.uint8))
        )
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx.encode(labels))
    record = json.loads(nnmnist("evaluate", trained[0], "--data", folder, "--json").stdout)
    assert record["n"] == 9


def test_pictures_of_another_shape_are_resized(trained, tmp_path):
    folder = tmp_path / "turned"
    folder.mkdir()
    labels = np.arange(9, dtype=np.uint8) % 3
    for part in ("train", "t10k"):
        (folder / f"{part}-images-idx3-ubyte").write_bytes(
            idx.encode(np.full((9, 5, 6), 9, np.uint8))
        )
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx.encode(labels))
    result = nnmnist("evaluate", trained[0], "--data", folder)
    assert result.exit_code == 0
    assert "turned, test split, 9 examples" in result.stdout


def test_data_with_other_inputs_is_refused(trained, monkeypatch):
    few = synthetic.load(0, n_train=20, n_test=10)
    monkeypatch.setitem(SOURCES, "synthetic", lambda **_: few)
    result = nnmnist("evaluate", trained[0], "--data", "synthetic")
    assert result.exit_code == 1
    assert "takes 30 inputs, but synthetic has 784" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["none.npz"], 1, "none.npz: does not exist"),
        (["tiny.yaml"], 1, "tiny.yaml: not a checkpoint"),
        ([], 2, "Missing argument"),
        (["none.npz", "--split", "all"], 2, "--split"),
        (["none.npz", "--errors", "0"], 2, "--errors"),
    ],
)
def test_bad_input(tiny_config, arguments, code, message):
    result = nnmnist("evaluate", *arguments)
    assert result.exit_code == code
    assert message in result.stderr


def test_unknown_data(trained):
    result = nnmnist("evaluate", trained[0], "--data", "nowhere")
    assert result.exit_code == 1
    assert "nowhere" in result.stderr


def test_networks_that_do_not_fit_together(trained):
    checkpoint.save("odd.npz", Network((30, 2)), ["0", "1"])
    checkpoint.save("turned.npz", NormalizedNetwork(Network((30, 3)), (5, 6)), ["0", "1", "2"])
    for path in ("odd.npz", "turned.npz"):
        result = nnmnist("evaluate", trained[0], path)
        assert result.exit_code == 1
        assert "cannot form an ensemble" in result.stderr
        result = nnmnist("compare", trained[0], path)
        assert result.exit_code == 1
        assert "cannot be compared" in result.stderr


def test_an_ensemble_is_not_evaluated_on_training_examples_of_a_member(trained, tiny_config):
    nnmnist("train", "-c", tiny_config, "--set", "training.learning_rate=0.02", "-o", "same")
    result = nnmnist("evaluate", *trained, "--split", "validation")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(f"Error: {trained[1]}: has other validation examples than ")
    for arguments in (["same/best.npz", "--split", "validation"], [trained[1]]):
        assert nnmnist("evaluate", trained[0], *arguments).exit_code == 0


def test_a_network_saved_from_python_needs_data(tiny):
    checkpoint.save("mine.npz", Network((30, 3)), ["0", "1", "2"])
    assert "name the data with --data" in nnmnist("evaluate", "mine.npz").stderr
    record = json.loads(nnmnist("evaluate", "mine.npz", "--data", tiny, "--json").stdout)
    assert record["cost"] == pytest.approx(np.log(3))


def test_a_config_of_another_version(trained):
    found = checkpoint.load(trained[0])
    checkpoint.save(
        "later.npz", found.network, found.classes, {"config": {"training": {"warp": 9}}}
    )
    result = nnmnist("evaluate", "later.npz")
    assert result.exit_code == 1
    assert "its config does not fit this version" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_checkpoint_that_does_not_name_its_data_is_evaluated_by_its_config(trained):
    found = checkpoint.load(trained[0])
    facts = {key: found.document[key] for key in ("image_shape", "config")}
    checkpoint.save("nameless.npz", found.network, found.classes, facts)
    records = [
        json.loads(nnmnist("evaluate", path, "--json").stdout)
        for path in (trained[0], "nameless.npz")
    ]
    assert records[0]["cost"] == records[1]["cost"]


def test_the_most_confident_mistakes_as_json(trained):
    record = json.loads(
        nnmnist("evaluate", trained[0], "--split", "train", "--errors", "3", "--json").stdout
    )
    member = checkpoint.load(trained[0])
    inputs = load_data(checkpoint_settings({"checkpoint": trained[0]})).train.inputs
    confidence = [error["probability"] for error in record["errors"]]
    assert confidence == sorted(confidence, reverse=True)
    assert len(confidence) == min(3, record["n"] - np.trace(record["confusion"]))
    assert confidence
    for error in record["errors"]:
        assert error.keys() == {"index", "label", "prediction", "probability", "probabilities"}
        p = error["probabilities"]
        assert list(p) == ["0", "1", "2"]
        assert error["label"] != error["prediction"] == int(max(p, key=p.get))
        assert p[str(error["prediction"])] == error["probability"]
        # as the tiny data is made: the index is that of the file
        assert error["label"] == error["index"] % 3
        expected = member.network.predict(inputs[[error["index"]]].astype(np.float32) / 255)
        np.testing.assert_allclose(list(p.values()), expected[0], rtol=1e-4)


def test_the_most_confident_mistakes_as_text(trained):
    result = nnmnist("evaluate", trained[0], "--split", "train", "--errors", "2")
    assert result.exit_code == 0
    tail = result.stdout.partition("most confident mistakes\n")[2].splitlines()
    titles = [line for line in tail if line.startswith("train[")]
    assert 1 <= len(titles) <= 2
    assert re.fullmatch(r"train\[\d+\]: [012] +\d+\.\d\d%   \(is [012] +\d+\.\d\d%\)", titles[0])
    assert len(tail) == 4 * len(titles)  # six rows of pixels are three lines


def test_more_mistakes_than_there_are(trained):
    record = json.loads(nnmnist("evaluate", trained[0], "--errors", "1000", "--json").stdout)
    assert len(record["errors"]) == record["n"] - np.trace(record["confusion"])


def test_no_mistakes(tiny):
    perfect = Network((30, 3))
    perfect.W[0][:] = -1000.0
    for k in range(3):  # class k is the one with the bright columns of pixels, see `tiny`
        perfect.W[0][k, 10 * k : 10 * k + 10] = 1000.0
    checkpoint.save("perfect.npz", perfect, ["0", "1", "2"])
    result = nnmnist("evaluate", "perfect.npz", "--data", tiny, "--errors", "5")
    assert result.stdout.splitlines()[-1] == "no mistakes"


def test_mistakes_of_a_regression_are_none(trained):
    checkpoint.save("values.npz", Network((30, 1), output="linear"), [])
    result = nnmnist("evaluate", "values.npz", "--errors", "5")
    assert result.exit_code == 1
    assert result.stderr == "Error: values.npz: is a regression, and --errors needs a classifier\n"


def test_real_mnist(real_mnist):
    """One epoch of softmax regression: train and evaluate report the same accuracy."""
    record = json.loads(
        nnmnist("train", "-c", "softmax", "--epochs", "1", "-o", "run", "--json").stdout
    )
    found = json.loads(nnmnist("evaluate", record["checkpoint"], "--json").stdout)
    assert found["accuracy"] == record["test"]["accuracy"] > 0.9
    assert found["n"] == 10_000
    splits = load_data(checkpoint_settings(record))
    assert (len(splits.train), len(splits.validation)) == (55_000, 5_000)
    assert set(splits.validation.y.tolist()) == set(range(10))


def checkpoint_settings(record):
    from nnmnist.config.schema import Config

    return Config.from_json(checkpoint.load(record["checkpoint"]).document["config"]).data


def test_the_scores_of_a_squared_error_are_not_shown_as_probabilities(tiny_config):
    assert (
        nnmnist("train", "-c", tiny_config, "-o", "run", "--set", "model.output=linear").exit_code
        == 0
    )
    text = nnmnist("evaluate", "run/best.npz", "--errors", 1).stdout.partition(
        "most confident mistakes\n"
    )[2]
    mistake = re.match(r"test\[\d+\]: \d +(-?\d+\.\d{3})   \(is \d +(-?\d+\.\d{3})\)\n", text)
    assert mistake, text
    assert float(mistake[1]) > float(mistake[2])
    answer = nnmnist("predict", "run/best.npz", "--test", "0").stdout
    assert re.fullmatch(r"test\[0\]: \d (  \d +-?\d+\.\d{3}){3}   \(is \d(, WRONG)?\)\n", answer), (
        answer
    )
