from __future__ import annotations

from typing import Any

import pytest

from nnmnist.config.loading import parse_config
from nnmnist.config.messages import words
from nnmnist.data.sources import SOURCES
from nnmnist.errors import ConfigError

COUNT = "a whole number >= 1"
SEED = "a whole number >= 0 and <= 4294967295"
WIDTH = f"{COUNT} and <= 1000000"
LIST = f"a list (each item {WIDTH})"
URL = "a URL that starts with http:// or https://"
NAMES = "one of identity, relu, sigmoid, softplus, tanh"
OUTPUT_NAMES = "one of linear, logistic, relu, sigmoid, softmax, softmax_or_none"
WEIGHT = "a number > 0 and <= 1000000"
WEIGHTS = f"balanced or a list (each item {WEIGHT}) or null"
SWITCH = "true or false or a mapping of keys to values or null"
DIGITS = "; write decimal digits, such as"
TRAINING_KEYS = (
    "epochs, batch_size, optimizer, learning_rate, momentum, schedule, warmup, centre_inputs, "
    "principal_components, weight_decay, label_smoothing, class_weights, adversarial, start_from, "
    "patience, tolerance, curve_every"
)


def error_lines(text: str) -> list[str]:
    """Return the lines of the error, each without `my.yaml:`."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "my.yaml")
    return [line.removeprefix("my.yaml:") for line in str(caught.value).splitlines()]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer", "minimum": 1}, COUNT),
        ({"type": "number", "minimum": 0, "exclusiveMaximum": 1}, "a number >= 0 and < 1"),
        ({"type": "number", "exclusiveMinimum": 0}, "a number > 0"),
        ({"type": "integer", "maximum": 9}, "a whole number <= 9"),
        ({"type": "string", "enum": ["a", "b"]}, "one of a, b"),
        (
            {"anyOf": [{"type": "integer"}, {"enum": ["full"]}, {"type": "null"}]},
            "a whole number or full or null",
        ),
        (
            {"type": "array", "items": {"type": "string", "format": "path"}},
            "a list (each item a folder)",
        ),
        ({"type": "object"}, "a mapping of keys to values"),
        ({"type": "string"}, "text"),
        (
            {"anyOf": [{"type": "boolean"}, {"type": "object"}]},
            "true or false or a mapping of keys to values",
        ),
    ],
)
def test_words(schema: dict[str, Any], expected: str) -> None:
    assert words(schema) == expected


@pytest.mark.parametrize(
    ("text", "allowed", "found"),
    [
        ("seed: -1", SEED, "-1"),
        ("seed: 4294967296", SEED, "4294967296"),
        ("seed: 1e3", SEED, "1e3"),
        (
            "data.name: minst",
            f"one of {', '.join(sorted(SOURCES))}",
            "'minst'; did you mean mnist?",
        ),
        ("data.path: 3", "a folder or null", "3"),
        ("data.path: ''", "a folder or null", "''"),
        ("data.path: [a]", "a folder or null", "a list"),
        ("data.validation: 0.5", "a whole number >= 0", "0.5"),
        ("data.fallback: mnist", "synthetic or null", "'mnist'"),
        (
            "data.mirrors: http://a",
            f"a list (each item {URL}) or null",
            "'http://a'; did you mean [http://a]?",
        ),
        (
            r'data.mirrors: "\e[2J"',
            f"a list (each item {URL}) or null",
            r"'\x1b[2J'; did you mean [\x1b[2J]?",
        ),
        ("data.distort: yes", SWITCH, "'yes'"),
        ("data.distort: 3", SWITCH, "3"),
        ("data.distort: [3]", SWITCH, "a list"),
        ("model.hidden: 256", LIST, "256; did you mean [256]?"),
        ("model.hidden: '256'", LIST, "'256'"),
        ("model.hidden: true", LIST, "true"),
        ("model.hidden: null", LIST, "null"),
        ("model.hidden: {0: 3}", LIST, "a mapping"),
        ("model.activation: rlu", NAMES, "'rlu'; did you mean relu?"),
        ("model.activation: 3", NAMES, "3"),
        ("model.output: hinge", OUTPUT_NAMES, "'hinge'"),
        ("model.dropout: 1.0", "a number >= 0 and < 1", "1.0"),
        ("training.epochs: true", COUNT, "true"),
        ("training.epochs: 3.0", COUNT, "3.0"),
        ("training.epochs: 0", COUNT, "0"),
        ("training.epochs:", COUNT, "null"),
        ("training.epochs: ~", COUNT, "~"),
        ("training.epochs: [3]", COUNT, "a list"),
        ("training.epochs: {a: 3}", COUNT, "a mapping"),
        ("training.epochs: 'x\n\n    y'", COUNT, "'x\\ny'"),
        ("training.epochs: yes", COUNT, "'yes'"),
        ("training.epochs: '3'", COUNT, "'3'; remove the quotes"),
        ("training.epochs: 1_0", COUNT, f"'1_0'{DIGITS} 1000"),
        ("training.batch_size: 0", f"{COUNT} or full", "0"),
        ("training.batch_size: ful", f"{COUNT} or full", "'ful'; did you mean full?"),
        ("training.batch_size: {full: 1}", f"{COUNT} or full", "a mapping"),
        ("training.batch_size: {constrained-int: 1}", f"{COUNT} or full", "a mapping"),
        ("training.tolerance: -1e-9", "a number >= 0 or null", "-1e-9"),
        ("training.optimizer: SGD", "one of adam, least_squares, sgd", "'SGD'; did you mean sgd?"),
        ("training.optimizer: null", "one of adam, least_squares, sgd", "null"),
        ("training.learning_rate: 0", "a number > 0", "0"),
        ("training.learning_rate: -1e-3", "a number > 0", "-1e-3"),
        ("training.learning_rate: .nan", "a number > 0", ".nan"),
        ("training.learning_rate: .inf", "a number > 0", ".inf"),
        ("training.learning_rate: 1e999", "a number > 0", "1e999"),
        ("training.learning_rate: nan", "a number > 0", "'nan'"),
        ("training.learning_rate: false", "a number > 0", "false"),
        ("training.learning_rate: '0.1'", "a number > 0", "'0.1'; remove the quotes"),
        ("training.learning_rate: 1:30", "a number > 0", f"'1:30'{DIGITS} 0.5 or 1e-3"),
        ("training.learning_rate: 0x10", "a number > 0", f"'0x10'{DIGITS} 0.5 or 1e-3"),
        ("training.learning_rate: 0o17", "a number > 0", f"'0o17'{DIGITS} 0.5 or 1e-3"),
        ("training.learning_rate: 0,1", "a number > 0", f"'0,1'{DIGITS} 0.5 or 1e-3"),
        ("training.momentum: 1", "a number >= 0 and < 1", "1"),
        (
            "training.schedule: onecycle",
            "one of constant, cosine, one_cycle",
            "'onecycle'; did you mean one_cycle?",
        ),
        ("training.weight_decay: -0.1", "a number >= 0", "-0.1"),
        ("training.patience: 0", f"{COUNT} or null", "0"),
        ("training.class_weights: balancd", WEIGHTS, "'balancd'; did you mean balanced?"),
        ("training.class_weights: 2", WEIGHTS, "2; did you mean [2]?"),
        ("training.class_weights: {0: 1}", WEIGHTS, "a mapping"),
    ],
)
def test_values(text: str, allowed: str, found: str) -> None:
    key, _, value = text.partition(":")
    section, _, leaf = key.rpartition(".")
    document = (
        f"# comment\n{section}:\n  {leaf}: {value}" if section else f"# comment\n\n{leaf}: {value}"
    )
    assert error_lines(document) == [f"3: {key}: expected {allowed}, found {found}"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("model:\n  hidden:\n  - 9\n  - 0", f"4: model.hidden[1]: expected {WIDTH}, found 0"),
        ("model: {hidden: [9,\n true]}", f"2: model.hidden[1]: expected {WIDTH}, found true"),
        ("model: {hidden: [[9]]}", f"1: model.hidden[0]: expected {WIDTH}, found a list"),
        (
            "data:\n mirrors: [http://a/,\n ftp://a]",
            f"3: data.mirrors[1]: expected {URL}, found 'ftp://a'",
        ),
        (
            "data:\n  distort:\n    alpha: 3\n    sigma: 0",
            "4: data.distort.sigma: expected a number >= 0.5, found 0",
        ),
        (
            "training:\n  class_weights: [1,\n   0]",
            f"3: training.class_weights[1]: expected {WEIGHT}, found 0",
        ),
        ("training:\n  epochs:\n    x", f"3: training.epochs: expected {COUNT}, found 'x'"),
    ],
)
def test_an_error_has_the_line_of_the_value(text: str, expected: str) -> None:
    assert error_lines(text) == [expected]


@pytest.mark.parametrize(
    "url", ["ftp://a", "a.org", "http://", "http:///x", "http://a b", " http://a", "file:///a"]
)
def test_a_mirror_is_a_url(url: str) -> None:
    assert error_lines(f"data: {{mirrors: ['{url}']}}") == [
        f"1: data.mirrors[0]: expected {URL}, found '{url}'"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "training:\n  learning_rat: 1",
            "2: training.learning_rat: unknown key; did you mean learning_rate?",
        ),
        (
            "training:\n  batch-size:\n    1",
            "2: training.batch-size: unknown key; did you mean batch_size?",
        ),
        ("training: {droput: 1}", "1: training.droput: unknown key; did you mean model.dropout?"),
        ("training: {seed: 1}", "1: training.seed: unknown key; did you mean seed?"),
        ("training: {zz: 1}", f"1: training.zz: unknown key; the keys here are {TRAINING_KEYS}"),
        (
            'training: {"a\\nb": 1}',
            f"1: training.a\\nb: unknown key; the keys here are {TRAINING_KEYS}",
        ),
        (
            "data:\n  distort:\n    alph: 1",
            "3: data.distort.alph: unknown key; did you mean alpha?",
        ),
        (
            "data: {distort: {zz: 1}}",
            "1: data.distort.zz: unknown key; the keys here are "
            "rotation, shear, scale, shift, alpha, sigma, sharpen",
        ),
        ("data: {alpha: 1}", "1: data.alpha: unknown key; did you mean data.distort.alpha?"),
        ("epochs: 3", "1: epochs: unknown key; did you mean training.epochs?"),
        ("training.epochs: 3", "1: training.epochs: unknown key; indent epochs under training"),
        ("Trainig: {}", "1: Trainig: unknown key; did you mean training?"),
        ("1: 3", "1: 1: unknown key; the keys here are seed, data, model, training"),
        ("training: 5", "1: training: expected a mapping of keys to values, found 5"),
        (
            "training:\n- epochs: 3",
            "2: training: expected a mapping of keys to values, found a list",
        ),
        ("- 1", "1: expected a mapping of keys to values, found a list"),
        ("seed", "1: expected a mapping of keys to values, found 'seed'"),
    ],
)
def test_keys_and_sections(text: str, expected: str) -> None:
    assert error_lines(text) == [expected]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "model: {hidden: [], dropout: 0.5}",
            "1: model.dropout: needs hidden layers, but model.hidden is []; "
            "add a hidden layer, or remove it",
        ),
        (
            "training:\n  momentum: 0.5\n  optimizer: adam",
            "2: training.momentum: is not used by training.optimizer: adam; "
            "remove it, or choose sgd",
        ),
        (
            "training: {patience: 3}\ndata: {validation: 0}",
            "1: training.patience: needs validation examples, but data.validation is 0; "
            "raise it, or remove training.patience",
        ),
        (
            "data:\n  path: x\n  name: synthetic",
            "2: data.path: replaces a named source; remove it, or remove data.name: synthetic",
        ),
        (
            "data: {name: line}\nmodel: {output: softmax}",
            "1: data.name: line has values as targets, but model.output: softmax needs classes; "
            "set model.output to linear, sigmoid or relu",
        ),
        (
            "data:\n  name: rings\n  distort: true",
            "3: data.distort: needs images, but data.name: rings has none; remove it",
        ),
        (
            "data: {name: rings}\nmodel:\n  normalize: true",
            "3: model.normalize: needs images, but data.name: rings has none; remove it",
        ),
        (
            "data: {name: line}\nmodel: {output: linear}\ntraining: {class_weights: balanced}",
            "3: training.class_weights: needs classes, but data.name: line has values as targets; "
            "remove it",
        ),
        (
            "model: {hidden: [], output: linear}\n"
            "training: {optimizer: least_squares, class_weights: [1, 2]}",
            "2: training.class_weights: is not used by training.optimizer: least_squares; "
            "remove it",
        ),
        (
            "model: {hidden: [3], output: linear}\ntraining: {optimizer: least_squares}",
            "2: training.optimizer: least_squares needs model.hidden: [] and model.output: linear",
        ),
        (
            "model: {hidden: [], output: linear}\n"
            "training: {optimizer: least_squares, weight_decay: 1e-3}",
            "2: training.weight_decay: is not used by training.optimizer: least_squares; remove it",
        ),
        (
            "model: {hidden: [], output: linear}\n"
            "training: {optimizer: least_squares, principal_components: 5}",
            "2: training.principal_components: is not used by training.optimizer: least_squares; "
            "remove it",
        ),
        (
            "training: {principal_components: 9}\nmodel: {input_dropout: 0.1}",
            "2: model.input_dropout: drops inputs, but with training.principal_components the "
            "network takes none; remove one of the two",
        ),
        (
            "model: {hidden: [], output: linear}\n"
            "training: {optimizer: least_squares, curve_every: 5}",
            "2: training.curve_every: is not used by training.optimizer: least_squares; remove it",
        ),
    ],
)
def test_conflicts(text: str, expected: str) -> None:
    assert error_lines(text) == [expected]


def test_all_errors_are_listed_at_once_in_order() -> None:
    text = (
        "seed: x\n"
        "model:\n"
        "  dropout: 0.5\n"
        "  hidden: []\n"
        "  hiden: [3]\n"
        "data: 7\n"
        "training: {epochs: 0, epochs: 1,\n"
        "  optimizer: adam, momentum: 0.8,\n"
        "  lr: 1}\n"
        "seed: 3\n"
    )
    starts = [
        "1: seed: exp",
        "3: model.dropout: needs",
        "5: model.hiden: unk",
        "6: data: exp",
        "7: training.epochs: ",
    ]
    starts += [
        "7: training.epochs: ",
        "8: training.momentum: is not",
        "9: training.lr: unk",
        "10: seed: this key occurs twice",
    ]
    found = error_lines(text)
    assert len(found) == len(starts)
    assert all(line.startswith(start) for line, start in zip(found, starts, strict=True))
