"""Where examples come from, and how they are split into training, validation and test examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nnmnist.data import mnist, synthetic, toy
from nnmnist.data.examples import Examples, Source, Splits
from nnmnist.errors import DataError, DataUnavailable
from nnmnist.randomness import generator

# Receives notices for the user, one line each.
Notify = Callable[[str], None]


def silent(line: str) -> None:
    """Ignore a notice."""


# name -> (name, seed, directory of the user, mirrors, notify) -> Source.
# A new source is one function and one line.
SOURCES: dict[str, Callable[[str, int, Path | None, Sequence[str] | None, Notify], Source]] = {
    "mnist": lambda name, seed, folder, mirrors, notify: mnist.load(folder, mirrors, notify),
    "synthetic": lambda name, seed, folder, mirrors, notify: synthetic.load(seed),
    **dict.fromkeys(toy.PROBLEMS, lambda name, seed, folder, mirrors, notify: toy.load(name, seed)),
}


def load_source(
    name: str = "mnist",
    *,
    path: Path | None = None,
    mirrors: Sequence[str] | None = None,
    fallback: str | None = None,
    seed: int = 0,
    data_dir: Path | None = None,
    notify: Notify = silent,
) -> Source:
    """The source called `name`, or its fallback where it is not available.

    Args:
        name: a key of `SOURCES`.
        path: a folder of IDX files, used in place of the named source.
        mirrors: base URLs to download MNIST from; None for the built-in list.
        fallback: a key of `SOURCES`, used where the named source is not available.
        seed: seeds the examples that are generated.
        data_dir: where to look for files first (`--data-dir`).
        notify: receives notices for the user, one line each.

    Raises:
        DataError: the files are missing, or are not what they claim to be.
    """
    if path is not None:
        return mnist.load_folder(path)
    try:
        return SOURCES[name](name, seed, data_dir, mirrors, notify)
    except DataUnavailable as error:
        if fallback is None:
            raise
        reason = str(error).splitlines()[0]
        notify(
            f"!!! NOT REAL {name.upper()}: training on generated digits instead "
            f"(data.fallback: {fallback}), because {reason}"
        )
        return SOURCES[fallback](fallback, seed, data_dir, mirrors, notify)


def split(
    source: Source, wanted: int, seed: int = 0, distort: Mapping[str, Any] | None = None
) -> Splits:
    """Set training examples of a source aside for validation.

    Every class with more than one example is among them.

    Args:
        source: the examples.
        wanted: number of validation examples; 0 for none.
        seed: chooses them.
        distort: keyword arguments of `Distortion` for the other examples, when they train.

    Raises:
        DataError: there are too few examples.
    """
    inputs, targets = source.train
    n = len(inputs)
    if wanted >= n:
        raise DataError(
            f"data.validation: {wanted}, but {source.name} has only {n} training examples; lower it"
        )
    if source.classes and 0 < wanted < len(source.classes):
        raise DataError(
            f"data.validation: {wanted} is too small for all {len(source.classes)} classes; "
            "raise it, or set it to 0"
        )
    order = (
        _classes_first(targets, generator(seed, "validation").permutation(n))
        if wanted
        else np.arange(n)
    )
    kind = (len(source.classes), source.image_shape)
    return Splits(
        train=Examples(inputs, targets, np.sort(order[wanted:]), *kind, distort),
        validation=Examples(inputs, targets, np.sort(order[:wanted]), *kind),
        test=Examples(*source.test, np.arange(len(source.test[0])), *kind),
        classes=source.classes,
        image_shape=source.image_shape,
        name=source.name,
        identity=source.identity,
    )


def _classes_first(targets: NDArray[Any], order: NDArray[Any]) -> NDArray[Any]:
    """`order` with one example of each class first, and the only example of a class last."""
    if targets.ndim > 1:
        return order
    _, first, count = np.unique(targets[order], return_index=True, return_counts=True)
    head = np.zeros(len(order), bool)
    head[first[count > 1]] = True
    tail = np.zeros(len(order), bool)
    tail[first[count == 1]] = True
    return np.concatenate([order[head], order[~head & ~tail], order[tail]])
