import os
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import pytest

from nnmnist.errors import RunLocked
from nnmnist.runs import lock

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such locks")

HOLDER = """
import sys
from pathlib import Path
from nnmnist.runs.lock import Lock
held = Lock(Path())
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def holder():
    """Another process that has the lock of the working directory until it ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    with process:
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_one_is_refused(holder):
    assert lock.is_locked(Path())
    with pytest.raises(RunLocked, match="another process is training this run"):
        lock.Lock(Path())


def test_a_killed_process_holds_nothing(holder):
    holder.kill()
    holder.wait()
    assert not lock.is_locked(Path())
    lock.Lock(Path()).release()


def test_released_by_hand_or_by_being_forgotten():
    first = lock.Lock(Path())
    first.release()
    first.release()
    second = lock.Lock(Path())
    assert lock.is_locked(Path())
    del second
    assert not lock.is_locked(Path())


def test_where_nobody_ever_was_nothing_is_held_and_nothing_is_left():
    assert not lock.is_locked(Path())
    assert not lock.is_locked(Path("nowhere"))
    assert list(Path().iterdir()) == []


def test_readers_who_ask_keep_nobody_out():
    over = Event()

    def ask():
        while not over.is_set():
            lock.is_locked(Path())

    askers = [Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    try:
        for _ in range(300):
            lock.Lock(Path()).release()
    finally:
        over.set()
        for asker in askers:
            asker.join()


def test_a_disk_without_locks_is_trained_on_without(monkeypatch):
    def refuse(descriptor, how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    mine = lock.Lock(Path())
    assert not lock.is_locked(Path())
    mine.release()


def test_a_directory_that_is_not_there_is_an_error():
    with pytest.raises(FileNotFoundError):
        lock.Lock(Path("nowhere"))
