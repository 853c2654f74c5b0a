"""Data that a user names by its path: read it, prepare its pictures, set a test part aside."""

from __future__ import annotations

import concurrent.futures
import hashlib
import multiprocessing
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain, islice
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from nnmnist.data.examples import Source
from nnmnist.data.readers import folders, idx_files, npz, parquet, pickles, tables
from nnmnist.data.readers.found import EncodedPicture, Found, Part, Pictures, listing
from nnmnist.errors import ConfigError, DataError
from nnmnist.images import preparation, reading
from nnmnist.images.preparation import DIGIT, Preparation
from nnmnist.images.prepare import NoInk
from nnmnist.randomness import generator
from nnmnist.training.threads import available_cores
from nnmnist.types import Array

# Each module has FORM, recognises(path) and read(path). The first that recognises a path reads it.
READERS: tuple[ModuleType, ...] = (pickles, npz, parquet, tables, idx_files, folders)

LARGEST_AS_IS = 64  # pixels of a side
SAMPLE = 1000  # pictures that show what the others are like
SAMPLE_ENCODED = 100  # the same of pictures that must be decoded
# From so many pictures on, several processes prepare them, in chunks.
PARALLEL_FROM, CHUNK = 500, 64
SHOWN = 3  # pictures that an error names


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
) -> Source:
    """Load the data at a path, in any form of READERS.

    Args:
        path: a file or folder.
        prepare: how pictures become inputs, a mode of `nnmnist.images.preparation`. auto is as_is
            where all have one size of at most 64 pixels, digit where they are digits in the layout
            of MNIST or have several sizes.
        test: the fraction of each class that is set aside for the test, if there is no test part.
        classes: the names of the classes, in the order of the labels or instead of folder names.
        skip_unreadable: whether to leave out pictures that cannot be read.
        seed: chooses the test part.
        notify: receives notices for the user, one line each.
        show_progress: whether to show a bar on a terminal while pictures are read.
        network: a network that is to be tested on the data: its preparation and classes are used,
            and without a test part, all examples are for the test.

    Raises:
        ConfigError: `classes` does not fit the data.
        DataError: nothing readable is there, or a class has no training examples.
        MissingLibrary: a library for this form is not installed.
    """
    found = read(path)
    if network:
        found, chosen = _with_classes_of(path, found, network.classes), network.preparation
    else:
        found = _with_classes(path, found, classes)
        chosen = _choose(path, prepare, list(found.parts.values()))
    prepared, n_skipped = {}, 0
    for name, part in found.parts.items():
        inputs, labels, errors = _prepare(path, part, chosen, f"{name} pictures", show_progress)
        if errors and not skip_unreadable:
            more = f"; and {len(errors) - SHOWN} more" if len(errors) > SHOWN else ""
            raise DataError(
                f"{path}: {len(errors):,} of {len(part):,} {name} pictures cannot be read: "
                f"{'; '.join(errors[:SHOWN])}{more}; remove them, or set data.skip_unreadable: true"
            )
        n_skipped += len(errors)
        prepared[name] = inputs, labels
    if n_skipped:
        notify(f"{path}: left out {n_skipped:,} pictures that cannot be read")
    changed = chosen.mode != "as_is" and not _is_unchanged(found.parts["train"], prepared["train"])
    sha256 = _hashes(prepared) if changed or not found.sha256 else found.sha256
    if network:
        prepared.setdefault("test", prepared["train"])
    else:
        if "test" not in prepared:
            prepared["train"], prepared["test"] = _set_aside(path, prepared["train"], test, seed)
        _require_classes(path, prepared, found.classes)
    train, n_validation = prepared["train"], 0
    if "validation" in prepared:
        n_validation = len(prepared["validation"][1])
        extra = prepared["validation"]
        train = np.concatenate([train[0], extra[0]]), np.concatenate([train[1], extra[1]])
    name = path.resolve().name if path.is_dir() else path.name.partition(".")[0]
    return Source(
        name=name,
        train=_small_labels(train),
        test=_small_labels(prepared["test"]),
        classes=found.classes,
        image_shape=chosen.shape,
        identity={"name": name, "folder": str(path.resolve()), "sha256": sha256},
        preparation=chosen,
        is_own=True,
        n_validation=n_validation,
    )


