"""Reads and writes IDX files, the format of MNIST.

A file has two zero bytes, a type code, the number of dimensions, the size of each dimension as a
big-endian 32-bit number, and then the values; the last dimension varies fastest (LeCun, Cortes and
Burges, "The MNIST database", section "The IDX file format"). MNIST and similar data sets have
unsigned bytes, and some have labels as 32-bit numbers: this module reads these two types.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import struct
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from nnmnist.errors import DataError, printable

Values = NDArray[np.uint8] | NDArray[np.int32]

# type code -> type of the values, in the byte order of the file
TYPES: dict[int, np.dtype[Any]] = {0x08: np.dtype(np.uint8), 0x0C: np.dtype(">i4")}
OTHER_TYPES = {0x09: "int8", 0x0B: "int16", 0x0D: "float32", 0x0E: "float64"}
GZIP_MAGIC = b"\x1f\x8b"
# Deflate never compresses by more than this (zlib's documentation, "Maximum Compression Factor").
MAX_GZIP_RATIO = 1032


def read(path: Path) -> Values:
    """Read the array in the IDX file `path`, raw or gzip-compressed.

    The content decides whether the file is compressed, not its name.

    Returns:
        An array of uint8 or int32 with the shape in the file's header.

    Raises:
        DataError: the file cannot be read, or is not exactly what its header declares.
    """
    try:
        with path.open("rb") as file:
            return _read(file, str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


def parse(data: bytes, name: str) -> Values:
    """Read the array in the IDX bytes `data`, raw or gzip-compressed.

    Args:
        data: the content of an IDX file.
        name: the name of the data in errors.

    Returns:
        An array of uint8 or int32 with the shape in the header.

    Raises:
        DataError: the data is not exactly what its header declares.
    """
    return _read(io.BytesIO(data), name)


def encode(array: Values) -> bytes:
    """The bytes of the IDX file that contains `array`, uint8 or int32 of any shape.

    Raises:
        ValueError: the array has another type.
    """
    code = _type_code(array)
    return _header(code, array.shape) + array.astype(TYPES[code], copy=False).tobytes()


def sha256(array: Values) -> str:
    """The SHA-256 of `encode(array)`, i.e. of the decompressed file, in hexadecimal digits."""
    code = _type_code(array)
    digest = hashlib.sha256(_header(code, array.shape))
    digest.update(np.ascontiguousarray(array, TYPES[code]).data)
    return digest.hexdigest()


def _type_code(array: Values) -> int:
    for code, dtype in TYPES.items():
        if array.dtype == dtype.newbyteorder("="):
            return code
    raise ValueError(f"an IDX file can only contain uint8 or int32 here, not {array.dtype}")


def _header(type_code: int, shape: tuple[int, ...]) -> bytes:
    return struct.pack(f">HBB{len(shape)}I", 0, type_code, len(shape), *shape)


def _read(file: BinaryIO, name: str) -> Values:
    compressed = file.read(2) == GZIP_MAGIC
    max_bytes = file.seek(0, io.SEEK_END) * (MAX_GZIP_RATIO if compressed else 1)
    file.seek(0)
    if not compressed:
        return _decode(file, max_bytes, name)
    try:
        with gzip.GzipFile(fileobj=file) as decompressed:
            return _decode(decompressed, max_bytes, name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{name}: damaged gzip file: {error}") from error


def _decode(stream: BinaryIO | gzip.GzipFile, max_bytes: int, name: str) -> Values:
    """Read one array from a stream of at most `max_bytes` bytes, and at most one byte more."""
    dtype, shape = _read_header(stream, name)
    size = math.prod(shape) * dtype.itemsize
    declared = f"its header declares {' x '.join(map(str, shape))} = {size:,} bytes of values"
    if size > max_bytes:
        raise DataError(
            f"{name}: {declared}, more than this file can have: it is truncated, or not an IDX file"
        )
    values = stream.read(size + 1)
    if len(values) != size:
        found = "more follow" if len(values) > size else f"{len(values):,} follow"
        raise DataError(f"{name}: {declared}, but {found}: the file is damaged")
    try:
        array = np.frombuffer(values, dtype).reshape(shape)
        return array.astype(dtype.newbyteorder("="), copy=False)
    except ValueError as error:
        # The header declares more dimensions than NumPy supports, or huge ones next to a zero.
        raise DataError(
            f"{name}: an array of {len(shape)} dimensions is not possible: {error}"
        ) from error


def _read_header(
    stream: BinaryIO | gzip.GzipFile, name: str
) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """The type and shape of the values."""
    magic = stream.read(4)
    if len(magic) < 4 or magic[:2] != b"\0\0":
        raise DataError(
            f"{name}: not an IDX file: expected two zero bytes and a type at the start, "
            f"found {printable(magic.decode('latin-1')) or 'nothing'}"
        )
    _, type_code, n_dimensions = struct.unpack(">HBB", magic)
    if type_code not in TYPES:
        found = OTHER_TYPES.get(type_code, "an unknown type")
        raise DataError(
            f"{name}: expected unsigned bytes (IDX type 0x08) or int32 (0x0c), "
            f"found {found} (0x{type_code:02x})"
        )
    if n_dimensions == 0:
        raise DataError(f"{name}: expected at least one dimension, found none")
    sizes = stream.read(4 * n_dimensions)
    if len(sizes) < 4 * n_dimensions:
        raise DataError(f"{name}: the file ends within its header of {n_dimensions} dimensions")
    return TYPES[type_code], struct.unpack(f">{n_dimensions}I", sizes)
