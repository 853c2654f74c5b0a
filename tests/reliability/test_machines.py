"""Sweeps on several machines: processes in separate folders that have nothing in common but a
PostgreSQL server.
"""

import json
import os
import shutil
import signal
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest
from sqlalchemy import text

from nnmnist.errors import ConfigError
from nnmnist.sweep import connection, plan
from nnmnist.sweep.database import Database, LockLost

from .postgres import Proxy, Server, programs
from .support import assert_same, finished, linux, nnmnist, spawn, wait_until

pytestmark = linux

GRID = (
    "space: {{training.learning_rate: [0.02, 0.05], seed: [{seeds}]}}\n"
    "set: {{training.epochs: {epochs}}}"
)


@pytest.fixture(scope="module")
def server():
    """A PostgreSQL server, which CI has and another machine may not."""
    if programs() is None and "CI" not in os.environ:
        pytest.skip("needs PostgreSQL's server programs (Debian: postgresql)")
    server = Server()
    try:
        server.start()
        yield server
        server.stop()
    finally:
        server.remove()


@pytest.fixture
def machine(sweep_file, tiny_config):
    """Makes a folder with a copy of the sweep and of its config."""

    def make(name, **values):
        folder = Path(name).resolve()
        folder.mkdir()
        for file in (sweep_file(GRID.format(**values)), tiny_config):
            shutil.copy(file, folder)
        return folder

    return make


def start(machine, url, *arguments, program=("-m", "nnmnist")):
    """The one command that is given on each machine, there."""
    return spawn(
        "sweep", "tune.yaml", "--storage", url, "--jobs", 1, "--json", *arguments, cwd=machine,
        program=program,
    )  # fmt: skip


def ended(process):
    """The trials, by number, as a machine sees them at the end."""
    stdout, stderr = finished(process)
    assert process.returncode == 0, stderr
    return {trial["trial"]: trial for trial in map(json.loads, stdout.splitlines())}


def test_machines_that_start_at_once_make_each_trial_once(machine, server):
    url = server.database("at_once")
    machines = [machine(f"machine{n}", seeds="0, 1, 2", epochs=4) for n in range(4)]
    seen = [ended(process) for process in [start(each, url) for each in machines]]
    assert all(trials == seen[0] for trials in seen)
    assert sorted(seen[0]) == list(range(6))
    assert {trial["state"] for trial in seen[0].values()} == {"done"}
    places = {trial["run"].partition(":")[2] for trial in seen[0].values()}
    assert places == {str(run) for each in machines for run in each.glob("runs/tune/trial-*")}


# A machine that presumes others dead 2 s after their last heartbeat.
IMPATIENT = """
from nnmnist.cli.app import main
from nnmnist.sweep import database

database.HEARTBEAT, database.DEAD_AFTER = 0.2, 2.0
main()
"""


@pytest.mark.parametrize("shared", [False, True], ids=["nothing shared", "shared folder"])
def test_a_machine_that_is_killed_has_its_trial_taken_up(machine, server, shared):
    url = server.database("shared" if shared else "apart")
    one, two = machine("one", seeds="0", epochs=60), machine("two", seeds="0", epochs=60)
    runs = ["-o", Path("shared").resolve()] if shared else []
    victim = start(one, url, *runs)
    folder = Path("shared") if shared else one / "runs/tune"
    wait_until((folder / "trial-0000/last.npz").exists, victim)
    workers = Path(f"/proc/{victim.pid}/task/{victim.pid}/children").read_text().split()
    for each in (victim.pid, *map(int, workers)):
        os.kill(each, signal.SIGKILL)
    finished(victim)
    trials = ended(start(two, url, *runs, program=("-c", IMPATIENT)))
    assert {n: trial["state"] for n, trial in trials.items()} == dict.fromkeys(range(2), "done")
    where = trials[0]["run"].partition(":")[2]
    assert where == str(
        Path("shared/trial-0000").resolve() if shared else two / "runs/tune/trial-0000"
    )
    assert nnmnist("sweep", two / "tune.yaml", "-o", "undisturbed", "-q").exit_code == 0
    for n in range(2):
        assert_same(trials[n]["run"].partition(":")[2], f"undisturbed/trial-000{n}")


def test_workers_wait_for_a_server_that_is_restarted(machine, server):
    url = server.database("restarted")
    process = start(machine("one", seeds="0, 1", epochs=60), url)
    next(process.stderr)  # a trial has ended
    server.stop()
    while "is unreachable, waiting for it" not in (line := next(process.stderr)):
        assert line.startswith("trial")
    server.start()
    trials = ended(process)
    assert {n: trial["state"] for n, trial in trials.items()} == dict.fromkeys(range(4), "done")