class Interface(NamedTuple):
    """What a network reads, and what it tells apart."""

    preparation: Preparation
    classes: tuple[str, ...]


def read(path: Path) -> Found:
    """What the first reader that recognises `path` finds there.

    Raises:
        DataError: there is nothing, or nothing that can be read.
        MissingLibrary: a library for this form is not installed.
    """
    for reader in READERS:
        try:
            recognised = path.exists() or reader is idx_files
            if recognised and reader.recognises(path):
                return reader.read(path)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    forms = ", ".join(reader.FORM for reader in READERS if reader is not pickles)
    if not path.exists():
        raise DataError(f"{path.absolute()}: does not exist; expected {forms}")
    held = f"it holds {listing(path)}" if path.is_dir() else "this file is none of them"
    raise DataError(f"{path}: expected {forms}; {held}")


def images_in(path: Path) -> Pictures | None:
    """The images of a file of many images, labelled or not; None if it is no such file.

    Raises:
        DataError: the file is damaged.
        MissingLibrary: a library for this form is not installed.
    """
    for reader in (pickles, npz, parquet, tables):
        if path.is_file() and reader.recognises(path):
            images: Pictures = reader.read_images(path)
            return images
    return None


def _with_classes(path: Path, found: Found, names: Sequence[str] | None) -> Found:
    """The data with other names of its classes, or with its classes in another order."""
    if names is None or tuple(names) == found.classes:
        return found
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


# How pictures become inputs.


def _choose(path: Path, mode: str, parts: Sequence[Part]) -> Preparation:
    """The preparation for the pictures of all parts, the training part first."""
    size, train = _common_size(parts), parts[0]
    arrays = [part.pictures.shape[1:] for part in parts if isinstance(part.pictures, np.ndarray)]
    if mode in ("auto", "as_is") and len(set(arrays)) > 1:
        sizes = ", ".join(f"{rows} x {columns}" for rows, columns in arrays)
        raise DataError(
            f"{path}: the parts have images of several sizes ({sizes}); check them, or set "
            "data.prepare to digit or resize"
        )
    if mode == "auto":
        mode = "digit"
        if size and max(size) <= LARGEST_AS_IS:
            is_mnist = size == DIGIT.shape and _has_layout_of_mnist(train)
            mode = "digit" if is_mnist else "as_is"
    if mode == "digit":
        return DIGIT
    if mode == "as_is" and size is None:
        raise DataError(
            f"{path}: data.prepare: as_is needs pictures of one size, but these have several; "
            "choose digit or resize"
        )
    shape = size if mode == "as_is" and size else DIGIT.shape
    return Preparation(mode, shape, preparation.common_background(_sample(train)))


def _common_size(parts: Sequence[Part]) -> tuple[int, int] | None:
    """(rows, columns) if all pictures that can be read have this size; otherwise None."""
    first = None
    for size in chain.from_iterable(map(_sizes, parts)):
        first = first or size
        if size != first:
            return None
    return first


def _sizes(part: Part) -> Iterator[tuple[int, int]]:
    if isinstance(part.pictures, np.ndarray):
        yield part.pictures.shape[1:]
        return
    for picture in part.pictures:
        with suppress(DataError):  # `_prepare` reports it
            yield reading.size(picture.load(), picture.name)


