"""A resumed run ends in the same bits; a wrong config, other data and forged files are refused."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from nnmnist import checkpoint
from nnmnist.runs.directory import FILES

from .support import assert_one_line, assert_same, curve, finished, forge, nnmnist, spawn, weights


@pytest.fixture
def steady(tiny_config):
    """A config whose steps do not depend on the number of epochs."""
    tiny_config.write_text(
        tiny_config.read_text().replace("schedule: cosine", "schedule: constant")
    )
    return tiny_config


def train(*arguments):
    result = nnmnist("train", *arguments)
    assert result.exit_code == 0, result.stderr
    return result


@pytest.mark.parametrize("first", [1, 2, 5])
def test_resuming_with_more_epochs(steady, first):
    train("-c", steady, "-o", "whole", "--epochs", "6")
    train("-c", steady, "-o", "run", "--epochs", first)
    train("--resume", "run", "--epochs", "6")
    assert_same("run", "whole")


def test_fewer_epochs_than_already_trained_are_refused(steady):
    train("-c", steady, "-o", "run", "--epochs", "3")
    before = Path("run/config.yaml").read_bytes()
    result = nnmnist("train", "--resume", "run", "--epochs", "2")
    assert result.exit_code == 2
    assert_one_line(result.stderr.splitlines(keepends=True)[-1])
    assert "run has already trained 3 epochs, more than training.epochs: 2" in result.stderr
    assert Path("run/config.yaml").read_bytes() == before
    assert Path("run/summary.json").exists()


def test_after_early_stopping_with_more_patience(steady):
    flat = ["--epochs", "9", "--set", "training.learning_rate=1e-30"]  # no epoch improves
    train("-c", steady, "-o", "whole", *flat, "--set", "training.patience=5")
    train("-c", steady, "-o", "run", *flat, "--set", "training.patience=2")
    assert len(curve("run")) == 1 + 3
    train("--resume", "run", "--set", "training.patience=5")
    assert len(curve("run")) == 1 + 6
    assert_same("run", "whole")


def test_an_edited_config_is_refused_and_the_error_shows_the_difference(steady, tiny):
    train("-c", steady, "-o", "run")
    file = Path("run/config.yaml")
    file.write_text(file.read_text().replace("learning_rate: 0.05", "learning_rate: 0.5"))
    result = nnmnist("train", "--resume", "run", "--epochs", "9")
    assert result.exit_code == 2
    assert_one_line(result.stderr.splitlines(keepends=True)[-1])
    assert "training.learning_rate: 0.05 before, 0.5 now" in result.stderr
    shutil.copytree(tiny, "other")
    changes = ["data={path: other, mirrors: ['http://a']}", "training.batch_size=full"]
    settings = [word for change in changes for word in ("--set", change)]
    error = nnmnist("train", "--resume", "run", *settings).stderr
    assert "(data.mirrors: null before, ['http://a'] now;" in error
    assert "training.batch_size: 16 before, full now" in error
    assert len(curve("run")) == 1 + 4


def test_another_number_of_threads_is_allowed_and_reported(steady):
    """Without --threads, the number is that of the last session."""

    def resumed(threads, epochs):
        words = [] if threads is None else ["--threads", threads]
        process = spawn("train", "--resume", "run", "--epochs", epochs, *words, "-q")
        _, stderr = finished(process)
        assert process.returncode == 0
        return stderr

    def recorded():
        return checkpoint.load("run/last.npz").document["versions"]["blas_threads"]

    finished(spawn("train", "-c", steady, "-o", "run", "--epochs", "1", "--threads", "1"))
    assert resumed(threads=1, epochs=2) == ""
    assert resumed(threads=2, epochs=3).startswith(
        "blas_threads changed from 1 to 2: results may differ in the last bits"
    )
    assert resumed(threads=2, epochs=4) == ""
    assert recorded() == 2
    resumed(threads=1, epochs=5)
    assert resumed(threads=None, epochs=6) == ""
    assert recorded() == 1


def all_prefixes(text):
    return [text[:size] for size in range(0, len(text), 7)]


def test_metrics_cut_off_anywhere(steady):
    """Lost rows stay lost, the other rows are correct, and the training is not affected."""
    train("-c", steady, "-o", "whole", "--epochs", "4")
    train("-c", steady, "-o", "half", "--epochs", "2")
    metrics = Path("half/metrics.csv").read_bytes()
    for damaged in [
        *all_prefixes(metrics),
        metrics + b"3,0.1,0.9",
        metrics + bytes(100),
        b"\xff\n\n,\n,,,\n",
    ]:
        shutil.rmtree("run", ignore_errors=True)
        shutil.copytree("half", "run")
        Path("run/metrics.csv").write_bytes(damaged)
        train("--resume", "run", "--epochs", "4")
        assert weights("run") == weights("whole")
        header, *rows = curve("run")
        assert header == curve("whole")[0]
        assert [row for row in rows if row not in curve("whole")] == []
        assert rows[-2:] == curve("whole")[-2:]


def test_missing_metrics(steady):
    train("-c", steady, "-o", "run", "--epochs", "2")
    Path("run/metrics.csv").unlink()
    train("--resume", "run", "--epochs", "3")
    assert [row.split(",")[0] for row in curve("run")] == ["epoch", "3"]


FORGERIES = {
    "no epoch": lambda facts, arrays: facts.pop("epoch"),
    "epoch -1": lambda facts, arrays: facts.update(epoch=-1),
    "epoch of text": lambda facts, arrays: facts.update(epoch="one"),
    "seconds that are not a number": lambda facts, arrays: facts.update(seconds="long"),
    "no best epoch": lambda facts, arrays: facts.pop("best"),
    "a best epoch of the wrong types": lambda facts, arrays: facts.update(
        best={"epoch": 1, "cost": [], "accuracy": "x"}
    ),
    "no config": lambda facts, arrays: facts.pop("config"),
    "an unknown key": lambda facts, arrays: facts["config"]["training"].update(warp=9),
    "data that is not a mapping": lambda facts, arrays: facts.update(data=[1]),
    "no optimizer state": lambda facts, arrays: [
        arrays.pop(n) for n in list(arrays) if n.startswith("optimizer.")
    ],
    "a state of another shape": lambda facts, arrays: arrays.update(
        {"optimizer.velocity": np.zeros(1, np.float32)}  # NumPy would broadcast it
    ),
    "a state of another type": lambda facts, arrays: arrays.update(
        {"optimizer.velocity": arrays["optimizer.velocity"].astype(np.float64)}
    ),
    "an infinite weight": lambda facts, arrays: arrays["W1"].__setitem__((0, 0), np.inf),
    "an infinite velocity": lambda facts, arrays: arrays["optimizer.velocity"].__setitem__(
        0, np.inf
    ),
}


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forged_last_checkpoint_is_refused(steady, name):
    train("-c", steady, "-o", "run", "--epochs", "1")
    best = Path("run/best.npz").read_bytes()
    forge("run/last.npz", FORGERIES[name])
    result = nnmnist("train", "--resume", "run", "--epochs", "2", "-q")
    assert result.exit_code == 1
    assert_one_line(result.stderr.splitlines(keepends=True)[-1])
    assert "run/last.npz: " in result.stderr.replace("\\", "/")
    assert "internal error" not in result.stderr
    assert Path("run/best.npz").read_bytes() == best


def test_temporary_files_of_killed_processes_are_removed(steady):
    train("-c", steady, "-o", "run", "--epochs", "1")
    Path("run/.last.npz.0a1b2c3d.tmp").write_bytes(b"half a checkpoint")
    train("--resume", "run", "--epochs", "2")
    assert sorted(file.name for file in Path("run").iterdir()) == sorted(FILES)
    Path("run/.config.yaml.0a1b2c3d.tmp").touch()
    train("-c", steady, "-o", "run", "--force")
    assert sorted(file.name for file in Path("run").iterdir()) == sorted(FILES)
