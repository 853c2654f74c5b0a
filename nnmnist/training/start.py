"""Training that starts from the network of a checkpoint: fine-tuning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from msgspec.structs import replace

from nnmnist.checkpoint import Checkpoint
from nnmnist.config.messages import Conflict
from nnmnist.config.schema import Config
from nnmnist.data.examples import Interface
from nnmnist.errors import CheckpointError, ConfigError
from nnmnist.evaluation.predictor import NormalizedNetwork
from nnmnist.images.preparation import from_document
from nnmnist.model.network import Network


def with_model_of(settings: Config, start: Checkpoint) -> Config:
    """The config with the `model` section of a checkpoint that the training starts from.

    Dropout may be chosen anew, because it has no parameters.

    Raises:
        ConfigError: a key of `model` is given that is another one in the checkpoint, or the
            checkpoint's model does not fit the other keys.
    """
    network = start.network
    model: dict[str, Any] = {
        "hidden": tuple(network.sizes[1:-1]),
        "activation": network.activation_name,
        "output": network.output_name,
        "normalize": isinstance(network, NormalizedNetwork),
    }
    given = settings.model.given
    for key, value in model.items():
        stated = getattr(settings.model, key)
        if key in given and stated != value:
            raise ConfigError(
                f"model.{key}: {_plain(stated)}, but the network of training.start_from: "
                f"{settings.training.start_from} has {_plain(value)}; remove model.{key}"
            )
    dropout = {"dropout": network.dropout, "input_dropout": network.input_dropout}
    model |= {key: value for key, value in dropout.items() if key not in given}
    try:
        return replace(settings, model=replace(settings.model, **model))
    except Conflict as conflict:
        key, problem = conflict.faults[0]
        raise ConfigError(
            f"{key}: {problem} (with the network of training.start_from: "
            f"{settings.training.start_from})"
        ) from None


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def interface_of(start: Checkpoint) -> Interface | None:
    """What a network reads and tells apart; None if its inputs are not images."""
    preparation = from_document(start.document)
    return Interface(preparation, start.classes) if preparation else None


def copy_layers(start: Checkpoint, path: Path, network: Network, classes: tuple[str, ...]) -> None:
    """Copy the parameters of a checkpoint; with other classes, all but those of the last layer.

    Args:
        start: the checkpoint.
        path: its file, for errors.
        network: the network to train, with initial parameters.
        classes: what it is to tell apart.

    Raises:
        CheckpointError: the network has other inputs or hidden layers.
    """
    known, wanted = start.network.sizes, network.sizes
    if known[0] != wanted[0]:
        raise CheckpointError(f"{path}: takes {known[0]} inputs, but the data has {wanted[0]}")
    if known[1:-1] != wanted[1:-1]:
        has, asked = list(known[1:-1]), list(wanted[1:-1])
        raise CheckpointError(f"{path}: has hidden layers {has}, but model.hidden is {asked}")
    same = start.classes == classes and known == wanted
    layers = zip(network.W, network.b, start.network.W, start.network.b, strict=True)
    for W, b, known_W, known_b in list(layers)[: None if same else -1]:
        W[:], b[:] = known_W, known_b
