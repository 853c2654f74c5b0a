"""The user's cache directory, and a record of files that were verified.

Hashing 55 MB at every start would take longer than reading them. So `<cache>/verified.json` keeps
the SHA-256 of each file with its size, times and inode. It is valid as long as these stay the same.
Without a usable record, files are hashed again.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from nnmnist.data.readers import idx
from nnmnist.files import write_atomic

# A file that changed more recently may change again without new times.
SETTLED_NS = 50_000_000


def directory() -> Path:
    """The directory of this user's downloads; it may not exist yet."""
    from platformdirs import user_cache_path

    return user_cache_path("nnmnist")


def read(path: Path) -> tuple[idx.Bytes, str]:
    """The array of an IDX file, and the SHA-256 of its decompressed bytes. Raises DataError."""
    path = path.absolute()
    stamp = _stamp(path)
    array = idx.read(path)
    known = _load().get(str(path))
    if (
        isinstance(known, dict)
        and stamp
        and known.items() >= stamp.items()
        and stamp == _stamp(path)
    ):
        return array, str(known.get("sha256"))
    sha256 = idx.sha256(array)
    if (
        stamp
        and stamp == _stamp(path)
        and time.time_ns() - max(stamp["mtime_ns"], stamp["ctime_ns"]) > SETTLED_NS
    ):
        _remember(path, {**stamp, "sha256": sha256})
    return array, sha256


def _stamp(path: Path) -> dict[str, int]:
    """What changes when the file changes, ctime included; empty if there is no file."""
    try:
        status = path.stat()
    except OSError:
        return {}
    return {
        "size": status.st_size,
        "mtime_ns": status.st_mtime_ns,
        "ctime_ns": status.st_ctime_ns,
        "inode": status.st_ino,
    }


def _record() -> Path:
    return directory() / "verified.json"


def _load() -> dict[str, Any]:
    try:
        record = json.loads(_record().read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return record if isinstance(record, dict) else {}


def _remember(path: Path, entry: dict[str, Any]) -> None:
    with suppress(OSError):
        directory().mkdir(parents=True, exist_ok=True)
        write_atomic(_record(), json.dumps({**_load(), str(path): entry}, indent=1).encode())
