"""From a YAML file and overrides to a checked config.

The order of precedence is defaults < file < `--set` < dedicated flags. All faults are reported at
once, one line each, with file and line or with the flag.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from nnmnist.config.messages import explain, is_conflict, is_structural
from nnmnist.config.schema import Config
from nnmnist.config.yaml import (
    MAX_DEPTH,
    MAX_SIZE,
    Document,
    Fault,
    Node,
    Place,
    compose,
    dump_yaml,
)
from nnmnist.errors import ConfigError, printable
from nnmnist.types import require_type

DEFAULT_RECIPE = "mnist"
# The keys whose values are paths: section and key.
PATHS = (("data", "path"), ("data", "extra"), ("training", "start_from"))


class Override(NamedTuple):
    """A value that replaces the file's. Errors name `origin`, such as a flag."""

    key: str  # dotted, such as training.epochs
    text: str  # the value as YAML
    origin: str


def load_config(
    path: Path | str | None = None,
    overrides: Sequence[str | Override] = (),
    folder: Path | str | None = None,
) -> Config:
    """Read the config of a file or a shipped recipe.

    Args:
        path: a file; or as text the name of a file or a recipe, such as "softmax"; None for the
            default recipe.
        overrides: values that replace those of the file; the last one counts. Each is a text
            "dotted.key=YAML value", as for `--set`, or an `Override`.
        folder: what paths in the file are relative to; None for its own folder. Paths in overrides
            are relative to the current directory.

    Raises:
        ConfigError: the file or an override is wrong; the message has one line for each fault.
        TypeError: an argument is of another kind.
    """
    require_type("path", path, (str, Path, NoneType), "a path, the name of a recipe, or None")
    require_type("overrides", overrides, (list, tuple), "a list, such as ['training.epochs=5']")
    if path is None:
        path = _recipe(DEFAULT_RECIPE)
    elif isinstance(path, str):
        path = find_config(path)
    file = _with_absolute_paths(read_yaml(path), Path(folder or path.parent))
    changes = (_with_absolute_paths(_override(each), Path()) for each in overrides)
    return _combine([file, *changes])


def change_config(settings: Config, overrides: Iterable[str | Override]) -> Config:
    """A config with some keys changed. Raises ConfigError as `load_config` does."""
    changes = [_with_absolute_paths(_override(each), Path()) for each in overrides]
    return _combine([compose(dump_config(settings), "config"), *changes])


def faults_of(override: Override) -> list[Fault]:
    """What is wrong with a value alone, without regard to other keys."""
    document = _override(override)
    if document.tree is None:
        return document.faults
    errors = [error for error in _errors(document.tree) if not is_conflict(error)]
    return document.faults + [
        fault for each in errors for fault in explain(each, document.tree, json_schema())
    ]


def parse_config(text: str, name: str) -> Config:
    """The config of a YAML text, which errors call `name`. Raises ConfigError."""
    return _combine([compose(text, name)])


def dump_config(config: Config) -> str:
    """YAML text with every key of a config; `parse_config` reads it as an equal config."""
    return dump_yaml(config.as_json())


def find_config(name: str) -> Path:
    """The file `name`, or the recipe of that name. Raises ConfigError, which lists the recipes."""
    if os.path.exists(name) and not os.path.isdir(name):
        return Path(name)
    return _recipe(name)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of config files, without references."""
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
    """The two values, as JSON, of each dotted key in which two configs differ."""
    left, right = (flatten(each.as_json(), depth=2) for each in (a, b))
    return {key: (left[key], right[key]) for key in left if left[key] != right[key]}


def flatten(tree: Mapping[str, Any], depth: int = MAX_DEPTH) -> dict[str, Any]:
    """The values of nested dictionaries under dotted keys: {"a": {"b": 1}} becomes {"a.b": 1}.

    Args:
        depth: the largest number of parts in a key; deeper dictionaries stay values.
    """
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict) and depth > 1:
            flat |= {f"{key}.{rest}": leaf for rest, leaf in flatten(value, depth - 1).items()}
        else:
            flat[key] = value
    return flat


def recipes() -> dict[str, Path]:
    """The shipped recipes by name."""
    folder = recipe_folder()
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in sorted(folder.rglob("*.yaml"))
    }


def _recipe(name: str) -> Path:
    found = recipes()
    if name not in found:
        missing = f"{printable(name)}: this file does not exist"
        names = {path.rpartition("/")[2]: path for path in found}
        here = [path.as_posix() for path in Path(name).parent.glob("*.y*ml")]
        near = get_close_matches(name, [*found, *names, *here], n=1)
        if near:
            raise ConfigError(f"{missing}; did you mean {names.get(near[0], near[0])}?")
        raise ConfigError(f"{missing}; the recipes are {', '.join(found)}")
    return found[name]


def recipe_folder() -> Path:
    """The folder of the recipes: in the installed package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def read_yaml(path: Path) -> Document:
    """The YAML of a file. Raises ConfigError if it cannot be read."""
    name = printable(str(path), limit=1000)
    try:
        with open(path, "rb") as file:
            return compose(file.read(MAX_SIZE + 1), name)
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from None


def _override(override: str | Override) -> Document:
    require_type("overrides", override, (str, Override), "texts such as 'training.epochs=5'")
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


def _with_absolute_paths(document: Document, folder: Path) -> Document:
    """The document with the paths of PATHS absolute; relative ones are relative to `folder`."""
    tree = document.tree
    for section, key in PATHS:
        part = tree.value.get(section) if tree and isinstance(tree.value, dict) else None
        node = part.value.get(key) if part and isinstance(part.value, dict) else None
        if tree and part and node:
            changed = Node({key: _absolute(node, folder)}, part.place)
            tree = tree.merged(Node({section: changed}, tree.place))
    return document._replace(tree=tree)


def _absolute(node: Node, folder: Path) -> Node:
    """A path, or a list of paths, made absolute; other values are left to the schema."""
    if isinstance(node.value, list):
        return replace(node, value=[_absolute(item, folder) for item in node.value])
    if not isinstance(node.value, str) or not node.value or "\0" in node.value:
        return node
    return replace(node, value=os.path.abspath(folder / os.path.expanduser(node.value)))


def _combine(documents: Sequence[Document]) -> Config:
    """The config of all documents; later ones replace earlier ones. Raises ConfigError."""
    faults = [fault for document in documents for fault in document.faults]
    errors: list[tuple[ErrorDetails, Node]] = []
    merged = Node(None, Place(""))
    for document in documents:
        if document.tree is not None:
            found = list(filter(is_structural, _errors(document.tree)))
            errors += [(error, document.tree) for error in found]
            merged = merged.merged(_without(document.tree, found))
    found = _errors(merged)
    conflicts = _errors(_without(merged, found)) if found else []  # among the valid values
    errors += [(error, merged) for error in found + conflicts]
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
    """The tree without the keys that the errors are about."""
    for error in errors:
        tree = tree.without([str(part) for part in error["loc"][:2]])  # section and key
    return tree
