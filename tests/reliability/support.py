"""Helpers of the reliability tests: run the program in a process of its own, and compare runs."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nnmnist import checkpoint
from nnmnist.cli.app import cli
from nnmnist.runs.directory import FILES, OTHERS
from nnmnist.runs.run import stored_config

posix = pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals, limits or pipes")
linux = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's /proc")


def counts(quick, slow):
    """Run a test with `quick` in `make test` and with `slow` in `make test-slow`."""
    return pytest.mark.parametrize("count", [quick, pytest.param(slow, marks=pytest.mark.slow)])


def nnmnist(*arguments, **settings):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], **settings)


def environment():
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


def spawn(*arguments, program=("-m", "nnmnist"), **settings):
    """Start the program in a process of its own."""
    return subprocess.Popen(
        [sys.executable, *map(str, (*program, *arguments))],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(), **settings,
    )  # fmt: skip


def finished(process, seconds=60):
    """Wait for the end of a process; return its stdout and stderr.

    A process that takes longer is killed, and subprocess.TimeoutExpired raised.
    """
    with process:
        try:
            return process.communicate(timeout=seconds)
        finally:
            process.kill()  # does nothing to a process that has ended


def wait_until(condition, process):
    """Wait until something holds that a process brings about."""
    while not condition():
        assert process.poll() is None
        time.sleep(0.005)  # without it, the process would have half of a core


def raised(kind, call, *arguments):
    """Return the exception of type `kind` that a call raises, or None."""
    try:
        call(*arguments)
    except kind as error:
        return error
    return None


def assert_one_line(stderr):
    """Require one line for the user, without a traceback."""
    assert stderr.startswith("Error: ")
    assert stderr.count("\n") == 1
    assert stderr.strip().isprintable()


def forge(path, change):
    """Change document and arrays of a checkpoint, and write the matching digest."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    facts = json.loads(str(arrays["document"]))
    change(facts, arrays)
    arrays["document"] = np.array(json.dumps(facts))
    arrays["sha256"] = np.array(checkpoint._digest(arrays))
    Path(path).write_bytes(checkpoint._pack(arrays))


def weights(run, name="last.npz"):
    """Return the bytes of all weights and biases in a checkpoint of a run."""
    return checkpoint.load(Path(run) / name).network.theta.tobytes()


def curve(run):
    """Return the lines of metrics.csv without the seconds, which differ between runs."""
    return [
        line.rpartition(",")[0] for line in (Path(run) / "metrics.csv").read_text().splitlines()
    ]


def assert_same(run, other):
    """Require that two runs have the same networks, the same metrics and no other files."""
    for name in ("best.npz", "last.npz"):
        assert weights(run, name) == weights(other, name)
    assert curve(run) == curve(other)
    files = {file.name for file in Path(run).iterdir()}
    assert files in ({*FILES}, {*FILES, "curve.csv"})
    if "curve.csv" in files:
        assert (Path(run) / "curve.csv").read_bytes() == (Path(other) / "curve.csv").read_bytes()


def assert_complete(run):
    """Require that every file of a run is missing or complete, without temporary files."""
    found = {file.name for file in Path(run).iterdir()}
    assert found <= {*FILES, *OTHERS}, found
    for name in found & {"best.npz", "last.npz"}:
        checkpoint.load(Path(run) / name)
    if "config.yaml" in found:
        stored_config(Path(run))
    if "metrics.csv" in found:
        assert (Path(run) / "metrics.csv").read_text().endswith("\n")
