"""The data that a checkpoint was trained on, and checks that checkpoints fit each other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from msgspec.structs import replace

from nnmnist import checkpoint as checkpoint_file
from nnmnist.checkpoint import Checkpoint
from nnmnist.config.schema import Config, DataConfig
from nnmnist.data.examples import Examples, Interface, Splits
from nnmnist.data.sources import Notify, silent
from nnmnist.errors import CheckpointError, ConfigError
from nnmnist.training.setup import load_data
from nnmnist.training.start import interface_of


def training_settings(path: Path, checkpoint: Checkpoint) -> tuple[DataConfig, int]:
    """The `data` section and the seed that a checkpoint was trained with.

    Args:
        path: the file of the checkpoint, for errors.
        checkpoint: its contents.

    Raises:
        CheckpointError: the checkpoint does not store a config of this version.
    """
    stored = checkpoint.document.get("config")
    if stored is None:
        raise CheckpointError(
            f"{path}: does not say which data it was trained on; name the data with --data"
        )
    try:
        settings = Config.from_json(stored)
    except ValueError:
        raise CheckpointError(
            f"{path}: its config does not fit this version of nnmnist; train again, or name the "
            "data with --data"
        ) from None
    facts = checkpoint.document.get("data", {})
    name, folder = facts.get("name"), facts.get("folder")
    if name is not None and settings.data.fallback == name and settings.data.path is None:
        return replace(settings.data, name=name), settings.seed
    data = settings.data
    # Configs of older versions have a path relative to the directory where the run was started.
    if data.path is not None and not data.path.is_absolute() and folder and not data.path.exists():
        data = replace(data, path=Path(folder))
    return data, settings.seed


def config_of(path: Path) -> Config:
    """The config of a checkpoint, with the paths of its data absolute. Raises CheckpointError."""
    found = checkpoint_file.load(path)
    data, _ = training_settings(path, found)
    settings = Config.from_json(found.document["config"])
    return replace(settings, data=data)


def load_splits(
    path: Path,
    checkpoint: Checkpoint,
    data_dir: Path | None = None,
    other: DataConfig | None = None,
    notify: Notify = silent,
) -> Splits:
    """The splits of the data that a checkpoint was trained on, or of other data that fits it.

    Args:
        path: the file of the checkpoint, for errors.
        checkpoint: its contents.
        data_dir: where to look for files first (`--data-dir`).
        other: the data to use instead. No validation examples are taken from it.
        notify: receives notices for the user, one line each.

    Raises:
        CheckpointError: the inputs or classes of the data are not those of the network.
        DataError: the data is not available.
    """
    interfaces: dict[str, Interface] = {}
    if other is None:
        wanted, seed = training_settings(path, checkpoint)
        if checkpoint.document.get("prepare") and (own := interface_of(checkpoint)):
            interfaces = {"start": own}
    else:
        wanted, seed = replace(other, validation=0), 0
        if found := interface_of(checkpoint):
            interfaces = {"network": found}
    wanted = replace(wanted, fallback=None)
    splits = load_data(wanted, seed, data_dir, notify, show_progress=True, **interfaces)
    _require_same_inputs(path, checkpoint, splits)
    trained = _describe_targets(checkpoint.classes, checkpoint.network.sizes[-1])
    given = _describe_targets(splits.classes, splits.test.targets.shape[-1])
    if trained != given:
        raise CheckpointError(f"{path}: was trained on {trained}, but {splits.name} has {given}")
    return splits


def _require_same_inputs(path: Path, checkpoint: Checkpoint, splits: Splits) -> None:
    """Raise CheckpointError unless the inputs of the data fit the network."""
    n_inputs, expected = splits.test.inputs.shape[1], checkpoint.network.sizes[0]
    if n_inputs != expected:
        raise CheckpointError(f"{path}: takes {expected} inputs, but {splits.name} has {n_inputs}")
    shape = checkpoint.document.get("image_shape")
    if shape and splits.image_shape and tuple(shape) != splits.image_shape:
        rows, columns = splits.image_shape
        raise CheckpointError(
            f"{path}: takes {shape[1]}x{shape[0]} pixels, but {splits.name} has {columns}x{rows}"
        )


def _describe_targets(classes: Sequence[str], n_values: int) -> str:
    return f"{len(classes)} classes" if classes else f"values (outputs: {n_values})"


def examples_of(splits: Splits, split: str, path: Path, other: str | None = None) -> Examples:
    """The examples of the split that is called `split`: train, validation or test.

    Args:
        splits: the data.
        split: the name of the split.
        path: the checkpoint whose data it is, for errors.
        other: what `--data` named, if it is other data.

    Raises:
        ConfigError: the split is empty.
    """
    examples: Examples = getattr(splits, split)
    if len(examples):
        return examples
    if other:
        raise ConfigError(f"--split {split}: --data {other} has no such split")
    raise ConfigError(f"--split {split}: the config of {path} leaves this split empty")


def require_ensemble(paths: Sequence[Path], checkpoints: Sequence[Checkpoint]) -> None:
    """Raise CheckpointError unless all have the same inputs, kind of output and classes."""

    def interface(checkpoint: Checkpoint) -> tuple[Any, ...]:
        network = checkpoint.network
        return network.sizes[0], network.output_name, checkpoint.classes

    first = checkpoints[0]
    for path, checkpoint in zip(paths, checkpoints, strict=True):
        if interface(checkpoint) != interface(first) or _image_shapes_differ(checkpoint, first):
            raise CheckpointError(
                f"{path}: has other inputs, outputs or classes than {paths[0]}; "
                "they cannot form an ensemble"
            )


def require_same_validation(paths: Sequence[Path], checkpoints: Sequence[Checkpoint]) -> None:
    """Raise CheckpointError unless all networks have the same validation examples.

    A validation example of one network would otherwise be a training example of another.
    """
    chosen = [
        (settings.validation, seed) for settings, seed in map(training_settings, paths, checkpoints)
    ]
    for path, own in zip(paths, chosen, strict=True):
        if own != chosen[0]:
            raise CheckpointError(
                f"{path}: has other validation examples than {paths[0]}, so it was trained on some "
                "of these; evaluate the ensemble with --split test"
            )


def require_comparable(
    paths: tuple[Path, Path], checkpoints: tuple[Checkpoint, Checkpoint]
) -> None:
    """Raise CheckpointError unless both networks classify the same inputs into the same classes."""
    for path, checkpoint in zip(paths, checkpoints, strict=True):
        if not checkpoint.classes:
            raise CheckpointError(f"{path}: is a regression; only classifiers can be compared")
    a, b = checkpoints
    same = (a.classes, a.network.sizes[0]) == (b.classes, b.network.sizes[0])
    if not same or _image_shapes_differ(a, b):
        raise CheckpointError(
            f"{paths[1]}: has other inputs or classes than {paths[0]}; they cannot be compared"
        )


def require_fair_split(
    paths: tuple[Path, Path],
    checkpoints: tuple[Checkpoint, Checkpoint],
    splits: Splits,
    split: str,
    data_dir: Path | None = None,
    other: DataConfig | None = None,
    notify: Notify = silent,
) -> None:
    """Raise CheckpointError unless both networks were trained on equally many of the examples.

    Args:
        paths: the files of the two checkpoints, for errors.
        checkpoints: their contents.
        splits: what they are compared on: the data of the first checkpoint, or of `other`.
        split: the name of the split, train or validation.
        data_dir: where to look first for the data that they were trained on.
        other: other data that the user named.
        notify: receives notices for the user, one line each.
    """
    pairs = list(zip(paths, checkpoints, strict=True))
    own: list[Splits | None]
    if other is None:
        own = [splits, load_splits(*pairs[1], data_dir, notify=notify)]
    else:
        own = [_load_if_same_files(*pair, splits, data_dir, notify) for pair in pairs]
    seen_by_a, seen_by_b = (_count_seen(splits, split, trained_on) for trained_on in own)
    if seen_by_a != seen_by_b:
        n = len(getattr(splits, split))
        raise CheckpointError(
            f"{paths[1]}: was trained on {seen_by_b:,} of these {n:,} examples and the other "
            f"network on {seen_by_a:,}, which is not fair; compare them with --split test"
        )


def _load_if_same_files(
    path: Path, checkpoint: Checkpoint, splits: Splits, data_dir: Path | None, notify: Notify
) -> Splits | None:
    """The data that a checkpoint was trained on; None if its files are not those of `splits`."""
    if checkpoint.document.get("data", {}).get("sha256") != splits.identity["sha256"]:
        return None
    return load_splits(path, checkpoint, data_dir, notify=notify)


def _count_seen(splits: Splits, split: str, trained_on: Splits | None) -> int:
    """How many examples of a split are among the training examples of `trained_on`."""
    if trained_on is None or trained_on.identity["sha256"] != splits.identity["sha256"]:
        return 0
    return int(np.isin(getattr(splits, split).rows, trained_on.train.rows).sum())


def _image_shapes_differ(a: Checkpoint, b: Checkpoint) -> bool:
    """Whether both checkpoints state the shape of their images, and it is not the same."""
    shapes = [checkpoint.document.get("image_shape") for checkpoint in (a, b)]
    return None not in shapes and shapes[0] != shapes[1]
