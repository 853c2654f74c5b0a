"""Reads a sweep file: a base config, a space over its keys, and how to search it.

All faults are reported at once, one line each, with file and line. Nothing trains before there are
none.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, field
from msgspec.structs import replace
from optuna.trial import BaseTrial

from nnmnist.config.loading import (
    DEFAULT_RECIPE,
    Override,
    change_config,
    faults_of,
    find_config,
    flatten,
    load_config,
    problems,
    read_yaml,
)
from nnmnist.config.schema import Config, Section, one_of
from nnmnist.config.yaml import Fault, Node
from nnmnist.errors import ConfigError
from nnmnist.sweep.samplers import PRUNERS, SAMPLERS
from nnmnist.sweep.space import MOST, Dimension, Params, joined, parse, text_of

Count = Annotated[int, Meta(ge=1, le=MOST)]


class SweepFile(Section, frozen=True, kw_only=True):
    """The keys of a sweep file."""

    config: str = DEFAULT_RECIPE  # the base config: a file beside this one, or a recipe
    set: dict[str, Any] = field(default_factory=dict)  # dotted keys that change for all trials
    space: dict[str, Any] = field(default_factory=dict)  # dotted keys and their values
    sampler: Annotated[str, one_of(SAMPLERS)] = "grid"
    pruner: Annotated[str, one_of(PRUNERS)] = "none"
    trials: Count | None = None  # for a grid, the number of its points
    seeds: Count = 1  # runs of each trial; their mean counts


@dataclass(frozen=True)
class Sweep:
    """A sweep file that was read and checked."""

    name: str
    base: Config
    space: dict[str, Dimension]
    written: dict[str, Node]  # the space as in the file
    sampler: str
    pruner: str
    requested: int  # the number of trials in the file; for a grid, of its points
    seeds: int

    @property
    def size(self) -> float:
        """The number of points of the space, if there are at most MOST."""
        return math.prod(dimension.size() for dimension in self.space.values())

    @property
    def trials(self) -> int:
        """The number of trials. No point is trained twice, so a small space has fewer."""
        return int(min(self.requested, self.size))

    def points(self) -> Iterator[Params]:
        """All points in order; the last key changes fastest."""
        parts = (dimension.grid(key) or () for key, dimension in self.space.items())
        return map(joined, product(*parts))

    def point(self, number: int) -> Params:
        """The values of trial `number` of a grid.

        If a pruner is used, the order is random, because a pruner compares each trial with earlier
        ones: it would stop none in a grid whose points get better and better.
        """
        if self.pruner != "none":
            number = int(np.random.default_rng(0).permutation(self.trials)[number])
        return next(islice(self.points(), number, None))

    def values(self, trial: BaseTrial) -> dict[str, Any]:
        """The value of each key of the space in a trial."""
        return {key: dimension.suggest(trial, key) for key, dimension in self.space.items()}

    def runs(self, trial: BaseTrial, folder: Path) -> list[tuple[Path, Config]]:
        """The directory and config of each run of a trial: one run, or one per seed.

        Raises:
            ConfigError: the values of the trial are not allowed together.
        """
        values = self.values(trial).items()
        changes = [_change(key, self.written[key], value) for key, value in values]
        settings, name = change_config(self.base, changes), name_of(trial.number)
        if self.seeds == 1:
            return [(folder / name, settings)]
        seeds = range(settings.seed, settings.seed + self.seeds)
        return [
            (
                folder / f"{name}-seed-{seed}",
                change_config(settings, [Override("seed", str(seed), "seeds")]),
            )
            for seed in seeds
        ]

    def identity(self) -> dict[str, str]:
        """What the sessions of one sweep have in common: all but name and number of trials."""
        base = self.base.as_json()
        return {
            **{f"config {key}": text_of(value) for key, value in flatten(base).items()},
            **{f"space {key}": json.dumps(node.plain()) for key, node in self.written.items()},
            **{key: str(getattr(self, key)) for key in ("sampler", "pruner", "seeds")},
        }


def name_of(number: int) -> str:
    """The name of a trial's directory."""
    return f"trial-{number:04}"


