"""Runs that are killed or told to stop at any moment go on to the same bits as a run that was left
alone.
"""

import random
import signal
import subprocess
from pathlib import Path
from time import monotonic

import pytest

from nnmnist import checkpoint

from .support import assert_same, assert_whole, counts, finished, nnmnist, posix, spawn, weights

CONFIGS = {
    "momentum": "{epochs: 150, batch_size: 32, learning_rate: 0.05}\nmodel: {hidden: [8]}",
    "adam with dropout": "{epochs: 150, batch_size: 32, optimizer: adam, learning_rate: 0.01, "
    "schedule: one_cycle}\n"
    "model: {hidden: [8, 6], dropout: 0.3}",
    "random order": "{epochs: 150, batch_size: 7, momentum: 0, schedule: cosine, weight_decay: "
    "1e-3}\n"
    "model: {hidden: [5], activation: tanh}\nseed: 9",
}


@pytest.fixture
def config_file(tiny, request):
    path = Path("killed.yaml")
    path.write_text(
        f"data: {{path: {tiny.as_posix()}, validation: 60}}\ntraining: {CONFIGS[request.param]}\n"
    )
    return path


each_config = pytest.mark.parametrize("config_file", CONFIGS, indirect=True, ids=list(CONFIGS))


def go_on(config_file, run):
    """The process that starts a run, or goes on with it once there is something to go on with."""
    if (run / "config.yaml").exists():
        return spawn("train", "--resume", run)
    return spawn("train", "-c", config_file, "-o", run, "--force")


def strike(process, number, lines=0, seconds=0.0):
    """Send a signal so many seconds after so many lines of progress, unless the process has ended
    by itself.
    """
    for _, _ in zip(range(lines), process.stderr, strict=False):
        pass
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)


@posix
@each_config
@counts(quick=3, slow=50)
def test_kill_9_at_any_moment(config_file, count):
    assert nnmnist("train", "-c", config_file, "-o", "whole").exit_code == 0
    rng = random.Random(1)
    killed = 0
    for n in range(count):
        run = Path(f"run{n}")
        for _ in range(2):  # killed, and killed again while it goes on
            process = go_on(config_file, run)
            # after some epochs and a part of the next one, or earlier than the first line
            strike(process, signal.SIGKILL, *((rng.randint(2, 20), rng.uniform(0,
            0.02)) if n % 3 != 2
                                              else (0, rng.uniform(0.1, 0.5))))  # fmt: skip
            finished(process)
            killed += process.returncode == -signal.SIGKILL
            for name in ("best.npz", "last.npz"):
                if (run / name).exists():
                    checkpoint.load(run / name)
        _, stderr = finished(process := go_on(config_file, run))
        assert process.returncode == 0, stderr
        assert_same(run, "whole")
    assert killed > 1.5 * count


@posix
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
@counts(quick=2, slow=20)
def test_a_signal_at_any_moment(tiny_config, number, code, count):
    rng = random.Random(code)
    for n in range(count):
        run = Path(f"run{n}")
        process = spawn("train", "-c", tiny_config, "-o", run, "--epochs", "100000")
        strike(process, number, lines=3, seconds=rng.uniform(0, 0.3))
        _, stderr = finished(process)
        assert process.returncode == code, stderr
        assert f"resume with: nnmnist train --resume {run}" in stderr
        assert "Traceback" not in stderr
        assert "Error" not in stderr
        assert_whole(run)
        assert weights(run)
        assert not (run / "summary.json").exists()


@posix
@counts(quick=2, slow=20)
def test_a_second_ctrl_c_leaves_at_once(tiny_config, count):
    rng = random.Random(5)
    for n in range(count):
        process = spawn("train", "-c", tiny_config, "-o", f"run{n}", "--epochs", "100000")
        strike(process, signal.SIGINT, lines=3, seconds=rng.uniform(0, 0.1))
        strike(process, signal.SIGINT, seconds=rng.choice([0, 0.001, 0.01, 0.03]))
        began = monotonic()
        _, stderr = finished(process)
        assert monotonic() - began < 2
        assert process.returncode in (130, -signal.SIGINT)  # a shell says 130 for both
        assert "Traceback" not in stderr
        assert_whole(f"run{n}")


@posix
def test_the_way_to_go_on_names_the_flags_that_it_needs(tiny_config):
    process = spawn(
        "train",
        "-c",
        tiny_config,
        "-o",
        "a run",
        "--epochs",
        "100000",
        "--threads",
        "1",
        "--data-dir",
        ".",
    )
    strike(process, signal.SIGINT, lines=3)
    _, stderr = finished(process)
    assert stderr.endswith("resume with: nnmnist train --resume 'a run' --data-dir . --threads 1\n")
