"""Text from outside reaches the terminal without control characters."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import nnmnist as package
from nnmnist.cli.terminal import echo, notice
from nnmnist.data import transfer

from ..data import server as hostile  # noqa: TID252 - the tests are one package only to pytest
from ..data.server import serve  # noqa: TID252 - the tests are one package only to pytest
from .support import environment, forge, nnmnist, posix

# Clears the screen, names the window, writes from the right to the left.
HOSTILE = "\x1b[2J\x1b]0;owned\x07\u202e"
SHOWN = r"\x1b[2J\x1b]0;owned\x07\u202e"

PRINTING = {"print", "click.echo", "click.secho", "sys.stdout.write", "sys.stderr.write"}


def output(*arguments, code=0):
    """Return what a command prints, if it is safe; a path that another program reads is not."""
    result = nnmnist(*arguments, color=True)  # otherwise click removes colours
    assert result.exit_code == code, result.output
    text = result.stderr + result.stdout
    assert all(line.isprintable() for line in text.split("\n")), text
    return text


@pytest.fixture
def run(tiny_run):
    """A run whose checkpoints have hostile text in their documents."""
    tiny_run("run")

    def change(facts, arrays):
        facts["config"]["data"]["path"] = facts["data"]["folder"] = f"nowhere/{HOSTILE}"
        facts["config"]["data"]["mirrors"] = [f"https://nowhere/{HOSTILE}"]
        facts["data"]["name"] = HOSTILE
        facts["versions"]["machine"] = HOSTILE

    for name in ("best.npz", "last.npz"):
        forge(Path("run", name), change)
    return "run"


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "run/best.npz"],
        ["evaluate", "run/best.npz", "--chart"],
        ["predict", "run/best.npz", "--test", "0"],
        ["compare", "run/best.npz", "run/best.npz"],
        ["report", "run"],
        ["plot", "run", "--kind", "confusion"],
    ],
    ids=lambda command: command[0],
)
def test_a_path_in_a_checkpoint(run, command):
    assert f"nowhere/{SHOWN}: does not exist" in output(*command, code=1)


def test_a_text_in_the_config_of_a_run_to_resume(run):
    as_yaml = r'["https://nowhere/\e[2J\e]0;owned\a\u202e"] before'
    assert as_yaml in output("train", "--resume", run, "--epochs", "6", code=2)


def test_versions_and_the_name_of_data_in_a_checkpoint(tiny_config):
    assert nnmnist("train", "-c", tiny_config, "-o", "run", "-q").exit_code == 0
    forge("run/last.npz", lambda facts, arrays: facts["versions"].update(machine=HOSTILE))
    again = ["train", "--resume", "run", "--epochs", "5"]
    assert f"machine changed from {SHOWN} to" in output(*again)
    forge("run/last.npz", lambda facts, arrays: facts["data"].update(name=HOSTILE))
    assert f"was trained on {SHOWN}, but" in output(*again[:-1], "6", code=1)


def test_a_checkpoint_adds_no_line_to_an_error(run):
    forge(
        "run/best.npz",
        lambda facts, arrays: facts["config"]["data"].update(path="x\nError: run `rm -r /`"),
    )
    assert output("evaluate", "run/best.npz", code=1).count("\n") == 1


@posix
def test_the_name_of_a_directory(run, tiny):
    shutil.copytree(run, f"all/{HOSTILE}\nsecond")
    table = output("runs", "all")
    assert table.splitlines()[1].startswith(rf"{SHOWN}\nsecond  ")
    assert len(table.splitlines()) == 2
    assert SHOWN in output("runs", "all", "--csv")
    directory = next(Path("all").iterdir())
    assert SHOWN in output("evaluate", directory / "best.npz", "--data", tiny, "--chart")
    assert SHOWN in output("compare", *[directory / "best.npz"] * 2, "--data", tiny)
    assert SHOWN in output("evaluate", directory / "none.npz", code=1)
    assert SHOWN in output("plot", directory / "none", code=2)


@posix
def test_the_path_of_a_result_is_exact_for_a_program_and_printable_on_a_terminal(tiny_config):
    name = os.fsdecode(b"b\xff") + HOSTILE
    assert nnmnist("train", "-c", tiny_config, "-o", f"all/{name}", "-q").exit_code == 0
    found = nnmnist("runs", "best", "all", color=True)
    assert found.stdout_bytes == os.fsencode(f"all/{name}\n")
    ours, its = os.openpty()
    command = [sys.executable, "-m", "nnmnist", "runs", "best", "all"]
    subprocess.run(command, stdout=its, env=environment(), check=True)
    assert os.read(ours, 1000) == rf"all/b\udcff{SHOWN}".encode() + b"\r\n"
    os.close(its)
    os.close(ours)


@posix
def test_the_name_of_an_image(tiny_config, tiny):
    assert nnmnist("train", "-c", tiny_config, "-o", "run", "-q").exit_code == 0
    Path("images").mkdir()
    Path(f"images/{HOSTILE}.png").write_bytes(b"no image")
    assert SHOWN in output("predict", "run/best.npz", "images", code=1)


def test_the_name_of_a_sweep(sweep_file):
    file = sweep_file("space: {training.learning_rate: [0.1]}", f"{HOSTILE}.yaml")
    assert SHOWN in output("sweep", file, "--jobs", "1")


def test_the_reason_of_a_mirror(monkeypatch):
    monkeypatch.setenv("NNMNIST_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(transfer, "MAX_RETRY_WAIT", 0.01)

    def answer(request):
        request.send_response(404, "\x1b]0;owned\x07")
        request.end_headers()

    with serve({}) as server:
        mirror = server.mirror("bad", answer)
        arguments = ["--set", f"data={{mirrors: [{mirror}], fallback: null}}", "--dry-run"]
        assert r"HTTP 404 \x1b]0;owned\x07" in output("train", *arguments, code=1)
    assert hostile.good  # the server's module is the one that other tests use


def test_echo_and_notice(capsys):
    echo(f"a {HOSTILE}\nb")
    notice(HOSTILE)
    assert capsys.readouterr() == (f"a {SHOWN}\nb\n", f"{SHOWN}\n")


def test_all_text_leaves_through_two_modules():
    found = {
        file.name
        for file in Path(package.__file__).parent.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Call) and ast.unparse(node.func) in PRINTING
    }
    assert found == {"terminal.py", "waiting.py"}  # both escape control characters
