import os
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread

import pytest

from nnmnist.errors import RunLocked
from nnmnist.runs import lock

pytestmark = pytest.mark.skipif(os.name != "posix", reason="Windows has no such locks")

LOCKING = """
import sys
from pathlib import Path
from nnmnist.runs.lock import Lock
lock = Lock(Path())
print("locked", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def locking_process():
    """Another process that locks the working directory until it ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", LOCKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )  # fmt: skip
    with process:
        assert process.stdout.readline() == b"locked\n"
        yield process
        process.kill()


def test_a_second_lock_is_refused(locking_process):
    assert lock.is_locked(Path())
    with pytest.raises(RunLocked, match="another process is training this run"):
        lock.Lock(Path())


def test_the_lock_of_a_killed_process_is_released(locking_process):
    locking_process.kill()
    locking_process.wait()
    assert not lock.is_locked(Path())
    lock.Lock(Path()).release()


def test_a_lock_is_released_explicitly_or_by_garbage_collection():
    first = lock.Lock(Path())
    first.release()
    first.release()
    second = lock.Lock(Path())
    assert lock.is_locked(Path())
    del second
    assert not lock.is_locked(Path())


def test_asking_about_an_unlocked_directory_creates_no_file():
    assert not lock.is_locked(Path())
    assert not lock.is_locked(Path("nowhere"))
    assert list(Path().iterdir()) == []


def test_is_locked_never_prevents_a_lock():
    done = Event()

    def ask():
        while not done.is_set():
            lock.is_locked(Path())

    threads = [Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(300):
            lock.Lock(Path()).release()
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_on_a_disk_without_locks_nothing_is_locked(monkeypatch):
    def refuse(descriptor, how):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(lock.fcntl, "flock", refuse)
    mine = lock.Lock(Path())
    assert not lock.is_locked(Path())
    mine.release()


def test_a_missing_directory_is_an_error():
    with pytest.raises(FileNotFoundError):
        lock.Lock(Path("nowhere"))
