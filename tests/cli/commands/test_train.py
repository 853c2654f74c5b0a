import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from nnmnist import checkpoint
from nnmnist.cli.app import cli
from nnmnist.config.loading import load_config, parse_config
from nnmnist.data import synthetic
from nnmnist.data.sources import SOURCES


def nnmnist(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def train(*arguments):
    return nnmnist("train", *arguments)


def spawn(*arguments, **settings):
    """The real program, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "nnmnist", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}, **settings,
    )  # fmt: skip


def test_results_on_stdout_and_progress_on_stderr(tiny_config):
    result = train("-c", tiny_config, "-o", "run")
    assert result.exit_code == 0
    assert "checkpoint   run" in result.stdout
    assert "test         accuracy" in result.stdout
    assert "train cost" not in result.stdout
    lines = result.stderr.splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("epoch"))
    assert [line.split()[0] for line in lines[header + 1 : header + 5]] == ["1", "2", "3", "4"]
    assert len({len(line) for line in lines[header : header + 5]}) == 1  # aligned
    assert "nnmnist evaluate run" in result.stderr
    assert "nnmnist predict run" in result.stderr


def test_json_is_one_object_and_nothing_else(tiny_config):
    result = train("-c", tiny_config, "-o", "run", "--json", "-q")
    record = json.loads(result.stdout)
    assert record.keys() == {
        "run", "checkpoint", "data", "data_id", "replaced_data", "epochs", "planned_epochs",
        "stopped_by", "seconds", "validation", "test", "extra", "chance",
    }  # fmt: skip
    assert record["validation"].keys() == record["test"].keys() == {"cost", "accuracy"}
    assert result.stderr == ""
    assert json.loads(Path("run/summary.json").read_text()) == record


def test_evaluate_gives_exactly_what_train_printed(tiny_config):
    record = json.loads(train("-c", tiny_config, "-o", "run", "--json").stdout)
    for split in ("test", "validation"):
        found = json.loads(
            nnmnist("evaluate", record["checkpoint"], "--split", split, "--json").stdout
        )
        assert {key: found[key] for key in ("cost", "accuracy")} == record[split]


def test_precedence(tiny_config):
    def resolved(*arguments):
        return train("-c", tiny_config, "--dry-run", *arguments).stdout

    assert "epochs: 4" in resolved()
    assert "epochs: 7" in resolved("--set", "training.epochs=7")
    assert "epochs: 9" in resolved("--set", "training.epochs=7", "--epochs", "9")
    assert "seed: 5" in resolved("--seed", "5")


def test_dry_run_describes_and_trains_nothing(tiny_config):
    result = train("-c", tiny_config, "--dry-run")
    assert result.exit_code == 0
    assert "240 training, 60 validation, 60 test examples" in result.stdout
    assert [line.split()[1:] for line in result.stdout.splitlines()[-5:-2]] == [
        ["1", "30", "8", "relu", "248"],
        ["2", "8", "3", "softmax", "27"],
        ["all", "275"],
    ]
    assert not Path("runs").exists()


def test_a_dry_run_prints_a_config_file(tiny_config):
    result = train("-c", tiny_config, "--dry-run", "--epochs", "7")
    assert parse_config(result.stdout, "stdout") == load_config(tiny_config, ["training.epochs=7"])


def test_one_epoch_is_no_plural(tiny_config):
    result = train("-c", tiny_config, "--epochs", "1", "-o", "run")
    assert " s, 1 epoch on tiny" in result.stdout
    assert "1 epochs" not in result.output
    assert " s, 2 epochs on tiny" in train("--resume", "run", "--epochs", "2").stdout


def test_the_config_may_be_an_argument(tiny_config):
    for words in ([tiny_config], ["lecture/line"]):
        assert train(*words, "--dry-run").stdout == train("-c", *words, "--dry-run").stdout
    result = train(tiny_config, "-c", "softmax")
    assert result.exit_code == 2
    assert "tiny.yaml and --config softmax name two configs; give one" in result.stderr
    assert nnmnist("check", "lecture/gate").stdout == nnmnist("check", "-c", "lecture/gate").stdout


def test_a_data_dir_that_does_not_exist_is_reported_also_where_it_is_not_needed(tiny_config):
    result = train("-c", tiny_config, "--data-dir", "nowhere")
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: --data-dir nowhere: this folder does not exist; ")
    assert not Path("runs").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-o", ""], "'--output': the path is empty; a dot is the current directory"),
        (["--resume", ""], "'--resume': the path is empty; a dot is the current directory"),
        (["-c", ""], "the name of the config is empty; give a file or a recipe"),
        (["-c", "sofmax"], "sofmax: this file does not exist; did you mean softmax?"),
        (["-c", "gates"], "gates: this file does not exist; did you mean lecture/gate?"),
        (["-c", "tiny.yml"], "tiny.yml: this file does not exist; did you mean tiny.yaml?"),
        (["--set", "training.lr=1"], "training.lr: unknown key; did you mean learning_rate?"),
        (["--set", "lr=1"], "lr: unknown key; did you mean training.learning_rate?"),
        (["--set", "training.learning_rat=1"], "did you mean learning_rate?"),
        (["--set", "training.epochs=x"], "--set training.epochs=x"),
        (["--epochs", "0"], "--epochs 0"),
        (["--seed", "-1"], "--seed -1"),
        (["-c", "nowhere.yaml"], "the recipes are"),
        (["--threads", "0"], "--threads"),
        (["--resume"], "which run?"),
        (["--resume", "a", "-o", "b"], "name different runs"),
        (["--resume", "nowhere"], "is not a run"),
        (["--resume", "nowhere", "--force"], "give one of them"),
        (["--colour"], "No such option"),
        (["--dry-run", "--json"], "remove --json"),
    ],
)
def test_bad_usage_is_exit_2_and_one_clear_line(tiny_config, arguments, message):
    result = train("-c", tiny_config, *arguments) if "-c" not in arguments else train(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not Path("runs").exists()


def test_an_existing_output_is_refused(tiny_config):
    Path("run").mkdir()
    Path("run/notes.txt").touch()
    result = train("-c", tiny_config, "-o", "run")
    assert result.exit_code == 2
    assert "run already exists" in result.stderr
    assert train("-c", tiny_config, "-o", "run", "--force").exit_code == 0


def test_a_run_that_stops_early_says_so(tiny_config):
    result = train(
        "-c", tiny_config, "-o", "run", "--epochs", "9", "--set", "training.tolerance=99"
    )
    assert "2 of 9 epochs (stopped by training.tolerance) on " in result.stdout


def test_a_fallback_is_marked_in_config_summary_table_and_report(monkeypatch):
    """And a run on it does not count as finished once the data itself is there."""
    digits = synthetic.load(7, n_train=300, n_test=100)
    monkeypatch.setitem(SOURCES, "synthetic", lambda **_: digits)
    words = ["-c", "softmax", "-o", "runs/one", "--epochs", "1", "-q"]
    words += ["--set", "data.fallback=synthetic", "--set", "data.validation=50"]
    result = train(*words)
    assert result.exit_code == 0, result.stderr
    assert " 1 epoch on synthetic (not mnist)\n" in result.stdout
    assert "# data: synthetic (not mnist)\n" in Path("runs/one/config.yaml").read_text()
    assert "synthetic (not mnist)" in nnmnist("runs").stdout
    page = nnmnist("report", "runs/one")
    assert page.exit_code == 0, page.stderr
    assert "synthetic (not mnist), test split" in Path("runs/one/report.html").read_text()
    real = replace(digits, name="mnist", identity={"name": "mnist", "sha256": {"images": "a"}})
    monkeypatch.setitem(SOURCES, "mnist", lambda **_: real)
    again = train(*words)
    assert again.exit_code == 2
    assert "runs/one already exists" in again.stderr.replace("\\", "/")
    resumed = train("--resume", "runs/one")
    assert resumed.exit_code == 1
    assert "was trained on synthetic, but the data is now mnist" in resumed.stderr


def test_a_finished_run_is_not_trained_again_and_prints_the_same_json(tiny_config):
    first = train("-c", tiny_config, "-o", "run", "--json", "-q")
    before = {path: path.read_bytes() for path in Path("run").iterdir()}
    for arguments in (
        ["-c", tiny_config, "-o", "run"],
        ["--resume", "run"],
        ["-c", tiny_config, "-o", "run", "--resume"],
    ):
        again = train(*arguments, "--json")
        assert again.exit_code == 0
        assert again.stdout == first.stdout
        assert again.stderr == "run: already finished with this config and data; nothing to do\n"
    assert {path: path.read_bytes() for path in Path("run").iterdir()} == before
    assert train("-c", tiny_config, "-o", "run", "-q").stderr == ""
    assert "cost" in train("-c", tiny_config, "-o", "run", "--chart", "-q").stderr


def test_another_config_in_the_directory_of_a_finished_run_is_refused(tiny_config):
    train("-c", tiny_config, "-o", "run")
    result = train("-c", tiny_config, "-o", "run", "--seed", "1")
    assert result.exit_code == 2
    assert "run already exists" in result.stderr
    # trained anew
    assert train("-c", tiny_config, "-o", "run", "--force", "--json").stderr.count("epoch") == 1


def test_a_run_is_resumed_from_inside_its_directory(tiny_config, monkeypatch):
    train("-c", tiny_config, "-o", "run", "--epochs", "2")
    monkeypatch.chdir("run")
    result = train("--resume", ".", "--epochs", "3", "--json")
    assert (result.exit_code, json.loads(result.stdout)["epochs"]) == (0, 3)


def test_output_with_resume_starts_resumes_or_reports_the_end(tiny_config):
    started = train("-c", tiny_config, "-o", "run", "--resume", "--epochs", "2", "--json")
    assert json.loads(started.stdout)["epochs"] == 2
    longer = train("-c", tiny_config, "-o", "run", "--resume", "--json")
    assert json.loads(longer.stdout)["epochs"] == 4
    finished = train("-c", tiny_config, "-o", "run", "--resume", "--json")
    assert finished.stdout == longer.stdout
    other = train("-c", tiny_config, "-o", "run", "--resume", "--set", "model.hidden=[9]")
    assert other.exit_code == 2


def test_missing_data_is_exit_1(tiny_config):
    result = train("--set", "data.fallback=null")
    assert result.exit_code == 1
    assert "train-images-idx3-ubyte" in result.stderr
    assert not Path("runs").exists()


def test_the_fallback_is_reported_and_recorded(monkeypatch):
    def fewer(seed, **_):
        return synthetic.load(seed, n_train=6000, n_test=1000)

    monkeypatch.setitem(SOURCES, "synthetic", fewer)  # else 70,000 are drawn, twice
    small = ["--epochs", "1", "--set", "model.hidden=[]", "--json"]
    result = train("-c", "plain", *small)
    assert result.exit_code == 0
    notice = [line for line in result.stderr.splitlines() if "NOT REAL MNIST" in line]
    assert len(notice) == 1
    record = json.loads(result.stdout)
    assert record["data"] == "synthetic"
    assert checkpoint.load(record["checkpoint"]).document["data"]["name"] == "synthetic"
    again = nnmnist("evaluate", record["checkpoint"], "--json")
    assert json.loads(again.stdout)["accuracy"] == record["test"]["accuracy"]


def test_divergence_is_exit_1_and_keeps_the_best(tiny_config):
    result = train("-c", tiny_config, "-o", "run", "--set", "training.learning_rate=1e30")
    assert result.exit_code == 1
    assert "the cost is no longer finite in epoch 1, step" in result.stderr


def test_debug_shows_the_traceback():
    result = nnmnist("--debug", "train", "--set", "data.fallback=null")
    assert result.exit_code == 1
    assert result.exception.__class__.__name__ == "DataUnavailable"


def test_resume_continues_past_the_original_epochs(tiny_config):
    train("-c", tiny_config, "-o", "run")
    result = train("--resume", "run", "--epochs", "6", "--json")
    assert json.loads(result.stdout)["epochs"] == 6
    assert train("--output", "run", "--resume", "--json").exit_code == 0


def test_resume_with_another_config_is_refused(tiny_config):
    train("-c", tiny_config, "-o", "run")
    result = train("--resume", "run", "--set", "model.hidden=[9]")
    assert result.exit_code == 2
    assert "model.hidden: [8] before, [9] now" in result.stderr


@pytest.mark.skipif(os.name != "posix", reason="Windows sends no SIGTERM or SIGINT to a child")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_a_run_that_can_be_resumed(tiny_config, number, code):
    process = spawn("train", "-c", tiny_config, "-o", "run", "--epochs", "100000")
    for line in process.stderr:
        if line.split()[0] == "3":
            break
    process.send_signal(number)
    _, rest = process.communicate(timeout=30)
    assert process.returncode == code
    assert "resume with: nnmnist train --resume run" in rest
    assert "Traceback" not in rest
    done = checkpoint.load("run/last.npz").document["epoch"]
    assert done >= 3
    reported = int(rest.split("stopped after ")[1].split()[0])
    assert reported in (done - 1, done)  # the signal may fall between the file and the count


def test_threads_are_recorded(tiny_config):
    process = spawn("train", "-c", tiny_config, "-o", "run", "--threads", "2", "-q")
    assert process.wait(60) == 0
    process.communicate()
    assert "# blas_threads: 2\n" in Path("run/config.yaml").read_text()


def test_a_regression_reports_r2_instead_of_accuracy():
    result = train("-c", "lecture/line", "-o", "run", "--set", "data.validation=20")
    assert result.exit_code == 0
    assert "test         R^2 0.9" in result.stdout
    assert "mean squared error 0." in result.stdout
    lines = result.stderr.splitlines()
    header = next(i for i, line in enumerate(lines) if line.startswith("epoch"))
    assert lines[header].split()[3] == "R^2"
    assert len({len(line) for line in lines[header : header + 5]}) == 1  # aligned
    assert "nnmnist evaluate run" in result.stderr
    assert "nnmnist predict" not in result.stderr  # there are no pictures
    evaluated = nnmnist("evaluate", "run/best.npz")
    assert evaluated.exit_code == 0
    assert "R^2        0.9" in evaluated.stdout
    other = nnmnist("evaluate", "run/best.npz", "--data", "hinge")
    assert other.exit_code == 0  # it has one input and one value too
    assert (
        "was trained on values (outputs: 1), but threshold has 2 classes"
        in nnmnist("evaluate", "run/best.npz", "--data", "threshold").stderr
    )
    assert "takes 1 number, not images" in nnmnist("predict", "run/best.npz", "--test", "0").stderr


def test_a_training_that_learned_nothing_says_what_to_try(tiny, tiny_config):
    """A step of this size moves all outputs far away: only one class is predicted."""
    nothing = ["--set", "training.learning_rate=1e-30", "--set", "model.hidden=[]"]
    result = train("-c", tiny_config, "-o", "run", *nothing)
    advice = "no better than a guess of the largest class: change training.learning_rate, raise "
    assert result.stderr.count(advice) == 1
    assert f"look at the data with: nnmnist data show {tiny}\n" in result.stderr
    assert json.loads(Path("run/summary.json").read_text())["chance"] is True
    result = train("-c", tiny_config, "-o", "better")
    assert "no better than" not in result.stderr
    assert json.loads(Path("better/summary.json").read_text())["chance"] is False


def test_without_validation_the_training_examples_tell_a_guess(tiny_config):
    nothing = ["--set", "training.learning_rate=1e-30", "--set", "model.hidden=[]"]
    result = train("-c", tiny_config, "-o", "run", *nothing, "--set", "data.validation=0", "--json")
    assert json.loads(result.stdout)["chance"] is True


def test_a_regression_is_no_guess():
    assert json.loads(train("-c", "lecture/line", "-o", "run", "--json").stdout)["chance"] is None


def test_class_weights_of_a_wrong_length_leave_no_directory(tiny_config):
    for options in ((), ("--dry-run",)):
        weights = "training.class_weights=[1, 2]"
        result = train("-c", tiny_config, "-o", "run", "--set", weights, *options)
        message = (
            "training.class_weights: has length 2, but the data has 3 classes; give one number"
        )
        assert (result.exit_code, result.stdout) == (2, "")
        assert result.stderr == f"Error: {message} per class\n"
        assert not Path("run").exists()
