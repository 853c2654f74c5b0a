"""A damaged checkpoint gives the saved network or a CheckpointError, never anything else."""

import os
import pickle
import random
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nnmnist import checkpoint
from nnmnist.errors import CheckpointError
from nnmnist.model.network import Network
from nnmnist.model.optimizers import SGD

from .support import assert_one_line, counts, nnmnist, posix


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "net.npz"
    network = Network((4, 3))
    network.theta[:] = np.random.default_rng(0).normal(size=network.theta.size)
    optimizer = SGD(network.theta.size, 0.9)
    optimizer.step(network.theta, np.ones_like(network.theta), 0.1)
    checkpoint.save(path, network, ["a", "b", "c"], {"epoch": 4, "image_shape": [2, 2]}, optimizer)
    return path


def content(path):
    """Return the whole content of a checkpoint."""
    found = checkpoint.load(path)
    state = {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in found.optimizer.items()}
    return found.network.theta.tobytes(), found.network.sizes, found.document, state


class DamagedFiles:
    """Loads one damaged file after another and counts the results."""

    def __init__(self, saved):
        self.original, self.content, self.file = saved.read_bytes(), content(saved), saved
        self.same = self.refused = 0

    def try_to_load(self, data):
        self.file.write_bytes(data)
        try:
            found, message = content(self.file), ""
        except CheckpointError as error:
            found, message = None, str(error)
        assert message.isprintable()
        assert found in (None, self.content)
        self.same += found is not None
        self.refused += found is None


def structure(path):
    """Return the positions of all header bytes of the zip and its members.

    These are all bytes but the values of the arrays.
    """
    size = path.stat().st_size
    values = set()
    data = path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            name, extra = struct.unpack_from("<HH", data, member.header_offset + 26)
            start = member.header_offset + 30 + name + extra
            header = 10 + int.from_bytes(data[start + 8 : start + 10], "little")
            values |= set(range(start + header, start + member.file_size))
    return sorted(set(range(size)) - values)


@counts(quick=1000, slow=100_000)
def test_every_bit_of_the_structure(saved, count):
    bits = [(at, bit) for at in structure(saved) for bit in range(8)]
    assert len(bits) > 9000
    files = DamagedFiles(saved)
    for at, bit in random.Random(1).sample(bits, min(count, len(bits))):
        flipped = bytearray(files.original)
        flipped[at] ^= 1 << bit
        files.try_to_load(flipped)
    assert files.refused > files.same  # nnmnist ignores dates and flags of the zip


@counts(quick=200, slow=2000)
def test_random_bits_anywhere(saved, count):
    files, rng = DamagedFiles(saved), random.Random(2)
    for _ in range(count):
        flipped = bytearray(files.original)
        flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(8)
        files.try_to_load(flipped)
    assert files.refused > files.same


@counts(quick=50, slow=500)
def test_truncations(saved, count):
    files = DamagedFiles(saved)
    for size in random.Random(3).sample(range(len(files.original)), count):
        files.try_to_load(files.original[:size])
    assert files.refused == count


@counts(quick=50, slow=500)
def test_runs_of_zeros(saved, count):
    """A disk that has lost a block returns zeros."""
    files, rng = DamagedFiles(saved), random.Random(4)
    for _ in range(count):
        start, length = rng.randrange(len(files.original)), rng.choice([1, 16, 64, 512, 4096])
        zeroed = bytearray(files.original)
        zeroed[start : start + length] = bytes(len(zeroed[start : start + length]))
        files.try_to_load(zeroed)
    assert files.refused > files.same


def npy_file(path):
    with path.open("wb") as file:
        np.save(file, np.zeros(3))


def pytorch_file(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": [1.0]}))
        archive.writestr("archive/version", "3\n")


OTHER_FILES = {
    "empty": lambda path: path.touch(),
    "HTML": lambda path: path.write_text("<!DOCTYPE html><title>Please log in</title>"),
    "pickle": lambda path: path.write_bytes(pickle.dumps({"W1": 1})),
    "npy": npy_file,
    "PyTorch": pytorch_file,
    "an empty zip": lambda path: zipfile.ZipFile(path, "w").close(),
    "directory": lambda path: path.mkdir(),
    "missing": lambda path: None,
    "a name too long": lambda path: None,
    "an endless file": lambda path: path.symlink_to("/dev/zero"),
    "FIFO": os.mkfifo if os.name == "posix" else None,
}


@posix
@pytest.mark.parametrize("kind", OTHER_FILES)
@pytest.mark.parametrize(
    "command", [["evaluate"], ["predict", "--test", "0"]], ids=["evaluate", "predict"]
)
def test_any_other_file_is_a_one_line_error(kind, command):
    path = Path("x" * 5000 if kind == "a name too long" else "file.npz")
    OTHER_FILES[kind](path)
    result = nnmnist(*command, path)
    assert result.exit_code == 1
    assert_one_line(result.stderr)
    assert str(path) in result.stderr


def test_an_unreadable_checkpoint_is_a_one_line_error(saved, monkeypatch):
    """Simulated, because root may read every file."""

    def refuse(*_args, **_kwargs):
        raise PermissionError(13, "Permission denied", str(saved))

    monkeypatch.setattr(Path, "open", refuse)
    result = nnmnist("evaluate", saved)
    assert result.exit_code == 1
    assert_one_line(result.stderr)
    assert "cannot be read: Permission denied" in result.stderr
