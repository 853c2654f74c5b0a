"""Reads and writes IDX files, the format of MNIST.

A file has two zero bytes, a type code, the number of dimensions, each dimension as a big-endian
32-bit number, and then the values; the last dimension varies fastest (LeCun, Cortes and Burges,
"The MNIST database", section "The IDX file format"). MNIST and similar data sets have unsigned
bytes, the only type that is read here.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import struct
import zlib
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from nnmnist.errors import DataError

Bytes = NDArray[np.uint8]

UBYTE = 0x08
OTHER_TYPES = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
GZIP_MAGIC = b"\x1f\x8b"
GZIP_RATIO = (
    # No deflate stream is smaller than this (zlib's documentation, "Maximum Compression Factor").
    1032
)


def read(path: Path) -> Bytes:
    """The read-only array of an IDX file, which may be compressed by gzip.

    Raises:
        DataError: the file cannot be read, or does not match its header.
    """
    try:
        with path.open("rb") as file:
            return _read(file, str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def parse(data: bytes, name: str) -> Bytes:
    """The array of IDX bytes, which may be compressed by gzip. A DataError calls them `name`."""
    return _read(io.BytesIO(data), name)


def encode(array: Bytes) -> bytes:
    """The bytes of the IDX file of an array, uint8 of any shape."""
    return _header(array) + array.tobytes()


def sha256(array: Bytes) -> str:
    """The SHA-256 of `encode(array)`, the decompressed file, in hexadecimal digits."""
    digest = hashlib.sha256(_header(array))
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _header(array: Bytes) -> bytes:
    if array.dtype != np.uint8:
        raise ValueError(f"IDX files here hold uint8, not {array.dtype}")
    return struct.pack(f">HBB{array.ndim}I", 0, UBYTE, array.ndim, *array.shape)


def _read(file: BinaryIO, name: str) -> Bytes:
    packed = file.read(2) == GZIP_MAGIC
    limit = file.seek(0, io.SEEK_END) * (GZIP_RATIO if packed else 1)
    file.seek(0)
    if not packed:
        return _decode(file, limit, name)
    try:
        with gzip.GzipFile(fileobj=file) as unpacked:
            return _decode(unpacked, limit, name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{name}: damaged gzip file: {error}") from error


def _decode(stream: BinaryIO | gzip.GzipFile, limit: int, name: str) -> Bytes:
    """One array from a stream of at most `limit` bytes; reads at most one byte too many."""
    shape = _read_shape(stream, name)
    size = math.prod(shape)
    declared = f"its header declares {' x '.join(map(str, shape))} = {size:,} bytes of values"
    if size > limit:
        raise DataError(
            f"{name}: {declared}, more than this file can have: it is truncated, or not an IDX file"
        )
    values = stream.read(size + 1)
    if len(values) != size:
        found = "more follow" if len(values) > size else f"{len(values):,} follow"
        raise DataError(f"{name}: {declared}, but {found}: the file is damaged")
    try:
        return np.frombuffer(values, np.uint8).reshape(shape)
    except ValueError as error:
        raise DataError(
            f"{name}: an array of {len(shape)} dimensions is not possible: {error}"
        ) from error


def _read_shape(stream: BinaryIO | gzip.GzipFile, name: str) -> tuple[int, ...]:
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise DataError(
            f"{name}: not an IDX file: expected two zero bytes and a type first, found {magic!r}"
        )
    _, kind, n_dimensions = struct.unpack(">HBB", magic)
    if kind != UBYTE:
        found = OTHER_TYPES.get(kind, "an unknown type")
        raise DataError(
            f"{name}: expected unsigned bytes (IDX type 0x08), found {found} (0x{kind:02x})"
        )
    if n_dimensions == 0:
        raise DataError(f"{name}: expected at least one dimension, found none")
    dimensions = stream.read(4 * n_dimensions)
    if len(dimensions) < 4 * n_dimensions:
        raise DataError(f"{name}: ends within its header of {n_dimensions} dimensions")
    return struct.unpack(f">{n_dimensions}I", dimensions)
