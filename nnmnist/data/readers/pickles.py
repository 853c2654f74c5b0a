"""Pickles (.pkl, .pkl.gz, .pt) are refused: unpickling a file runs the code in it."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path
from typing import NoReturn

from nnmnist.data.readers.found import starts_with
from nnmnist.errors import DataError

FORM = "a pickle, which is refused"

SUFFIXES = (".pkl", ".pickle", ".pkl.gz", ".pickle.gz", ".pt", ".pth")
_MAGIC = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))


def recognises(path: Path) -> bool:
    """Whether the name or the content of a file is that of a pickle, perhaps compressed."""
    if not path.is_file():
        return False
    if path.name.lower().endswith(SUFFIXES) or starts_with(path, _MAGIC):
        return True
    try:
        if starts_with(path, b"\x1f\x8b"):
            with gzip.open(path) as file:
                return file.read(2) in _MAGIC
        if starts_with(path, b"PK"):
            with zipfile.ZipFile(path) as archive:  # what torch.save writes
                return any(name.endswith("/data.pkl") for name in archive.namelist())
    except Exception:  # gzip and zipfile raise many types for damaged files
        pass
    return False


def read(path: Path) -> NoReturn:
    """Raise DataError, which says how to convert the file."""
    raise DataError(
        f"{path}: is a pickle, and reading it would run any code in it; if you trust it, load it "
        "in Python and write numpy.savez('digits.npz', x_train=..., y_train=..., x_test=..., "
        "y_test=...)"
    )


read_images = read
