"""What a run states about itself in its checkpoints, its summary and its config file."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from typing import Any

import numpy as np

import nnmnist
from nnmnist.config.schema import Config, DataConfig
from nnmnist.data.examples import Splits
from nnmnist.evaluation.evaluate import Evaluation
from nnmnist.evaluation.text import counted
from nnmnist.training.fit import Epoch
from nnmnist.training.threads import blas_kernel, blas_threads

Facts = Mapping[str, Any]


def versions() -> dict[str, str | int]:
    """What a result depends on besides the config and the data."""
    return {
        "nnmnist": nnmnist.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "blas": blas_kernel(),
        "blas_threads": blas_threads(),
    }


def data_facts(splits: Splits) -> dict[str, Any]:
    """The name and the identity of the data: hashes of files, or a seed, and the folder."""
    return {"name": splits.name, **splits.identity}


def is_same_data(a: Facts, b: Facts) -> bool:
    """Whether two results of `data_facts` mean the same examples, perhaps in another folder."""
    return {**a, "folder": None} == {**b, "folder": None}


def data_id(facts: Facts) -> str:
    """A digest of the data; runs with equal digests may be compared.

    Files count with their contents. Generated examples count with their source alone, because each
    seed generates others from it. Training examples that are added do not count: the results are
    about the same validation and test examples with and without them.
    """
    if "seed" in facts:
        facts = {"name": facts.get("name")}
    left_out = ("name", "folder", "extra", "generated", "no_digits")
    named = {key: value for key, value in facts.items() if key not in left_out} or facts
    return hashlib.sha256(json.dumps(named, sort_keys=True).encode()).hexdigest()[:12]


def replaced_data(settings: DataConfig, name: str) -> str | None:
    """The source that the data `name` replaced as `data.fallback`; None if it replaced none."""
    return settings.name if settings.path is None and settings.name != name else None


def data_title(name: str, replaced: str | None) -> str:
    """The name of the data; if it replaced other data, this says so."""
    return f"{name} (not {replaced})" if replaced else name


def data_sizes(splits: Splits) -> str:
    """How many examples there are, as "55,000 training, 5,000 validation, 10,000 test examples"."""
    generated = f" ({splits.n_generated:,} generated)" if splits.n_generated else ""
    training, validation = (
        f"{len(splits.train):,} training",
        f"{len(splits.validation):,} validation",
    )
    return f"{training}{generated}, {validation}, {counted(len(splits.test), 'test example')}"


def scores(result: Evaluation | Epoch | None) -> dict[str, float | None] | None:
    """Cost, accuracy and for regression R^2, as checkpoints and summary.json store them."""
    if result is None:
        return None
    values = {"cost": result.cost, "accuracy": result.accuracy}
    if result.r2 is not None:
        values["r2"] = result.r2
    return values


def preprocessing(settings: Config, splits: Splits) -> str | None:
    """How bytes of an image become inputs of the first layer, in words; None without images."""
    if not splits.image_shape:
        return None
    if settings.model.normalize:
        return "pixels / 255, then nnmnist.images.normalize.normalize"
    return "pixels / 255"
