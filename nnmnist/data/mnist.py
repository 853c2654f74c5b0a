"""Finds, downloads and verifies MNIST."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from nnmnist.data import cache, download
from nnmnist.data.download import Notify, Published, silent
from nnmnist.data.examples import Source
from nnmnist.data.readers import idx, idx_files
from nnmnist.data.readers.found import listing
from nnmnist.errors import DataError, DataUnavailable
from nnmnist.files import write_atomic
from nnmnist.images.preparation import DIGIT
from nnmnist.types import Array

FILES = {
    "train-images-idx3-ubyte": Published(
        47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    ),
    "train-labels-idx1-ubyte": Published(
        60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
    ),
    "t10k-images-idx3-ubyte": Published(
        7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    ),
    "t10k-labels-idx1-ubyte": Published(
        10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
    ),
}
MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://raw.githubusercontent.com/fgnt/mnist/master/",
)

# the uint8 array of a file, and the SHA-256 of its decompressed bytes
Verified = tuple[Array, str]


def load(
    data_dir: Path | None = None,
    mirrors: Sequence[str] | None = None,
    notify: Notify = silent,
) -> Source:
    """Load MNIST: 60,000 and 10,000 images (N, 784) uint8 with labels (N,) uint8, verified.

    The files are in `data_dir`/mnist, else in $NNMNIST_DATA_DIR/mnist, else in the user's cache.
    Missing or damaged files in the cache are downloaded. What the user has named is used as it is,
    and nothing is ever written there. The content of `.gz` files is copied to the cache.

    Args:
        data_dir: a directory that the user has named.
        mirrors: base URLs to download from, in order; None for MIRRORS.
        notify: receives notices for the user, one line each.

    Raises:
        DataUnavailable: the files are not on this machine, and no mirror has them.
        DataError: a directory that the user has named lacks files, or has damaged ones.
    """
    mirrors = MIRRORS if mirrors is None else mirrors
    found = find(data_dir)
    missing = [name for name in FILES if name not in found]
    _download(missing, mirrors, notify)
    paths = {**found, **{name: _cache_folder() / name for name in missing}}
    files = {name: _read_or_download(name, paths[name], mirrors, notify) for name in FILES}
    return _source(paths["train-images-idx3-ubyte"].parent, files)


def find(data_dir: Path | None = None) -> dict[str, Path]:
    """The path of each file of MNIST on this machine; files may be missing in the cache.

    A directory that the user has named may have the files in itself, in mnist or in MNIST/raw, in
    any spelling of `nnmnist.data.readers.idx_files`.

    Raises:
        DataError: a directory that the user has named lacks a file.
    """
    origin, directory = "--data-dir", data_dir
    if directory is None and (variable := os.environ.get("NNMNIST_DATA_DIR")):
        origin, directory = "NNMNIST_DATA_DIR", Path(variable)
    if directory is None:
        return _files_in(_cache_folder())
    for folder in idx_files.folders(directory):
        if files := idx_files.in_folder(folder).get(""):
            idx_files.require_pairs(directory, files)
            return {idx_files.file_name("", key): path for key, path in files.items()}
    folder = directory / "mnist"
    raise DataError(
        f"{origin} {directory}: {_contents(folder if folder.exists() else directory)}; "
        f"expected {', '.join(FILES)} (with or without .gz) there, in {folder} or in "
        f"{directory / 'MNIST' / 'raw'}"
    )


def _contents(folder: Path) -> str:
    """What a folder contains, in words."""
    if not folder.exists():
        return "this folder does not exist"
    return f"{folder} holds no file of MNIST, but {listing(folder)}"


def _cache_folder() -> Path:
    """The folder of downloads."""
    return cache.directory() / "mnist"


def _files_in(folder: Path) -> dict[str, Path]:
    """The files of MNIST in a folder; a raw file is preferred to a .gz file."""
    candidates = [(name, folder / (name + ending)) for name in FILES for ending in (".gz", "")]
    return {name: path for name, path in candidates if os.path.isfile(path)}


def _download(names: Sequence[str], mirrors: Sequence[str], notify: Notify) -> None:
    download.fetch({name: FILES[name] for name in names}, mirrors, _cache_folder(), notify)


def _read_or_download(name: str, path: Path, mirrors: Sequence[str], notify: Notify) -> Verified:
    """One of MNIST's files, verified; a damaged one in the cache is downloaded again."""
    try:
        return read(name, path)
    except DataError as error:
        if path.parent != _cache_folder():
            raise DataError(
                f"{error}; replace it (use data.path for another data set in this format)"
            ) from error
        notify(f"{error}; downloading it again")
    _download([name], mirrors, notify)
    return read(name, _cache_folder() / name)


def read(name: str, path: Path) -> Verified:
    """One of MNIST's files, verified: its array, and the SHA-256 of its decompressed bytes.

    The cache keeps the content of a `.gz` file: unpacking takes several times as long as reading.

    Raises DataError if the file is damaged, or is another one.
    """
    if path.suffix != ".gz":
        return _read_verified(name, path)
    if cache.recorded_sha256(path) == FILES[name].sha256:
        with suppress(DataError):
            return _read_verified(name, _cache_folder() / name)
    verified = _read_verified(name, path)
    _keep(name, verified[0])
    return verified


def _keep(name: str, array: Array) -> None:
    """Write one of MNIST's files to the cache, if it is not there and can be written."""
    with suppress(OSError, DataUnavailable):
        raw = _cache_folder() / name
        with suppress(DataError):
            _read_verified(name, raw)
            return
        raw.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(raw, idx.encode(array))


def _read_verified(name: str, path: Path) -> Verified:
    array, sha256 = cache.read(path)
    if sha256 != FILES[name].sha256:
        raise DataError(
            f"{path}: is damaged, or not a file of MNIST: SHA-256 {sha256}, "
            f"expected {FILES[name].sha256}"
        )
    return array, sha256


def _source(folder: Path, files: Mapping[str, Verified]) -> Source:
    arrays = {name: array for name, (array, _) in files.items()}
    images = arrays["train-images-idx3-ubyte"], arrays["t10k-images-idx3-ubyte"]
    labels = arrays["train-labels-idx1-ubyte"], arrays["t10k-labels-idx1-ubyte"]
    train, test = ((x.reshape(len(x), -1), y) for x, y in zip(images, labels, strict=True))
    return Source(
        name="mnist",
        train=train,
        test=test,
        classes=tuple(map(str, range(1 + max(int(y.max()) for y in labels)))),
        image_shape=(images[0].shape[1], images[0].shape[2]),
        identity={
            "name": "mnist",
            "folder": str(folder.resolve()),
            "sha256": {name: sha256 for name, (_, sha256) in files.items()},
        },
        preparation=DIGIT,
    )
