"""From a config and its data to the network and the optimizer that train on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from nnmnist.config.schema import Config, DataConfig, TrainingConfig
from nnmnist.data.examples import Splits
from nnmnist.data.sources import Notify, load_source, silent, split
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
    """Inputs, hidden widths and outputs of the network that a config describes, for the data it is to learn."""
    n_classes = len(splits.classes)
    n_outputs = (
        OUTPUTS[settings.model.output].units(n_classes)
        if n_classes
        else splits.train.targets.shape[1]
    )
    return (splits.train.inputs.shape[1], *settings.model.hidden, n_outputs)


def build_network(settings: Config, splits: Splits, dtype: DTypeLike = np.float32) -> Network:
    """The untrained network that a config describes, for the data it is to learn."""
    model = settings.model
    network = Network(
        layer_sizes(settings, splits),
        model.activation,
        model.output,
        model.dropout,
        dtype,
        model.input_dropout,
        splits.image_shape if model.normalize else None,
    )
    network.initialize(generator(settings.seed, "weights"))
    return network


def make_optimizer(network: Network, settings: TrainingConfig) -> Optimizer | None:
    """The optimizer that `settings` names, for the parameters of `network`; None for a solver, which has no state."""
    if settings.optimizer in SOLVERS:
        return None
    return OPTIMIZERS[settings.optimizer](network.theta.size, settings.momentum, network.dtype)
