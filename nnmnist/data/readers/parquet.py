"""Parquet files as the Hugging Face Hub has them: columns `image` and `label`.

`image` is a structure with the bytes of a picture; the metadata of the schema names the classes
(https://huggingface.co/docs/datasets). The name of a file or folder starts with its part:
train-00000-of-00001.parquet.
"""

from __future__ import annotations

import json
from functools import partial
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
from nnmnist.errors import DataError, MissingLibrary

FORM = "Parquet files with the columns image and label"


def recognises(path: Path) -> bool:
    """Whether this is a Parquet file, or a folder that holds some."""
    if path.is_dir():
        return bool(_files(path))
    return starts_with(path, b"PAR1")


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    found = sorted(path.rglob("*.parquet"))
    return [file for file in found if not any(map(is_hidden, file.relative_to(path).parts))]


def read(path: Path) -> Found:
    """The pictures and labels of each part; a file of no known part is training data.

    Raises:
        DataError: a file is damaged, or lacks a column.
        MissingLibrary: PyArrow is not installed.
    """
    raw: dict[str, tuple[list[EncodedPicture], list[int]]] = {}
    names: dict[int, str] = {}
    for file in _files(path):
        table = _table(file, ["image", "label"])
        names |= _class_names(table.schema.metadata)
        known, known_labels = raw.setdefault(_part(path, file), ([], []))
        known += _pictures(file, table)
        known_labels += [
            _label(f"{file}: row {row}", label)
            for row, label in enumerate(table["label"].to_pylist())
        ]
    if "train" not in raw:
        raise DataError(f"{path}: has no training part; expected a file train-*.parquet")
    return from_raw_labels(raw, names)


def read_images(path: Path) -> list[EncodedPicture]:
    """The pictures of one file, with or without labels. Raises as `read`."""
    return _pictures(path, _table(path, ["image"]))


def _table(file: Path, columns: list[str]) -> Any:
    """A table of PyArrow with these columns."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise MissingLibrary(
            f"{file}: Parquet needs PyArrow, which is not installed: pip install 'nnmnist[arrow]'"
        ) from None
    try:
        return pyarrow.parquet.read_table(file, columns=columns)
    # PyArrow raises many types for damaged files and missing columns.
    except Exception as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError(
            f"{file}: cannot be read as Parquet with the columns {' and '.join(columns)}: "
            f"{reason:.150}"
        ) from None


def _pictures(file: Path, table: Any) -> list[EncodedPicture]:
    rows = enumerate(table["image"].to_pylist())
    return [_encoded(f"{file}: row {row}", picture) for row, picture in rows]


def _part(path: Path, file: Path) -> str:
    """The part of a file, by its own name or that of a folder below `path`."""
    names = (file.name, *reversed(file.relative_to(path).parts[:-1])) if file != path else ()
    return next((part for name in names if (part := part_of(name))), "train")


def _encoded(name: str, picture: Any) -> EncodedPicture:
    data = picture.get("bytes") if isinstance(picture, dict) else picture
    if not isinstance(data, bytes):
        raise DataError(f"{name}: its image has no bytes")
    return EncodedPicture(name, partial(bytes, data))


def _label(name: str, label: Any) -> int:
    if not isinstance(label, int):
        raise DataError(f"{name}: its label is {label!r:.40}; expected a whole number")
    return label


def _class_names(metadata: dict[bytes, bytes] | None) -> dict[int, str]:
    """The names of the classes in the metadata, if there are any."""
    try:
        features = json.loads((metadata or {})[b"huggingface"])["info"]["features"]
        return dict(enumerate(map(str, features["label"]["names"])))
    except (KeyError, TypeError, ValueError):
        return {}
