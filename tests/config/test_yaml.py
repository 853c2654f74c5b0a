from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nnmnist.config import yaml
from nnmnist.config.yaml import Node, Place, compose, dump_value, dump_yaml, parse_dumped
from nnmnist.errors import printable

# No time limits: the machines that run the tests are busy.
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def tree(text: str | bytes) -> Node:
    document = compose(text, "my.yaml")
    assert document.faults == []
    assert document.tree is not None
    return document.tree


def at(node: Any, *keys: str | int) -> Node:
    for key in keys:
        node = node.value[key]
    return node


def faults(text: str | bytes) -> list[str]:
    return [str(fault) for fault in compose(text, "my.yaml").faults]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        *[
            ("1e-3", 1e-3),
            ("1E5", 1e5),
            (".5", 0.5),
            ("5e3", 5e3),
            ("5.", 5.0),
            ("-1.5e+2", -150.0),
            ("+.5", 0.5),
        ],
        *[
            ("0", 0),
            ("-7", -7),
            ("+7", 7),
            ("010", 10),
            ("true", True),
            ("False", False),
            ("TRUE", True),
        ],
        *[("null", None), ("~", None), ("", None), ("# nothing", None), (".inf", float("inf"))],
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, expected: object) -> None:
    found = tree(text).plain()
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    "text",
    [
        *[
            "1:30",
            "0o17",
            "0x10",
            "1_000",
            "1e",
            "e5",
            ".",
            "1.2.3",
            "2001-01-01",
            "1 000",
            "1,5",
            "9" * 101,
            "١",
        ],
        *["yes", "no", "on", "off", "y", "nan", "inf", "tRue", "nUll", "<<", "="],
    ],
)
def test_anything_else_is_text(text: str) -> None:
    assert tree(f"key: {text}").plain() == {"key": text}


@pytest.mark.parametrize(
    "text", ["'1'", '"1"', "'true'", "'null'", '"1e-3"', "''", "|\n  1", ">\n  1"]
)
def test_quoted_and_block_scalars_are_text(text: str) -> None:
    assert isinstance(tree(f"key: {text}").plain()["key"], str)


def test_every_value_has_its_line() -> None:
    root = tree(
        "# comment\n"  # 1
        "a: 1\n"
        "b:\n"
        "  c:\n"
        "    2\n"  # 5
        "  d: [3,\n"
        "    4, {e:\n"
        "      5}]\n"
        "f:\n"
        "- 6\n"  # 10
        "-\n"
        "  7\n"
        "g:\n"
        "h: 'x\n"
        "\n"  # 15
        "  y'\n"
        "i: |\n"
        "  z\n"
        "j: end\n"
    )
    places = [
        ("a",),
        ("b", "c"),
        ("b", "d"),
        ("b", "d", 0),
        ("b", "d", 1),
        ("b", "d", 2, "e"),
        ("f", 0),
        ("f", 1),
    ]
    places += [("g",), ("h",), ("i",), ("j",)]
    assert [at(root, *keys).place.line for keys in places] == [
        2,
        5,
        6,
        6,
        7,
        8,
        10,
        12,
        13,
        14,
        17,
        19,
    ]
    assert at(root, "b", "c").key == Place("my.yaml", 4)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_and_byte_order_mark(end: str) -> None:
    root = tree(("\ufeff" + end.join(["a: 1", "b:", "  c: 2", ""])).encode())
    assert root.plain() == {"a": 1, "b": {"c": 2}}
    assert at(root, "b", "c").place.line == 3


