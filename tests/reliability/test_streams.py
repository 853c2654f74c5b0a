"""Closed or poor standard streams, a user without a home, and Ctrl-C at the start."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from .support import assert_one_line, environment, finished, posix, spawn


@pytest.fixture
def run(tiny_run):
    return str(tiny_run("run"))


def shell(command, **variables):
    """Run a command line of `nnmnist` in a shell."""
    program = f"{shlex.quote(sys.executable)} -m nnmnist {command}"
    env = {**environment(), **variables}
    return subprocess.run(["sh", "-c", program], capture_output=True, env=env, timeout=60)


@posix
@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("evaluate run/best.npz 2>&-", 0),
        ("evaluate none.npz 2>&-", 1),
        ("train -c tiny.yaml -o other 2>&-", 0),
        ("train -c tiny.yaml -o other >&-", 0),
        ("predict run/best.npz --test 0 --show >&-", 0),
        ("train -c tiny.yaml -o other <&- >&- 2>&-", 0),
    ],
)
def test_a_closed_stream_is_an_empty_one(run, command, code):
    result = shell(command)
    assert result.returncode == code
    assert b"Error:" not in result.stderr + result.stdout


@posix
def test_an_image_from_a_closed_standard_input(run):
    result = shell("predict run/best.npz - <&-")
    assert result.returncode == 1
    assert_one_line(result.stderr.decode())


@posix
@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "cp1252"])
def test_an_encoding_without_the_characters_of_a_name(run, encoding):
    Path(run).rename("→")
    listed = shell("runs .", PYTHONIOENCODING=encoding)
    assert listed.returncode == 0
    assert "→".encode() in listed.stdout or rb"\u2192" in listed.stdout
    missing = shell("evaluate →/none.npz", PYTHONIOENCODING=encoding)
    assert missing.returncode == 1
    assert missing.stderr.startswith(b"Error: ")
    assert b"does not exist" in missing.stderr


NO_HOME = """
import os, pwd
os.environ.pop("HOME", None)
os.environ.pop("XDG_CACHE_HOME", None)
def missing(uid):
    raise KeyError(f"getpwuid(): uid not found: {uid}")
pwd.getpwuid = missing
from nnmnist.__main__ import main
main()
"""


@posix
def test_a_user_without_a_home(run):
    process = spawn("evaluate", "run/best.npz", program=("-c", NO_HOME))
    _, stderr = finished(process)
    assert (process.returncode, stderr) == (0, "")
    process = spawn("data", "info", program=("-c", NO_HOME))
    _, stderr = finished(process)
    assert process.returncode == 1
    assert_one_line(stderr)
    assert "there is no home directory" in stderr


# Ctrl-C when a module starts to be imported: no clock decides what is interrupted.
INTERRUPTED = """
import os, signal, sys
module = sys.argv.pop(1)
def interrupt(event, arguments):
    if event == "import" and arguments[0] == module:
        os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(interrupt)
from nnmnist.__main__ import main
main()
"""


@posix
@pytest.mark.parametrize(
    "module",
    [
        "nnmnist.cli.app", "click", "numpy", "numpy._core.multiarray",
        "msgspec", "msgspec._core", "yaml", "nnmnist.config.schema",
        "nnmnist.model.network", "nnmnist.runs.run",
    ],
)  # fmt: skip
def test_ctrl_c_while_the_program_starts(tiny_config, module):
    process = spawn(module, "train", "-c", tiny_config, program=("-c", INTERRUPTED))
    assert finished(process) == ("", "")
    assert process.returncode == 130


ENDED = """
import atexit, os, signal
from nnmnist.__main__ import main
atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))
main()
"""


@posix
def test_ctrl_c_while_the_program_ends():
    process = spawn("--version", program=("-c", ENDED))
    stdout, stderr = finished(process)
    assert process.returncode == 130
    assert stdout.startswith("nnmnist")
    assert stderr == ""


@posix
def test_an_ignored_ctrl_c_stays_ignored(tiny_config):
    ignored = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    arguments = ("numpy", "train", "-c", tiny_config, "-q", "-o", "run")
    process = spawn(*arguments, program=("-c", ignored + INTERRUPTED))
    _, stderr = finished(process)
    assert (process.returncode, stderr) == (0, "")


HALF_MADE = """
import zipfile
from nnmnist.cli import app

class HalfMade(zipfile.ZipFile):
    def __init__(self):
        self.fp = object()
        raise SystemExit(143)  # as a signal does

def get_command(self, ctx, name):
    HalfMade()

app.Commands.get_command = get_command
app.main()
"""


@pytest.mark.parametrize(("flag", "shown"), [((), False), (("--debug",), True)])
def test_an_object_that_a_signal_left_half_made_prints_nothing(flag, shown):
    process = spawn(*flag, "train", program=("-c", HALF_MADE))
    _, stderr = finished(process)
    assert process.returncode == 143
    assert ("Traceback" in stderr) == shown
