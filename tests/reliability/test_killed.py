"""Runs that are killed or stopped at any moment resume to the same bits as an undisturbed run."""

import random
import signal
import subprocess
from pathlib import Path

import pytest

from nnmnist import checkpoint

from .support import assert_complete, assert_same, counts, finished, nnmnist, posix, spawn, weights

CONFIGS = {
    "momentum": "{epochs: 80, batch_size: 32, learning_rate: 0.05}\nmodel: {hidden: [8]}",
    "adam with dropout": "{epochs: 80, batch_size: 32, optimizer: adam, learning_rate: 0.01, "
    "schedule: one_cycle}\n"
    "model: {hidden: [8, 6], dropout: 0.3}",
    "random order": "{epochs: 80, batch_size: 20, momentum: 0, schedule: cosine, weight_decay: "
    "1e-3, curve_every: 20}\n"
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


def start_or_resume(config_file, run):
    """Start a process that creates the run, or resumes it if its config exists."""
    if (run / "config.yaml").exists():
        return spawn("train", "--resume", run)
    return spawn("train", "-c", config_file, "-o", run, "--force")


def send_signal_after(process, number, lines=0, seconds=0.0):
    """Send a signal some seconds after some lines of progress, unless the process has ended."""
    for _, _ in zip(range(lines), process.stderr, strict=False):
        pass
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)


def cpu_seconds_of_children():
    """The CPU time of all processes that were started here and have ended."""
    import resource  # POSIX alone has it

    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@posix
@each_config
@counts(quick=3, slow=50)
def test_kill_9_at_any_moment(config_file, count):
    assert nnmnist("train", "-c", config_file, "-o", "whole").exit_code == 0
    rng = random.Random(1)
    killed = 0
    for n in range(count):
        run = Path(f"run{n}")
        for _ in range(2):  # the second time while it resumes
            process = start_or_resume(config_file, run)
            if n % 3 == 2:
                # before the first line of progress
                lines, seconds = 0, rng.uniform(0.1, 0.5)
            else:
                # after some epochs and a part of the next one
                lines, seconds = rng.randint(2, 20), rng.uniform(0, 0.02)
            send_signal_after(process, signal.SIGKILL, lines, seconds)
            finished(process)
            killed += process.returncode == -signal.SIGKILL
            for name in ("best.npz", "last.npz"):
                if (run / name).exists():
                    checkpoint.load(run / name)
        _, stderr = finished(process := start_or_resume(config_file, run))
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
        send_signal_after(process, number, lines=3, seconds=rng.uniform(0, 0.3))
        _, stderr = finished(process)
        assert process.returncode == code, stderr
        assert f"resume with: nnmnist train --resume {run}" in stderr
        assert "Traceback" not in stderr
        assert "Error" not in stderr
        assert_complete(run)
        assert weights(run)
        assert not (run / "summary.json").exists()


@posix
@counts(quick=2, slow=20)
def test_a_second_ctrl_c_exits_at_once(tiny_config, count):
    rng = random.Random(5)
    for n in range(count):
        process = spawn("train", "-c", tiny_config, "-o", f"run{n}", "--epochs", "100000")
        send_signal_after(process, signal.SIGINT, lines=3, seconds=rng.uniform(0, 0.1))
        send_signal_after(process, signal.SIGINT, seconds=rng.choice([0, 0.001, 0.01, 0.03]))
        before = cpu_seconds_of_children()
        _, stderr = finished(process, 20)
        # It starts in about 0.5 s; the epochs that are left would take minutes.
        assert cpu_seconds_of_children() - before < 5
        assert process.returncode in (130, -signal.SIGINT)  # a shell reports 130 for both
        assert "Traceback" not in stderr
        assert_complete(f"run{n}")


@posix
def test_the_command_to_resume_contains_the_necessary_flags(tiny_config):
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
    send_signal_after(process, signal.SIGINT, lines=3)
    _, stderr = finished(process)
    assert stderr.endswith("resume with: nnmnist train --resume 'a run' --data-dir . --threads 1\n")
