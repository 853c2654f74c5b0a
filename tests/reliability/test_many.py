"""Many runs at the same time, and one very long run."""

import json
import signal
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

from nnmnist import checkpoint
from nnmnist.runs.directory import FILES
from nnmnist.runs.run import stored_config

from .support import assert_complete, counts, curve, finished, linux, nnmnist, posix, spawn, weights


@counts(quick=8, slow=50)
def test_many_runs_with_one_name_at_once(tiny_config, count):
    processes = [
        spawn("train", "-c", tiny_config, "--seed", seed, "--threads", "1", "--json", "-q")
        for seed in range(count)
    ]
    records = [json.loads(finished(process, 300)[0]) for process in processes]
    assert {process.returncode for process in processes} == {0}
    directories = {record["run"] for record in records}
    assert directories == {str(path) for path in Path("runs").iterdir()}
    assert len(directories) == count
    for seed, record in enumerate(records):
        run = Path(record["run"])
        assert stored_config(run).seed == seed
        assert sorted(file.name for file in run.iterdir()) == sorted(FILES)
        assert json.loads((run / "summary.json").read_text()) == record
    for seed in (0, count - 1):
        single = f"single{seed}"
        assert nnmnist("train", "-c", tiny_config, "--seed", seed, "-o", single).exit_code == 0
        assert weights(records[seed]["run"]) == weights(single)
        assert curve(records[seed]["run"]) == curve(single)


@posix
@counts(quick=4, slow=16)
def test_many_processes_that_resume_one_run(tiny_config, count):
    """One of them trains; the others are refused, and neither read nor change its files."""
    assert (
        nnmnist(
            "train", "-c", tiny_config, "-o", "run", "--set", "training.schedule=constant"
        ).exit_code
        == 0
    )
    processes = [
        spawn("train", "--resume", "run", "--epochs", "1000000", "-q") for _ in range(count)
    ]
    running = list(processes)
    while len(running) > 1:
        with suppress(subprocess.TimeoutExpired):
            running[0].wait(0.05)
        running = [process for process in running if process.poll() is None]
    for process in set(processes) - set(running):
        assert finished(process) == (
            "", "Error: run: another process is training this run; wait for it, or stop it first\n"
        )  # fmt: skip
        assert process.returncode == 1
    running[0].send_signal(signal.SIGINT)
    finished(running[0])
    assert running[0].returncode == 130
    assert_complete("run")
    done = checkpoint.load("run/last.npz").document["epoch"]
    numbers = [int(row.split(",")[0]) for row in curve("run")[1:]]
    assert numbers in (list(range(1, done + 1)), list(range(1, done + 2)))
    assert nnmnist("train", "--resume", "run", "--epochs", done + 1).exit_code == 0


LONG = """
import os, sys
from pathlib import Path
from nnmnist.config.loading import load_config
from nnmnist.runs.run import create_run
from nnmnist.training.setup import load_data
settings = load_config(Path(sys.argv[1]), ["training.epochs=" + sys.argv[2]])
splits = load_data(settings.data, settings.seed)
for epoch in create_run(settings, "long", Path("long")).train(splits):
    if epoch.number % 50 == 0:
        print(int(Path("/proc/self/statm").read_text().split()[1]),
        len(os.listdir("/proc/self/fd")))
"""


@linux
@counts(quick=200, slow=2000)
def test_a_long_run_needs_no_more_memory_or_files(tiny_config, count):
    out, err = finished(spawn(tiny_config, count, program=("-c", LONG)), 600)
    assert err == ""
    pages, descriptors = zip(*(map(int, line.split()) for line in out.splitlines()), strict=True)
    assert len(pages) == count // 50
    assert (max(pages) - pages[0]) * 4096 < 5_000_000
    assert set(descriptors) == {descriptors[0]}
    assert checkpoint.load("long/last.npz").document["epoch"] == count
    assert len(curve("long")) == 1 + count


@pytest.mark.parametrize("name", ["a", "b c", "ü"])
def test_a_run_is_named_after_its_config(tiny_config, name):
    tiny_config.rename(f"{name}.yaml")
    record = json.loads(
        nnmnist("train", "-c", f"{name}.yaml", "--epochs", "1", "--json", "-q").stdout
    )
    assert Path(record["run"]).name.startswith(f"{name}-20")
