"""From a config to the data, the network and the optimizer of a training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from nnmnist.config.schema import Config, DataConfig, TrainingConfig
from nnmnist.data.examples import Splits
from nnmnist.data.sources import Notify, load_source, silent, split
from nnmnist.evaluation.predictor import NormalizedNetwork
from nnmnist.model.network import Network
from nnmnist.model.optimizers import OPTIMIZERS, Optimizer
from nnmnist.model.outputs import OUTPUTS
from nnmnist.model.solvers import SOLVERS
from nnmnist.randomness import generator


def load_data(
    settings: DataConfig,
    seed: int = 0,
    data_dir: Path | None = None,
    notify: Notify = silent,
) -> Splits:
    """Training, validation and test examples as the `data` section of a config asks for.

    Args:
        settings: `config.data`.
        seed: chooses the validation examples, and seeds the examples that are generated.
        data_dir: where to look for files first (`--data-dir`).
        notify: receives notices for the user, one line each.

    Raises:
        DataError: the data is not available, or has too few examples for the validation part.
    """
    source = load_source(
        settings.name, path=settings.path, mirrors=settings.mirrors, fallback=settings.fallback,
        seed=seed, data_dir=data_dir, notify=notify,
    )  # fmt: skip
    return split(source, settings.validation, seed, settings.distortion)


def layer_sizes(settings: Config, splits: Splits) -> tuple[int, ...]:
    """The inputs, hidden widths and outputs of a config's network for the data it will train on."""
    n_classes = len(splits.classes)
    if n_classes:
        n_outputs = OUTPUTS[settings.model.output].n_units(n_classes)
    else:
        n_outputs = splits.train.targets.shape[1]
    return (splits.train.inputs.shape[1], *settings.model.hidden, n_outputs)


def build_network(settings: Config, splits: Splits, dtype: DTypeLike = np.float32) -> Network:
    """The untrained network of a config, with initial weights, for the data it will train on.

    Args:
        settings: the config.
        splits: the data, as `load_data` gives it.
        dtype: float32 to train, float64 to check gradients.
    """
    model = settings.model
    network = Network(
        layer_sizes(settings, splits),
        activation=model.activation,
        output=model.output,
        dropout=model.dropout,
        input_dropout=model.input_dropout,
        dtype=dtype,
    )
    network.initialize(generator(settings.seed, "weights"))
    if model.normalize and splits.image_shape:
        return NormalizedNetwork(network, splits.image_shape)
    return network


def make_optimizer(network: Network, settings: TrainingConfig) -> Optimizer | None:
    """The optimizer of a config for the parameters of a network; None where a solver is used."""
    if settings.optimizer in SOLVERS:
        return None
    return OPTIMIZERS[settings.optimizer](network.theta.size, settings.momentum, network.dtype)
