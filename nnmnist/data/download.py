"""Downloads files from mirrors into a folder that many processes share.

Mirrors may be dead, slow or wrong: the next one is tried. A file is accepted only if its
decompressed bytes have the published SHA-256, and then appears in the folder completely.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from nnmnist.data.transfer import CONNECT_TIMEOUT, TransferError, receive
from nnmnist.errors import DataUnavailable
from nnmnist.files import remove_leftovers, write_atomic

CONNECT_TOTAL = 15.0  # seconds after which all mirrors together count as unreachable
HEADROOM = 1024  # bytes by which a compressed file may be longer than its content

# Receives notices for the user, one line each.
Notify = Callable[[str], None]


def silent(line: str) -> None:
    """Ignore a notice."""


class Published(NamedTuple):
    """Length and SHA-256 of the decompressed bytes of a file, as published."""

    size: int
    sha256: str


def is_offline() -> bool:
    """Whether NNMNIST_OFFLINE forbids the network."""
    return os.environ.get("NNMNIST_OFFLINE", "") not in ("", "0")


def fetch(
    files: Mapping[str, Published],
    mirrors: Sequence[str],
    folder: Path,
    notify: Notify = silent,
) -> None:
    """Make sure that each file is in the folder, decompressed and verified.

    Missing files are downloaded from `<mirror>/<name>.gz`. Processes that need the same folder at
    the same time share one download, and its failure too.

    Args:
        files: name -> length and SHA-256.
        mirrors: base URLs, in the order in which they are tried.
        folder: where the files are.
        notify: receives notices for the user, one line each.

    Raises:
        DataUnavailable: a file cannot be downloaded; the message says how to get it yourself.
    """
    missing = _missing(files, folder)
    if not missing:
        return
    if is_offline():
        reason = "NNMNIST_OFFLINE forbids the network"
        raise DataUnavailable(_instructions(reason, missing, mirrors, folder))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _fetch_locked(files, mirrors, folder, notify)
    except TransferError as error:
        missing = _missing(files, folder)
        raise DataUnavailable(_instructions(str(error), missing, mirrors, folder)) from error
    except OSError as error:
        reason = f"{folder} is not writable ({error.strerror or error})"
        raise DataUnavailable(_instructions(reason, missing, mirrors, folder)) from error


def _missing(files: Mapping[str, Published], folder: Path) -> dict[str, Published]:
    """The files that are missing in the folder, or have other content."""
    return {
        name: published
        for name, published in files.items()
        if not _is_valid(folder / name, published)
    }


def _is_valid(path: Path, published: Published) -> bool:
    try:
        if path.stat().st_size != published.size:
            return False
        return hashlib.sha256(path.read_bytes()).hexdigest() == published.sha256
    except OSError:
        return False


def _fetch_locked(
    files: Mapping[str, Published], mirrors: Sequence[str], folder: Path, notify: Notify
) -> None:
    """Download what no other process downloaded, or failed to, while this one waited."""
    from filelock import FileLock

    wait_started = time.time()
    failed = folder / "download.failed"
    with FileLock(folder / "download.lock"):
        missing = _missing(files, folder)
        if missing and failed.exists() and failed.stat().st_mtime > wait_started:
            raise TransferError("another process has just failed to download it")
        try:
            _fetch_all(missing, list(mirrors), folder, notify)
        except TransferError:
            failed.touch()
            raise


def _fetch_all(
    files: Mapping[str, Published], mirrors: list[str], folder: Path, notify: Notify
) -> None:
    for name, published in files.items():
        # This process has the lock, so nobody uses a temporary file that is here.
        remove_leftovers(folder / name)
        write_atomic(folder / name, _fetch_one(name, published, mirrors, notify))


def _fetch_one(name: str, published: Published, mirrors: list[str], notify: Notify) -> bytes:
    """The content of a file from the first mirror that has it.

    A mirror that fails moves to the end of the list.
    """
    connect_timeout = min(CONNECT_TIMEOUT, CONNECT_TOTAL / max(len(mirrors), 1))
    failure = "no mirror is configured"
    for mirror in tuple(mirrors):
        url = _url(mirror, name)
        try:
            body = _receive(url, name, published, connect_timeout)
            content = _verified(body, published)
        except TransferError as error:
            failure = f"{url}: {error}"
            notify(failure)
            mirrors.remove(mirror)
            mirrors.append(mirror)
        else:
            notify(f"{url}: downloaded and verified, {len(body):,} bytes")
            return content
    raise TransferError(f"no mirror has it (the last one: {failure})")


def _receive(url: str, name: str, published: Published, connect_timeout: float) -> bytes:
    """The body of a URL; a terminal shows a progress bar."""
    from tqdm import tqdm

    with tqdm(
        desc=name, unit="B", unit_scale=True, unit_divisor=1024, leave=False, disable=None
    ) as bar:

        def on_progress(count: int, total: int | None) -> None:
            bar.total = total
            bar.update(count - bar.n)

        return receive(url, published.size + HEADROOM, connect_timeout, on_progress)


def _verified(body: bytes, published: Published) -> bytes:
    """The decompressed bytes, if they are the published ones. Some servers unpack a `.gz`."""
    try:
        content = body
        if body[:2] == b"\x1f\x8b":
            with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
                content = file.read(published.size + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise TransferError(f"damaged gzip file: {error}") from error
    if len(content) != published.size:
        found = f"{len(content):,}" if len(content) < published.size else "more"
        raise TransferError(f"wrong content: expected {published.size:,} bytes, found {found}")
    sha256 = hashlib.sha256(content).hexdigest()
    if sha256 != published.sha256:
        raise TransferError(f"wrong content: expected SHA-256 {published.sha256}, found {sha256}")
    return content


def _url(mirror: str, name: str) -> str:
    return f"{mirror.rstrip('/')}/{name}.gz"


def _instructions(
    reason: str, missing: Mapping[str, Published], mirrors: Sequence[str], folder: Path
) -> str:
    """The reason in the first line, and below it what to do."""
    urls = [f"  {_url(mirror, name)}" for mirror in mirrors[:1] for name in missing]
    others = f" (or from {', '.join(mirrors[1:])})" if len(mirrors) > 1 else ""
    return "\n".join(
        [
            f"{folder} lacks {', '.join(missing)}, and {reason}",
            f"Download{others}:",
            *urls,
            f"and put them, with or without .gz, into {folder}",
            f"(or into DIR/{folder.name}, and use --data-dir DIR). Or train on generated digits,",
            "which need no download, with data.name: synthetic",
        ]
    )
