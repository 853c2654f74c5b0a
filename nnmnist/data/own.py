"""Data that a user names by its path: read it, prepare its pictures, set a test part aside."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

from nnmnist.data import inputs
from nnmnist.data.examples import Interface, Source, Splits
from nnmnist.data.readers import folders, idx_files, npz, parquet, pickles, tables
from nnmnist.data.readers.found import Found, Part, Pictures, listing
from nnmnist.errors import ConfigError, DataError, MissingLibrary, printable
from nnmnist.images import reading
from nnmnist.images.preparation import Preparation
from nnmnist.randomness import generator
from nnmnist.types import Array

# Each module has FORM, recognises(path) and read(path). The first that recognises a path reads it.
READERS: tuple[ModuleType, ...] = (pickles, npz, parquet, tables, idx_files, folders)
FORMS = ", ".join(reader.FORM for reader in reversed(READERS) if reader is not pickles)

SHOWN = 3  # pictures that an error names
ROWS = 1000  # rows that are moved at once

Labelled = tuple[Array, Array]


@contextmanager
def _one_line() -> Iterator[None]:
    """Let an error stay one line where a file or a class has a name of several lines."""
    try:
        yield
    except (ConfigError, DataError, MissingLibrary) as error:
        raise type(error)(printable(str(error), None)) from error


@_one_line()
def load(
    path: Path,
    *,
    prepare: str = "auto",
    test: float = 0.15,
    classes: Sequence[str] | None = None,
    skip_unreadable: bool = False,
    seed: int = 0,
    notify: reading.Notify = lambda line: None,
    show_progress: bool = False,
    network: Interface | None = None,
    start: Interface | None = None,
) -> Source:
    """Load the data at a path, in any form of READERS.

    Args:
        path: a file or folder.
        prepare: how pictures become inputs, see `nnmnist.data.inputs.choose`.
        test: the fraction of each class that is set aside for the test, if there is no test part.
        classes: the names of the classes, in the order of the labels or instead of folder names.
        skip_unreadable: whether to leave out pictures that cannot be read.
        seed: chooses the test part.
        notify: receives notices for the user, one line each.
        show_progress: whether to show a bar on a terminal while pictures are read.
        network: a network to test on the data: its preparation and classes are used, and without a
            test part, all examples are for the test.
        start: a network that training starts from: its preparation is used if `prepare` is auto,
            and the order of its classes if the data has the same.

    Raises:
        ConfigError: `classes` does not fit the data.
        DataError: nothing readable is there, or a class has no training examples.
        MissingLibrary: a library for this form is not installed.
    """
    found, chosen, applied = _fitted(path, read(path), prepare, classes, network, start)
    skip = notify if skip_unreadable else None
    prepared = {
        name: _prepare(path, name, part, applied, show_progress, skip)
        for name, part in found.parts.items()
    }
    changed = chosen.mode != "as_is" and not _is_unchanged(found.parts["train"], prepared["train"])
    classes, sha256 = found.classes, (not changed and found.sha256) or _hashes(prepared)
    del found  # many pictures take much memory
    if network:
        prepared.setdefault("test", prepared["train"])
    else:
        if "test" not in prepared:
            prepared["train"], prepared["test"] = _set_aside(path, prepared["train"], test, seed)
        _require_classes(path, prepared, classes)
    return _source(path, classes, chosen, prepared, sha256)


def _fitted(
    path: Path,
    found: Found,
    prepare: str,
    classes: Sequence[str] | None,
    network: Interface | None,
    start: Interface | None,
) -> tuple[Found, Preparation, Preparation]:
    """The data with its classes, how pictures become inputs, and how these pictures do now.

    The arguments are those of `load`. Only new training pictures that are taken as they are differ
    from pictures that are read later: none of them is inverted.
    """
    if network:
        found = _with_classes_of(path, found, network.classes)
        return found, network.preparation, network.preparation
    if start and classes is None and set(start.classes) == set(found.classes):
        classes = start.classes
    found = _with_classes(path, found, classes)
    if start and prepare == "auto":
        return found, start.preparation, start.preparation
    chosen = inputs.choose(path, prepare, list(found.parts.values()))
    return found, chosen, replace(chosen, background=None) if chosen.mode == "as_is" else chosen


def _prepare(
    path: Path,
    name: str,
    part: Part,
    chosen: Preparation,
    show_progress: bool,
    skip: reading.Notify | None,
) -> Labelled:
    """The inputs and labels of a part.

    Args:
        path: where the data is.
        name: the name of the part.
        part: its pictures and labels.
        chosen: how pictures become inputs.
        show_progress: whether to show a bar on a terminal.
        skip: receives the notice that some pictures cannot be read; None if that is an error.

    Raises:
        DataError: pictures cannot be read.
    """
    x, labels, errors = inputs.prepare_part(path, part, chosen, f"{name} pictures", show_progress)
    more = f"; and {len(errors) - SHOWN} more" if len(errors) > SHOWN else ""
    shown = "; ".join(errors[:SHOWN]) + more
    if errors and not skip:
        raise DataError(
            f"{path}: {len(errors):,} of {len(part):,} {name} pictures cannot be read: {shown}; "
            "remove them, or set data.skip_unreadable: true"
        )
    if errors and skip:
        skip(f"{path}: left out {len(errors):,} {name} pictures that cannot be read: {shown}")
    return x, labels


def _source(
    path: Path,
    classes: tuple[str, ...],
    chosen: Preparation,
    parts: dict[str, Labelled],
    sha256: dict[str, str],
) -> Source:
    """The data of its parts; validation examples are the last ones for training."""
    train, n_validation = parts["train"], 0
    if "validation" in parts:
        extra = parts["validation"]
        n_validation = len(extra[1])
        train = np.concatenate([train[0], extra[0]]), np.concatenate([train[1], extra[1]])
    name = path.resolve().name if path.is_dir() else path.name.partition(".")[0]
    return Source(
        name=name,
        train=_small_labels(train),
        test=_small_labels(parts["test"]),
        classes=classes,
        image_shape=chosen.shape,
        identity={"name": name, "folder": str(path.resolve()), "sha256": sha256},
        preparation=chosen,
        is_own=True,
        n_validation=n_validation,
    )


def add_extra(
    splits: Splits,
    paths: Sequence[Path],
    share: float,
    seed: int = 0,
    notify: reading.Notify = lambda line: None,
) -> Splits:
    """The splits with a user's own examples added to the training part.

    The training part draws them in random order, each as often as the others, until they are the
    fraction `share` of it. They are evaluated apart: their test parts, or all of them if they have
    none.

    Args:
        splits: the main data, which are images.
        paths: the examples, in any form of READERS.
        share: the fraction of the training part that the extra examples make up.
        seed: chooses the order of the draws.
        notify: receives notices for the user, one line each.

    Raises:
        DataError: the examples cannot be read, or have a class that the main data lacks.
    """
    if splits.preparation is None or not splits.classes:
        raise DataError(f"data.extra: {splits.name} has no classes of images to add examples to")
    interface = Interface(splits.preparation, splits.classes)
    sources = [load(path, network=interface, notify=notify) for path in paths]
    train, labels = (np.concatenate([source.train[i] for source in sources]) for i in (0, 1))
    main, rng = splits.train, generator(seed, "extra")
    n_draws = max(len(labels), round(share / (1 - share) * len(main)))
    rounds = [rng.permutation(len(labels)) for _ in range(-(-n_draws // len(labels)))]
    drawn = len(main.inputs) + np.concatenate(rounds)[:n_draws]
    test, test_labels = (np.concatenate([source.test[i] for source in sources]) for i in (0, 1))
    hashes = [source.identity["sha256"] for source in sources]
    return replace(
        splits,
        train=main.with_more(train, labels, drawn),
        extra=replace(splits.test, inputs=test, targets=test_labels, rows=np.arange(len(test))),
        identity={**splits.identity, "extra": hashes},
    )


@_one_line()
def read(path: Path) -> Found:
    """What the first reader that recognises `path` finds there.

    Raises:
        DataError: there is nothing, or nothing that can be read.
        MissingLibrary: a library for this form is not installed.
    """
    try:
        for reader in READERS:
            recognised = path.exists() or reader is idx_files
            if recognised and reader.recognises(path):
                found: Found = reader.read(path)
                _require_names(path, found.classes)
                return found
    except OSError as error:
        raise DataError(f"{error.filename or path}: cannot be read: {error.strerror}") from None
    if not path.exists():
        raise DataError(f"{path.absolute()}: does not exist; expected {FORMS}")
    held = f"it holds {listing(path)}" if path.is_dir() else "this file is none of them"
    raise DataError(f"{path}: expected {FORMS}; {held}")


@_one_line()
def images_in(path: Path) -> Pictures | None:
    """The images of a file of many images, labelled or not; None if it is no such file.

    Raises:
        DataError: the file is damaged.
        MissingLibrary: a library for this form is not installed.
    """
    for reader in (pickles, npz, parquet, tables):
        if os.path.isfile(path) and reader.recognises(path):
            images: Pictures = reader.read_images(path)
            return images
    return None


def _require_names(path: Path, classes: Sequence[str]) -> None:
    """Raise DataError unless the classes have different names that can be written in a line."""
    for name in classes:
        if not name or any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
            raise DataError(f"{path}: a class is called {name!r:.80}; give it a printable name")
        if classes.count(name) > 1:
            raise DataError(f"{path}: two classes are called {name}; rename one of them")


def _with_classes(path: Path, found: Found, names: Sequence[str] | None) -> Found:
    """The data with other names of its classes, or with its classes in another order."""
    if names is None or tuple(names) == found.classes:
        return found
    if len(set(names)) < len(names):
        raise ConfigError(f"data.classes: {', '.join(names[:10])}: two classes have the same name")
    if set(names) == set(found.classes):
        index = np.array([names.index(name) for name in found.classes])
        parts = {key: Part(part.pictures, index[part.labels]) for key, part in found.parts.items()}
        return Found(parts, tuple(names), found.sha256)
    if len(names) != len(found.classes):
        raise ConfigError(
            f"data.classes: names {len(names)} classes, but {path} has {len(found.classes)}: "
            f"{', '.join(found.classes[:10])}"
        )
    return Found(found.parts, tuple(names), found.sha256)


def _with_classes_of(path: Path, found: Found, classes: Sequence[str]) -> Found:
    """The data with the classes of a network, of which it may lack some."""
    if unknown := [name for name in found.classes if name not in classes]:
        raise DataError(
            f"{path}: the network does not know the class {', '.join(unknown[:10])}; its "
            f"classes are {', '.join(classes[:20])}"
        )
    index = np.array([classes.index(name) for name in found.classes])
    parts = {key: Part(part.pictures, index[part.labels]) for key, part in found.parts.items()}
    return Found(parts, tuple(classes), found.sha256)


def _small_labels(part: Labelled) -> Labelled:
    return part[0], part[1].astype(np.uint8)


def _is_unchanged(part: Part, prepared: Labelled) -> bool:
    return isinstance(part.pictures, np.ndarray) and np.shares_memory(part.pictures, prepared[0])


def _hashes(parts: dict[str, Labelled]) -> dict[str, str]:
    """The SHA-256 of the inputs and labels of each part."""
    hashes = {}
    for name, (x, labels) in parts.items():
        digest = hashlib.sha256(np.ascontiguousarray(x).data)
        digest.update(labels.astype("<i8").tobytes())
        hashes[name] = digest.hexdigest()
    return hashes


def _set_aside(
    path: Path, train: Labelled, fraction: float, seed: int
) -> tuple[Labelled, Labelled]:
    """The training part without, and the test part of, a fraction of each class.

    At least one example of each class stays in the training part; a class with two or more gives at
    least one to the test.
    """
    inputs, labels = train
    rng = generator(seed, "test")
    is_test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == label))
        n = min(max(1, round(fraction * len(rows))), len(rows) - 1)
        is_test[rows[:n]] = True
    if not is_test.any():
        raise DataError(f"{path}: no class has two examples, so none can be set aside for a test")
    train_inputs, test_inputs = _separate(inputs, is_test)
    return (train_inputs, labels[~is_test]), (test_inputs, labels[is_test])


def _separate(inputs: Array, is_test: Array) -> tuple[Array, Array]:
    """The rows of the training part, and those of the test; the first stay in the same memory."""
    if not inputs.flags.writeable:
        return inputs[~is_test], inputs[is_test]
    test = inputs[is_test]
    rows = np.flatnonzero(~is_test)
    # A row moves towards the start, where nothing is needed any more.
    for start in range(0, len(rows), ROWS):
        chunk = rows[start : start + ROWS]
        inputs[start : start + len(chunk)] = inputs[chunk]
    return inputs[: len(rows)], test


def _require_classes(path: Path, parts: dict[str, Labelled], classes: Sequence[str]) -> None:
    """Raise DataError unless there are two classes or more, all with training examples."""
    if len(classes) < 2:
        raise DataError(
            f"{path}: all pictures are of the class {classes[0]}; a classifier needs two classes"
        )
    if len(classes) > 256:
        raise DataError(f"{path}: has {len(classes):,} classes; at most 256 are possible")
    counts = np.bincount(parts["train"][1], minlength=len(classes))
    if empty := [name for name, count in zip(classes, counts, strict=True) if not count]:
        raise DataError(
            f"{path}: no training pictures of the class {', '.join(empty[:10])}; add some, or "
            "remove the class from the test part"
        )
