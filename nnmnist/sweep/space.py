"""The values of a key in a sweep: one of a list, a range, or the widths of some layers.

    training.momentum: [0, 0.9]                       one of these
    training.learning_rate: {log_uniform: [1e-3, 1]}  also uniform and integer, with both ends
    model.hidden: {layers: [1, 3], width: [64, 128]}  one to three layers, each with its own width

Optuna knows a value by its dotted key, and the widths as `model.hidden.layers`, `model.hidden.1`,
`model.hidden.2`, ...
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product
from typing import TYPE_CHECKING, Any, Protocol

from nnmnist.config.yaml import Fault, Node, dump_yaml

if TYPE_CHECKING:
    from optuna.trial import BaseTrial

MOST = 10_000  # trials, and points that are counted

Params = dict[str, Any]  # Optuna's: a number or text under each name

KINDS = ("uniform", "log_uniform", "integer")
RANGES = ", ".join(f"{{{kind}: [low, high]}}" for kind in KINDS)
FORMS = f"a list of values, {RANGES} or {{layers: [1, 3], width: ...}}"


class Dimension(Protocol):
    """The values of one key, or of one width."""

    def suggest(self, trial: BaseTrial, name: str) -> Any:
        """The value in a trial: from the grid, or from the sampler."""

    def grid(self, name: str) -> Iterator[Params] | None:
        """All values in order, as parameters of Optuna; None for a continuous range."""

    def size(self) -> float:
        """The number of values; any number above MOST if there are more."""

    def samples(self) -> list[Any]:
        """Values to check: if these are allowed in a config, all are."""


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    values: tuple[Any, ...]

    def suggest(self, trial: BaseTrial, name: str) -> Any:
        options = {_option(value): value for value in self.values}
        return options[trial.suggest_categorical(name, list(options))]

    def grid(self, name: str) -> Iterator[Params]:
        return ({name: _option(value)} for value in self.values)

    def size(self) -> float:
        return len(self.values)

    def samples(self) -> list[Any]:
        return list(self.values)


@dataclass(frozen=True)
class Range:
    """A number from `low` to `high`, uniform in itself or in its logarithm."""

    low: float
    high: float
    log: bool

    def suggest(self, trial: BaseTrial, name: str) -> float:
        return trial.suggest_float(name, self.low, self.high, log=self.log)

    def grid(self, name: str) -> None:
        return None

    def size(self) -> float:
        return math.inf

    def samples(self) -> list[Any]:
        return [self.low, self.high]


@dataclass(frozen=True)
class Integer:
    """A whole number from `low` to `high`."""

    low: int
    high: int

    def suggest(self, trial: BaseTrial, name: str) -> int:
        return trial.suggest_int(name, self.low, self.high)

    def grid(self, name: str) -> Iterator[Params]:
        return ({name: value} for value in range(self.low, self.high + 1))

    def size(self) -> float:
        return self.high + 1 - self.low

    def samples(self) -> list[Any]:
        return [self.low, self.high]


@dataclass(frozen=True)
class Layers:
    """From `low` to `high` layers, each with its own width."""

    low: int
    high: int
    width: Choice | Integer

    def suggest(self, trial: BaseTrial, name: str) -> list[int]:
        n = trial.suggest_int(f"{name}.layers", self.low, self.high)
        return [self.width.suggest(trial, f"{name}.{l}") for l in range(1, n + 1)]

    def grid(self, name: str) -> Iterator[Params]:
        for n in range(self.low, self.high + 1):
            for widths in product(*(self.width.grid(f"{name}.{l}") for l in range(1, n + 1))):
                yield joined(({f"{name}.layers": n}, *widths))

    def size(self) -> float:
        size = 0.0
        for n in range(self.low, self.high + 1):
            size += self.width.size() ** n
            if size > MOST:
                break
        return size

    def samples(self) -> list[Any]:
        return [[width] * max(self.low, 1) for width in self.width.samples()]


def joined(parts: tuple[Params, ...]) -> Params:
    """The union of several parts of a point."""
    return {name: value for part in parts for name, value in part.items()}


def text_of(value: Any) -> str:
    """A value as YAML, on one line."""
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return dump_yaml({"": value}).split(":", 1)[1].strip()


def _option(value: Any) -> Any:
    """A value as a choice of Optuna, which allows numbers and texts: a list becomes its YAML."""
    return text_of(value) if isinstance(value, list) else value


class Unfit(Exception):
    """The reason why a node is not a dimension."""

    def __init__(self, node: Node, problem: str) -> None:
        super().__init__(problem)
        self.node = node


def parse(key: str, node: Node) -> Dimension | Fault:
    """The dimension that `node` gives the dotted key `key`, or what is wrong with it."""
    try:
        return _dimension(node)
    except Unfit as unfit:
        return Fault(unfit.node.place, str(unfit), f"space.{key}")


def _dimension(node: Node) -> Dimension:
    if isinstance(node.value, list):
        return _choice(node, node.value)
    if not isinstance(node.value, dict):
        raise Unfit(
            node, f"expected {FORMS}, found {node.text}; a key with one value belongs in set"
        )
    if node.value.keys() & {"layers", "width"}:
        return _layers(node, node.value)
    kind = next(iter(node.value), "")
    if len(node.value) != 1 or kind not in KINDS:
        near = get_close_matches(kind, [*KINDS, "layers"], n=1) if kind not in KINDS else []
        raise Unfit(node, f"did you mean {near[0]}?" if near else f"expected {FORMS}")
    low, high = _bounds(node.value[kind], kind)
    if kind == "integer":
        return Integer(low, high)
    if low == high:
        raise Unfit(node, f"an empty range: {kind} needs two different numbers")
    if kind == "log_uniform" and low <= 0:
        raise Unfit(
            node,
            f"log_uniform from {low:g} has no logarithm; start above 0, such as [1e-4, {high:g}]",
        )
    return Range(float(low), float(high), kind == "log_uniform")


def _choice(node: Node, items: list[Node]) -> Choice:
    values = [item.plain() for item in items]
    if not values:
        raise Unfit(node, "an empty list: give at least one value")
    seen: list[Any] = []
    for item, value in zip(items, values, strict=True):
        if isinstance(value, dict):
            raise Unfit(item, "expected a value, found a mapping")
        # 1 and 1.0 are one value, but 1 and true are two
        if any(value == other and (type(value) is bool) == (type(other) is bool) for other in seen):
            raise Unfit(item, f"{text_of(value)} occurs twice; remove one")
        seen.append(value)
    return Choice(tuple(values))


def _layers(node: Node, parts: dict[str, Node]) -> Layers:
    if parts.keys() != {"layers", "width"}:
        raise Unfit(
            node, "expected both layers and width, such as {layers: [1, 3], width: [64, 128]}"
        )
    low, high = _bounds(parts["layers"], "integer")
    if low < 0:
        raise Unfit(
            parts["layers"], f"expected two whole numbers >= 0, such as [1, 3], found {low}"
        )
    width = _dimension(parts["width"])
    if not isinstance(width, (Choice, Integer)):
        raise Unfit(parts["width"], "expected a list of whole numbers or {integer: [low, high]}")
    return Layers(low, high, width)


def _bounds(node: Node, kind: str) -> tuple[Any, Any]:
    """Two numbers, the lower one first."""
    bounds = node.plain()
    wanted, called = ((int,), "whole numbers") if kind == "integer" else ((int, float), "numbers")
    if (
        not isinstance(bounds, list)
        or len(bounds) != 2
        or any(type(each) not in wanted for each in bounds)
    ):
        raise Unfit(node, f"expected two {called}, such as [1, 3]")
    low, high = bounds
    if not low <= high:  # nor is a NaN
        raise Unfit(node, f"an empty range: {low:g} is above {high:g}")
    return low, high
