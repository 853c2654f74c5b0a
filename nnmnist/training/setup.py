"""From a config to the data, the network and the optimizer of a training."""

from __future__ import annotations

from itertools import pairwise
from os import PathLike
from pathlib import Path
from types import NoneType

import numpy as np
from numpy.typing import DTypeLike

from nnmnist.config.schema import Config, DataConfig, TrainingConfig
from nnmnist.data import synthetic
from nnmnist.data.examples import Examples, Interface, Source, Splits
from nnmnist.data.projection import projected_sizes
from nnmnist.data.sources import Notify, load_source, silent, split
from nnmnist.errors import ConfigError
from nnmnist.evaluation.evaluate import targets
from nnmnist.evaluation.predictor import NormalizedNetwork, skip_normalization
from nnmnist.model import gradcheck
from nnmnist.model.network import Network
from nnmnist.model.optimizers import OPTIMIZERS, Optimizer
from nnmnist.model.outputs import OUTPUTS, Output
from nnmnist.model.solvers import SOLVERS
from nnmnist.randomness import generator
from nnmnist.training.threads import training_cores
from nnmnist.types import Array, require_type

CHECK_EXAMPLES = 8  # examples of a gradient check
CHECK_PARAMETERS = 100  # parameters of an array that are checked one by one
# A limit for large networks: the products of one example, for each parameter that is checked.
CHECK_PRODUCTS = 40_000_000


def load_data(
    settings: DataConfig,
    seed: int = 0,
    data_dir: Path | str | None = None,
    notify: Notify = silent,
    show_progress: bool = False,
    network: Interface | None = None,
    start: Interface | None = None,
) -> Splits:
    """Training, validation and test examples as the `data` section of a config asks for.

    Args:
        settings: `config.data`.
        seed: chooses the validation examples, and seeds the examples that are generated.
        data_dir: the folder that has MNIST (`--data-dir`); None for the usual places.
        notify: receives notices for the user, one line each.
        show_progress: whether to show a bar on a terminal while pictures are read.
        network, start: how the checkpoint that is used, or started from, takes pictures, see
            `nnmnist.data.own.load`.

    Raises:
        ConfigError: `data.classes` does not fit the data.
        DataError: the data is not available, or has too few examples for the validation part.
        TypeError, ValueError: an argument is of another kind.
    """
    source = load_configured(settings, seed, data_dir, notify, show_progress, network, start)
    return split_configured(source, settings, seed, notify)


def load_configured(
    settings: DataConfig,
    seed: int = 0,
    data_dir: Path | str | None = None,
    notify: Notify = silent,
    show_progress: bool = False,
    network: Interface | None = None,
    start: Interface | None = None,
) -> Source:
    """The source of a config, before it is split. The arguments are those of `load_data`."""
    require_type("settings", settings, DataConfig, "the section `data` of a config: config.data")
    require_type("data_dir", data_dir, (str, PathLike, NoneType), "the path of a folder, or None")
    return load_source(
        settings.name,
        path=settings.path,
        own={
            **settings.own,
            "show_progress": show_progress,
            "network": network,
            "start": start,
        },
        mirrors=settings.mirrors,
        fallback=settings.fallback,
        seed=seed,
        data_dir=None if data_dir is None else Path(data_dir).expanduser(),
        notify=notify,
    )


def split_configured(
    source: Source, settings: DataConfig, seed: int = 0, notify: Notify = silent
) -> Splits:
    """The examples of a source as the `data` section of a config asks for.

    Those of `data.generated`, `data.no_digits` and `data.extra` are added.
    """
    splits = split(source, settings.validation, seed, settings.distortion, notify)
    if settings.generated or settings.no_digits:
        splits = synthetic.add_generated(
            splits, settings.generated, settings.no_digits, seed, training_cores()
        )
    if not settings.extra:
        return splits
    from nnmnist.data.own import add_extra

    return add_extra(splits, settings.extra, settings.extra_share, seed, notify)


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
    """The optimizer of a config for the parameters that steps change; None for a solver.

    They are those of the network, or with `principal_components` those of one with so many inputs.
    """
    if settings.optimizer in SOLVERS:
        return None
    sizes = projected_sizes(network.sizes, settings.principal_components)
    n_parameters = sum((n_in + 1) * n_out for n_in, n_out in pairwise(sizes))
    return OPTIMIZERS[settings.optimizer](n_parameters, settings.momentum, network.dtype)


