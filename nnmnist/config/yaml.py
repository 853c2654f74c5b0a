"""YAML text <-> a tree of values, each of which knows where it stands.

The language is YAML without its traps. Plain scalars mean what the core schema of YAML 1.2 (section 10.3.2)
says, decimal only: `1e-3` is a number; `yes`, `1:30`, `0x10` and `1_000` are text. A key stands once in its
mapping. Anchors, aliases, tags and further documents are refused, so that no text means more than is seen.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import yaml

from nnmnist.errors import printable

MAX_SIZE = 1_000_000
MAX_NODES = 10_000
MAX_DEPTH = 20
MAX_DUMPED = 4_000  # too few bytes to nest deeply enough for harm

_TAG = "tag:yaml.org,2002:"
# what is longer stays text: Python converts long digits in quadratic time
_NUMBER = r"(?=.{1,100}\Z)[-+]?"
_RESOLVERS = [
    (_TAG + "null", re.compile(r"(~|null|Null|NULL)?\Z")),
    (_TAG + "bool", re.compile(r"(true|True|TRUE|false|False|FALSE)\Z")),
    (_TAG + "int", re.compile(_NUMBER + r"[0-9]+\Z")),
    (_TAG + "float", re.compile(_NUMBER + r"(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")),
    (_TAG + "float", re.compile(r"([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))\Z")),
]
# anchors, aliases, tags; what PyYAML would read as octal
_ODD = re.compile(r"[&*!]|[\[, ][-+]?0[0-9]")


class Place(NamedTuple):
    """Where a value was written."""

    source: str  # a file, or a flag such as --seed
    line: int = 0  # from 1; 0 where lines have no number

    def __str__(self) -> str:
        return f"{self.source}:{self.line}" if self.line else self.source


@dataclass(frozen=True)
class Node:
    """A value and its place; `text` is how a message shows it, `key` the place of the key before it."""

    value: str | int | float | bool | list[Node] | dict[str, Node] | None
    place: Place
    text: str = ""
    key: Place | None = None

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def merged(self, over: Node) -> Node:
        """`over` laid on this node: mappings are joined key by key, anything else is replaced."""
        if not isinstance(self.value, dict) or not isinstance(over.value, dict):
            return over
        joined = dict(self.value)
        for key, node in over.value.items():
            joined[key] = joined[key].merged(node) if key in joined else node
        return replace(self, value=joined)

    def without(self, keys: Sequence[str]) -> Node:
        """This node less the value under `keys`, if there is one; a null node where `keys` is empty."""
        if not keys:
            return replace(self, value=None)
        if not isinstance(self.value, dict) or keys[0] not in self.value:
            return self
        rest = {key: node for key, node in self.value.items() if key != keys[0]}
        if len(keys) > 1:
            rest[keys[0]] = self.value[keys[0]].without(keys[1:])
        return replace(self, value=rest)


@dataclass(frozen=True)
class Fault:
    """One thing wrong, as the one line that a user reads."""

    place: Place
    problem: str
    path: str = ""  # dotted, such as training.epochs; empty where the text as a whole is meant

    def __str__(self) -> str:
        return ": ".join(part for part in (str(self.place), self.path, self.problem) if part)


class Document(NamedTuple):
    """What a text says, and all that is wrong with it; `tree` is None where it is no YAML at all."""

    source: str
    tree: Node | None
    faults: list[Fault]


def compose(text: str | bytes, source: str, numbered: bool = True) -> Document:
    """Read one YAML document; `source` names it in places, with line numbers if `numbered`."""

    def broken(line: int, problem: str) -> Document:
        return Document(source, None, [Fault(Place(source, line if numbered else 0), problem)])

    if len(text) > MAX_SIZE:
        return broken(0, f"larger than {MAX_SIZE:,} bytes, far more than a config needs")
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
    """YAML text that `compose` reads as `data`: a key a line, in their order, and each list on one line."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=float("inf"))


def undump(text: str) -> Any:
    """What `dump` wrote, read seven times as fast as by `compose`: no places, no faults, by PyYAML's C parser.

    Raises ValueError for what may be other YAML, which `compose` can judge.
    """
    if len(text) > MAX_DUMPED or _ODD.search(text):
        raise ValueError("not what dump writes")
    try:
        return yaml.load(text, _FastLoader)
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"not what dump writes: {error}") from None


class _Refusal(Exception):
    """Valid YAML that a config does without."""

    def __init__(self, event: yaml.Event, problem: str) -> None:
        super().__init__(problem)
        self.line: int = event.start_mark.line + 1  # type: ignore[union-attr]


class _Loader(yaml.SafeLoader):
    """Composes nodes only. PyYAML's own Python scanner takes 1 ms for a config and is the same everywhere."""

    yaml_implicit_resolvers = {None: _RESOLVERS}  # noqa: RUF012

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._nodes = self._depth = 0

    def fetch_more_tokens(self) -> Any:
        try:
            return super().fetch_more_tokens()
        except (
            ValueError,
            OverflowError,
        ):  # PyYAML lets them through: "\UFFFFFFFF", %YAML 1.<long digits>
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
    """Means by plain scalars what `compose` does."""

    yaml_implicit_resolvers = {None: _RESOLVERS}  # noqa: RUF012


class _Dumper(yaml.SafeDumper):
    """Quotes what `compose` would otherwise not read as text."""

    yaml_implicit_resolvers = {None: _RESOLVERS}  # noqa: RUF012


def _represent_list(dumper: _Dumper, data: Sequence[Any]) -> yaml.Node:
    return dumper.represent_sequence(_TAG + "seq", data, flow_style=True)


def _represent_str(dumper: _Dumper, data: str) -> yaml.Node:
    """Double quotes escape the line breaks of YAML, such as U+0085, which PyYAML's own choice would lose."""
    return dumper.represent_scalar(_TAG + "str", data, style=None if data.isprintable() else '"')


_Dumper.add_representer(list, _represent_list)
_Dumper.add_representer(str, _represent_str)


class _TreeReader:
    """Turns PyYAML's nodes into ours and gathers the faults on the way."""

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
                self.faults.append(Fault(place, f"{printable(repr(value))} is no text", path))
            return Node(value, place, printable(repr(value)), key)
        return Node(value, place, node.value or "null", key)

    def _mapping(self, mapping: yaml.MappingNode, path: str) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for key, value in mapping.value:
            place = self._place(key)
            if not isinstance(key, yaml.ScalarNode):
                self.faults.append(Fault(place, "a key must be a single word", path))
                continue
            dotted = f"{path}.{printable(key.value)}" if path else printable(key.value)
            node = self.node(value, dotted, place)
            first = found.setdefault(key.value, node)
            if first is not node:
                where = f", first on line {first.key.line}" if first.key and first.key.line else ""
                self.faults.append(Fault(place, f"given twice{where}; remove one", dotted))
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
    """Whether a file could hold `value`: an escape can spell a null character or half of a surrogate pair."""
    try:
        return b"\0" not in value.encode()
    except UnicodeEncodeError:
        return False