def load(path: Path) -> Sweep:
    """Read a sweep file. Raises ConfigError with one line for each fault."""
    document = read_yaml(path)
    if document.tree is None or document.faults:
        raise _refusal(document.faults)
    file = _file(document.tree)
    fixed, written = _nodes(document.tree, "set"), _nodes(document.tree, "space")
    faults = [fault for key, node in fixed.items() for fault in _faults(key, node, [node.plain()])]
    space: dict[str, Dimension] = {}
    for key, node in written.items():
        dimension = parse(key, node)
        if key == "data.validation":
            problem = "must be the same for all trials, which are compared by it; move it to set"
            faults.append(Fault(node.place, problem, f"space.{key}"))
        elif isinstance(dimension, Fault):
            faults.append(dimension)
        else:
            space[key] = dimension
            faults += _faults(key, node, dimension.samples())
    if faults:
        raise _refusal(faults)
    try:
        trials, source = _trials(file, space), _base(path, file.config)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    base = load_config(source, [_change(key, node, node.plain()) for key, node in fixed.items()])
    if base.data.validation == 0:
        raise ConfigError(
            f"{path}: trials are compared by validation, but data.validation is 0; raise it"
        )
    _require_seeds(document.tree, base.seed, space, file.seeds)
    return Sweep(path.stem, base, space, written, file.sampler, file.pruner, trials, file.seeds)


def _file(tree: Node) -> SweepFile:
    """The keys of the file, checked; the values of `set` and `space` come later."""
    if faults := [problem.fault for problem in problems(tree, SweepFile)]:
        raise _refusal(faults)
    return SweepFile.from_json(tree.plain())


def _nodes(tree: Node, name: str) -> dict[str, Node]:
    """The keys and values of a section; empty if it is missing."""
    sections = tree.value if isinstance(tree.value, dict) else {}
    section = sections[name].value if name in sections else {}
    return section if isinstance(section, dict) else {}


def _change(key: str, node: Node, value: Any) -> Override:
    """An override that gives a key of the config a value that `node` allows."""
    return Override(key, text_of(value), str(node.place))


def _faults(key: str, node: Node, values: Iterable[Any]) -> Iterator[Fault]:
    """What is wrong with values that `node` gives a key of the config."""
    for value in values:
        for fault in faults_of(_change(key, node, value)):
            yield replace(fault, place=node.place)


def _trials(file: SweepFile, space: Mapping[str, Dimension]) -> int:
    """The number of trials. Raises ConfigError."""
    if not space:
        raise ConfigError("space has no key; add one, such as training.learning_rate: [0.1, 0.2]")
    if file.sampler != "grid":
        if file.trials is None:
            raise ConfigError(
                f"trials: is missing; sampler: {file.sampler} needs it, such as trials: 50"
            )
        return file.trials
    if file.trials is not None:
        raise ConfigError(
            "trials: a grid trains all its points; remove trials, or choose another sampler"
        )
    for key, dimension in space.items():
        if dimension.grid(key) is None:
            raise ConfigError(
                f"space.{key}: a range has no grid; list its values, or choose another sampler"
            )
    size = math.prod(dimension.size() for dimension in space.values())
    if size > MOST:
        raise ConfigError(f"space: the grid has more than {MOST:,} points; choose another sampler")
    return int(size)


def _require_seeds(tree: Node, seed: int, space: Mapping[str, Dimension], seeds: int) -> None:
    """Raise ConfigError if the last seed of a trial is too large."""
    largest = max(space["seed"].samples()) if "seed" in space else seed
    faults = faults_of(Override("seed", str(largest + seeds - 1), "seeds"))
    if faults and isinstance(tree.value, dict):
        place = tree.value["seeds"].place
        raise ConfigError(f"{place}: seeds: {seeds} from {largest} on: {faults[0].problem}")


def _base(path: Path, name: str) -> Path:
    """The config `name`: a file beside the sweep file, or a recipe. Raises ConfigError."""
    beside = path.parent / name
    return beside if beside.is_file() else find_config(name)


def _refusal(faults: Iterable[Fault]) -> ConfigError:
    ordered = sorted(faults, key=lambda fault: fault.place.line)
    return ConfigError("\n".join(dict.fromkeys(map(str, ordered))))
