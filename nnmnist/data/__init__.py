"""Where examples come from. `load` turns the `data` section of a config into training, validation and test examples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nnmnist.data import mnist, synthetic, toy
from nnmnist.data.examples import DistortSettings, Examples, Source, Splits
from nnmnist.errors import DataError, DataUnavailable
from nnmnist.randomness import generator

__all__ = ["SOURCES", "Examples", "Source", "Splits", "load", "source_of", "split"]


class DataSettings(Protocol):
    """What `load` reads: the `data` section of a config."""

    @property
    def name(self) -> str: ...
    @property
    def path(self) -> Path | None: ...
    @property
    def validation(self) -> int: ...
    @property
    def mirrors(self) -> tuple[str, ...] | None: ...
    @property
    def fallback(self) -> str | None: ...
    @property
    def distort(self) -> DistortSettings | None: ...


Notify = Callable[[str], None]

# name -> (settings, seed, directory given by hand, notices) -> Source. A new source is one function and one line.
SOURCES: dict[str, Callable[[DataSettings, int, Path | None, Notify], Source]] = {
    "mnist": lambda settings, seed, folder, notify: mnist.load(folder, settings.mirrors, notify),
    "synthetic": lambda settings, seed, folder, notify: synthetic.load(seed),
    **dict.fromkeys(toy.PROBLEMS, lambda settings, seed, folder, notify: toy.load(settings.name, seed)),
}


def source_of(
    settings: DataSettings, seed: int = 0, data_dir: Path | None = None, notify: Notify = lambda line: None
) -> Source:
    """The source that `settings` names, or its fallback where that cannot be had.

    Args:
        seed: draws the examples of a generator.
        data_dir: where to look for files first (`--data-dir`).
        notify: receives notices for the user, a line each.

    Raises:
        DataError: the files are not there, or not what they claim to be.
    """
    if settings.path is not None:
        return mnist.load_folder(settings.path)
    try:
        return SOURCES[settings.name](settings, seed, data_dir, notify)
    except DataUnavailable as error:
        if settings.fallback is None:
            raise
        reason = str(error).splitlines()[0]
        notify(
            f"!!! NOT REAL {settings.name.upper()}: training on generated digits instead "
            f"(data.fallback: {settings.fallback}), because {reason}"
        )
        return SOURCES[settings.fallback](settings, seed, data_dir, notify)


def load(
    settings: DataSettings, seed: int = 0, data_dir: Path | None = None, notify: Notify = lambda line: None
) -> Splits:
    """Training, validation and test examples as `settings` asks.

    Raises:
        DataError: the data cannot be had, or holds too few examples for the validation part asked for.
    """
    return split(source_of(settings, seed, data_dir, notify), settings.validation, seed, settings.distort)


def split(source: Source, wanted: int, seed: int = 0, distort: DistortSettings | None = None) -> Splits:
    """Set `wanted` training examples of a source aside for validation, drawn by `seed`; with 0, none.

    Every class is among them that has more than one example. `distort` is for the rest, when they train.

    Raises:
        DataError: there are too few examples.
    """
    inputs, targets = source.train
    n = len(inputs)
    if wanted >= n:
        raise DataError(
            f"data.validation: {wanted} examples asked for, but {source.name} has only {n} to train on; lower it"
        )
    if source.classes and 0 < wanted < len(source.classes):
        raise DataError(
            f"data.validation: {wanted} examples cannot hold all {len(source.classes)} classes; "
            "raise it, or set it to 0"
        )
    order = _classes_first(targets, generator(seed, "validation").permutation(n)) if wanted else np.arange(n)
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
    """`order` with one example of each class moved to its front, and a class's only example to its end."""
    if targets.ndim > 1:
        return order
    _, first, count = np.unique(targets[order], return_index=True, return_counts=True)
    head = np.zeros(len(order), bool)
    head[first[count > 1]] = True
    tail = np.zeros(len(order), bool)
    tail[first[count == 1]] = True
    return np.concatenate([order[head], order[~head & ~tail], order[tail]])
