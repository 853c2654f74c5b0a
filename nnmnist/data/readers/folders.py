"""A folder of pictures per class, or a .zip of one.

    PATH/<class>/*.png
    PATH/{train,test,val}/<class>/*.png

Pictures may have any format that Pillow reads here, and any size.
"""

from __future__ import annotations

import io
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from pathlib import Path, PurePosixPath

from nnmnist.data.readers.found import (
    PARTS,
    EncodedPicture,
    Found,
    from_raw_labels,
    is_hidden,
    natural_key,
    read_bytes,
    starts_with,
)
from nnmnist.errors import DataError
from nnmnist.images.reading import MAX_BYTES, SUFFIXES

FORM = "a folder of pictures per class (or a .zip of it)"


def recognises(path: Path) -> bool:
    """Whether this is a folder with folders or pictures in it, or a zip of pictures."""
    if path.is_dir():
        return any(
            not is_hidden(child.name) and (child.is_dir() or child.suffix.lower() in SUFFIXES)
            for child in path.iterdir()
        )
    if not starts_with(path, b"PK"):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            names = map(PurePosixPath, archive.namelist())
            return any(name.suffix.lower() in SUFFIXES for name in names)
    except zipfile.BadZipFile:
        return False


def read(path: Path) -> Found:
    """The pictures of each class, in natural order of their names.

    Raises:
        DataError: there are no classes, or pictures lie outside of the folders of classes.
    """
    files = _in_folder(path) if path.is_dir() else _in_zip(path)
    files = _below_common_folder(files)
    top = {parts[0].lower() for parts in files if len(parts) > 1}
    has_parts = top and top <= PARTS.keys() and any(PARTS[name] == "train" for name in top)
    found: dict[str, tuple[list[EncodedPicture], list[str]]] = defaultdict(lambda: ([], []))
    for parts in sorted(files, key=lambda parts: [natural_key(part) for part in parts]):
        part = PARTS[parts[0].lower()] if has_parts else "train"
        below = parts[1:] if has_parts else parts
        if len(below) < 2:
            if below[0].lower().endswith(tuple(SUFFIXES)):
                raise DataError(
                    f"{path}: {'/'.join(parts)} lies in no class; put the pictures of each class "
                    "into a folder with the name of the class"
                )
            continue  # a text about the data, for example
        pictures, labels = found[part]
        pictures.append(files[parts])
        labels.append(below[0])
    if not found:
        raise DataError(f"{path}: holds no pictures; expected PATH/<class>/*.png")
    return from_raw_labels(found)


Files = dict[tuple[str, ...], EncodedPicture]


def _in_folder(path: Path) -> Files:
    files: Files = {}
    for file in path.rglob("*"):
        parts = file.relative_to(path).parts
        if not any(map(is_hidden, parts)) and file.is_file():
            files[parts] = EncodedPicture(str(file), partial(read_bytes, file))
    return files


def _in_zip(path: Path) -> Files:
    files: Files = {}
    try:
        archive = zipfile.ZipFile(path)
        for member in archive.infolist():
            parts = PurePosixPath(member.filename.replace("\\", "/")).parts
            if member.is_dir() or any(map(is_hidden, parts)):
                continue
            files[parts] = EncodedPicture(
                f"{path}:{member.filename}", partial(_member, path, archive, member)
            )
    except (zipfile.BadZipFile, OSError, NotImplementedError) as error:
        raise DataError(f"{path}: damaged zip file: {error}") from None
    return files


def _member(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    try:
        with archive.open(member) as file:
            return io.BytesIO(file.read(MAX_BYTES + 1)).getvalue()
    # zipfile raises many types for damaged or encrypted members.
    except Exception as error:
        raise DataError(f"{path}:{member.filename}: damaged in the zip file: {error}") from None


def _below_common_folder(files: Files) -> Files:
    """The files without the folders that contain all others, as in a zip of one folder."""
    while len(tops := {parts[0] for parts in files}) == 1 and _has_folders(files, 2):
        if tops.pop().lower() in PARTS and not _has_folders(files, 3):
            break
        files = {parts[1:]: file for parts, file in files.items()}
    return files


def _has_folders(files: Iterable[tuple[str, ...]], depth: int) -> bool:
    """Whether all pictures lie below at least so many folders."""
    return all(
        len(parts) > depth or not parts[-1].lower().endswith(tuple(SUFFIXES)) for parts in files
    )
