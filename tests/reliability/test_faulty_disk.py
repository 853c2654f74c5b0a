"""A disk that fails or is full at any moment leaves old or new files, and no temporary ones."""

import errno
import gzip
import io
import os
import stat
import subprocess
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from nnmnist import checkpoint
from nnmnist.config.loading import load_config
from nnmnist.data import cache, download, mnist
from nnmnist.data.readers import idx
from nnmnist.errors import DataUnavailable
from nnmnist.model.network import Network
from nnmnist.runs.directory import FILES
from nnmnist.runs.run import create_run, reopen_run
from nnmnist.training.setup import load_data

from ..data.server import serve  # noqa: TID252 - the tests are one package only to pytest
from .support import (
    assert_complete,
    assert_one_line,
    assert_same,
    finished,
    nnmnist,
    posix,
    raised,
    spawn,
    weights,
)

OPERATIONS = ("open", "write", "flush", "fsync", "replace", "fsync of the folder")


class Disk:
    """Counts the operations of one kind and makes the `fail_at`-th fail.

    A write fails after half of its bytes.
    """

    def __init__(self, operation, fail_at=0):
        self.operation, self.fail_at, self.count = operation, fail_at, 0

    def must_fail(self, operation):
        """Whether this operation must fail."""
        self.count += operation == self.operation
        return operation == self.operation and self.count == self.fail_at

    def check(self, operation):
        if self.must_fail(operation):
            raise OSError(errno.EIO, "Input/output error")