def training_targets(output: Output, train: Examples, settings: TrainingConfig) -> Array | None:
    """(M, n_classes): column k is the target of class k in training; None for regression.

    Where some examples belong to no class, one more column has their target. It is that of an
    output for none of the classes; without one, all classes are equally probable (Hendrycks,
    Mazeika and Dietterich 2019, "Deep anomaly detection with outlier exposure").
    """
    y = targets(output, train)
    if y is not None and train.has_others:
        none = np.eye(len(y), dtype=y.dtype)[-1]
        y = np.column_stack([y, none if output.has_none else y.mean(axis=1)])
    if y is not None and settings.label_smoothing:
        y += settings.label_smoothing * (1 / len(y) - y)
    return y


def class_weights(settings: TrainingConfig, train: Examples) -> Array | None:
    """The weight of an example of each class, (n_classes,) float32; None if all weights are 1.

    The cost of a training is the weighted mean of the costs L_i of its n examples,

        J = sum_i v_i L_i / sum_i v_i = 1/n sum_i w_i L_i    with  w_i = n v_i / sum_j v_j,

    where v_i is the weight that the config gives to the class of example i. The w_i have the mean
    1, so that a learning rate has the same effect as without class weights. Examples of no class
    have the weight 1. "balanced" gives each
    class the same total weight: v = n / (n_classes n_k) for a class of n_k examples, as in
    scikit-learn. If each class has an example, these v have the mean 1 already.

    Args:
        settings: the section `training` of a config.
        train: the training examples.

    Raises:
        ConfigError: the targets are values, or the number of weights is not that of the classes.
    """
    given, n_classes = settings.class_weights, train.n_classes
    if given is None:
        return None
    if not n_classes:
        raise ConfigError("training.class_weights: needs classes, but the data has values")
    if given != "balanced" and len(given) != n_classes:
        raise ConfigError(
            f"training.class_weights: has length {len(given)}, but the data has {n_classes} "
            "classes; give one number per class"
        )
    train = train.without_others()
    counts = np.bincount(train.y, minlength=n_classes)
    # A class without training examples has no weight.
    v = 1 / np.maximum(counts, 1) if given == "balanced" else np.array(given)
    return np.asarray(len(train) * v / (v @ counts), np.float32)


def check_gradient(settings: Config) -> list[gradcheck.Check]:
    """Check the gradient of a config's network in float64, at a random point, on a few examples.

    The point is random because all biases are zero when training starts, where a relu could lie
    exactly on its kink.
    """
    splits = split(_check_examples(settings), 0)
    network = build_network(settings, splits, np.float64)
    rng = np.random.default_rng(settings.seed)
    for W, b in zip(network.W, network.b, strict=True):
        W[:] = rng.standard_normal(W.shape) / W.shape[1] ** 0.5
        b[:] = rng.standard_normal(b.shape)
    network, train, _ = skip_normalization(network, splits.train)
    x, y = train.x[:CHECK_EXAMPLES].astype(np.float64), train.y[:CHECK_EXAMPLES]
    one_hot = training_targets(network.output, train, settings.training)
    weights = class_weights(settings.training, train)
    has_dropout = settings.model.dropout or settings.model.input_dropout
    return gradcheck.check(
        network,
        x,
        y.T.astype(np.float64) if one_hot is None else one_hot[:, y],
        settings.training.weight_decay,
        dropout_seed=settings.seed if has_dropout else None,
        most=max(2, min(CHECK_PARAMETERS, CHECK_PRODUCTS // network.theta.size)),
        example_weights=1.0 if weights is None else weights[y].astype(np.float64),
    )


def _check_examples(settings: Config) -> Source:
    """The data of a config; for MNIST a few generated digits, which need no files."""
    if settings.data.path is None and settings.data.name in ("mnist", "synthetic"):
        return synthetic.load(settings.seed, n_train=2 * CHECK_EXAMPLES, n_test=CHECK_EXAMPLES)
    return load_configured(settings.data, settings.seed)
