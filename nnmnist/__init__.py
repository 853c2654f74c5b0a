"""Train digit classifiers in NumPy, and read the code beside the formulas.

The public API:

    load_config   read a config: a YAML file, or a recipe such as "softmax"
    Config        a checked config
    load_data     training, validation and test examples for a config
    Network       an L-layer network: parameters, gradient, predictions
    fit           train a network; yields one record per epoch
    plot_history  learning curves of what `fit` yields
    evaluate      cost, accuracy and confusion matrix, or R^2, of a network
    save, load    write and read a checkpoint
    predict       the digit in a picture of your own

An example:

    config = nnmnist.load_config("mnist")
    splits = nnmnist.load_data(config.data)
    network = nnmnist.Network((784, 256, 10))
    network.initialize(np.random.default_rng(0))
    for epoch in nnmnist.fit(network, splits.train, splits.validation, config.training):
        print(epoch.number, epoch.cost, epoch.validation.accuracy)
    print(nnmnist.evaluate(network, splits.test).accuracy)
    nnmnist.save("mine.npz", network, splits.classes, {"image_shape": splits.image_shape})
    print(nnmnist.predict("mine.npz", splits.test.inputs[0].reshape(splits.image_shape)))
"""

from __future__ import annotations

from nnmnist._version import __version__ as __version__

# Nothing is imported here that takes time, see `__main__`.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from nnmnist.checkpoint import load as load
    from nnmnist.checkpoint import save as save
    from nnmnist.config.loading import load_config as load_config
    from nnmnist.config.schema import Config as Config
    from nnmnist.evaluation.evaluate import evaluate as evaluate
    from nnmnist.evaluation.prediction import predict as predict
    from nnmnist.model.network import Network as Network
    from nnmnist.plots.curves import plot_history as plot_history
    from nnmnist.training.fit import fit as fit
    from nnmnist.training.setup import load_data as load_data

# Name -> module. A name is loaded when it is first used, so that `nnmnist --help` does not wait for
# NumPy.
_MODULES = {
    "Config": "nnmnist.config.schema",
    "Network": "nnmnist.model.network",
    "evaluate": "nnmnist.evaluation.evaluate",
    "fit": "nnmnist.training.fit",
    "load": "nnmnist.checkpoint",
    "load_config": "nnmnist.config.loading",
    "load_data": "nnmnist.training.setup",
    "plot_history": "nnmnist.plots.curves",
    "predict": "nnmnist.evaluation.prediction",
    "save": "nnmnist.checkpoint",
}

__all__ = [
    "Config", "Network", "evaluate", "fit", "load", "load_config", "load_data", "plot_history",
    "predict", "save",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module 'nnmnist' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
