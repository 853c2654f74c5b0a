"""The config: one YAML file, checked before anything else happens, as the models of `settings`.

The order of precedence is defaults < file < overrides (`--set`, then dedicated flags). All faults are told at
once, a line each, with file and line or flag.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nnmnist.config.messages import explain, is_clash, is_structural
from nnmnist.config.schema import Config, Section
from nnmnist.config.yaml import MAX_SIZE, Document, Fault, Node, Place, compose, dump_yaml
from nnmnist.errors import ConfigError, printable

DEFAULT_RECIPE = "mnist"


class Override(NamedTuple):
    """A value that wins over the file: `key` is dotted, `text` is YAML, `origin` names the flag in errors."""

    key: str
    text: str
    origin: str


def load_config(path: Path | None = None, overrides: Sequence[str | Override] = ()) -> Config:
    """The config of the file `path` (None: the default recipe) and `overrides`, of which the last wins.

    An override is "dotted.key=YAML value", as given to `--set`, or an `Override` for a flag of its own.
    Raises ConfigError with one line for each fault.
    """
    return _combine([read_yaml(path or _recipe(DEFAULT_RECIPE)), *map(_override, overrides)])


def change_config(settings: Config, overrides: Iterable[Override]) -> Config:
    """`settings` with some keys changed. Raises ConfigError as `load` does."""
    return _combine([compose(dump_config(settings), "config"), *map(_override, overrides)])


def faults_of(override: Override) -> list[Fault]:
    """What is wrong with a value in itself, whatever it clashes with."""
    document = _override(override)
    if document.tree is None:
        return document.faults
    errors = [error for error in _errors(document.tree) if not is_clash(error)]
    return document.faults + [
        fault for each in errors for fault in explain(each, document.tree, json_schema())
    ]


def parse_config(text: str, name: str) -> Config:
    """The config that the YAML `text` describes; errors call it `name`. Raises ConfigError."""
    return _combine([compose(text, name)])


def dump_config(config: Config) -> str:
    """YAML text with every key of `config`, which `parse` reads as an equal config."""
    return dump_yaml(config.model_dump(mode="json"))


def find_config(name: str) -> Path:
    """The file `name`, or the shipped recipe of that name. Raises ConfigError, which lists the recipes."""
    if os.path.exists(name) and not os.path.isdir(name):
        return Path(name)
    return _recipe(name)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a config file, with the sections in place."""
    document = Config.model_json_schema()
    sections = document.pop("$defs")

    def in_place(part: Any) -> Any:
        if isinstance(part, list):
            return [in_place(item) for item in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            return in_place(sections[part["$ref"].rpartition("/")[2]])
        return {key: in_place(value) for key, value in part.items()}

    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **in_place(document)}


def differences(a: Config, b: Config) -> dict[str, tuple[Any, Any]]:
    """The values of `a` and `b` under each dotted key in which they differ."""
    left, right = _flat(a), _flat(b)
    return {key: (left[key], right[key]) for key in left if left[key] != right[key]}


def _flat(config: Config) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config:
        flat |= (
            {f"{name}.{key}": leaf for key, leaf in value}
            if isinstance(value, Section)
            else {name: value}
        )
    return flat


def _recipe(name: str) -> Path:
    folder = _recipe_folder()
    recipes = {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*.yaml"))
    }
    if name not in recipes:
        raise ConfigError(
            f"{printable(name)}: no such config file; the shipped recipes are {', '.join(recipes)}"
        )
    return recipes[name]


def _recipe_folder() -> Path:
    """Inside the package once installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def read_yaml(path: Path) -> Document:
    """The YAML of a file. Raises ConfigError where it cannot be read."""
    name = printable(str(path), limit=1000)
    try:
        with open(path, "rb") as file:
            return compose(file.read(MAX_SIZE + 1), name)
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from None


def _override(override: str | Override) -> Document:
    if isinstance(override, str):
        key, equals, text = override.partition("=")
        override = Override(key.strip() if equals else "", text, f"--set {override}")
    place = Place(printable(override.origin))
    if not override.key:
        return Document(
            place.source, None, [Fault(place, "expected KEY=VALUE, such as training.epochs=5")]
        )
    document = compose(override.text, place.source, numbered=False)
    if document.tree is None:
        return document
    tree = replace(document.tree, key=place)
    for key in reversed(override.key.split(".")):
        tree = Node({key: tree}, place, "a mapping", place)
    return document._replace(tree=tree)


def _combine(documents: Sequence[Document]) -> Config:
    """The config of all documents, the later winning. Raises ConfigError, its lines in order of place."""
    faults = [fault for document in documents for fault in document.faults]
    errors: list[tuple[ErrorDetails, Node]] = []
    merged = Node(None, Place(""))
    for document in documents:
        if document.tree is not None:
            found = list(filter(is_structural, _errors(document.tree)))
            errors += [(error, document.tree) for error in found]
            merged = merged.merged(_without(document.tree, found))
    found = _errors(merged)
    clashes = _errors(_without(merged, found)) if found else []  # among the values that are sound
    errors += [(error, merged) for error in found + clashes]
    if errors:
        shape = json_schema()
        faults += [fault for error, tree in errors for fault in explain(error, tree, shape)]
    if faults:
        order = [document.source for document in documents]
        faults.sort(key=lambda fault: (order.index(fault.place.source), fault.place.line))
        raise ConfigError("\n".join(dict.fromkeys(map(str, faults))))
    return Config.model_validate(merged.plain())


def _errors(tree: Node) -> list[ErrorDetails]:
    try:
        Config.model_validate(tree.plain())
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _without(tree: Node, errors: Iterable[ErrorDetails]) -> Node:
    """`tree` less the keys that the errors are about."""
    for error in errors:
        tree = tree.without([str(part) for part in error["loc"][:2]])  # section and key
    return tree
