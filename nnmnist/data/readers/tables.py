"""Tables of comma-separated values: one row per image, with its label and its pixels.

A header names the column `label` or `class`; without a header, the label comes first. In a folder,
`train.csv` has the training images; `test.csv` is a part of its own if it has labels (in Kaggle's
"Digit Recognizer" it has none). Files may be compressed by gzip.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nnmnist.data.readers.found import Found, from_raw_labels, is_hidden, part_of, square
from nnmnist.errors import DataError
from nnmnist.types import Array

FORM = "a .csv file with one row per image"

SUFFIXES = (".csv", ".csv.gz")
LABELS = ("label", "class")  # names of the column of labels, in any case
CHUNK = 2000  # rows that are parsed at once


def recognises(path: Path) -> bool:
    """Whether this is a table, or a folder with one called train.csv."""
    if path.is_dir():
        return any(
            child.name.lower().endswith(SUFFIXES) and part_of(child.name) == "train"
            for child in path.iterdir()
        )
    return path.is_file() and path.name.lower().endswith(SUFFIXES)


def read(path: Path) -> Found:
    """The images and labels of a table, or of the tables train.csv, test.csv and val.csv.

    Raises:
        DataError: a table is damaged; the message names file and line.
    """
    raw = {}
    for part, file in _files(path).items():
        table = read_table(file)
        if table.labels is not None:
            raw[part] = (table.pixels, table.labels)
        elif part == "train":
            raise DataError(
                f"{file}:1: has no column of labels; name one label, or class, in the header"
            )
    return from_raw_labels(raw)


def read_images(path: Path) -> Array:
    """The images (n, rows, columns) uint8 of one table, with or without labels."""
    return read_table(path).pixels


def _files(path: Path) -> dict[str, Path]:
    if path.is_file():
        return {"train": path}
    return {
        part: child
        for child in sorted(path.iterdir())
        if child.name.lower().endswith(SUFFIXES)
        and not is_hidden(child.name)
        and (part := part_of(child.name))
    }


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
            lines = io.TextIOWrapper(stream, encoding="utf-8-sig")
            return _parse(path, lines)
    except UnicodeDecodeError:
        raise DataError(f"{path}: is not a text file") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path}: damaged gzip file: {error}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None


def _parse(path: Path, lines: Iterator[str]) -> Table:
    first = next(lines, "")
    cells = [cell.strip().strip('"') for cell in first.split(",")]
    if len(cells) < 2:
        raise DataError(f"{path}:1: expected a row of comma-separated values, found {first!r:.60}")
    header = not all(map(_is_number, cells[1:]))
    column: int | None = 0
    if header:
        names = [cell.lower() for cell in cells]
        column = next((names.index(name) for name in LABELS if name in names), None)
    n_pixels = len(cells) - (column is not None)
    shape = square(n_pixels, f"{path}:1")
    chunks, labels = [], list[str]()
    rows = enumerate(lines, 2) if header else enumerate(_chain(first, lines), 1)
    while chunk := list(islice(rows, CHUNK)):
        chunk = [(number, line) for number, line in chunk if line.strip()]
        texts = [line for _, line in chunk]
        if column is not None:
            split = [line.strip().split(",") for line in texts] if column else None
            texts = _without_label(path, chunk, column, labels, split)
        chunks.append(_pixels(path, chunk, texts, n_pixels))
    pixels = np.concatenate(chunks) if chunks else np.empty((0, n_pixels), np.uint8)
    if not len(pixels):
        raise DataError(f"{path}: holds no images")
    found = None if column is None else _as_numbers(labels)
    return Table(pixels.reshape(-1, *shape), found)


def _chain(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _without_label(
    path: Path,
    chunk: list[tuple[int, str]],
    column: int,
    labels: list[str],
    split: list[list[str]] | None,
) -> list[str]:
    """The lines without their labels, which are added to `labels`."""
    texts = []
    for k, (number, line) in enumerate(chunk):
        if split is None:
            label, _, rest = line.partition(",")
        else:
            cells = split[k]
            if column >= len(cells):
                raise DataError(f"{path}:{number}: has only {len(cells)} values")
            label = cells.pop(column)
            rest = ",".join(cells)
        label = label.strip().strip('"')
        if not label:
            raise DataError(f"{path}:{number}: has no label")
        labels.append(label)
        texts.append(rest)
    return texts


def _pixels(path: Path, chunk: list[tuple[int, str]], texts: list[str], n_pixels: int) -> Array:
    """(rows, n_pixels) uint8."""
    try:
        return _parse_pixels(texts, n_pixels)
    except ValueError:
        for (number, _), text in zip(chunk, texts, strict=True):
            try:
                _parse_pixels([text], n_pixels)
            except ValueError as error:
                raise DataError(f"{path}:{number}: {error}") from None
        raise


def _parse_pixels(texts: list[str], n_pixels: int) -> Array:
    if not texts:
        return np.empty((0, n_pixels), np.uint8)
    n = texts[0].count(",") + 1
    if n != n_pixels:
        raise ValueError(f"has {n} pixels; expected {n_pixels}")
    try:
        values = np.loadtxt(texts, np.int32, delimiter=",", comments=None, ndmin=2)
    except ValueError:
        raise ValueError("expected pixels as whole numbers from 0 to 255") from None
    if values.min() < 0 or values.max() > 255:
        raise ValueError(f"has pixels from {values.min()} to {values.max()}; expected 0 to 255")
    return values.astype(np.uint8)


def _as_numbers(labels: list[str]) -> list[int] | list[str]:
    """Labels as whole numbers if all are; otherwise as texts."""
    try:
        return [int(label) for label in labels]
    except ValueError:
        pass
    try:
        numbers = [float(label) for label in labels]
    except ValueError:
        return labels
    return [int(number) for number in numbers] if all(map(float.is_integer, numbers)) else labels
