"""Messages for what is wrong with a config.

A message reads what is allowed from the JSON Schema that editors use, so that a new key or bound
needs no text of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from nnmnist.config.yaml import Node, compose
from nnmnist.errors import printable

Schema = Mapping[str, Any]

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "null": "null",
    "object": "a mapping of keys to values",
}
_FORMATS = {"path": "a folder", "uri": "a URL that starts with http:// or https://"}
_BOUNDS = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
_EXAMPLES = {"integer": "1000", "number": "0.5 or 1e-3"}
_ITEMS: Mapping[str, tuple[type, ...]] = {
    "integer": (int,), "number": (int, float), "string": (str,)
}  # fmt: skip


class Conflict(ValueError):
    """Values that are allowed alone, but not together.

    Args:
        faults: for each of them, the dotted key and what is wrong.
    """

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{key}: {problem}" for key, problem in faults))
        self.faults = faults


def words(schema: Schema) -> str:
    """What the JSON Schema of one value allows, such as "a whole number >= 1 or full"."""
    if "anyOf" in schema:
        return " or ".join(words(branch) for branch in schema["anyOf"])
    if "enum" in schema:
        return "one of " * (len(schema["enum"]) > 1) + ", ".join(schema["enum"])
    if "items" in schema:
        return f"a list (each item {words(schema['items'])})"
    name = _FORMATS.get(schema.get("format", "")) or _TYPES[schema["type"]]
    bounds = [f"{sign} {schema[key]:.15g}" for key, sign in _BOUNDS.items() if key in schema]
    return " ".join([name, " and ".join(bounds)]).strip()


def choices_of_keys(schema: Schema) -> dict[str, list[str]]:
    """The dotted keys of a config, and the values that can be listed: those that are words."""
    found = {}
    for path in _leaves(schema):
        here = schema
        for part in path.split("."):
            here = _keys(here)[part]
        found[path] = [word for branch in _branches(here) for word in _choices(branch)]
    return found


def _choices(schema: Schema) -> list[str]:
    words = {"boolean": ["true", "false"], "null": ["null"]}.get(schema.get("type", ""), [])
    return [*schema.get("enum", []), *words]


def unknown_key(key: str, here: Schema, root: Schema) -> str:
    """What is wrong with a key that the section `here` of the config `root` does not have."""
    leaves = {path.rpartition(".")[2]: path for path in _leaves(root)}
    if "." in key and key in leaves.values():
        hint = f"indent {key.rpartition('.')[2]} under {key.partition('.')[0]}"
    elif near := leaves.get(key) or _nearest(key, _keys(here)):
        hint = f"did you mean {near}?"
    elif near := _nearest(key, leaves):
        hint = f"did you mean {leaves[near]}?"
    else:
        hint = f"the keys here are {', '.join(_keys(here))}"
    return f"unknown key; {hint}"


def wrong_value(node: Node, allowed: Schema) -> str:
    """What is wrong with a value that the schema does not allow."""
    return f"expected {words(allowed)}, found {node.text}{_value_hint(node, allowed)}"


def items_of(schema: Schema) -> Schema:
    """The schema of an item of the lists that a schema allows."""
    items: Schema = next(branch["items"] for branch in _branches(schema) if "items" in branch)
    return items


def _leaves(schema: Schema, prefix: str = "") -> Iterator[str]:
    for name, value in _keys(schema).items():
        if "properties" not in value:
            yield prefix + name
        yield from _leaves(value, f"{prefix}{name}.")


def _value_hint(node: Node, allowed: Schema) -> str:
    branches = _branches(allowed)
    if _is_item(node.value, branches):
        return f"; did you mean [{printable(str(node.value))}]?"
    if not isinstance(node.value, str):
        return ""
    names = [name for branch in branches for name in branch.get("enum", [])]
    if near := _nearest(node.value, names):
        return f"; did you mean {near}?"
    examples = [_EXAMPLES[branch["type"]] for branch in branches if branch.get("type") in _EXAMPLES]
    if examples and node.value.lstrip("+-.")[:1].isdigit():
        tree = compose(node.value, "").tree
        quoted = tree is not None and isinstance(tree.value, (int, float))
        return "; remove the quotes" if quoted else f"; write decimal digits, such as {examples[0]}"
    return ""


def _is_item(value: Any, branches: Iterable[Schema]) -> bool:
    """Whether a list of this value is allowed where the value itself is not."""
    lists = [branch for branch in branches if "items" in branch]
    return any(type(value) in _ITEMS[branch["items"]["type"]] for branch in lists)


def _branches(schema: Schema) -> Sequence[Schema]:
    """The members of a union, or the schema itself."""
    branches: Sequence[Schema] = schema.get("anyOf", [schema])
    return branches


def _keys(schema: Schema) -> Schema:
    """The schema of each key of a section; empty if `schema` is not that of a section."""
    for branch in _branches(schema):
        if "properties" in branch:
            keys: Schema = branch["properties"]
            return keys
    return {}


def _nearest(word: str, names: Iterable[str]) -> str | None:
    names = list(names)
    initials = {"".join(part[0] for part in name.split("_")): name for name in names if "_" in name}
    word = word[:100].lower()  # a file may have a million letters, and comparing them takes seconds
    near = get_close_matches(word, names, n=1)
    return near[0] if near else initials.get(word)
