"""Train digit classifiers from one YAML file, in NumPy, and read the code beside the formulas.

The names below are loaded when first used, so that `nnmnist --help` need not wait for NumPy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nnmnist.checkpoint import load as load
    from nnmnist.checkpoint import save as save
    from nnmnist.config import Config as Config
    from nnmnist.config import load as load_config
    from nnmnist.data import load as load_data
    from nnmnist.evaluation import evaluate as evaluate
    from nnmnist.model.network import Network as Network
    from nnmnist.training import fit as fit

__version__ = "0.1.0"

_HOMES = {
    "Config": "nnmnist.config:Config",
    "Network": "nnmnist.model.network:Network",
    "evaluate": "nnmnist.evaluation:evaluate",
    "fit": "nnmnist.training:fit",
    "load": "nnmnist.checkpoint:load",
    "load_config": "nnmnist.config:load",
    "load_data": "nnmnist.data:load",
    "save": "nnmnist.checkpoint:save",
}

__all__ = ["Config", "Network", "evaluate", "fit", "load", "load_config", "load_data", "save"]


def __getattr__(name: str) -> Any:
    try:
        module, attribute = _HOMES[name].split(":")
    except KeyError:
        raise AttributeError(f"module 'nnmnist' has no attribute {name!r}") from None
    return getattr(import_module(module), attribute)
