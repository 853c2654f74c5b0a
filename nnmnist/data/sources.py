"""The data sources by name, and the split into training, validation and test examples."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nnmnist.data import mnist, synthetic, toy
from nnmnist.data.download import Notify, silent
from nnmnist.data.examples import Examples, Source, Splits
from nnmnist.errors import DataError, DataUnavailable
from nnmnist.randomness import generator
from nnmnist.types import Array

__all__ = ["SOURCES", "Notify", "load_source", "silent", "split"]


# Each of these functions gets all the settings that a source may need, as keyword arguments. It
# uses some of them and ignores the others.


def _mnist(
    *, data_dir: Path | None, mirrors: Sequence[str] | None, notify: Notify, **_: Any
) -> Source:
    return mnist.load(data_dir, mirrors, notify)


def _synthetic(*, seed: int, **_: Any) -> Source:
    return synthetic.load(seed)


def _toy(*, name: str, seed: int, **_: Any) -> Source:
    return toy.load(name, seed)


# A new source is one function above and one line here.
SOURCES: dict[str, Callable[..., Source]] = {
    "mnist": _mnist,
    "synthetic": _synthetic,
    **dict.fromkeys(toy.PROBLEMS, _toy),
}


def load_source(
    name: str = "mnist",
    *,
    path: Path | None = None,
    own: Mapping[str, Any] | None = None,
    mirrors: Sequence[str] | None = None,
    fallback: str | None = None,
    seed: int = 0,
    data_dir: Path | None = None,
    notify: Notify = silent,
) -> Source:
    """Load the source called `name`, or its fallback if the source is not available.

    Args:
        name: a key of `SOURCES`.
        path: a file or folder of the user's own data, used instead of the named source.
        own: keyword arguments of `nnmnist.data.own.load`, if `path` is given.
        mirrors: base URLs to download MNIST from; None for the built-in list.
        fallback: a key of `SOURCES`, used if the named source is not available.
        seed: the seed of examples that are generated.
        data_dir: the folder that has MNIST (`--data-dir`); None for the usual places.
        notify: receives notices for the user, one line each.

    Returns:
        The source, with inputs (N, n_inputs) and targets (N,) or (N, n_outputs).

    Raises:
        DataUnavailable: no file and no mirror has the data, and there is no fallback.
        DataError: the files are incomplete, damaged or of the wrong kind.
    """
    if path is not None:
        from nnmnist.data.own import load

        return load(path, seed=seed, notify=notify, **(own or {}))
    settings = {"seed": seed, "data_dir": data_dir, "mirrors": mirrors, "notify": notify}
    try:
        return SOURCES[name](name=name, **settings)
    except DataUnavailable as error:
        if fallback is None:
            raise
        reason = str(error).splitlines()[0]
        notify(
            f"!!! NOT REAL {name.upper()}: training on generated digits instead "
            f"(data.fallback: {fallback}), because {reason}"
        )
        return SOURCES[fallback](name=fallback, **settings)


def split(
    source: Source,
    n_validation: int,
    seed: int = 0,
    distort: Mapping[str, Any] | None = None,
    notify: Notify = silent,
) -> Splits:
    """Split the training part of a source into training and validation examples.

    The validation examples are sampled at random. They contain every class that has more than one
    example. One example of each class stays in the training part. A source that has validation
    examples of its own keeps them.

    Args:
        source: the source to split.
        n_validation: the number of validation examples; 0 for none. If more than half of the user's
            own data would go there, it is a fifth.
        seed: the seed of the random choice.
        distort: the distortion of training images, see `Examples`.
        notify: receives notices for the user, one line each.

    Raises:
        DataError: the source has too few examples, or `n_validation` is smaller than the number of
            classes.
    """
    inputs, targets = source.train
    n_classes = len(source.classes)
    order = np.arange(len(inputs))
    if source.n_validation:
        n_validation, order = source.n_validation, order[::-1]
    else:
        n_validation = _validation_size(source, n_validation, notify)
        if n_validation:
            permutation = generator(seed, "validation").permutation(len(inputs))
            order = _spread_classes(targets, permutation)
    kind = (n_classes, source.image_shape)
    return Splits(
        train=Examples(inputs, targets, np.sort(order[n_validation:]), *kind, distort),
        validation=Examples(inputs, targets, np.sort(order[:n_validation]), *kind),
        test=Examples(*source.test, np.arange(len(source.test[0])), *kind),
        classes=source.classes,
        image_shape=source.image_shape,
        name=source.name,
        identity=source.identity,
        preparation=source.preparation,
    )


def _validation_size(source: Source, wanted: int, notify: Notify) -> int:
    """The number of validation examples to choose. Raises DataError if it is not possible."""
    n, n_classes = len(source.train[0]), len(source.classes)
    if source.is_own and wanted > n // 2:
        size = max(n // 5, n_classes)
        notify(
            f"data.validation: {wanted:,} is more than half of the {n:,} training examples; "
            f"using {size:,}"
        )
        wanted = size
    if wanted > n - max(1, n_classes):
        raise DataError(
            f"data.validation: {wanted}, but {source.name} has only {n} training examples; "
            "lower it" + (", or add examples" if source.is_own else "")
        )
    if 0 < wanted < n_classes:
        raise DataError(
            f"data.validation: {wanted} is too small for all {n_classes} classes; "
            "raise it, or set it to 0"
        )
    return wanted


def _spread_classes(targets: Array, order: Array) -> Array:
    """Move one example of each class to the front, and another one, or the only one, to the end.

    Args:
        targets: labels (n,), or values (n, n_outputs), for which the order does not change.
        order: (n,) row numbers.
    """
    if targets.ndim > 1:
        return order
    labels = targets[order]
    _, first, count = np.unique(labels, return_index=True, return_counts=True)
    last = len(labels) - 1 - np.unique(labels[::-1], return_index=True)[1]
    front = np.zeros(len(order), bool)
    front[first[count > 1]] = True
    end = np.zeros(len(order), bool)
    end[last] = True
    return np.concatenate([order[front], order[~front & ~end], order[end]])
