"""Train digit classifiers from one YAML file, in NumPy, and read the code beside the formulas.

The names below are loaded when first used, so that `nnmnist --help` need not wait for NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from nnmnist._version import __version__ as __version__

if TYPE_CHECKING:
    from nnmnist.checkpoint import load as load
    from nnmnist.checkpoint import save as save
    from nnmnist.config.loading import load_config as load_config
    from nnmnist.config.schema import Config as Config
    from nnmnist.evaluation.evaluate import evaluate as evaluate
    from nnmnist.model.network import Network as Network
    from nnmnist.training.fit import fit as fit
    from nnmnist.training.setup import load_data as load_data

_HOMES = {
    "Config": "nnmnist.config.schema:Config",
    "Network": "nnmnist.model.network:Network",
    "evaluate": "nnmnist.evaluation.evaluate:evaluate",
    "fit": "nnmnist.training.fit:fit",
    "load": "nnmnist.checkpoint:load",
    "load_config": "nnmnist.config.loading:load_config",
    "load_data": "nnmnist.training.setup:load_data",
    "save": "nnmnist.checkpoint:save",
}

__all__ = ["Config", "Network", "evaluate", "fit", "load", "load_config", "load_data", "save"]


def __getattr__(name: str) -> Any:
    try:
        module, attribute = _HOMES[name].split(":")
    except KeyError:
        raise AttributeError(f"module 'nnmnist' has no attribute {name!r}") from None
    return getattr(import_module(module), attribute)
