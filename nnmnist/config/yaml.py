"""Reads YAML text as a tree of values that know their file and line, and writes it.

The language is YAML without its traps. Plain scalars have the meaning of the core schema of YAML
1.2 (section 10.3.2), in decimal only: `1e-3` is a number; `yes`, `1:30`, `0x10` and `1_000` are
text. A key may occur once in a mapping. Anchors, aliases, tags and several documents are refused,
so that a text has no hidden meaning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import yaml
from msgspec.structs import replace

from nnmnist.errors import printable

MAX_SIZE = 1_000_000
MAX_NODES = 10_000
MAX_DEPTH = 20
# Limit of `parse_dumped`: too few characters to nest deeply enough for harm.
MAX_DUMPED = 4_000

_TAG = "tag:yaml.org,2002:"
# A longer number stays text, because Python needs quadratic time to convert its digits.
_NUMBER = r"(?=.{1,100}\Z)[-+]?"
_RESOLVERS = [
    (_TAG + "null", re.compile(r"(~|null|Null|NULL)?\Z")),
    (_TAG + "bool", re.compile(r"(true|True|TRUE|false|False|FALSE)\Z")),
    (_TAG + "int", re.compile(_NUMBER + r"[0-9]+\Z")),
    (_TAG + "float", re.compile(_NUMBER + r"(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")),
    (_TAG + "float", re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")),
]
# Anchors, aliases, tags, and numbers that PyYAML would read as octal.
_NOT_DUMPED = re.compile(r"[&*!]|[\[, ][-+]?0[0-9]")


class Place(NamedTuple):
    """The place of a value: its file, or flag, and line."""

    # A file, or a flag such as --seed.
    source: str
    # Counted from 1; 0 without line numbers.
    line: int = 0

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


class Node(msgspec.Struct, frozen=True):
    """A value and its place. Messages show it as `text`; `key` is the place of its key."""

    value: str | int | float | bool | list[Node] | dict[str, Node] | None
    place: Place
    text: str = ""
    key: Place | None = None

    def plain(self) -> Any:
        """The value as plain Python, without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def merged(self, over: Node) -> Node:
        """Merge `over` into this node: mappings key by key, other values are replaced."""
        if not isinstance(self.value, dict) or not isinstance(over.value, dict):
            return over
        joined = dict(self.value)
        for key, node in over.value.items():
            joined[key] = joined[key].merged(node) if key in joined else node
        return replace(self, value=joined)

    def at(self, keys: Sequence[str]) -> Node:
        """The node under the path `keys`, or the last one on this path."""
        node = self
        for key in keys:
            if isinstance(node.value, dict):
                node = node.value[key]
        return node

    def without(self, keys: Sequence[str]) -> Node:
        """The node without the value under the path `keys`; a null node if the path is empty."""
        if not keys:
            return replace(self, value=None)
        if not isinstance(self.value, dict) or keys[0] not in self.value:
            return self
        rest = {key: node for key, node in self.value.items() if key != keys[0]}
        if len(keys) > 1:
            rest[keys[0]] = self.value[keys[0]].without(keys[1:])
        return replace(self, value=rest)


class Fault(msgspec.Struct, frozen=True):
    """One thing that is wrong, as one line for the user."""

    place: Place
    problem: str
    # A dotted key, such as training.epochs; empty for the whole text.
    path: str = ""

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.place), self.path, self.problem) if part)


class Document(NamedTuple):
    """The tree of a text and all its faults; the tree is None if the text is not YAML."""

    source: str
    tree: Node | None
    faults: list[Fault]


def compose(text: str | bytes, source: str, numbered: bool = True) -> Document:
    """Read one YAML document.

    Args:
        text: the document.
        source: its name in places, such as a path.
        numbered: whether places have line numbers.
    """

    def broken(line: int, problem: str) -> Document:
        return Document(source, None, [Fault(Place(source, line if numbered else 0), problem)])

    if len(text) > MAX_SIZE:
        return broken(0, f"larger than {MAX_SIZE:,} bytes; a config is much smaller")
    try:
        characters = text.decode("utf-8-sig") if isinstance(text, bytes) else text
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return broken(
            line, f"not UTF-8 text (byte 0x{error.object[error.start]:02x}); save the file as UTF-8"
        )
    try:
        root = _Loader(characters).get_single_node()
    except yaml.reader.ReaderError as error:
        line = characters.count("\n", 0, error.position) + 1
        return broken(line, f"not valid YAML: the character U+{error.character:04X} is not allowed")
    except _Refusal as error:
        return broken(error.line, str(error))
    except yaml.MarkedYAMLError as error:
        problem = printable(", ".join(filter(None, [error.context, error.problem])), limit=160)
        hint = "; indent with spaces, not with tabs" if "'\\t'" in problem else ""
        mark = error.problem_mark or error.context_mark
        return broken(mark.line + 1 if mark else 1, f"not valid YAML: {problem}{hint}")
    if root is None:
        return Document(source, Node(None, Place(source, int(numbered)), "null"), [])
    reader = _TreeReader(source, numbered)
    return Document(source, reader.node(root, ""), reader.faults)


