"""What the tests of this folder share: the program in a process of its own, and counts for two
occasions.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nnmnist import checkpoint
from nnmnist.cli.app import cli
from nnmnist.runs.directory import FAILURE, FILES
from nnmnist.runs.run import stored_config

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals, limits or pipes")
linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")


def counts(quick, slow):
    """Runs a test with the count of `make test` and with that of `make test-slow`."""
    return pytest.mark.parametrize("count", [quick, pytest.param(slow, marks=pytest.mark.slow)])


def nnmnist(*arguments, **settings):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], **settings)


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OPENBLAS_NUM_THREADS": "1"}


def spawn(*arguments, program=("-m", "nnmnist"), **settings):
    """The real program, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, *map(str, (*program, *arguments))],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), **settings,
    )  # fmt: skip


def finished(process, seconds=60):
    """stdout and stderr of a process that ended by itself."""
    with process:
        return process.communicate(timeout=seconds)


def raised(kind, call, *arguments):
    """The exception of this kind that a call raises, or None."""
    try:
        call(*arguments)
    except kind as error:
        return error
    return None


def assert_one_line(stderr):
    """One line for the user, and no traceback."""
    assert stderr.startswith("Error: ")
    assert stderr.count("\n") == 1
    assert stderr.strip().isprintable()


def weights(run, name="last.npz"):
    """The bytes of all weights and biases of a run's checkpoint."""
    return checkpoint.load(Path(run) / name).network.theta.tobytes()


def curve(run):
    """The rows of metrics.csv without the seconds, which no two runs share."""
    return [
        line.rpartition(",")[0] for line in (Path(run) / "metrics.csv").read_text().splitlines()
    ]


def assert_same(run, other):
    """Two runs came to the same network, by the same way, and left nothing else."""
    for name in ("best.npz", "last.npz"):
        assert weights(run, name) == weights(other, name)
    assert curve(run) == curve(other)
    assert sorted(file.name for file in Path(run).iterdir()) == sorted(FILES)


def assert_whole(run):
    """Every file of a run is absent or whole, and there is no litter."""
    found = {file.name for file in Path(run).iterdir()}
    assert found <= {*FILES, FAILURE}, found
    for name in found & {"best.npz", "last.npz"}:
        checkpoint.load(Path(run) / name)
    if "config.yaml" in found:
        stored_config(Path(run))
    if "metrics.csv" in found:
        assert (Path(run) / "metrics.csv").read_text().endswith("\n")