def test_a_byte_order_mark_in_text() -> None:
    assert tree("\ufeffa: 1").plain() == {"a": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "a: 1\nb:\n  c: 1\n  d: 2\n  c: 3\na: 4\n",
            ["5: b.c: this key occurs twice, first on line 3", "6: a: this key occurs twice"],
        ),
        ("a: {b: 1,\n b: 2}", ["2: a.b: this key occurs twice, first on line 1"]),
        ("a: 1\n'a': 2", ["2: a: this key occurs twice"]),
        ("a: 1\n? [b]\n: 2", ["2: a key must be one word"]),
        ("a: 1\nb: &x 2", ["2: anchors (&) and aliases (*)"]),
        ("a: 1\nb: *x", ["2: anchors (&) and aliases (*)"]),
        ("a: 1\n<<: {}\n*x : 3", ["3: anchors (&) and aliases (*)"]),
        ("a: !!python/object/apply:os.system [ls]", ["1: tags (!) are not allowed"]),
        ("\na: !!float 3", ["2: tags (!)"]),
        ("a: ! 3", ["1: tags (!)"]),
        ("a: 1\n---\nb: 2", ["2: not valid YAML: expected a single document"]),
        (
            "a: 1\nb:\n\tc: 2",
            ["3: not valid YAML: while scanning for the next token, found character '\\t'"],
        ),
        ("a: 1\nb: [1, 2\nc: 3", ["3: not valid YAML: while parsing a flow sequence"]),
        ("a: 'x", ["1: not valid YAML: while scanning a quoted scalar"]),
        ("a: 1\n  b: 2", ["2: not valid YAML: mapping values are not allowed here"]),
        ("a: 1\nb: \x07", ["2: not valid YAML: the character U+0007 is not allowed"]),
        ("a: 1\nb: \ud800", ["2: not valid YAML: the character U+D800 is not allowed"]),
        ('a: 1\nb: "\\UFFFFFFFF"', ["2: not valid YAML: an escape or a version is out of range"]),
        ('a: 1\nb: "\\U00110000"', ["2: not valid YAML: an escape or a version is out of range"]),
        ('a: 1\nb: "\\ud800"', ["2: b: '\\ud800' is not valid text"]),
        ('a: 1\nb: ["x", "\\0"]', ["2: b[1]: '\\x00' is not valid text"]),
        (b"a: 1\nb: \xe9", ["2: not UTF-8 text (byte 0xe9); save the file as UTF-8"]),
        ("a: 1".encode("utf-16"), ["1: not UTF-8 text (byte 0xff); save the file as UTF-8"]),
        ("a: " + "[" * 50, ["1: nested more than 20 levels deep"]),
    ],
)
def test_every_fault_has_its_line(text: str | bytes, expected: list[str]) -> None:
    found = faults(text)
    assert len(found) == len(expected)
    for line, start in zip(found, expected, strict=True):
        assert line.startswith(f"my.yaml:{start}")
        assert "\n" not in line


def test_a_tab_has_a_hint() -> None:
    assert faults("a:\n\tb: 1")[0].endswith("; indent with spaces, not with tabs")


def test_places_without_line_numbers() -> None:
    document = compose("[1, 2", "--set a=[1, 2", numbered=False)
    assert document.tree is None
    assert str(document.faults[0]).startswith("--set a=[1, 2: not valid YAML: ")
    assert (
        str(compose("{a: 1, a: 2}", "--set", numbered=False).faults[0])
        == "--set: a: this key occurs twice; remove one"
    )


LAUGHS = "a: &a [lol, lol, lol]\n" + "".join(
    f"{name}: &{name} [{', '.join(['*' + before] * 9)}]\n"
    for before, name in zip("abcdefghijk", "bcdefghijkl", strict=True)
)
BOMBS = {
    "aliases": LAUGHS,
    "brackets": "[" * 500_000,
    "braces": "{a: " * 200_000,
    "dashes": "- " * 400_000,
    "indents": "".join(" " * i + "a:\n" for i in range(1000)),
    "items": "a: [" + "1," * 400_000 + "]",
    "keys": "".join(f"k{i}: 1\n" for i in range(80_000)),
    "version": f"%YAML 1.{'9' * 10_000}\n---\n",
    "size": "#" * 10_000_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_one_short_line(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    original = yaml._Loader.fetch_more_tokens

    def fetch_more_tokens(self: Any) -> Any:
        nonlocal calls
        calls += 1
        return original(self)

    monkeypatch.setattr(yaml._Loader, "fetch_more_tokens", fetch_more_tokens)
    document = compose(BOMBS[name], "my.yaml")
    # Without limits, parsing goes on for minutes, or until the memory is full.
    assert calls < 5 * yaml.MAX_NODES
    assert document.tree is None
    assert len(document.faults) == 1
    assert len(str(document.faults[0])) < 200


def test_a_very_long_number_is_text_and_is_shortened() -> None:
    node = at(tree("seed: " + "9" * 100_000), "seed")
    assert node.value == "9" * 100_000
    assert len(node.text) == 80


def test_what_is_within_the_limits_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml, "MAX_SIZE", 1000)
    monkeypatch.setattr(yaml, "MAX_NODES", 100)
    assert len(tree("[" + "1," * 99 + "]").plain()) == 99
    assert tree("a: 1 #" + "x" * 994).plain() == {"a": 1}
    assert faults("[" + "1," * 100 + "]") == ["my.yaml:1: more than 100 values"]
    assert faults("a: 1 #" + "x" * 995) == [
        "my.yaml: larger than 1,000 bytes; a config is much smaller"
    ]
    assert tree("[" * 20 + "]" * 20).place.line == 1


@relaxed
@given(
    st.one_of(
        st.binary(max_size=60),
        st.text(max_size=60),
        st.text("ab:-[]{}&*!|>'\"\\#%@?,~<= \n\t01.eux", max_size=40),
    )
)
def test_any_input_gives_a_tree_or_a_fault(text: str | bytes) -> None:
    document = compose(text, "my.yaml")
    assert document.tree is not None or len(document.faults) == 1
    assert all(str(fault).isprintable() for fault in document.faults)


SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    st.sampled_from(
        [
            "1e3",
            "1_000",
            "null",
            "~",
            "",
            "yes",
            "0x10",
            ".5",
            "1:30",
            "- a",
            "a: b",
            "#",
            "<<",
            "=",
            "\x85",
            "a\u2028b",
        ]
    ),
)


