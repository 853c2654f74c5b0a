import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nnmnist.cli import (
    app,
    completion,  # noqa: F401 - registers what bash needs, as a program does that a shell asks
)
from nnmnist.config.loading import recipes


def asked(words, shell):
    """The variables by which a shell asks for the last of some words."""
    return {
        "_NNMNIST_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": ("\n" if shell == "bash" else " ").join(["nnmnist", *words]),
        "COMP_CWORD": str(len(words)) if shell != "fish" else words[-1],
    }


def complete(words):
    """What bash is told for the last of some words, as `type,value`.

    In this process, because the program takes some tenths of a second to start.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(app, "COMPLETING", True)
        result = CliRunner().invoke(app.cli, env=asked(words, "bash"), prog_name="nnmnist")
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


def told(words, shell):
    """What the program itself tells a shell, on lines of its own if it is not bash."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **asked(words, shell)}
    command = [sys.executable, "-m", "nnmnist"]
    result = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    return result.stdout


def values(words):
    """The words that bash completes, without files and folders."""
    found = [line.partition(",") for line in complete(words).splitlines()]
    return [value for type, _, value in found if type == "plain"]


@pytest.fixture
def some_files():
    for name in ("mine.yaml", "runs/first/config.yaml", "runs/grid/second/config.yaml"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


@pytest.mark.usefixtures("some_files")
def test_recipes_and_config_files():
    for words in (["train", "-c", ""], ["train", ""], ["check", ""], ["config", "show", ""]):
        assert values(words) == [*recipes(), "mine.yaml"]
    assert values(["train", "-c", "sof"]) == ["softmax"]
    assert values(["train", "m"]) == ["mnist", "mine.yaml"]
    # bash forgets what comes before the files
    assert complete(["train", "sof"]).splitlines() == ["file,sof", "plain,softmax"]
    assert told(["train", "sof"], "bash") == complete(["train", "sof"])


def test_keys_and_their_values():
    assert values(["train", "--set", "training.learning"]) == ["training.learning_rate="]
    assert values(["check", "--set", "model.n"]) == ["model.normalize="]
    # bash splits words at =
    assert values(["train", "--set", "training.optimizer", "="]) == [
        "adam", "least_squares", "sgd",
    ]  # fmt: skip
    assert values(["train", "--set", "training.optimizer", "=", "a"]) == ["adam"]
    assert values(["train", "--set", "model.normalize", "=", ""]) == ["true", "false"]
    assert values(["train", "--set", "training.batch_size", "=", "f"]) == ["full"]
    assert values(["train", "--set", "seed", "=", "3", "--epo"]) == ["--epochs"]
    assert told(["train", "--set", "training.optimizer=a"], "zsh").splitlines()[:2] == [
        "plain", "training.optimizer=adam",
    ]  # fmt: skip
    assert told(["train", "--set", "model.n"], "fish") == "plain,model.normalize=\n"


@pytest.mark.usefixtures("some_files")
@pytest.mark.parametrize(
    "command",
    ["evaluate", "predict", "export", "compare", "compare x", "plot", "report", "train --resume"],
)
def test_runs(command):
    assert values([*command.split(), ""]) == ["runs/first", "runs/grid/second"]
    assert values([*command.split(), "runs/grid/s"]) == ["runs/grid/second"]
    assert complete([*command.split(), "elsewhere"]) == "file,elsewhere\n"


def test_data_and_choices():
    assert values(["evaluate", "x.npz", "--data", "mn"]) == ["mnist"]
    assert values(["plot", "x", "--kind", "con"]) == ["confusion"]
    assert complete(["predict", "x.npz", "im"]) == "file,im\n"


@pytest.mark.skipif(shutil.which("bash") is None, reason="completion for bash is tested in bash")
def test_bash_itself_completes():
    """The function that bash calls leaves room for a value after KEY=."""
    Path("bin").mkdir()
    Path("bin/nnmnist").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nnmnist "$@"\n')
    Path("bin/nnmnist").chmod(0o755)
    script = """
        eval "$(_NNMNIST_COMPLETE=bash_source nnmnist)"
        compopt() { echo compopt "$@"; }
        complete_words() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
            _nnmnist_completion nnmnist; echo "${COMPREPLY[@]}"; }
        complete_words nnmnist train --set training.learning
        complete_words nnmnist train --set training.optimizer = ad
    """
    path = os.pathsep.join([str(Path("bin").resolve()), os.environ["PATH"]])
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PATH": path}
    result = subprocess.run(["bash", "-c", script], env=env, capture_output=True, text=True)
    assert result.stdout == "compopt -o nospace\ntraining.learning_rate=\nadam\n", result.stderr