def dump_yaml(data: Mapping[str, Any]) -> str:
    """YAML text that `compose` reads as `data`: one key per line, in order, lists on one line."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))


def dump_value(value: Any) -> str:
    """One value as YAML on one line, as messages show it."""
    text = yaml.dump(
        [value],
        Dumper=_Dumper,
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=float("inf"),
    )
    return str(text).strip()[1:-1]


def parse_dumped(text: str) -> Any:
    """Read what `dump_yaml` wrote, with PyYAML's C parser, seven times as fast as `compose`.

    Raises ValueError for a text that may be other YAML; use `compose` for it.
    """
    if len(text) > MAX_DUMPED or _NOT_DUMPED.search(text):
        raise ValueError("dump_yaml did not write this")
    try:
        return yaml.load(text, _FastLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"dump_yaml did not write this: {error}") from None


class _Refusal(Exception):
    """Valid YAML that is not allowed in a config."""

    def __init__(self, event: yaml.Event, problem: str) -> None:
        super().__init__(problem)
        self.line: int = event.start_mark.line + 1  # type: ignore[union-attr]


class _Loader(yaml.SafeLoader):
    """Composes nodes with PyYAML's Python scanner: 1 ms for a config, and the same everywhere."""

    yaml_implicit_resolvers = {None: _RESOLVERS}  # noqa: RUF012

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = self._depth = 0

    def fetch_more_tokens(self) -> Any:
        try:
            return super().fetch_more_tokens()
        # PyYAML raises these for "\UFFFFFFFF" and for %YAML 1. followed by many digits.
        except (ValueError, OverflowError):
            problem = "an escape or a version is out of range"
            raise yaml.MarkedYAMLError(problem=problem, problem_mark=self.get_mark()) from None

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self._nodes += 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _Refusal(
                event, "anchors (&) and aliases (*) are not allowed; write the value out"
            )
        if event.tag is not None:
            raise _Refusal(event, "tags (!) are not allowed; write the plain value")
        if self._depth == MAX_DEPTH:
            raise _Refusal(event, f"nested more than {MAX_DEPTH} levels deep")
        if self._nodes > MAX_NODES:
            raise _Refusal(event, f"more than {MAX_NODES:,} values")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _FastLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """Reads plain scalars as `compose` does."""

    yaml_implicit_resolvers = {None: _RESOLVERS}  # noqa: RUF012


class _Dumper(yaml.SafeDumper):
    """Quotes text that `compose` would read as another type."""

    yaml_implicit_resolvers = {None: _RESOLVERS}  # noqa: RUF012


def _represent_list(dumper: _Dumper, data: Sequence[Any]) -> yaml.Node:
    return dumper.represent_sequence(_TAG + "seq", data, flow_style=True)


def _represent_str(dumper: _Dumper, data: str) -> yaml.Node:
    """Use double quotes for line breaks of YAML such as U+0085, which PyYAML would lose."""
    return dumper.represent_scalar(_TAG + "str", data, style=None if data.isprintable() else '"')


_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(str, _represent_str)


class _TreeReader:
    """Turns PyYAML's nodes into `Node` and collects the faults."""

    def __init__(self, source: str, numbered: bool) -> None:
        self.source, self.numbered = source, numbered
        self.faults: list[Fault] = []

    def node(self, node: yaml.Node, path: str, key: Place | None = None) -> Node:
        place = self._place(node)
        if isinstance(node, yaml.MappingNode):
            return Node(self._mapping(node, path), place, "a mapping", key)
        if isinstance(node, yaml.SequenceNode):
            items = [self.node(item, f"{path}[{i}]") for i, item in enumerate(node.value)]
            return Node(items, place, "a list", key)
        value = _scalar(node)
        if isinstance(value, str):
            if not _is_text(value):
                self.faults.append(
                    Fault(place, f"{printable(repr(value))} is not valid text", path)
                )
            return Node(value, place, printable(repr(value)), key)
        return Node(value, place, node.value or "null", key)

    def _mapping(self, mapping: yaml.MappingNode, path: str) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for key, value in mapping.value:
            place = self._place(key)
            if not isinstance(key, yaml.ScalarNode):
                self.faults.append(Fault(place, "a key must be one word", path))
                continue
            dotted = f"{path}.{printable(key.value)}" if path else printable(key.value)
            node = self.node(value, dotted, place)
            first = found.setdefault(key.value, node)
            if first is not node:
                where = f", first on line {first.key.line}" if first.key and first.key.line else ""
                self.faults.append(
                    Fault(place, f"this key occurs twice{where}; remove one", dotted)
                )
        return found

    def _place(self, node: yaml.Node) -> Place:
        return Place(self.source, node.start_mark.line + 1 if self.numbered else 0)


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    kind, text = node.tag.removeprefix(_TAG), node.value
    if kind == "null":
        return None
    if kind == "bool":
        return bool(text.lower() == "true")
    if kind == "int":
        return int(text)
    if kind == "float":
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return str(text)


def _is_text(value: str) -> bool:
    """Whether a file can hold the text: escapes allow null characters and half surrogate pairs."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False
