"""Fine-tuning: training starts from a checkpoint, and a user's own examples are added."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from msgspec.structs import replace
from PIL import Image

from nnmnist import checkpoint
from nnmnist.cli.app import cli
from nnmnist.config.loading import load_config
from nnmnist.data.examples import Interface
from nnmnist.data.own import add_extra
from nnmnist.errors import ConfigError, DataError
from nnmnist.model.network import Network
from nnmnist.runs.run import create_run, reopen_run
from nnmnist.training.setup import load_data
from nnmnist.training.start import copy_layers, interface_of, with_model_of


@pytest.fixture
def trained(tiny_run):
    """The best checkpoint of a run on the tiny data."""
    return tiny_run("base") / "best.npz"


def run(*arguments):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.stderr
    return result


def refused(*arguments):
    result = CliRunner().invoke(cli, [str(argument) for argument in arguments])
    assert result.exit_code in (1, 2)
    assert result.stderr.count("Error: ") == 1
    return result.stderr.splitlines()[-1]


def write_pictures(folder, classes, n=4, shape=(6, 5)):
    """A folder of pictures per class, whose brightness tells the class."""
    rng = np.random.default_rng(0)
    for k, name in enumerate(classes):
        Path(folder, name).mkdir(parents=True)
        for i in range(n):
            pixels = rng.integers(0, 40, shape) + 70 * k
            Image.fromarray(pixels.astype(np.uint8)).save(Path(folder, name, f"{i}.png"))
    return Path(folder).absolute()


def weights(path):
    return checkpoint.load(path).network.theta


def test_training_starts_from_the_weights_of_a_checkpoint(trained):
    run("train", "--from", trained, "-o", "tuned", "-q", "--epochs", "1",
        "--set", "training.learning_rate=1e-30")  # fmt: skip
    np.testing.assert_allclose(weights("tuned/last.npz"), weights(trained), rtol=1e-6)
    document = checkpoint.load("tuned/last.npz").document
    assert document["start"] == checkpoint.load(trained).sha256
    assert document["config"]["training"]["start_from"] == str(trained.absolute())


def test_without_a_config_that_of_the_checkpoint_is_used(trained):
    run("train", "--from", trained, "-o", "tuned", "-q")
    tuned, base = (load_config(Path(name, "config.yaml")) for name in ("tuned", "base"))
    assert tuned.model == base.model
    assert tuned.data == base.data
    assert tuned.training == replace(base.training, start_from=trained.absolute())


def test_a_tuned_run_resumes_to_the_same_bits_also_without_its_start(trained):
    run("train", "--from", trained, "-o", "whole", "-q")
    config = load_config(Path("whole/config.yaml"))
    splits = load_data(config.data, config.seed)
    epochs = create_run(config, "half", Path("half")).train(splits)
    next(epochs)
    epochs.close()
    trained.unlink()
    list(reopen_run(Path("half"), config).train(splits))
    assert weights("half/last.npz").tobytes() == weights("whole/last.npz").tobytes()
    run("train", "--resume", "whole", "--epochs", "6", "-q")


def test_a_model_key_that_conflicts_names_both(trained, tiny_config):
    text = refused("train", "-c", tiny_config, "--from", trained, "--set", "model.hidden=[9]")
    assert "model.hidden: [9], but the network of training.start_from: " in text
    assert text.endswith("has [8]; remove model.hidden")


@pytest.mark.parametrize(
    ("model", "setting", "problem"),
    [
        ({"input_dropout": 0.2}, "principal_components=5", "model.input_dropout: drops inputs"),
        (
            {"output": "linear"},
            "label_smoothing=0.1",
            "training.label_smoothing: needs model.output",
        ),
    ],
)
def test_a_network_that_does_not_fit_the_config_is_one_clear_error(
    trained, tiny_config, model, setting, problem
):
    network = Network((30, 8, 3), **model)
    network.initialize(np.random.default_rng(0))
    checkpoint.save(Path("start.npz"), network, checkpoint.load(trained).classes)
    line = refused(
        "train", "-c", tiny_config, "--from", "start.npz", "--set", f"training.{setting}"
    )
    assert line.startswith(f"Error: {problem}")
    assert "(with the network of training.start_from: " in line
    assert line.endswith("start.npz)")


def test_the_model_comes_from_the_checkpoint_but_dropout_may_change(trained):
    start = checkpoint.load(trained)
    config = load_config("softmax", [f"training.start_from={trained}"])
    with pytest.raises(ConfigError, match=r"model.hidden: \[\], but .* has \[8\]"):
        with_model_of(config, start)
    Path("plain.yaml").write_text("model: {dropout: 0.5}\n")
    settings = with_model_of(load_config(Path("plain.yaml")), start)
    assert (settings.model.hidden, settings.model.dropout) == ((8,), 0.5)


@pytest.mark.parametrize(
    ("classes", "same"), [(("0", "1", "2"), True), (("a", "b", "c"), False), (("0", "1"), False)]
)
def test_other_classes_start_a_new_last_layer(trained, classes, same):
    start = checkpoint.load(trained)
    network = Network((30, 8, len(classes)))
    network.initialize(np.random.default_rng(5))
    before = network.W[1].copy()
    copy_layers(start, trained, network, classes)
    np.testing.assert_array_equal(network.W[0], start.network.W[0])
    np.testing.assert_array_equal(network.W[1], start.network.W[1] if same else before)


def test_own_data_is_prepared_as_for_the_start_and_has_its_order_of_classes(trained):
    folder = write_pictures("own", ["2", "0", "1"], n=9, shape=(12, 10))
    start = checkpoint.load(trained)
    interface = Interface(interface_of(start).preparation, ("1", "2", "0"))
    config = load_config(None, [f"data.path={folder}"])
    splits = load_data(config.data, start=interface)
    assert splits.classes == ("1", "2", "0")
    assert splits.image_shape == (6, 5)
    run("train", "--from", trained, "--set", f"data.path={folder}", "-o", "tuned", "-q")
    run("evaluate", "tuned/best.npz")
    assert checkpoint.load("tuned/best.npz").document["prepare"] == start.document["prepare"]


def test_the_start_must_take_the_inputs_of_the_data(trained):
    text = refused("train", "--from", trained, "--set", "data.path=null", "--set",
                   "data.name=rings", "--set", "data.validation=50")  # fmt: skip
    assert "takes 30 inputs, but the data has 2" in text


def test_from_a_missing_file_or_with_resume(trained):
    assert "gone.npz: does not exist" in refused("train", "--from", "gone.npz")
    assert "give one" in refused("train", "--resume", "base", "--from", trained)


# Extra examples.


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_extra_examples_make_up_their_share_of_each_epoch(tiny, share):
    config = load_config(None, [f"data.path={tiny}", "data.validation=60"])
    splits = load_data(config.data)
    folder = write_pictures("extra", ["0", "2"], n=4)
    more = add_extra(splits, [folder], share)
    extra = more.train.rows[more.train.rows >= len(splits.train.inputs)]
    assert len(extra) / len(more.train) == pytest.approx(share, abs=0.01)
    counts = np.bincount(extra - len(splits.train.inputs), minlength=8)
    assert counts.max() - counts.min() <= 1
    np.testing.assert_array_equal(more.train.rows[: len(splits.train)], splits.train.rows)
    labels = more.train.targets[np.unique(extra)]
    assert np.bincount(labels).tolist() == [4, 0, 4]
    assert (more.extra.x.shape, more.extra.y.tolist()) == ((8, 30), [0] * 4 + [2] * 4)
    again = add_extra(splits, [folder], share)
    np.testing.assert_array_equal(again.train.rows, more.train.rows)
    other = add_extra(splits, [folder], share, seed=1)
    assert not np.array_equal(other.train.rows, more.train.rows)


def test_all_extra_examples_are_used_even_if_their_share_is_smaller(tiny):
    config = load_config(None, [f"data.path={tiny}", "data.validation=60"])
    splits = load_data(config.data)
    more = add_extra(splits, [write_pictures("extra", ["0"], n=40)], 0.01)
    assert len(np.unique(more.train.rows)) == len(splits.train) + 40


def test_extra_examples_are_evaluated_apart(trained):
    folder = write_pictures("extra", ["0", "1", "2"], n=5)
    plain = json.loads(run("train", "--from", trained, "-o", "plain", "--json").stdout)
    assert plain["extra"] is None
    result = run("train", "--from", trained, "--set", f"data.extra=[{folder}]", "-o", "tuned")
    header, first = [
        line.split()
        for line in result.stderr.splitlines()
        if line.split()[:1] in (["epoch"], ["1"])
    ]
    assert header.index("extra") == 7
    assert first[5].endswith("%")
    assert "extra        accuracy " in result.stdout
    summary = json.loads(Path("tuned/summary.json").read_text())
    tuned = json.loads(run("evaluate", "tuned/best.npz", "--data", folder, "--json").stdout)
    assert summary["extra"]["accuracy"] == tuned["accuracy"]
    assert summary["data_id"] == plain["data_id"]


def test_a_run_with_other_extra_examples_is_not_finished(trained):
    folder = write_pictures("extra", ["0", "1", "2"])
    words = ["train", "--from", trained, "--set", f"data.extra=[{folder}]", "-o", "tuned"]
    run(*words, "-q")
    assert "already finished" in run(*words).stderr
    Image.new("L", (5, 6), 99).save(folder / "0" / "new.png")
    assert "already exists" in refused(*words)
    assert "with other examples" in refused("train", "--resume", "tuned", "--epochs", "9")


def test_extra_examples_of_an_unknown_class_are_refused(tiny):
    config = load_config(None, [f"data.path={tiny}", "data.validation=60"])
    folder = write_pictures("extra", ["0", "seven"])
    with pytest.raises(DataError, match="extra: the network does not know the class seven"):
        add_extra(load_data(config.data), [folder], 0.1)


def test_extra_examples_need_classes_of_images():
    rings = load_data(load_config("plain", ["data.name=rings", "data.validation=50"]).data)
    with pytest.raises(DataError, match=r"data.extra: rings has no classes of images"):
        add_extra(rings, [Path("extra")], 0.1)
