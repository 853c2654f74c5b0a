import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nnmnist import checkpoint
from nnmnist.cli.app import cli
from nnmnist.plots.kinds import KINDS, draw, make_subjects


def nnmnist(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def plot(*arguments):
    return nnmnist("plot", *arguments)


@pytest.fixture
def run(tiny_run):
    return tiny_run("run")


def toy(name, output, *settings):
    """A run on one of the lecture's small problems."""
    text = (
        f"data: {{name: {name}, validation: 20}}\n"
        f"model: {{hidden: [], output: {output}}}\n"
        "training: {epochs: 2}"
    )
    Path(f"{name}.yaml").write_text(text)
    result = nnmnist("train", "-c", f"{name}.yaml", "-o", name, *settings)
    assert result.exit_code == 0, result.output
    return Path(name)


def written(result):
    assert result.exit_code == 0, result.output
    paths = [Path(line) for line in result.stdout.splitlines()]
    assert all(path.read_bytes().startswith((b"\x89PNG", b"<?xml")) for path in paths)
    return sorted(map(str, paths))


def test_the_default_draws_what_applies_to_images(run):
    assert written(plot(run)) == [
        "run/confusion.png", "run/curves.png", "run/mistakes.png", "run/weights.png"
    ]  # fmt: skip


def test_the_default_draws_what_applies_to_points_in_the_plane():
    names = written(plot(toy("three_classes", "softmax")))
    assert [Path(name).stem for name in names] == ["boundary", "confusion", "curves"]


KINDS_OF_VALUES = ["curves", "fit", "predictions"]


def test_the_default_draws_what_applies_to_a_regression():
    assert [Path(name).stem for name in written(plot(toy("line", "linear")))] == KINDS_OF_VALUES


@pytest.mark.parametrize("file", ["mine.png", "mine.svg", "MINE.SVG"])
def test_output_and_its_format(run, file):
    assert written(plot(run, "--kind", "confusion", "-o", file)) == [file]
    assert sorted(path.name for path in run.glob("*.png")) == []


def test_with_an_output_alone_curves_are_drawn(run):
    written(plot(run, "-o", "a.png"))
    written(plot(run, "--kind", "curves", "-o", "b.png"))
    assert Path("a.png").read_bytes() == Path("b.png").read_bytes()


def test_several_runs_are_overlaid(run, tiny_config):
    nnmnist("train", "-c", tiny_config, "-o", "other", "--seed", "1")
    assert written(plot(run, "other")) == ["run/curves-2-runs.png"]
    written(plot(run, "-o", "alone.svg"))
    written(plot(run, "other", "-o", "both.svg"))
    assert Path("both.svg").read_text().count("<path") > Path("alone.svg").read_text().count(
        "<path"
    )


def test_runs_of_the_same_name_are_drawn_under_their_paths(run, tiny_config):
    nnmnist("train", "-c", tiny_config, "-o", "elsewhere/run")
    written(plot(run, "elsewhere/run", "-o", "both.png"))
    written(plot("elsewhere/run", run, "-o", "swapped.png"))
    assert Path("both.png").read_bytes() != Path("swapped.png").read_bytes()


def test_lines_of_several_runs_on_one_plot():
    line = toy("line", "linear")
    nnmnist("train", "-c", "line.yaml", "-o", "slow", "--set", "training.learning_rate=1e-3")
    assert written(plot(line, "slow", "--kind", "fit")) == ["line/fit-2-runs.png"]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["run", "--kind", "boundary"],
            1,
            "boundary needs a network with two inputs, but this one has 30",
        ),
        (["run", "--kind", "fit"], 1, "fit draws one output against one input"),
        (["run", "run", "--kind", "weights"], 1, "draw the other kinds run by run"),
        (["run", "-o", "x.gif"], 2, "x.gif: the file name must end in .png, .svg or .pdf"),
        (["run", "-o", "nowhere/x.png"], 1, "nowhere"),
        (["run", "--kind", "pie"], 2, "'pie' is not one of 'curves', 'weights'"),
        (["nowhere"], 2, "'nowhere' does not exist"),
        ([], 2, "Missing argument"),
        ([".."], 1, "has no curve, because it is not a run"),
        (["."], 1, "is a folder of runs; draw it with --kind sweep"),
    ],
)
def test_bad_input_is_one_clear_line(run, arguments, code, message):
    result = plot(*arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""
    *usage, error = result.stderr.splitlines()
    assert error.startswith("Error: ")
    assert all(line.startswith(("Usage:", "Try")) or not line for line in usage)


def test_kinds_that_do_not_apply_to_a_regression():
    line = toy("line", "linear")
    messages = {
        "confusion": "is a regression, which has no confusion matrix",
        "weights": "the inputs of this network are not images",
        "boundary": "two inputs, but this one has 1",
    }
    for kind, message in messages.items():
        result = plot(line, "--kind", kind)
        assert result.exit_code == 1
        assert message in result.stderr


def test_mistakes_are_those_of_evaluate(tiny_config):
    nnmnist("train", "-c", tiny_config, "-o", "poor", "--set", "training.learning_rate=1e-6")
    assert written(plot("poor", "--kind", "mistakes", "-o", "wrong.svg")) == ["wrong.svg"]
    drawn = Path("wrong.svg").read_text()
    errors = json.loads(nnmnist("evaluate", "poor/best.npz", "--errors", "48", "--json").stdout)[
        "errors"
    ]
    assert errors
    for mistake in errors:
        assert f"<!-- {mistake['index']} -->" in drawn
        assert f"<!-- {mistake['label']}, read as {mistake['prediction']} -->" in drawn


def test_without_mistakes_or_images_there_is_no_figure_of_mistakes(tiny_config):
    nnmnist("train", "-c", tiny_config, "-o", "perfect", "--set", "training.epochs=60")
    result = plot("perfect", "--kind", "mistakes")
    assert (result.exit_code, result.stderr) == (
        1,
        "Error: perfect: makes no mistakes on the test set\n",
    )
    result = plot(toy("three_classes", "softmax"), "--kind", "mistakes")
    assert result.exit_code == 1
    assert "mistakes are drawn for classified images" in result.stderr


def test_three_inputs_are_refused_by_boundary():
    result = plot(toy("planes", "linear"), "--kind", "boundary")
    assert result.exit_code == 1
    assert result.stderr == "Error: boundary needs a network with two inputs, but this one has 3\n"


def test_runs_on_different_data_are_not_drawn_into_one_figure():
    toy("line", "linear")
    toy("hinge", "linear")
    result = plot("line", "hinge", "--kind", "fit")
    assert result.exit_code == 1
    assert "hinge: was trained on other data than line" in result.stderr


def test_missing_data_is_reported_after_the_figures_that_need_none(run):
    found = checkpoint.load(run / "best.npz")
    facts = {**found.document, "config": {"data": {"name": "mnist"}}}
    checkpoint.save(run / "best.npz", found.network, found.classes, facts)
    result = plot(run)
    assert result.exit_code == 1
    assert result.stdout.split() == ["run/curves.png", "run/weights.png"]
    assert "lacks train-images-idx3-ubyte" in result.stderr


@pytest.fixture
def swept(tiny_run):
    """A folder of runs of two rates and two seeds, of two widths, and of one that failed."""
    for rate, seed in ((0.001, 0), (0.001, 1), (0.05, 0), (0.05, 1), (1e30, 0)):
        rates = ["--set", f"training.learning_rate={rate}"]
        words = ["--epochs", "1", "--seed", str(seed), *rates]
        tiny_run(f"swept/rate-{rate}-{seed}", *words, code=int(rate == 1e30))
    return Path("swept")


def test_a_sweep_over_one_key(swept):
    assert written(plot(swept, "--kind", "sweep")) == ["swept/sweep.png"]
    written(plot(swept, "--kind", "sweep", "-o", "a.svg"))
    written(plot(swept, "--kind", "sweep", "--key", "learning_rate", "-o", "b.svg"))
    assert Path("a.svg").read_bytes() == Path("b.svg").read_bytes()


def test_a_sweep_over_two_of_three_keys(swept, tiny_config):
    for width in (4, 5):
        changes = ["--set", f"model.hidden=[{width}]", "--set", f"training.batch_size={10 * width}"]
        nnmnist("train", "-c", tiny_config, "-o", f"swept/{width}", "--epochs", "1", "-q", *changes)
    result = plot(swept, "--kind", "sweep")
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: swept: its runs differ in 3 keys (model.hidden, training.batch_size, "
        "training.learning_rate); choose one or two of them with --key\n"
    )
    assert written(plot(swept, "--kind", "sweep", "--key", "hidden", "--key", "learning_rate")) == [
        "swept/sweep.png"
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["swept", "--kind", "sweep", "--key", "lerning_rate"], 2, "did you mean learning_rate?"),
        (["swept", "--kind", "sweep", "--key", "seed"], 2, "--key seed: unknown key"),
        (["swept", "--key", "learning_rate"], 2, "--key needs --kind sweep"),
        (["swept", "swept", "--kind", "sweep"], 1, "draw the other kinds run by run"),
        (
            ["swept/rate-0.05-0", "--kind", "sweep"],
            1,
            "a sweep is a folder with two or more finished runs",
        ),
        (
            ["swept/rate-1e+30-0", "--kind", "sweep"],
            1,
            "a sweep is a folder with two or more finished runs",
        ),
    ],
)
def test_folders_and_keys_that_are_no_sweep(swept, arguments, code, message):
    result = plot(*arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""


def test_runs_that_differ_in_nothing_are_no_sweep(tiny_config):
    for seed in (0, 1):
        nnmnist(
            "train", "-c", tiny_config, "-o", f"seeds/{seed}", "--epochs", "1", "-q", "--seed", seed
        )
    result = plot("seeds", "--kind", "sweep")
    assert result.exit_code == 1
    assert "its runs differ in no key; train some that do" in result.stderr


def test_curves_and_sweeps_of_different_data_are_refused(swept):
    nnmnist("train", "-c", "lecture/line", "-o", "swept/line", "-q", "--set", "data.validation=20")
    result = plot(swept, "--kind", "sweep", "--key", "learning_rate")
    assert result.exit_code == 1
    assert "but swept/line on line; draw runs on different data one by one" in result.stderr
    result = plot("swept/rate-0.05-0", "swept/line", "--kind", "curves")
    assert result.exit_code == 1
    assert "draw runs on different data one by one" in result.stderr


def test_without_matplotlib(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for arguments in (["run"], ["run", "--kind", "curves"]):
        result = plot(*arguments)
        assert result.exit_code == 1
        assert "pip install 'nnmnist[plot]'" in result.stderr


def test_help_names_every_kind():
    text = plot("--help").stdout
    assert all(kind in text for kind in KINDS)


def test_curves_against_iterations_where_all_runs_have_them(tiny_config):
    for name, settings in (("a", ["training.curve_every=5"]), ("b", ["training.curve_every=3"])):
        words = [word for setting in settings for word in ("--set", setting)]
        assert nnmnist("train", "-c", tiny_config, "-o", name, *words).exit_code == 0
    assert nnmnist("train", "-c", tiny_config, "-o", "c").exit_code == 0

    def labels(*runs):
        [(_, figure)] = draw(make_subjects([Path(run) for run in runs]), "curves")
        return {axes.get_xlabel() for axes in figure.axes}

    assert labels("a", "b") == {"iteration"}
    assert labels("a", "c") == {"epoch"}
