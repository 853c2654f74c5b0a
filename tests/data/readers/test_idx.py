import gzip
import hashlib
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from nnmnist.data.readers import idx
from nnmnist.errors import DataError

ARRAY = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)
CONTENT = bytes([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]) + bytes(range(24))
any_array = hnp.arrays(np.uint8, hnp.array_shapes(max_dims=5, min_side=0, max_side=6))


@given(any_array)
def test_what_is_encoded_is_read_back(array):
    content = idx.encode(array)
    for data in (content, gzip.compress(content)):
        found = idx.parse(data, "memory")
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(found, array, strict=True)


def test_the_bytes_are_those_of_the_format():
    assert idx.encode(ARRAY) == CONTENT
    assert idx.encode(ARRAY.transpose(2, 1, 0)) != CONTENT


@given(any_array)
def test_the_hash_is_that_of_the_file(array):
    assert idx.sha256(array) == hashlib.sha256(idx.encode(array)).hexdigest()
    assert idx.sha256(array.T) == hashlib.sha256(idx.encode(array.T)).hexdigest()


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_a_file_is_read_raw_or_packed_whatever_its_name(tmp_path, pack):
    path = tmp_path / "images"
    path.write_bytes(pack(CONTENT))
    np.testing.assert_array_equal(idx.read(path), ARRAY, strict=True)


def test_several_gzip_members_are_one_file():
    packed = gzip.compress(CONTENT[:20]) + gzip.compress(CONTENT[20:])
    np.testing.assert_array_equal(idx.parse(packed, "memory"), ARRAY)


DAMAGES = {
    "empty": (b"", "not an IDX file"),
    "a web page": (b"<!DOCTYPE html>", r"not an IDX file: .* found <!DO$"),
    "wrong magic": (b"\1" + CONTENT[1:], "not an IDX file"),
    "only zeros": (bytes(40), r"expected unsigned bytes .*, found an unknown type \(0x00\)"),
    "floats": (
        CONTENT[:2] + b"\x0d" + CONTENT[3:],
        r"expected unsigned bytes .*, found float32 \(0x0d\)",
    ),
    "no dimension": (b"\0\0\x08\0\x07", "at least one dimension"),
    "header cut in the magic": (CONTENT[:3], "not an IDX file"),
    "header cut in a dimension": (CONTENT[:14], "ends within its header of 3 dimensions"),
    "one value short": (CONTENT[:-1], r"2 x 3 x 4 = 24 bytes of values, but 23 follow"),
    "one value too many": (CONTENT + b"\0", r"24 bytes of values, but more follow"),
    "gigantic": (b"\0\0\x08\3" + b"\xff" * 12 + bytes(99), "more than this file can have"),
    "too many dimensions": (
        b"\0\0\x08\xff" + struct.pack(">255I", *[1] * 255) + b"\0",
        "255 dimensions",
    ),
}


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(("content", "complaint"), DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_file_is_named_and_described(tmp_path, content, complaint, pack):
    path = tmp_path / "images"
    path.write_bytes(pack(content))
    with pytest.raises(DataError, match=complaint) as failure:
        idx.read(path)
    assert str(failure.value).startswith(f"{path}: ")
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("length", [2, 10, 15, 30, -1, -8])
def test_a_cut_gzip_file_is_refused(length):
    packed = gzip.compress(CONTENT)
    with pytest.raises(DataError, match="damaged gzip file"):
        idx.parse(packed[:length], "memory")


@given(st.integers(0, len(gzip.compress(CONTENT)) - 1), st.integers(1, 255))
def test_an_altered_gzip_file_is_read_as_it_was_or_refused(position, change):
    packed = bytearray(gzip.compress(CONTENT))
    packed[position] ^= change
    with suppress(DataError):
        np.testing.assert_array_equal(idx.parse(bytes(packed), "memory"), ARRAY)


@given(st.binary(max_size=60))
def test_any_bytes_give_an_array_or_a_data_error(data):
    for content in (data, b"\0\0\x08" + data, b"\x1f\x8b" + data):
        with suppress(DataError):
            idx.parse(content, "memory")


def test_a_gzip_bomb_is_not_unpacked_further_than_declared(monkeypatch):
    bomb = gzip.compress(CONTENT + bytes(5_000_000))
    wanted = []
    read = gzip.GzipFile.read

    def spy(self, size=-1):
        wanted.append(size)
        return read(self, size)

    monkeypatch.setattr(gzip.GzipFile, "read", spy)
    with pytest.raises(DataError, match="more follow"):
        idx.parse(bomb, "memory")
    assert wanted == [4, 12, 25]


@pytest.mark.parametrize("make", [Path.mkdir, lambda path: None], ids=["a folder", "nothing"])
def test_what_cannot_be_read_is_named(tmp_path, make):
    path = tmp_path / "images"
    make(path)
    with pytest.raises(DataError, match="cannot be read") as failure:
        idx.read(path)
    assert str(failure.value).startswith(f"{path}: ")


def test_only_bytes_are_encoded():
    with pytest.raises(ValueError, match="float32"):
        idx.encode(np.zeros(3, np.float32))
