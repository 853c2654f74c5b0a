"""The user's cache directory, and a record of files that were verified.

Hashing 55 MB at every start would take longer than reading them. So `<cache>/verified.json` keeps
the SHA-256 of each file with its size, times and inode. It is valid as long as these stay the same.
If the record is missing, damaged or not writable, files are hashed again.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from nnmnist.data.readers import idx
from nnmnist.errors import DataUnavailable
from nnmnist.files import write_atomic

# A file that changed less than this many nanoseconds ago may change again without new times.
SETTLED_NS = 50_000_000


def directory() -> Path:
    """The directory of this user's downloads; it may not exist yet.

    Raises:
        DataUnavailable: the user has no home directory.
    """
    from platformdirs import user_cache_path

    try:
        return user_cache_path("nnmnist")
    except RuntimeError:
        raise DataUnavailable(
            "there is no home directory for downloads; set HOME, or put MNIST into DIR/mnist and "
            "use --data-dir DIR"
        ) from None


def read(path: Path) -> tuple[idx.Values, str]:
    """Read an IDX file, and get the SHA-256 of its decompressed bytes without hashing it twice.

    Returns:
        The array, uint8 or int32 of any shape, and the SHA-256 in hexadecimal digits.

    Raises:
        DataError: the file cannot be read or is damaged.
    """
    path = path.absolute()
    before = _file_state(path)
    array = idx.read(path)
    unchanged = bool(before) and before == _file_state(path)
    if unchanged and (recorded := _recorded(path, before)):
        return array, recorded
    sha256 = idx.sha256(array)
    if unchanged and _is_settled(before):
        _add_to_record(path, {**before, "sha256": sha256})
    return array, sha256


def recorded_sha256(path: Path) -> str | None:
    """The SHA-256 of the decompressed bytes of a file, which is not read.

    None if the file has not been hashed, or has changed since then.
    """
    path = path.absolute()
    return _recorded(path, _file_state(path))


def _recorded(path: Path, state: dict[str, int]) -> str | None:
    recorded = _load_record().get(str(path))
    if state and isinstance(recorded, dict) and recorded.items() >= state.items():
        return str(recorded.get("sha256"))
    return None


def _file_state(path: Path) -> dict[str, int]:
    """Values that change whenever the file changes; empty if the file does not exist.

    They include ctime because, unlike mtime, a program cannot set it back.
    """
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


def _is_settled(state: dict[str, int]) -> bool:
    return time.time_ns() - max(state["mtime_ns"], state["ctime_ns"]) > SETTLED_NS


def _record_path() -> Path:
    return directory() / "verified.json"


def _load_record() -> dict[str, Any]:
    try:
        record = json.loads(_record_path().read_bytes())
    except (OSError, ValueError, RecursionError, DataUnavailable):
        return {}
    return record if isinstance(record, dict) else {}


def _add_to_record(path: Path, entry: dict[str, Any]) -> None:
    with suppress(OSError, DataUnavailable):
        directory().mkdir(parents=True, exist_ok=True)
        record = {**_load_record(), str(path): entry}
        write_atomic(_record_path(), json.dumps(record, indent=1).encode())
