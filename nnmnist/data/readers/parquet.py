"""Parquet files as the Hugging Face Hub has them: columns `image` and `label`.

`image` is a structure with the bytes of a picture; the metadata of the schema names the classes
(https://huggingface.co/docs/datasets). The name of a file or folder starts with its part:
train-00000-of-00001.parquet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from nnmnist.data.readers.found import (
    EncodedPicture,
    Found,
    from_raw_labels,
    is_hidden,
    part_of,
    starts_with,
)
from nnmnist.errors import DataError, MissingLibrary, printable

FORM = "Parquet files"
BATCH = 1000  # rows that are read at once


def recognises(path: Path) -> bool:
    """Whether this is a Parquet file, or a folder that holds some."""
    if path.is_dir():
        return bool(_files(path))
    return starts_with(path, b"PAR1") or (path.is_file() and path.suffix.lower() == ".parquet")


def _files(path: Path) -> list[Path]:
    """The Parquet files in a folder, and up to two folders below; folders of pictures are full."""
    if path.is_file():
        return [path]
    found = chain.from_iterable(path.glob(f"{below}*.parquet") for below in ("", "*/", "*/*/"))
    return sorted(
        file
        for file in found
        if file.is_file() and not any(map(is_hidden, file.relative_to(path).parts))
    )


def read(path: Path) -> Found:
    """The pictures and labels of each part; a file of no known part is training data.

    Raises:
        DataError: a file is damaged, or lacks a column.
        MissingLibrary: PyArrow is not installed.
    """
    raw: dict[str, tuple[list[EncodedPicture], list[Any]]] = {}
    names: dict[int, str] = {}
    for file in _files(path):
        pictures, labels = raw.setdefault(_part(path, file), ([], []))
        with _opened(file, ["image", "label"]) as table:
            names |= _class_names(table.schema_arrow.metadata)
            for picture, label in _rows(table, ["image", "label"]):
                name = f"{file}: row {len(pictures)}"
                pictures.append(_encoded(name, picture))
                labels.append(_label(name, label))
    if "train" not in raw:
        raise DataError(f"{path}: has no training part; expected a file train-*.parquet")
    return from_raw_labels(path, raw, names)


def read_images(path: Path) -> list[EncodedPicture]:
    """The pictures of one file, with or without labels. Raises as `read`."""
    with _opened(path, ["image"]) as table:
        rows = enumerate(_rows(table, ["image"]))
        return [_encoded(f"{path}: row {row}", picture) for row, (picture,) in rows]


@contextmanager
def _opened(file: Path, columns: list[str]) -> Iterator[Any]:
    """A file of PyArrow that has these columns. Its errors become a DataError."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingLibrary(
            f"{file}: Parquet needs PyArrow, which is not installed: pip install 'nnmnist[arrow]'"
        ) from None
    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            if not set(columns) <= set(names := table.schema_arrow.names):
                raise DataError(
                    f"{file}: has the columns {', '.join(names)}; expected {' and '.join(columns)}"
                )
            yield table
    except DataError:
        raise
    # PyArrow raises many types for damaged files.
    except Exception as error:
        reason = printable(str(error) or type(error).__name__, 150)
        raise DataError(f"{file}: cannot be read as Parquet: {reason}") from None


def _rows(table: Any, columns: list[str]) -> Iterator[tuple[Any, ...]]:
    for batch in table.iter_batches(BATCH, columns=columns):
        yield from zip(*(batch[column].to_pylist() for column in columns), strict=True)


def _part(path: Path, file: Path) -> str:
    """The part of a file, by its own name or that of a folder below `path`."""
    names = (file.name, *reversed(file.relative_to(path).parts[:-1])) if file != path else ()
    return next((part for name in names if (part := part_of(name))), "train")


def _encoded(name: str, picture: Any) -> EncodedPicture:
    data = picture.get("bytes") if isinstance(picture, dict) else picture
    if not isinstance(data, bytes):
        raise DataError(f"{name}: its image has no bytes")
    return EncodedPicture(name, partial(bytes, data))


def _label(name: str, label: Any) -> int | str:
    if not isinstance(label, int | str):
        raise DataError(f"{name}: its label is {label!r:.40}; expected a whole number or a text")
    return label


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[int, str]:
    """The names of the classes in the metadata, if there are any."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return dict(enumerate(map(str, features["label"]["names"])))
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