def _sample(part: Part) -> Iterator[Array]:
    """Some pictures, evenly spread over the part."""
    if isinstance(part.pictures, np.ndarray):
        yield from part.pictures[:: 1 + len(part) // SAMPLE]
        return
    for picture in part.pictures[:: 1 + len(part) // SAMPLE_ENCODED]:
        with suppress(DataError):
            yield reading.decode(picture.load(), picture.name)


def _has_layout_of_mnist(part: Part) -> bool:
    sample = [preparation.has_layout_of_mnist(image) for image in _sample(part)]
    return sum(sample) >= preparation.MOST * len(sample)


def _prepare(
    path: Path, part: Part, chosen: Preparation, title: str, show_progress: bool
) -> tuple[Array, Array, list[str]]:
    """The inputs (n, pixels) uint8 and labels (n,) of the pictures that can be read.

    Returns:
        The inputs, the labels, and the errors of the other pictures.
    """
    from tqdm import tqdm

    if isinstance(part.pictures, np.ndarray) and _takes_all(chosen, part.pictures):
        return part.pictures.reshape(len(part), -1), part.labels, []
    inputs = np.empty((len(part), chosen.shape[0] * chosen.shape[1]), np.uint8)
    kept, errors = np.zeros(len(part), bool), []
    results = prepare_all(part.pictures, chosen)
    hidden = None if show_progress else True  # None: hidden where stderr is no terminal
    bar = tqdm(results, title, len(part), leave=False, delay=1, unit="", disable=hidden)
    for n, result in enumerate(bar):
        if isinstance(result, str):
            errors.append(result)
        else:
            inputs[n], kept[n] = result.reshape(-1), True
    if not kept.any():
        raise DataError(f"{path}: no picture can be read; the first one: {errors[0]}")
    return inputs[kept], part.labels[kept], errors


def _takes_all(chosen: Preparation, images: Array) -> bool:
    """Whether no image would be changed."""
    if images.shape[1:] != chosen.shape:
        return False
    if chosen.mode != "digit":
        return True
    return all(map(preparation.has_layout_of_mnist, images))


def _prepare_one(picture: Array | tuple[str, bytes], chosen: Preparation) -> Array | str:
    """The image of a picture, or the reason why there is none."""
    name = ""
    try:
        if isinstance(picture, np.ndarray):
            return chosen(picture)
        name, data = picture
        return chosen(reading.decode(data, name))
    except NoInk as error:
        return f"{name}: {error}" if name else str(error)
    except DataError as error:
        return str(error)


def _prepare_chunk(
    chunk: Sequence[Array | tuple[str, bytes]], chosen: Preparation
) -> list[Array | str]:
    return [_prepare_one(picture, chosen) for picture in chunk]


def prepare_all(pictures: Pictures, chosen: Preparation) -> Iterator[Array | str]:
    """The image (rows, columns) uint8 of each picture in order, or why there is none.

    Several processes share many pictures. Only some chunks are read ahead, so that the encoded
    pictures need little memory.
    """
    loaded, cores = map(_loaded, pictures), available_cores()
    work = partial(_prepare_chunk, chosen=chosen)
    if len(pictures) < PARALLEL_FROM or cores == 1 or chosen.mode == "as_is":
        for picture in loaded:
            yield from work([picture])
        return
    # Forked processes would inherit the locks of threads.
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(cores, context) as executor:
        try:
            while ahead := [c for _ in range(4 * cores) if (c := list(islice(loaded, CHUNK)))]:
                for results in executor.map(work, ahead):
                    yield from results
        finally:
            executor.shutdown(cancel_futures=True)


def _loaded(picture: Array | EncodedPicture) -> Array | tuple[str, bytes]:
    """A picture that another process can take."""
    if isinstance(picture, np.ndarray):
        return picture
    try:
        return picture.name, picture.load()
    except DataError:
        return picture.name, b""  # decoding reports that nothing can be read


# Parts.

Labelled = tuple[Array, Array]


def _small_labels(part: Labelled) -> Labelled:
    return part[0], part[1].astype(np.uint8)


def _is_unchanged(part: Part, prepared: Labelled) -> bool:
    return isinstance(part.pictures, np.ndarray) and np.shares_memory(part.pictures, prepared[0])


def _hashes(parts: dict[str, Labelled]) -> dict[str, str]:
    """The SHA-256 of the inputs and labels of each part."""
    hashes = {}
    for name, (inputs, labels) in parts.items():
        digest = hashlib.sha256(np.ascontiguousarray(inputs).data)
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
    return (inputs[~is_test], labels[~is_test]), (inputs[is_test], labels[is_test])


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
