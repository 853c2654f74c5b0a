"""Tables of comma-separated values: one row per image, with its label and its pixels.

A header names the column `label` or `class`; without a header, the label comes first. In a folder,
`train.csv` has the training images; `test.csv` is a part of its own if it has labels (in Kaggle's
"Digit Recognizer" it has none). Files may be compressed by gzip.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

from nnmnist.data.readers.found import (
    Found,
    as_bytes,
    from_raw_labels,
    part_of,
    square,
)
from nnmnist.errors import DataError
from nnmnist.types import Array

FORM = "a .csv file"

SUFFIXES = (".csv", ".csv.gz")
LABELS = ("label", "class")  # names of the column of labels, in any case
CHUNK = 1000  # rows that are parsed at once
MAX_LINE = 10_000_000  # characters

Line = tuple[int, str]  # its number, and its text without spaces and commas at its end


def recognises(path: Path) -> bool:
    """Whether this is a table, or a folder with one called train.csv."""
    if path.is_dir():
        return any(part == "train" for part, _ in _in_folder(path))
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


def read(path: Path) -> Found:
    """The images and labels of a table, or of the tables train.csv, test.csv and val.csv.

    Raises:
        DataError: a table is damaged; the message names file and line.
    """
    files: dict[str, Path] = {}
    for part, file in _in_folder(path) if path.is_dir() else [("train", path)]:
        if part in files:
            raise DataError(f"{path}: {files[part].name} and {file.name} are both the {part} part")
        files[part] = file
    raw = {}
    for part, file in files.items():
        pixels, labels = read_table(file)
        if labels is not None:
            raw[part] = pixels, labels
        elif part == "train":
            raise DataError(
                f"{file}:1: has no column of labels; name one label, or class, in the header"
            )
    return from_raw_labels(path, raw)


def read_images(path: Path) -> Array:
    """The images (n, rows, columns) uint8 of one table, with or without labels."""
    return read_table(path).pixels


def _in_folder(path: Path) -> Iterator[tuple[str, Path]]:
    """The tables in a folder, with their parts."""
    for file in sorted(path.iterdir()):
        part = part_of(file.name)
        if part and file.name.lower().endswith(SUFFIXES) and file.is_file():
            yield part, file


class Table(NamedTuple):
    """The images of one file."""

    pixels: Array  # (n, rows, columns) uint8
    labels: list[int] | list[str] | None  # None where the header names no column of labels


def read_table(path: Path) -> Table:
    """Read one table.

    Raises:
        DataError: it is empty or damaged; the message names file and line.
    """
    try:
        with path.open("rb") as raw:
            is_gzip = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = gzip.GzipFile(fileobj=raw) if is_gzip else raw
            with io.TextIOWrapper(stream, encoding="utf-8-sig") as lines:
                return _parse(path, lines)
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not a text file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged gzip file: {error}") from None
    except csv.Error as error:
        raise DataError(f"{path}: is not a table: {error}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def _parse(path: Path, file: TextIO) -> Table:
    lines = _lines(path, file)
    first = next(lines, (1, ""))
    names = [cell.strip().lower() for cell in _cells(first[1])]
    if len(names) < 2:
        raise DataError(
            f"{path}:{first[0]}: expected values with commas between them, found {first[1]!r:.60}"
        )
    column: int | None = 0
    if is_header := any(map(names.count, LABELS)) or not all(map(_is_number, names[1:])):
        column = next((names.index(name) for name in LABELS if name in names), None)
    n_pixels = len(names) - (column is not None)
    shape = square(n_pixels, f"{path}:{first[0]}")
    rows, labels = np.empty((0, n_pixels), np.uint8), list[str]()
    chunk = [] if is_header else [first]
    while chunk := [*chunk, *islice(lines, CHUNK)]:
        if column is not None:
            chunk = [_without_label(path, line, column, labels) for line in chunk]
        rows = _with(rows, _pixels(path, chunk, n_pixels))
        chunk = []
    if not len(rows):
        raise DataError(f"{path}: holds no images")
    pixels = as_bytes(rows.reshape(-1, *shape), str(path))
    return Table(pixels, None if column is None else _as_numbers(labels))


def _with(rows: Array, more: Array) -> Array:
    """The rows and some more, in the memory of the first ones, which the system extends."""
    if not len(rows):
        return more.copy()
    n = len(rows)
    rows = rows.astype(np.result_type(rows, more), copy=False)
    rows.resize((n + len(more), rows.shape[1]), refcheck=False)
    rows[n:] = more
    return rows


def _lines(path: Path, file: TextIO) -> Iterator[Line]:
    """The lines that are not blank."""
    for number, line in enumerate(iter(partial(file.readline, MAX_LINE), ""), 1):
        if len(line) == MAX_LINE:
            raise DataError(f"{path}:{number}: has more than {MAX_LINE:,} characters")
        if line := line.strip().removesuffix(","):
            yield number, line


def _cells(line: str) -> list[str]:
    return next(csv.reader([line]), []) if '"' in line else line.split(",")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _without_label(path: Path, line: Line, column: int, labels: list[str]) -> Line:
    """A line without its label, which is added to `labels`."""
    number, text = line
    if column == 0 and '"' not in text:
        label, _, rest = text.partition(",")  # much faster than what follows
    else:
        cells = _cells(text)
        if column >= len(cells):
            raise DataError(f"{path}:{number}: has only {len(cells)} values")
        label, rest = cells.pop(column), ",".join(cells)
    if not label.strip():
        raise DataError(f"{path}:{number}: has no label")
    labels.append(label.strip())
    return number, rest


def _pixels(path: Path, chunk: list[Line], n_pixels: int) -> Array:
    """(rows, n_pixels) uint8."""
    try:
        return _parse_pixels([text for _, text in chunk], n_pixels)
    except ValueError:
        for number, text in chunk:  # which line is it?
            try:
                _parse_pixels([text], n_pixels)
            except ValueError as error:
                raise DataError(f"{path}:{number}: {error}") from None
        raise


def _parse_pixels(texts: list[str], n_pixels: int) -> Array:
    if (n := texts[0].count(",") + 1) != n_pixels:
        raise ValueError(f"expected {n_pixels} pixels, found {n}")
    form: dict[str, Any] = {"delimiter": ",", "comments": None, "quotechar": '"', "ndmin": 2}
    try:
        try:
            values = np.loadtxt(texts, np.int32, **form)
        except ValueError:  # 3.0 and 3.00e+00 are whole numbers, too
            values = np.loadtxt(texts, np.float64, **form)
            with np.errstate(invalid="ignore"):  # nan
                if (values % 1).any():
                    raise
    except ValueError:
        raise ValueError("expected pixels as whole numbers from 0 to 255") from None
    if values.shape != (len(texts), n_pixels):  # NumPy leaves out rows without values
        raise ValueError("has no pixels")
    if not (values.min() >= 0 and values.max() <= 255):
        raise ValueError(f"has pixels from {values.min()} to {values.max()}; expected 0 to 255")
    return values.astype(np.uint8)


def _as_numbers(labels: list[str]) -> list[int] | list[str]:
    """Labels as whole numbers if all are, also as 3.0; otherwise as texts."""
    try:
        numbers = list(map(float, labels))
    except ValueError:
        return labels
    return list(map(int, numbers)) if all(map(float.is_integer, numbers)) else labels
