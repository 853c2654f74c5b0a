"""Sweeps that are stopped or killed at any moment lose nothing and go on to what they would have
come to.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import FileLock

from .support import assert_same, counts, finished, linux, nnmnist, posix, spawn, wait_until

POINTS = 4
GRID = (
    "space: {training.learning_rate: [0.02, 0.05], model.hidden: [[4], [8]]}\n"
    "set: {training.epochs: %d}"
)


def go_on(file):
    """The trials of a sweep once it has been gone on with to its end."""
    result = nnmnist("sweep", file, "--jobs", 2, "--json", "-q")
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def assert_as_undisturbed(trials, file):
    """Each point was trained, once, to the bits of a sweep that nobody disturbed."""
    assert sorted(trial["trial"] for trial in trials) == list(range(POINTS))
    assert {trial["state"] for trial in trials} == {"done"}
    assert nnmnist("sweep", file, "-o", "undisturbed", "-q").exit_code == 0
    for trial in trials:
        assert_same(trial["run"], f"undisturbed/{Path(trial['run']).name}")


def summaries():
    """What is finished."""
    return {path: path.stat().st_mtime_ns for path in Path("runs/tune").glob("*/summary.json")}


def workers_of(process):
    """The ids of a sweep's workers, once there are some."""
    while process.poll() is None:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        if children.exists() and (found := children.read_text().split()):
            return [int(each) for each in found]
        time.sleep(0.005)
    return []


def in_the_middle(process):
    """Wait until a run has an epoch behind it."""
    wait_until(lambda: list(Path("runs").glob("tune/*/last.npz")), process)


@posix
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["INT", "TERM"]
)
def test_a_stopped_sweep_keeps_everything_and_goes_on(sweep_file, number, code):
    file = sweep_file(GRID % 30)
    process = spawn("sweep", file, "--jobs", 2)
    wait_until(summaries, process)
    process.send_signal(number)
    _, stderr = finished(process)
    assert process.returncode == code, stderr
    assert "trials left; run the same command to resume" in stderr
    assert "Traceback" not in stderr
    kept = summaries()
    assert 1 <= len(kept) < POINTS
    trials = go_on(file)
    assert kept.items() <= summaries().items()
    assert_as_undisturbed(trials, file)


@linux
@counts(quick=3, slow=20)
def test_killed_workers_lose_nothing_and_leave_nothing_hanging(sweep_file, count):
    rng = random.Random(count)
    file = sweep_file(GRID % 25)
    killed, kept = 0, {}
    while killed < count:
        process = spawn("sweep", file, "--jobs", 2, "-q")
        while process.poll() is None and killed < count:
            with suppress(subprocess.TimeoutExpired):
                process.wait(rng.uniform(0, 0.5))
            if victims := workers_of(process):
                with suppress(ProcessLookupError):  # it has ended just now
                    os.kill(rng.choice(victims), signal.SIGKILL)
                    killed += 1
        finished(process)
        assert kept.items() <= summaries().items()
        kept = summaries()
        if len(kept) == POINTS and killed < count:  # done before enough were killed: once more
            shutil.rmtree("runs")
            kept = {}
    trials = go_on(file)
    assert kept.items() <= summaries().items()
    assert_as_undisturbed(trials, file)


@linux
def test_workers_end_where_their_parent_is_killed(sweep_file):
    process = spawn("sweep", sweep_file(GRID % 100000), "--jobs", 2)
    in_the_middle(process)
    process.kill()
    # which reads its output to the end, and that the workers have open as long as they live
    finished(process)


@linux
def test_a_killed_worker_is_told(sweep_file):
    process = spawn("sweep", sweep_file(GRID % 100000), "--jobs", 1)
    in_the_middle(process)
    for victim in workers_of(process):
        os.kill(victim, signal.SIGKILL)
    _, stderr = finished(process)
    assert process.returncode == 1
    assert stderr.endswith(
        "4 of 4 trials left; run the same command to resume\nError: a worker was killed (SIGKILL)\n"
    )


@linux
def test_a_killed_worker_is_told_while_others_go_on(sweep_file):
    process = spawn("sweep", sweep_file(GRID % 60), "--jobs", 2)
    in_the_middle(process)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    _, stderr = finished(process)
    assert process.returncode == 0, stderr
    assert "a worker was killed (SIGKILL); the other workers continue\n" in stderr


@linux
def test_a_sweep_ends_where_its_parent_ignores_the_end_of_children(sweep_file):
    process = spawn(
        "sweep", sweep_file(GRID % 2), "-q",
        preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN),
    )  # fmt: skip
    try:
        process.wait(60)
    finally:
        process.kill()
        _, stderr = finished(process)
    assert process.returncode == 0, stderr


# A sweep that tells after 0.5 s that its journal is locked.
IMPATIENT = """
from nnmnist.cli.app import main
from nnmnist.sweep import store

store.LONG_WAIT = 0.5
main()
"""


@linux
def test_a_suspended_process_that_keeps_the_journal_locked_is_named(sweep_file):
    process = spawn("sweep", sweep_file(GRID % 60), "--jobs", 2, program=("-c", IMPATIENT))
    in_the_middle(process)
    with FileLock("runs/tune/journal.lock"):  # as this process would, if it were suspended
        while "has been locked" not in (line := next(process.stderr)):
            assert line.startswith("trial")
    assert line.startswith("runs/tune/journal.lock: has been locked for ")
    assert line.endswith(
        f"by process {os.getpid()}; if it is suspended, continue it (kill -CONT) or end it\n"
    )
    _, stderr = finished(process)
    assert process.returncode == 0, stderr
