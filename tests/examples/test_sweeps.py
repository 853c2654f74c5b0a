"""The shell examples, copied with shorter lists and run as a user would."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from nnmnist.runs.entry import read_all

SWEEPS = Path(__file__).parents[2] / "examples" / "sweeps"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the examples are POSIX shell")
needs_parallel = pytest.mark.skipif(
    shutil.which("parallel") is None, reason="GNU parallel is not installed"
)

# "ssh [options] HOST -- COMMAND": the command in another directory, which stands for another
# machine. sshd sets SHELL, by which GNU parallel runs a job there; without it, as in some CI, every
# such job would fail without a word.
SSH = """#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift
export SHELL=/bin/sh
cd "$MACHINE" && exec sh -c "$*"
"""


@pytest.fixture
def shell(tmp_path, tiny_config):
    """Starts a copy of a script, its lists shortened to `rates` and `widths`, with `nnmnist` and
    `ssh` on the PATH.
    """
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in {
        "nnmnist": f'#!/bin/sh\nexec "{sys.executable}" -m nnmnist "$@"\n',
        "ssh": SSH,
    }.items():
        (programs / name).write_text(text)
        (programs / name).chmod(stat.S_IRWXU)
    machine = tmp_path / "machine"
    machine.mkdir()
    shutil.copy(tiny_config, machine)
    (tmp_path / "parallel").mkdir()
    env = {
        **os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "MACHINE": str(machine),
        "PARALLEL_HOME": str(tmp_path / "parallel"), "PYTHONPATH": os.pathsep.join(sys.path),
    }  # fmt: skip

    def start(script, *arguments, rates="0.001 0.05", widths="4 8", **variables):
        text = (SWEEPS / script).read_text()
        assert text.count("0.1 0.2 0.4") == text.count("64 128 256") == 1
        Path(script).write_text(text.replace("0.1 0.2 0.4", rates).replace("64 128 256", widths))
        interpreter = text.splitlines()[0].rpartition("/")[2].rpartition(" ")[2]
        command = [interpreter, script, *map(str, arguments)]
        return subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**env, **variables}, start_new_session=True,
        )  # fmt: skip

    return start


def finished(process):
    """Exit code, stdout and stderr."""
    with process:
        out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def found(folder):
    """State and seconds of training, by the name of the run."""
    entries, problems = read_all(Path(folder))
    assert problems == []
    return {entry.name: (entry.state, entry.seconds) for entry in entries}


GRID = {f"rate-{rate}-width-{width}" for rate in ("0.001", "0.05") for width in (4, 8)}


@pytest.mark.parametrize("script", ["loop.sh", "xargs.sh", "parallel.sh", "slurm.sh"])
def test_an_example_is_short(script):
    assert len((SWEEPS / script).read_text().splitlines()) < 25


@pytest.mark.parametrize("script", ["loop.sh", "xargs.sh"])
def test_a_grid_of_which_some_fail_and_a_second_time_what_is_done_is_passed_by(
    shell, tiny_config, script
):
    code, out, err = finished(shell(script, tiny_config, "grid", rates="1e30 0.05"))
    assert code not in (0, 130)
    assert {Path(json.loads(line)["run"]).name for line in out.splitlines()} == {
        "rate-0.05-width-4", "rate-0.05-width-8"
    }  # fmt: skip
    assert err.count("Error: the cost is no longer finite") == 2, err
    table = [line.split() for line in err.splitlines() if not line.startswith("Error: ")]
    assert table[0] == [
        "run", "hidden", "learning_rate", "epochs", "validation", "test", "seconds", "state"
    ]  # fmt: skip
    first = found("grid")
    assert sorted(state for state, _ in first.values()) == ["done", "done", "failed", "failed"]
    again = finished(shell(script, tiny_config, "grid", rates="1e30 0.05"))
    assert sorted(again[1].splitlines()) == sorted(out.splitlines())
    assert again[0] == code
    assert found("grid") == first


@pytest.mark.parametrize("script", ["loop.sh", "xargs.sh"])
def test_ctrl_c_ends_the_sweep_and_the_next_time_it_goes_on(shell, tiny_config, script):
    tiny_config.write_text(tiny_config.read_text().replace("epochs: 4", "epochs: 150"))
    process = shell(script, tiny_config, "grid", widths="8")
    while not list(Path("grid").glob("*/last.npz")):
        with pytest.raises(subprocess.TimeoutExpired):  # it has not ended
            process.wait(0.01)
    os.killpg(process.pid, signal.SIGINT)
    code, out, err = finished(process)
    assert code != 0
    assert out == ""
    states = [state for state, _ in found("grid").values()]
    assert set(states) == {"stopped"}
    assert len(states) <= 2  # which were trained at once
    code, out, err = finished(shell(script, tiny_config, "grid", widths="8"))
    assert (code, len(out.splitlines())) == (0, 2), err
    assert [state for state, _ in found("grid").values()] == ["done", "done"]


@pytest.mark.parametrize(
    ("script", "hosts"),
    [
        ("loop.sh", []),
        ("xargs.sh", []),
        pytest.param("parallel.sh", ["1/otto,1/:"], marks=needs_parallel),
    ],
)
def test_names_may_have_quotes_and_spaces(shell, tiny_config, tmp_path, script, hosts):
    config, folder = "it's tiny.yaml", "it's a $grid"
    for place in (Path(), tmp_path / "machine"):
        shutil.copy(tiny_config, place / config)
    code, _, err = finished(shell(script, *hosts, config, folder))
    assert code == 0, err
    assert {name: state for name, (state, _) in found(folder).items()} == dict.fromkeys(
        GRID, "done"
    )


@needs_parallel
def test_several_machines_that_share_nothing(shell, tiny_config, tmp_path):
    def sweep():
        return finished(
            shell("parallel.sh", "1/otto,1/:", tiny_config.name, "grid", rates="1e30 0.05")
        )

    def jobs():
        """Number, machine and command of each job, as GNU parallel wrote them down."""
        lines = Path("grid/jobs.log").read_text().splitlines()[1:]
        return [
            (fields[0], fields[1], fields[-1]) for fields in (line.split("\t") for line in lines)
        ]

    code, out, err = sweep()
    assert code != 0
    assert out == ""
    assert err.count("Error: the cost is no longer finite") == 2, err
    first = found("grid")
    assert sorted(state for state, _ in first.values()) == ["done", "done", "failed", "failed"]
    begun = jobs()
    hosts = {re.search(r"--output grid/(\S+) ", command)[1]: host for _, host, command in begun}
    assert hosts.keys() == first.keys()
    assert set(hosts.values()) == {"otto", ":"}
    there = {path.name for path in (tmp_path / "machine" / "grid").iterdir()}
    assert there == {name for name, host in hosts.items() if host == "otto"}
    assert sweep()[0] != 0
    # those that failed, once more
    assert {number for number, _, _ in jobs()[len(begun) :]} == {"1", "2"}
    assert found("grid") == first


def test_the_tasks_of_a_slurm_array_are_the_grid(shell, tiny_config):
    """Slurm itself is not needed: it runs the script once for each number of the array."""
    array = next(
        line for line in (SWEEPS / "slurm.sh").read_text().splitlines() if "--array" in line
    )
    assert array == "#SBATCH --array=0-8"  # of 3 rates and 3 widths
    for task in range(4):
        variables = {"CONFIG": str(tiny_config), "FOLDER": "grid", "SLURM_CPUS_PER_TASK": "1"}
        code, out, err = finished(shell("slurm.sh", SLURM_ARRAY_TASK_ID=str(task), **variables))
        assert (code, err) == (0, "")
        assert json.loads(out)["epochs"] == 4
    assert found("grid").keys() == GRID


def test_a_slurm_task_stops_at_sigterm_and_goes_on_when_it_is_requeued(shell, tiny_config):
    tiny_config.write_text(tiny_config.read_text().replace("epochs: 4", "epochs: 150"))
    variables = {"CONFIG": str(tiny_config), "FOLDER": "grid", "SLURM_ARRAY_TASK_ID": "3"}
    process = shell("slurm.sh", **variables)
    while not Path("grid/rate-0.05-width-8/last.npz").exists():
        with pytest.raises(subprocess.TimeoutExpired):  # it has not ended
            process.wait(0.01)
    process.terminate()  # the batch process alone, as Slurm does
    assert finished(process)[0] == 143
    assert found("grid")["rate-0.05-width-8"][0] == "stopped"
    code, out, err = finished(shell("slurm.sh", **variables))
    assert (code, json.loads(out)["epochs"]) == (0, 150), err