@relaxed
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "name"]), st.one_of(SCALARS, st.lists(SCALARS, max_size=4))
    )
)
def test_compose_reads_what_dump_yaml_writes(data: dict[str, Any]) -> None:
    found = tree(dump_yaml(data)).plain()
    assert found == data
    assert list(found) == list(data)
    assert repr(found) == repr(data)


@relaxed
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "name"]), st.one_of(SCALARS, st.lists(SCALARS, max_size=4))
    )
)
def test_parse_dumped_reads_the_same_or_refuses(data: dict[str, Any]) -> None:
    with suppress(ValueError):
        assert repr(parse_dumped(dump_yaml(data))) == repr(data)


def test_parse_dumped_reads_a_dumped_config() -> None:
    data = {
        "seed": 1,
        "data": {"name": "mnist", "path": None},
        "training": {"rate": 1e-5, "on": True, "w": [64, 8]},
    }
    assert repr(parse_dumped("# numpy: 2.0\n" + dump_yaml(data))) == repr(data)


@pytest.mark.parametrize(
    "text",
    [
        "a: &b 1",
        "a: [*b]",
        "a: !!python/name:os.system 1",
        "a: 010",
        "a: [1, 010]",
        "a: [",
        "a: 1" * 2000,
        "[" * 3999,
    ],
)
def test_parse_dumped_refuses_everything_else(text: str) -> None:
    with pytest.raises(ValueError, match="dump_yaml did not write this"):
        parse_dumped(text)


def test_merged_combines_mappings_and_replaces_other_values() -> None:
    below = tree("a: {b: 1, c: 2}\nd: [1]\ne: 3")
    above = tree("a: {c: 5, f: 6}\nd: [2, 3]\ng: {h: 7}")
    expected = {"a": {"b": 1, "c": 5, "f": 6}, "d": [2, 3], "e": 3, "g": {"h": 7}}
    assert below.merged(above).plain() == expected
    assert below.plain() == {"a": {"b": 1, "c": 2}, "d": [1], "e": 3}


def test_without_removes_one_key() -> None:
    node = tree("a: {b: 1, c: 2}\nd: 3")
    assert node.without(["a", "b"]).plain() == {"a": {"c": 2}, "d": 3}
    assert node.without(["a"]).plain() == {"d": 3}
    assert (
        node.without(["x"]).plain()
        == node.without(["a", "x"]).plain()
        == node.without(["d", "x"]).plain()
    )
    assert node.without([]).plain() is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("runs/Übung 1.yaml", "runs/Übung 1.yaml"),
        ("a\nb\x1b[2J", "a\\nb\\x1b[2J"),
        ("x" * 81, "x" * 77 + "..."),
    ],
)
def test_printable_is_one_safe_line(text: str, expected: str) -> None:
    assert printable(text) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, "null"), ("full", "full"), ("null", "'null'"), (0.5, "0.5"), ([64, 32], "[64, 32]"),
        ([], "[]"), (True, "true"), ({"sharpen": False}, "{sharpen: false}"),
        ("a\nb\x1b", r'"a\nb\e"'), ("a, b]", "'a, b]'"),
    ],
)  # fmt: skip
def test_a_value_on_one_line(value: object, expected: str) -> None:
    assert dump_value(value) == expected
    document = compose(dump_value(value), "my.yaml")
    assert document.tree is not None
    assert document.tree.plain() == value