def test_another_space_of_the_same_name_is_refused(machine, server):
    url = server.database("same")
    ended(start(machine("one", seeds="1", epochs=1), url))
    process = start(machine("two", seeds="2", epochs=1), url)
    _, stderr = finished(process)
    assert process.returncode == 2
    assert "another sweep has this name (space seed: [1] before, [2] now)" in stderr


SOON = text("SET LOCAL idle_in_transaction_session_timeout = 1000")  # the lock ends, in ms

# A machine whose first worker stops itself in its claim.
SUSPENDED = f"""
import os, signal
from sqlalchemy import text
from nnmnist.cli.app import main
from nnmnist.sweep.store import Store

draw = Store._draw

def stop(self, number):
    trial = draw(self, number)
    Store._draw = draw
    self._held.lock.execute(text("{SOON}"))
    open("claims", "w").write(str(os.getpid()))
    os.kill(os.getpid(), signal.SIGSTOP)
    return trial

Store._draw = stop
main()
"""


def test_a_worker_that_is_suspended_in_a_claim_delays_no_other_machine(machine, server):
    url = server.database("suspended")
    one, two = machine("one", seeds="0", epochs=4), machine("two", seeds="0", epochs=4)
    halted = start(one, url, program=("-c", SUSPENDED))
    wait_until(lambda: (one / "claims").exists() and (one / "claims").read_text(), halted)
    trials = ended(start(two, url))
    os.kill(int((one / "claims").read_text()), signal.SIGCONT)
    assert ended(halted) == trials
    assert {n: trial["state"] for n, trial in trials.items()} == dict.fromkeys(range(2), "done")
    assert not list(one.glob("runs/tune/trial-*"))


@pytest.fixture
def store(sweep_file, monkeypatch):
    """Opens the trials of a sweep, each time as another worker with a folder of its own."""
    # whose thread would keep a connection beyond the test
    monkeypatch.setattr(Database, "start_heartbeat", lambda self, number: None)
    opened = []

    def open(url, text="space: {seed: [0, 1, 2]}", name="tune.yaml", folder=None, **settings):
        sweep = plan.load(sweep_file(text, name))
        opened.append(Database(sweep, Path(folder or f"out{len(opened)}"), url, **settings))
        return opened[-1]

    yield open
    for each in opened:
        each.storage.engine.dispose()


def test_who_has_lost_the_lock_writes_nothing(store, server):
    url = server.database("lost")
    one, two = store(url), store(url)
    with one.claim_lock():
        one._held.lock.execute(SOON)
        assert two.claim().number == 0  # once the server has ended the lock
        with pytest.raises(LockLost):
            one._create(0)
    assert [trial.number for trial in two.trials()] == [0]
    assert one.claim().number == 1


def test_sweeps_in_one_database_do_not_wait_for_each_other(store, server):
    url = server.database("two_sweeps")
    one, other = store(url), store(url, name="other.yaml")
    with one.claim_lock():
        assert other.claim().number == 0
        assert one.study.user_attrs  # and the lock is still there
        one._create(0)


def test_two_sweeps_in_one_database_do_not_share_a_folder(store, server):
    url = server.database("one_folder")
    store(url, folder="runs").claim()
    with pytest.raises(ConfigError, match=r"^runs: contains .* tune; give the sweep other "):
        store(url, name="other.yaml", folder="runs")


def test_a_connection_that_loses_everything_is_given_up(store, server, monkeypatch):
    monkeypatch.setattr(connection, "SILENCE", 1.0)
    url, numbers = server.database("silent"), []
    with closing(Proxy(server.port)) as proxy:
        one = store(url.replace(f":{server.port}/", f":{proxy.own_port}/"))
        assert one.claim().number == 0
        proxy.freeze()
        go_on = Thread(target=lambda: numbers.extend(one.claim().number for _ in range(2)))
        go_on.daemon = True  # it would wait for ever
        go_on.start()
        go_on.join(60)
        assert numbers == [1, 2]


def test_a_lock_whose_connection_loses_everything_is_lost(store, server, monkeypatch):
    monkeypatch.setattr(connection, "SILENCE", 1.0)
    url = server.database("silent_lock")
    with closing(Proxy(server.port)) as proxy:
        one = store(url.replace(f":{server.port}/", f":{proxy.own_port}/"))
        with one.claim_lock():
            proxy.freeze()
            with pytest.raises(LockLost, match="no answer for 1 s"):
                one._create(0)
        assert one.trials() == []
