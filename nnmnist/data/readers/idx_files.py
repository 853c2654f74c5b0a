"""Data sets in IDX files, by the names of MNIST and of sets like it.

    train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, ...

A dot may stand for the hyphen before idx, and .gz may follow. The files lie in PATH, PATH/mnist,
PATH/MNIST/raw or PATH/raw. QMNIST has labels of eight columns, of which the first is the class.
EMNIST (Cohen et al. 2017, "EMNIST: an extension of MNIST to handwritten letters") has several data
sets in one folder, each with a prefix such as emnist-letters-; its images are transposed, and a
mapping.txt gives the character of each label.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from nnmnist.data import cache
from nnmnist.data.examples import Source
from nnmnist.data.readers import idx
from nnmnist.data.readers.found import Found, from_raw_labels, listing
from nnmnist.errors import DataError
from nnmnist.files import write_atomic
from nnmnist.types import Array

FORM = "IDX files such as train-images-idx3-ubyte"

_NAME = re.compile(
    r"(?P<prefix>(?:.*[-_.])?)(?P<part>train|t10k|test)[-_](?P<kind>images|labels)[-.](?P<type>idx\d-\w+?)"
    r"(?P<gz>\.gz)?"
)
CLASSES = "classes.txt"
_PARTS = {"train": "train", "t10k": "test", "test": "test"}


class FileKey(NamedTuple):
    """Which file of a data set this is."""

    part: str  # train or test
    kind: str  # images or labels


Files = dict[FileKey, Path]


def recognises(path: Path) -> bool:
    """Whether IDX files lie in this folder, or begin with this path."""
    return bool(find(path))


def find(path: Path) -> dict[str, Files]:
    """The data sets in a folder, by their prefix: "" for MNIST, "emnist-letters-" for example.

    If the folder itself has none, the others of `folders` are searched. `path` may also be a folder
    and a prefix: FOLDER/emnist-letters.
    """
    if not path.is_dir():
        if not path.parent.is_dir():
            return {}
        sets = in_folder(path.parent)
        return {
            prefix: files for prefix, files in sets.items() if prefix.rstrip("-_.") == path.name
        }
    return next(filter(None, map(in_folder, folders(path))), {})


def folders(path: Path) -> list[Path]:
    """Where the files of a data set at `path` may lie, as other programs write them."""
    places = path, path / "mnist", path / "MNIST" / "raw", path / "raw"
    return [folder for folder in places if folder.is_dir()]


def in_folder(folder: Path) -> dict[str, Files]:
    """The data sets whose files lie in this folder, by their prefix."""
    sets: dict[str, Files] = defaultdict(dict)
    # A raw file comes after the .gz file of its name, and replaces it.
    for path in sorted(folder.iterdir(), key=lambda path: not path.name.endswith(".gz")):
        name = _NAME.fullmatch(path.name)
        if name and path.is_file():
            sets[name["prefix"]][FileKey(_PARTS[name["part"]], name["kind"])] = path
    return dict(sets)


def read(path: Path) -> Found:
    """The images and labels of the parts.

    Raises:
        DataError: files are missing or damaged, do not fit each other, or there are several sets.
    """
    sets = find(path)
    if len(sets) > 1:
        names = ", ".join(prefix.rstrip("-_.") or "MNIST" for prefix in sorted(sets))
        example = path / max(sets).rstrip("-_.")
        raise DataError(f"{path}: holds several data sets ({names}); name one, such as {example}")
    [(prefix, files)] = sets.items()
    require_pairs(path, files)
    # The training part first.
    order = sorted(files.items(), key=lambda item: (item[0].part == "test", item[0].kind))
    arrays = {key: cache.read(file) for key, file in order}
    values = {key: array for key, (array, _) in arrays.items()}
    folder = next(iter(files.values())).parent
    return from_files(
        path,
        values,
        {file_name(prefix, key): sha256 for key, (_, sha256) in arrays.items()},
        is_transposed=prefix.startswith("emnist"),
        names=_mapping(folder, prefix) or _class_names(folder),
    )


def write(source: Source, folder: Path) -> None:
    """Write images and labels as IDX files, and the names of the classes as classes.txt.

    Raises:
        OSError: a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    assert source.image_shape is not None
    write_atomic(folder / CLASSES, "".join(f"{name}\n" for name in source.classes).encode())
    for part, (inputs, labels) in {"train": source.train, "test": source.test}.items():
        images = inputs.reshape(-1, *source.image_shape)
        for kind, array in {"images": images, "labels": labels}.items():
            write_atomic(folder / file_name("", FileKey(part, kind)), idx.encode(array))


