import os
import stat
import sys
from pathlib import Path

import pytest

from nnmnist.files import append, write_atomic


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


@pytest.mark.parametrize("data", [b"new", lambda file: file.write(b"new")], ids=["bytes", "writer"])
def test_the_file_is_replaced_without_leftovers(folder, data):
    path = folder / "a file"
    path.write_bytes(b"something older")
    write_atomic(path, data)
    assert path.read_bytes() == b"new"
    assert os.listdir(folder) == ["a file"]


def test_after_a_failed_write_the_old_file_remains_without_leftovers(folder):
    path = folder / "file"
    path.write_bytes(b"old")

    def write(file):
        file.write(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomic(path, write)
    assert path.read_bytes() == b"old"
    assert os.listdir(folder) == ["file"]


def interrupted_once(call):
    """Wrap `call` so that the first call only raises KeyboardInterrupt."""
    calls = []

    def wrapped(*arguments, **settings):
        calls.append(arguments)
        if len(calls) == 1:
            raise KeyboardInterrupt
        return call(*arguments, **settings)

    return wrapped


def test_a_second_ctrl_c_during_the_cleanup_leaves_no_temporary_file(folder, monkeypatch):
    def write(file):
        file.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "unlink", interrupted_once(Path.unlink))
    with pytest.raises(KeyboardInterrupt):
        write_atomic(folder / "file", write)
    assert os.listdir(folder) == []


def test_a_second_ctrl_c_during_the_cleanup_leaves_no_half_row(folder, monkeypatch):
    path = folder / "file"
    path.write_bytes(b"row\n")
    monkeypatch.setattr(os, "fsync", interrupted_once(os.fsync))
    monkeypatch.setattr(os, "truncate", interrupted_once(os.truncate))
    with pytest.raises(KeyboardInterrupt):
        append(path, b"another\n")
    assert path.read_bytes() == b"row\n"


def test_a_file_that_cannot_be_replaced_leaves_no_temporary_file(folder):
    path = folder / "a folder"
    path.mkdir()
    with pytest.raises(OSError, match="a folder"):
        write_atomic(path, b"new")
    assert os.listdir(folder) == ["a folder"]


def test_the_old_content_remains_until_the_new_is_on_the_disk(folder, monkeypatch):
    path = folder / "file"
    path.write_bytes(b"old")
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(path.read_bytes()))
    write_atomic(path, b"new")
    assert synced[0] == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
def test_permissions_follow_the_umask(folder):
    old = os.umask(0o027)
    try:
        write_atomic(folder / "file", b"")
    finally:
        os.umask(old)
    assert stat.S_IMODE((folder / "file").stat().st_mode) == 0o640
