"""From a YAML file and overrides to a checked config.

The order of precedence is defaults < file < `--set` < dedicated flags. All faults are reported at
once, one line each, with file and line or with the flag.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import NoneType
from typing import Any, NamedTuple

from msgspec.structs import replace

from nnmnist.config.messages import Conflict, items_of, unknown_key, wrong_value
from nnmnist.config.schema import Config, is_allowed, kinds, schema_of, section_in
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
    return document.faults + [each.fault for each in problems(document.tree, Config)]


def parse_config(text: str, name: str) -> Config:
    """The config of a YAML text, which errors call `name`. Raises ConfigError."""
    return _combine([compose(text, name)])


def dump_config(config: Config) -> str:
    """YAML text with every key of a config; `parse_config` reads it as an equal config."""
    return dump_yaml(config.as_json())


def find_config(name: str) -> Path:
    """The file `name`, or the recipe of that name. Raises ConfigError, which lists the recipes."""
    if not name:
        raise ConfigError("the name of the config is empty; give a file or a recipe")
    if os.path.exists(name) and not os.path.isdir(name):
        return Path(name)
    return _recipe(name)


def json_schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of config files, without references."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema_of(Config)}


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
    merged = Node(None, Place(""))
    for document in documents:
        if document.tree is not None:
            wrong = [each for each in problems(document.tree, Config) if each.is_structural]
            faults += [each.fault for each in wrong]
            merged = merged.merged(_without(document.tree, wrong))
    wrong = list(problems(merged, Config))
    faults += [each.fault for each in wrong]
    valid = _without(merged, wrong)
    try:
        config = Config.from_json(valid.plain())
    except Conflict as conflict:
        for path, problem in conflict.faults:
            faults.append(Fault(valid.at(path.split(".")).place, problem, path))
    if faults:
        order = [document.source for document in documents]
        faults.sort(key=lambda fault: (order.index(fault.place.source), fault.place.line))
        raise ConfigError("\n".join(dict.fromkeys(map(str, faults))))
    return config


class Problem(NamedTuple):
    """A wrong key or value."""

    keys: tuple[str, ...]  # of the sections that it is in, and its own
    fault: Fault
    is_structural: bool = False  # whether a key or section is wrong, whatever later documents say


def problems(
    node: Node, kind: Any, keys: tuple[str, ...] = (), root: Any = None
) -> Iterator[Problem]:
    """All wrong keys and values of a section or value, but no conflicts.

    Args:
        node: what was written.
        kind: its type.
        keys: its place in the config.
        root: the type of the whole config; None for `kind`.
    """
    root, section, path = root or kind, section_in(kind), _dotted(keys)
    if section and isinstance(node.value, dict):
        known = kinds(section)
        for key, value in node.value.items():
            if key in known:
                yield from problems(value, known[key], (*keys, key), root)
            else:
                hint = unknown_key(key, schema_of(section), schema_of(root))
                fault = Fault(value.key or value.place, hint, _dotted((*keys, key)))
                yield Problem((*keys, key), fault, is_structural=True)
    elif isinstance(node.value, list) and is_allowed([], kind):
        for i, item in enumerate(node.value):
            if not is_allowed([item.plain()], kind):
                expected = wrong_value(item, items_of(schema_of(kind)))
                yield Problem(keys, Fault(item.place, expected, f"{path}[{i}]"))
    elif not is_allowed(node.plain(), kind):
        expected = wrong_value(node, schema_of(kind))
        yield Problem(keys, Fault(node.place, expected, path), is_structural=section is not None)


def _dotted(keys: Sequence[str]) -> str:
    return ".".join(map(printable, keys))


def _without(tree: Node, wrong: Iterable[Problem]) -> Node:
    """The tree without the keys that the problems are about."""
    for problem in wrong:
        tree = tree.without(problem.keys[:2])  # section and key
    return tree
