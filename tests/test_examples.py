"""The shell examples, run as a user would."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the examples are POSIX shell")


@pytest.fixture
def shell(tmp_path):
    """Runs a script with `nnmnist` on the PATH and one thread a process."""
    program = tmp_path / "bin" / "nnmnist"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m nnmnist "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"

    def run(script, *arguments, **variables):
        env = {**os.environ, "PATH": path, "PYTHONPATH": os.pathsep.join(sys.path), **variables}
        command = ["sh", str(ROOT / "examples" / script), *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, env=env, check=True)

    return run


def test_sweep_prints_a_table_sorted_by_validation_accuracy(shell, tiny_config):
    result = shell("sweep.sh", tiny_config, "swept", RATES="0.0001 0.05", WIDTHS="2 8")
    header, *rows = result.stdout.splitlines()
    assert header.split() == ["validation", "test", "seconds", "run"]
    accuracies = [float(row.split()[0]) for row in rows]
    assert accuracies == sorted(accuracies, reverse=True)
    assert {row.split()[-1] for row in rows} == {
        f"swept/rate-{rate}-width-{width}" for rate in ("0.0001", "0.05") for width in (2, 8)
    }
    assert result.stderr == ""


def test_a_failed_training_is_told_and_the_others_go_on(shell, tiny_config):
    result = shell("sweep.sh", tiny_config, "swept", RATES="0.05 1e30", WIDTHS="8")
    assert "failed: swept/rate-1e30-width-8" in result.stderr
    assert len(result.stdout.splitlines()) == 2
