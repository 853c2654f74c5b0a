"""The public Python API: `nnmnist.<name>`."""

import os
import pydoc
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

import nnmnist

NAMES = [
    "Config", "Network", "evaluate", "fit", "load", "load_config", "load_data", "plot_history",
    "predict", "save",
]  # fmt: skip


def run(program):
    """Run a Python program in a process of its own; return its lines on stdout."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, capture_output=True, text=True, env=env)
    assert found.returncode == 0, found.stderr
    return found.stdout.splitlines()


def test_the_public_names():
    assert nnmnist.__all__ == NAMES
    assert set(NAMES) <= set(dir(nnmnist))
    for name in NAMES:
        assert getattr(nnmnist, name).__name__ == name
    with pytest.raises(AttributeError, match="module 'nnmnist' has no attribute 'train'"):
        nnmnist.train  # noqa: B018


def test_help_explains_every_name():
    text = pydoc.plain(pydoc.render_doc(nnmnist))
    for name in NAMES:
        assert name in nnmnist.__doc__
        assert name in text
        assert getattr(nnmnist, name).__doc__


def test_the_example_in_help_runs(tiny_config):
    example = dedent(nnmnist.__doc__.partition("An example:")[2])
    # Use the tiny data instead of MNIST.
    example = example.replace('"mnist"', f'"{tiny_config}"').replace("(784, 256, 10)", "(30, 8, 3)")
    lines = run(f"import nnmnist\nimport numpy as np\n{example}")
    # One line per epoch, the accuracy on the test examples, and a prediction.
    assert len(lines) == 4 + 1 + 1
    assert 0 <= float(lines[-2]) <= 1
    assert lines[-1].startswith("Prediction(label=0, probability=0.")
    assert nnmnist.load("mine.npz").classes == ("0", "1", "2")


def test_names_are_imported_when_first_used():
    program = "import sys, nnmnist; dir(nnmnist); print('numpy' in sys.modules)"
    assert run(program) == ["False"]


def test_the_package_has_type_information():
    assert Path(nnmnist.__file__).with_name("py.typed").is_file()