def file_name(prefix: str, key: FileKey) -> str:
    """The name under which a file's hash is recorded, whatever its spelling."""
    part = "t10k" if key.part == "test" else "train"
    return f"{prefix}{part}-{key.kind}-{'idx3' if key.kind == 'images' else 'idx1'}-ubyte"


def require_pairs(path: Path, files: Mapping[FileKey, Path]) -> None:
    """Raise DataError unless each part has images and labels, and there is a training part."""
    wanted = {FileKey(part, kind) for part in ("train", *(key.part for key in files))
              for kind in ("images", "labels")}  # fmt: skip
    if missing := sorted(wanted - files.keys()):
        names = ", ".join(file_name("", key) for key in missing)
        folder = next(iter(files.values())).parent
        raise DataError(
            f"{folder}: lacks {names} (with or without .gz); add the missing files; found "
            f"{listing(folder)}"
        )


def from_files(
    path: Path,
    values: Mapping[FileKey, Array],
    sha256: dict[str, str],
    is_transposed: bool = False,
    names: Mapping[int, str] | None = None,
) -> Found:
    """The data set of some files.

    Args:
        path: where they are, for errors.
        values: the array of each file.
        sha256: the hash of each file by its name.
        is_transposed: whether rows and columns are swapped, as in EMNIST.
        names: the name of each label.
    """
    raw = {}
    for part in sorted({key.part for key in values}, reverse=True):
        images, labels = values[FileKey(part, "images")], values[FileKey(part, "labels")]
        if labels.ndim == 2 and labels.shape[1] == 8:
            labels = labels[:, 0]  # QMNIST
        if images.ndim != 3 or labels.ndim != 1:
            raise DataError(
                f"{path}: {part}: expected images (count, rows, columns) and labels (count), "
                f"found {_shape_text(images.shape)} and {_shape_text(labels.shape)}"
            )
        if len(images) != len(labels):
            raise DataError(f"{path}: {part}: {len(images):,} images, but {len(labels):,} labels")
        if images.size == 0:
            raise DataError(f"{path}: {part}: no images ({_shape_text(images.shape)})")
        if images.dtype != "uint8":
            raise DataError(f"{path}: {part}: expected unsigned bytes as pixels")
        raw[part] = (images.transpose(0, 2, 1) if is_transposed else images), labels
    found = from_raw_labels(path, raw, names)
    return Found(found.parts, found.classes, sha256)


def _class_names(folder: Path) -> dict[int, str]:
    """The names of the classes in classes.txt, one per line; empty if there is no such file."""
    file = folder / CLASSES
    if not file.is_file():
        return {}
    try:
        return dict(enumerate(file.read_text("utf-8").splitlines()))
    except UnicodeDecodeError:
        raise DataError(f"{file}: is not a text file") from None


def _mapping(folder: Path, prefix: str) -> dict[int, str]:
    """The character of each label, from EMNIST's mapping.txt; empty if there is none.

    A line has a label and the codes of its characters: `10 65` is A, `1 65 97` A or a.
    """
    for name in (f"{prefix}mapping.txt", "mapping.txt"):
        file = folder / name
        if not file.is_file():
            continue
        names = {}
        for number, line in enumerate(file.read_text("ascii", "replace").splitlines(), 1):
            try:
                label, code, *_ = map(int, line.split())
                names[label] = chr(code)
            except (ValueError, OverflowError):
                if line.strip():
                    raise DataError(
                        f"{file}:{number}: expected a label and the code of its character, such as "
                        f"10 65, found {line!r:.40}"
                    ) from None
        return names
    return {}


def _shape_text(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape))
