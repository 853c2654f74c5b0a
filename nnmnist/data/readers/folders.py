"""A folder of pictures per class, or a .zip of one.

    PATH/<class>/*.png
    PATH/{train,test,val}/<class>/*.png

Pictures may have any format that `nnmnist.images.reading` reads, and any size. Characters in the
names of classes may be percent-encoded as in the file that the exported page downloads.
"""

from __future__ import annotations

import os
import re
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from nnmnist.data.readers.found import (
    PARTS,
    EncodedPicture,
    Found,
    from_raw_labels,
    is_hidden,
    natural_key,
    starts_with,
)
from nnmnist.errors import DataError
from nnmnist.images.reading import MAX_BYTES, SUFFIXES, read_bytes

FORM = "a folder of pictures per class (or a .zip of it)"

# The names that the page writes (`folderOf` in drawings.js). All others stay: 50%, a%20b.
_ENCODED = re.compile(r"(%2E)*([^%]|%(25|2F|5C|3A|2A|3F|22|3C|3E|7C|7F|[01][0-9A-F]))*(%2E|%20)*")

MAX_DEPTH = 20  # of folders in folders

Files = dict[tuple[str, ...], EncodedPicture]  # by the folders that a file lies in, and its name


def recognises(path: Path) -> bool:
    """Whether this is a folder with folders or pictures in it, or a zip file."""
    if not path.is_dir():
        return starts_with(path, b"PK")
    return any(
        not is_hidden(child.name) and (child.is_dir() or _is_picture(child.name))
        for child in path.iterdir()
    )


def read(path: Path) -> Found:
    """The pictures of each class, in natural order of their names.

    Raises:
        DataError: there are no classes, or pictures lie outside of the folders of classes.
    """
    if path.is_dir():
        files = {names: _on_disk(file) for names, file in files_below(str(path))}
    else:
        files = _in_zip(path)
    n, has_parts = _layout(path, files)
    found: dict[str, tuple[list[EncodedPicture], list[str]]] = defaultdict(lambda: ([], []))
    for names in sorted(files, key=lambda names: [natural_key(name) for name in names]):
        part, below = "train", names[n:]
        if has_parts and len(below) > 1:
            part, below = PARTS.get(below[0].lower(), ""), below[1:]
        if len(below) > 1 and part:
            pictures, labels = found[part]
            pictures.append(files[names])
            labels.append(_class_name(below[0]))
        elif _is_picture(names[-1]):
            raise DataError(
                f"{path}: {'/'.join(names)} lies in no class; put the pictures of each class into "
                "a folder with the name of the class"
            )
    if not found:
        raise DataError(f"{path}: holds no pictures; expected PATH/<class>/*.png")
    return from_raw_labels(path, found)


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _class_name(folder: str) -> str:
    return unquote(folder) if _ENCODED.fullmatch(folder) else folder


def files_below(
    folder: str, names: tuple[str, ...] = (), above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], str]]:
    """The files below a folder, except those that systems have put there; links are followed.

    Args:
        folder: its path.
        names: the folders between the first one and this one.
        above: the real paths of these folders, into which links may lead back.

    Yields:
        The folders that a file lies in and its name, and its path.

    Raises:
        DataError: folders lie in more than 20 others.
        OSError: a folder cannot be listed.
    """
    real = os.path.realpath(folder)
    if real in above:
        return
    if len(above) > MAX_DEPTH:
        raise DataError(f"{folder}: lies in more than {MAX_DEPTH} folders")
    with os.scandir(folder) as entries:
        for entry in entries:
            if is_hidden(entry.name):
                continue
            if entry.is_dir():
                yield from files_below(entry.path, (*names, entry.name), (*above, real))
            else:
                yield (*names, entry.name), entry.path


def _on_disk(file: str) -> EncodedPicture:
    return EncodedPicture(file, partial(_load, file))


def _load(file: str) -> bytes:
    if not os.path.isfile(file):  # to open a named pipe would wait for ever
        raise DataError(f"{file}: is not a file")
    return read_bytes(Path(file), file)


def _in_zip(path: Path) -> Files:
    files: Files = {}
    try:
        archive = zipfile.ZipFile(path)
    # zipfile raises many types for damaged files.
    except Exception as error:
        raise DataError(f"{path}: damaged zip file: {error}") from None
    for member in archive.infolist():
        names = tuple(n for n in re.split(r"[/\\]", member.filename) if n not in ("", ".", ".."))
        if not member.is_dir() and not any(map(is_hidden, names)):
            name = f"{path}: {member.filename}"
            files[names] = EncodedPicture(name, partial(_member, name, archive, member))
    return files


def _member(name: str, archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    if member.file_size > MAX_BYTES:
        raise DataError(f"{name}: larger than {MAX_BYTES:,} bytes")
    try:
        return archive.read(member)
    # zipfile raises many types for damaged or encrypted members.
    except Exception as error:
        raise DataError(f"{name}: damaged in the zip file: {error}") from None


def _layout(path: Path, files: Files) -> tuple[int, bool]:
    """How many folders contain all pictures, as in a zip of one folder; whether parts come next.

    Raises:
        DataError: only some of the folders are parts, or none has the training pictures.
    """
    pictures = [names for names in files if _is_picture(names[-1])] or list(files)
    folders = [names[:-1] for names in pictures]
    alike = [len(set(level)) == 1 for level in zip(*folders, strict=False)]
    n = [*alike[:-1], False].index(False)  # the last folder is the class
    tops = {names[n] for names in folders if len(names) > n}
    parts = {top for top in tops if top.lower() in PARTS}
    others = sorted(tops - parts)
    has_classes = any(len(names) > n + 1 and names[n] in parts for names in folders)
    if not parts or (others and not has_classes):
        return n, False
    if others:
        raise DataError(
            f"{path}: has the parts {', '.join(sorted(parts))}, and beside them {others[0]}; put "
            "each class into one of the parts"
        )
    if not any(PARTS[top.lower()] == "train" for top in parts):
        raise DataError(f"{path}: has no training part; expected PATH/train/<class>/*.png")
    return n, True