class FaultyFile(io.BufferedWriter):
    """A file on a `Disk`."""

    def __init__(self, path, mode, disk):
        super().__init__(io.FileIO(path, mode.replace("b", "")))
        self.disk = disk

    def write(self, content):
        if self.disk.must_fail("write"):
            super().write(content[: len(content) // 2])
            raise OSError(errno.EIO, "Input/output error")
        return super().write(content)

    def flush(self):
        self.disk.check("flush")
        super().flush()


@contextmanager
def failing(disk):
    """Open, write and replace all files on `disk`."""
    real = {"open": Path.open, "fsync": os.fsync, "replace": os.replace}

    def opened(path, mode="r", *args, **kwargs):
        if mode not in ("xb", "ab"):
            return real["open"](path, mode, *args, **kwargs)
        disk.check("open")
        return FaultyFile(path, mode, disk)

    def fsync(descriptor):
        folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        disk.check("fsync of the folder" if folder else "fsync")
        real["fsync"](descriptor)

    def replace(source, target):
        disk.check("replace")
        real["replace"](source, target)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Path, "open", opened)
        patch.setattr(os, "fsync", fsync)
        patch.setattr(os, "replace", replace)
        yield


@pytest.fixture
def settings(tiny_config):
    return load_config(tiny_config, ["training.epochs=2"])


@pytest.fixture
def splits(settings):
    return load_data(settings.data, settings.seed)


def complete(directory, settings, splits):
    """Start a run, or resume it if its config exists, and train to the end."""
    if (directory / "config.yaml").exists():
        run = reopen_run(directory, settings)
    else:
        run = create_run(settings, "tiny", directory, force=True)
    list(run.train(splits))
    run.finish(splits)


@posix
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_fault_at_every_step_of_a_run(settings, splits, operation):
    """Config, metrics, both checkpoints and summary, at every moment when they are written."""
    with failing(disk := Disk(operation)):
        complete(Path("whole"), settings, splits)
    assert disk.count >= 8 - (operation in ("replace", "fsync of the folder")) * 2
    for moment in range(1, disk.count + 1):
        directory = Path(f"run{moment}")
        with failing(Disk(operation, moment)):
            error = raised(OSError, complete, directory, settings, splits)
        if operation == "fsync of the folder":  # it may fail, because some systems do not have it
            assert error is None
        else:
            assert error.errno == errno.EIO
            assert Path(error.filename).name in FILES
        assert_complete(directory)
        complete(directory, settings, splits)
        assert_same(directory, "whole")


@posix
@pytest.mark.parametrize("operation", OPERATIONS[:-1])
def test_a_fault_leaves_the_old_file(operation):
    checkpoint.save("net.npz", Network((2, 3)), [])
    before = Path("net.npz").read_bytes()
    with (
        failing(Disk(operation, 1)),
        pytest.raises(OSError, match=r"Input/output error: 'net\.npz'"),
    ):
        checkpoint.save("net.npz", Network((2, 4)), [])
    assert Path("net.npz").read_bytes() == before
    assert [file.name for file in Path().iterdir()] == ["net.npz"]


CONTENT = idx.encode(np.arange(60, dtype=np.uint8).reshape(5, 4, 3))
FILE = {"images": download.Published(len(CONTENT), idx.sha256(idx.parse(CONTENT, "images")))}


@posix
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_fault_in_the_download_cache(monkeypatch, operation):
    monkeypatch.setenv("NNMNIST_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    folder = Path("cache")
    with serve({"images": CONTENT}) as server:
        with failing(Disk(operation, 1)):
            error = raised(DataUnavailable, download.fetch, FILE, [server.mirror("good")], folder)
        if operation == "fsync of the folder":
            assert error is None
        else:
            assert "cache is not writable (Input/output error)" in str(error)
            assert [file.name for file in folder.iterdir()] == ["download.lock"]
        download.fetch(FILE, [server.mirror("good")], folder)
    assert {file.name for file in folder.iterdir()} <= {"images", "download.lock"}
    assert (folder / "images").read_bytes() == CONTENT


@posix
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_fault_in_the_record_of_verified_files(operation):
    """The record only saves time; without it the files are hashed again."""
    file = Path("images")
    file.write_bytes(CONTENT)
    os.utime(file, (0, 0))
    with failing(Disk(operation, 1)), pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "SETTLED_NS", -1)
        found = cache.read(file)
        assert found[1] == cache.read(file)[1] == FILE["images"].sha256
    assert [found.name for found in cache.directory().iterdir()] == ["verified.json"]


@posix
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_fault_while_the_content_of_a_packed_file_is_kept(monkeypatch, operation):
    """The copy only saves time; without it the file is unpacked again."""
    monkeypatch.setattr(mnist, "FILES", FILE)
    monkeypatch.setattr(cache, "SETTLED_NS", -1)
    file = Path("images.gz")
    file.write_bytes(gzip.compress(CONTENT))
    with failing(Disk(operation, 2)):  # the first write is that of the record of hashes
        found = [mnist.read("images", file) for _ in range(2)]
    assert [(idx.encode(array), sha256) for array, sha256 in found] == [
        (CONTENT, FILE["images"].sha256)
    ] * 2
    assert [copy.name for copy in (cache.directory() / "mnist").iterdir()] == ["images"]


LIMITED = """
import resource, sys
from nnmnist.cli.app import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
main()
"""


@posix
def test_a_limit_on_the_file_size(tiny_config):
    """Ten limits from 0 to a little too small; Python turns the signal into an error."""
    assert (
        nnmnist(
            "train", "-c", tiny_config, "-o", "whole", "--set", "training.schedule=constant"
        ).exit_code
        == 0
    )
    assert nnmnist("train", "--resume", "whole", "--epochs", "5").exit_code == 0
    largest = Path("whole/last.npz").stat().st_size
    for size in [0, 1, 10, 100, 300, 500, 1000, largest // 2, largest - 1000, largest - 200]:
        run = Path(f"run{size}")
        nnmnist("train", "-c", tiny_config, "-o", run, "--set", "training.schedule=constant")
        before = {name: (run / name).read_bytes() for name in ("last.npz", "metrics.csv")}
        process = spawn(
            "train", "--resume", run, "--epochs", "5", "-q", program=("-c", LIMITED, size)
        )
        _, stderr = finished(process)
        assert process.returncode == 1
        # The first line is the command to resume, unless the failure came before the training.
        *notices, error = stderr.splitlines(keepends=True)
        assert_one_line(error)
        assert notices == [] or notices[0].endswith(f"resume with: nnmnist train --resume {run}\n")
        assert "File too large" in error
        assert str(run) in error
        assert_complete(run)
        assert (run / "last.npz").read_bytes() == before["last.npz"]
        assert (run / "metrics.csv").read_bytes().startswith(before["metrics.csv"])
        assert nnmnist("train", "--resume", run, "--epochs", "5").exit_code == 0
        assert_same(run, "whole")


@pytest.fixture
def small_disk():
    """A file system of 128 kB, if this user may mount one."""
    folder = Path("disk").absolute()
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("a tmpfs cannot be mounted here")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk(tiny_config, small_disk):
    changes = ["--set", "model.hidden=[100]", "--set", "training.schedule=constant"]
    assert (
        nnmnist("train", "-c", tiny_config, *changes, "--epochs", "6", "-o", "whole").exit_code == 0
    )
    run = small_disk / "run"
    assert nnmnist("train", "-c", tiny_config, *changes, "--epochs", "2", "-o", run).exit_code == 0
    before = weights(run)
    rest = os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize
    (small_disk / "filler").write_bytes(bytes(rest - 8192))
    process = spawn("train", "--resume", run, "--epochs", "6", "-q")
    _, stderr = finished(process)
    assert process.returncode == 1
    notice, error = stderr.splitlines(keepends=True)
    assert notice.startswith("stopped after 2 of 6 epochs; resume with: nnmnist train --resume ")
    assert_one_line(error)
    assert "No space left on device" in error
    assert str(run) in error
    assert weights(run) == before
    assert_complete(run)
    (small_disk / "filler").unlink()
    assert nnmnist("train", "--resume", run, "--epochs", "6").exit_code == 0
    assert_same(run, "whole")
