from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from nnmnist.config import loading
from nnmnist.config.loading import (
    Override,
    differences,
    dump_config,
    find_config,
    flatten,
    json_schema,
    load_config,
    parse_config,
)
from nnmnist.config.messages import words
from nnmnist.config.schema import (
    Config,
    DataConfig,
    DistortConfig,
    ModelConfig,
    Section,
    TrainingConfig,
    kinds,
    schema_of,
)
from nnmnist.config.yaml import compose
from nnmnist.data.sources import SOURCES
from nnmnist.errors import ConfigError
from nnmnist.images.preparation import MODES
from nnmnist.model.activations import ACTIVATIONS
from nnmnist.model.optimizers import OPTIMIZERS
from nnmnist.model.outputs import OUTPUTS
from nnmnist.model.schedules import SCHEDULES
from nnmnist.model.solvers import SOLVERS

# No time limits: the machines that run the tests are busy.
relaxed = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture
def recipes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two shipped recipes, and an empty current directory beside them."""
    folder = tmp_path / "recipes"
    folder.mkdir()
    (folder / "mnist.yaml").write_text("seed: 3\n")
    (folder / "softmax.yaml").write_text("model: {hidden: []}\n")
    monkeypatch.setattr(loading, "recipe_folder", lambda: folder)
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return folder


def write_config(tmp_path: Path, text: str | bytes) -> Path:
    path = tmp_path / "my.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def error_lines(path: Path | None, *overrides: str | Override) -> list[str]:
    """Return the lines of the error, with the file as `my.yaml`."""
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return str(caught.value).replace(str(path), "my.yaml").splitlines()


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "\ufeff", "---\n", "null", "{}", "data:\nmodel:\ntraining:\n"]
)
def test_an_empty_text_is_all_defaults(text: str) -> None:
    assert parse_config(text, "my.yaml") == Config()


def test_every_key_is_read() -> None:
    text = """
seed: 7
data:
  name: mnist
  path: some/folder
  validation: 10
  mirrors: [http://127.0.0.1:8000/, "https://a.org/mnist"]
  fallback: synthetic
  distort:
    rotation: 1
    shear: 2
    scale: .3
    shift: 0
    alpha: 5
    sigma: 6
model:
  hidden: [128, 64]
  activation: tanh
  output: logistic
  dropout: .5
training:
  epochs: 20
  batch_size: full
  optimizer: sgd
  learning_rate: 1
  momentum: 0
  schedule: cosine
  weight_decay: 1e-4
  class_weights: [1, .5]
  patience: 5
"""
    found = parse_config(text, "my.yaml")
    assert found == Config(
        seed=7,
        data=DataConfig(
            name="mnist",
            path=Path("some/folder"),
            validation=10,
            mirrors=("http://127.0.0.1:8000/", "https://a.org/mnist"),
            fallback="synthetic",
            distort=DistortConfig(
                rotation=1.0, shear=2.0, scale=0.3, shift=0.0, alpha=5.0, sigma=6.0
            ),
        ),
        model=ModelConfig(hidden=(128, 64), activation="tanh", output="logistic", dropout=0.5),
        training=TrainingConfig(
            epochs=20,
            batch_size="full",
            optimizer="sgd",
            learning_rate=1.0,
            momentum=0.0,
            schedule="cosine",
            weight_decay=1e-4,
            class_weights=(1.0, 0.5),
            patience=5,
        ),
    )
    assert type(found.training.learning_rate) is float
    assert type(found.training.momentum) is float


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true", DistortConfig()),
        ("{}", DistortConfig()),
        ("{alpha: 0}", DistortConfig(alpha=0.0)),
        ("false", None),
        ("null", None),
    ],
)
def test_distort_is_a_boolean_or_a_section(text: str, expected: DistortConfig | None) -> None:
    found = parse_config(f"data: {{distort: {text}}}", "my.yaml")
    assert found.data.distort == expected
    assert parse_config(dump_config(found), "dump") == found
    assert load_config(None, [f"data.distort={text}"]).data.distort == expected


def test_one_key_of_distort_can_be_set(tmp_path: Path) -> None:
    path = write_config(tmp_path, "data: {distort: {alpha: 20, shift: 2}}")
    assert load_config(path, ["data.distort.shift=0"]).data.distort == DistortConfig(
        alpha=20.0, shift=0.0
    )
    assert load_config(path, ["data.distort=false"]).data.distort is None


def test_a_config_is_frozen() -> None:
    with pytest.raises(AttributeError):
        Config().training.epochs = 5


def test_configs_made_in_python_take_lists_and_are_checked() -> None:
    assert ModelConfig(hidden=[3, 4]).hidden == (3, 4)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"model\.dropout: needs hidden layers"):
        Config(model=ModelConfig(hidden=(), dropout=0.5))
    with pytest.raises(TypeError, match="hiden"):
        ModelConfig(hiden=[3])  # type: ignore[call-arg]


def bounded_keys() -> list[tuple[type[Section], str, dict[str, Any]]]:
    """Each key that takes numbers or a list of them: its section, and the schema of a number."""
    return [
        (section, key, branch.get("items", branch))
        for section in (DistortConfig, DataConfig, ModelConfig, TrainingConfig)
        for key, schema in schema_of(section)["properties"].items()
        for branch in [schema, *schema.get("anyOf", [])]
        if {"minimum", "exclusiveMinimum"} & branch.get("items", branch).keys()
    ]


@pytest.mark.parametrize(("section", "key", "numbers"), bounded_keys())
def test_a_number_given_in_python_is_checked(
    section: type[Section], key: str, numbers: dict[str, Any]
) -> None:
    def make(value: Any) -> Any:
        found = getattr(section(**{key: [value] if is_list else value}), key)
        return found[0] if is_list else found

    is_list = key in ("hidden", "class_weights")
    wrong = ["1", b"1", True, float("nan"), float("inf"), object()]
    for bound, past in (
        ("minimum", -1), ("exclusiveMinimum", 0), ("maximum", 1), ("exclusiveMaximum", 0)
    ):  # fmt: skip
        wrong += [numbers[bound] + past] if bound in numbers else []
    for value in wrong:
        with pytest.raises(ValueError, match=rf"^{key}: expected .*{words(numbers)}.*, found "):
            make(value)
    allowed = (3, np.int64(3)) if numbers["type"] == "integer" else (0.75, np.float64(0.75))
    for value in allowed:
        assert make(value) == value
        assert type(make(value)) is type(allowed[0])


def test_all_wrong_values_of_a_section_made_in_python_are_named() -> None:
    with pytest.raises(ValueError, match=r"^hidden: .*; activation: .*; dropout: ") as caught:
        ModelConfig(hidden=[0], activation="rlu", output="relu", dropout=1)  # type: ignore[arg-type]
    assert "expected one of identity, relu, " in str(caught.value)
    assert "output" not in str(caught.value)


def test_a_config_is_as_its_json() -> None:
    text = "data: {distort: true, path: a/b}\nmodel: {hidden: [3, 2]}\ntraining: {patience: 2}"
    config = parse_config(text, "my.yaml")
    assert Config.from_json(json.loads(json.dumps(config.as_json()))) == config
    assert hash(Config.from_json(config.as_json())) == hash(config)
    for wrong in ([], "x", {"sed": 1}, {"data": 3}, {"data": {"path": ""}}, {"model": True}):
        with pytest.raises(ValueError, match=r"expected "):
            Config.from_json(wrong)


def test_the_given_keys_of_a_section_are_known() -> None:
    config = parse_config("model: {hidden: [256], dropout: 0.0}", "my.yaml")
    assert config.model.given == {"hidden", "dropout"}
    assert config.training.given == set()
    assert ModelConfig(hidden=(256,), dropout=0.5).given == {"dropout"}


@pytest.mark.parametrize(
    "text",
    [
        "training: {optimizer: adam}",
        "training: {optimizer: adam, momentum: 0.9}",
        "model: {hidden: []}",
        "data: {validation: 0}",
        "data: {path: x, fallback: synthetic}",
        "data: {name: synthetic, fallback: synthetic}",
    ],
)
def test_a_default_has_no_conflict(text: str) -> None:
    found = parse_config(text, "my.yaml")
    assert parse_config(dump_config(found), "again") == found


def test_the_order_of_precedence(tmp_path: Path) -> None:
    path = write_config(
        tmp_path, "seed: 1\ntraining:\n  epochs: 10\n  learning_rate: 0.5\n  momentum: 0.8\n"
    )
    found = load_config(
        path,
        [
            "training.epochs=20",
            "training.learning_rate=1e-3",
            " training.epochs = 30",
            "model.hidden=[128, 64]",
            Override("seed", "2", "--seed"),
        ],
    )
    assert found == Config(
        seed=2,
        model=ModelConfig(hidden=(128, 64)),
        training=TrainingConfig(epochs=30, learning_rate=0.001, momentum=0.8),
    )


def test_a_section_from_set_is_merged_with_the_file(tmp_path: Path) -> None:
    path = write_config(tmp_path, "training: {epochs: 10, momentum: 0.8}")
    assert load_config(path, ["training={epochs: 5}"]).training == TrainingConfig(
        epochs=5, momentum=0.8
    )


@pytest.mark.parametrize("override", ["data.path=", "data.path=null", "data.path=~"])
def test_an_override_can_reset_a_value_to_null(tmp_path: Path, override: str) -> None:
    assert load_config(write_config(tmp_path, "data: {path: x}"), [override]) == Config()


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["foo"], "--set foo: expected KEY=VALUE, such as training.epochs=5"),
        (["=3"], "--set =3: expected KEY=VALUE, such as training.epochs=5"),
        ([""], "--set : expected KEY=VALUE, such as training.epochs=5"),
        (
            ["training.epochs=x"],
            "--set training.epochs=x: training.epochs: expected a whole number >= 1, found 'x'",
        ),
        (
            ["training.epochs=x", "training.epochs=0"],
            "--set training.epochs=0: training.epochs: expected a whole number >= 1, found 0",
        ),
        (
            ["training.epoch=3"],
            "--set training.epoch=3: training.epoch: unknown key; did you mean epochs?",
        ),
        (["epochs=3"], "--set epochs=3: epochs: unknown key; did you mean training.epochs?"),
        (
            ["training..epochs=3"],
            "--set training..epochs=3: training.: unknown key; the keys here are epochs,",
        ),
        (
            ["training=3"],
            "--set training=3: training: expected a mapping of keys to values, found 3",
        ),
        (
            ["seed.x=3"],
            "--set seed.x=3: seed: expected a whole number >= 0 and <= 4294967295, found a mapping",
        ),
        (
            ["model.hidden=[1"],
            "--set model.hidden=[1: not valid YAML: while parsing a flow sequence",
        ),
        (
            ["model.hidden=[1,\n0]"],
            "--set model.hidden=[1,\\n0]: model.hidden[1]: expected a whole number",
        ),
        (
            ["seed=\udcff"],
            "--set seed=\\udcff: not valid YAML: the character U+DCFF is not allowed",
        ),
        (
            [Override("seed", "x", "--seed")],
            "--seed: seed: expected a whole number >= 0 and <= 4294967295, found 'x'",
        ),
        (
            [Override("seed", "x", "--seed"), Override("seed", "-1", "--seed")],
            "--seed: seed: expected a whole number >= 0 and <= 4294967295, found -1",
        ),
    ],
)
def test_an_error_names_the_flag(
    tmp_path: Path, overrides: list[str | Override], expected: str
) -> None:
    (line,) = error_lines(write_config(tmp_path, ""), *overrides)
    assert line.startswith(expected)


def test_an_override_corrects_a_value_but_no_key_and_no_section(tmp_path: Path) -> None:
    path = write_config(tmp_path, "seed: x\ntraining: {epoch: 3}\ndata: 5\nmodel: {dropout: 2}")
    overrides = ["seed=1", "training.epoch=4", "data.validation=5", "model.dropout=0.1"]
    lines = error_lines(path, *overrides)
    assert [line.partition(": ")[0] for line in lines] == [
        "my.yaml:2",
        "my.yaml:3",
        "--set training.epoch=4",
    ]


def test_errors_are_in_the_order_file_then_flags(tmp_path: Path) -> None:
    path = write_config(tmp_path, "zz: 1\nseed: -1\n")
    lines = error_lines(
        path, "model.dropout=2", "foo", Override("training.epochs", "0", "--epochs")
    )
    assert [line.partition(": ")[0] for line in lines] == [
        "my.yaml:1",
        "my.yaml:2",
        "--set model.dropout=2",
        "--set foo",
        "--epochs",
    ]


def test_a_conflict_with_an_override_is_reported_at_the_value(tmp_path: Path) -> None:
    path = write_config(tmp_path, "model:\n  dropout: 0.2\n")
    assert error_lines(path, "model.hidden=[]") == [
        "my.yaml:2: model.dropout: needs hidden layers, but model.hidden is []; "
        "add a hidden layer, or remove it"
    ]
    assert error_lines(write_config(tmp_path, "model: {hidden: []}"), "model.dropout=0.2") == [
        "--set model.dropout=0.2: model.dropout: needs hidden layers, but model.hidden is []; "
        "add a hidden layer, or remove it"
    ]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"seed: 1\n\xff\xfe", "my.yaml:2: not UTF-8 text (byte 0xff); save the file as UTF-8"),
        (b"#" * 10_000_000, "my.yaml: larger than 1,000,000 bytes; a config is much smaller"),
        (b"\n- a", "my.yaml:2: expected a mapping of keys to values, found a list"),
    ],
)
def test_a_file_that_is_not_a_config(tmp_path: Path, data: bytes, expected: str) -> None:
    assert error_lines(write_config(tmp_path, data)) == [expected]


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    assert error_lines(tmp_path / "none.yaml")[0].startswith("my.yaml: cannot be read: ")
    assert error_lines(tmp_path)[0].startswith("my.yaml: cannot be read: ")


def test_no_file_is_the_default_recipe(recipes: Path) -> None:
    Path("mnist").write_text("seed: 99")
    assert load_config(None) == Config(seed=3)
    assert load_config(None, ["seed=4"]) == Config(seed=4)


def test_load_config_takes_the_name_of_a_recipe_or_a_file(recipes: Path) -> None:
    assert load_config("softmax") == load_config(recipes / "softmax.yaml")
    assert load_config("softmax") == Config(model=ModelConfig(hidden=()))
    assert load_config("softmax", ["seed=4"]).seed == 4
    Path("my.yaml").write_text("seed: 5")
    assert load_config("my.yaml") == load_config(Path("my.yaml")) == Config(seed=5)
    # A Path is a file, never a recipe.
    with pytest.raises(ConfigError, match=r"softmax: cannot be read: "):
        load_config(Path("softmax"))
    with pytest.raises(ConfigError, match=r"sotfmax: this file does not exist"):
        load_config("sotfmax")


def test_find_config_prefers_a_file_to_a_recipe(recipes: Path) -> None:
    assert find_config("softmax") == recipes / "softmax.yaml"
    Path("softmax").mkdir()
    assert find_config("softmax") == recipes / "softmax.yaml"
    Path("mnist").write_text("")
    assert find_config("mnist") == Path("mnist")


@pytest.mark.parametrize(
    "name", ["nothing like it", "CONFIGS/none.yaml", "a\nb", "\0", "x" * 5000, ".."]
)
def test_find_config_lists_the_recipes(recipes: Path, name: str) -> None:
    with pytest.raises(
        ConfigError, match=r"this file does not exist; the recipes are mnist, softmax$"
    ) as caught:
        find_config(name)
    assert str(caught.value).isprintable()


def test_an_empty_name_is_no_config() -> None:
    with pytest.raises(ConfigError, match="the name of the config is empty"):
        find_config("")


def test_the_shipped_recipes_are_valid() -> None:
    assert load_config(None) == load_config(find_config("mnist"))
    for path in find_config("mnist").parent.glob("*.yaml"):
        assert load_config(find_config(path.stem)) == load_config(path)


def leaves(section: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for key, value in section["properties"].items():
        if "properties" in value:
            assert value["additionalProperties"] is False
            assert value["description"]
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def test_the_schema_is_complete() -> None:
    document = json_schema()
    fields = dict(leaves(document))
    assert document["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert document["title"] == "Config"
    assert document["additionalProperties"] is False
    assert "$ref" not in str(document)
    assert "required" not in str(document)
    assert list(fields) == list(flatten(Config().as_json()))
    assert all(field["description"].endswith(".") for field in fields.values())
    defaults = Config().as_json()
    for key, field in fields.items():
        section, _, name = key.rpartition(".")
        assert field["default"] == (defaults[section][name] if section else defaults[name])
    tables: dict[str, Mapping[str, object]] = {
        "data.name": SOURCES,
        "data.prepare": dict.fromkeys(("auto", *MODES)),
        "model.activation": ACTIVATIONS,
        "model.output": OUTPUTS,
        "training.optimizer": {**OPTIMIZERS, **SOLVERS},
        "training.schedule": SCHEDULES,
    }
    assert {key: field["enum"] for key, field in fields.items() if "enum" in field} == {
        key: sorted(table) for key, table in tables.items()
    }
    assert (fields["model.dropout"]["minimum"], fields["model.dropout"]["exclusiveMaximum"]) == (
        0,
        1,
    )
    assert fields["training.learning_rate"]["exclusiveMinimum"] == 0
    assert fields["model.hidden"]["items"] == {
        "type": "integer",
        "minimum": 1,
        "maximum": 1_000_000,
    }


def test_differences() -> None:
    a = Config()
    b = Config(seed=1, data=DataConfig(path=Path("x")), training=TrainingConfig(epochs=5))
    assert differences(a, a) == {}
    assert differences(a, b) == {
        "seed": (0, 1),
        "data.path": (None, "x"),
        "training.epochs": (3, 5),
    }


def test_differences_of_a_section_that_one_config_leaves_out() -> None:
    distort = DistortConfig(rotation=5)
    off, on = Config(), Config(data=DataConfig(distort=distort))
    assert differences(off, on) == {"data.distort": (None, distort.as_json())}


def test_flatten() -> None:
    assert flatten({"data": {"name": 1}}) == {"data.name": 1}
    assert flatten({"a": {"b": {"c": 1}}}, depth=2) == {"a.b": {"c": 1}}
    assert flatten({"a": {"b": {"c": [1]}, "d": None}, "e": {}}) == {"a.b.c": [1], "a.d": None}


def test_dump_is_plain_and_readable() -> None:
    text = dump_config(
        Config(model=ModelConfig(hidden=(9, 8)), training=TrainingConfig(learning_rate=1e-5))
    )
    lines = text.splitlines()
    assert lines[:3] == ["seed: 0", "data:", "  name: mnist"]
    assert "  hidden: [9, 8]" in lines
    assert "  learning_rate: 1.0e-05" in lines


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1)
RATE = st.floats(0, exclude_min=True, allow_infinity=False)
FRACTION = st.floats(0, 1, exclude_max=True)
COUNT = st.integers(1, 10**30)
CONFIGS = st.builds(
    Config,
    seed=st.integers(0, 2**32 - 1),
    data=st.builds(
        DataConfig,
        path=st.none() | TEXT.map(Path),
        validation=COUNT,
        mirrors=st.none()
        | st.lists(st.from_regex(r"https?://[a-z.]{1,9}(/[^\s\0]{0,9})?", fullmatch=True)).map(
            tuple
        ),
        fallback=st.sampled_from([None, "synthetic"]),
        distort=st.none() | st.builds(DistortConfig, scale=FRACTION, alpha=st.floats(0, 1_000_000)),
    ),
    model=st.builds(
        ModelConfig,
        hidden=st.lists(st.integers(1, 1_000_000), min_size=1, max_size=4).map(tuple),
        activation=st.sampled_from(sorted(ACTIVATIONS)),
        output=st.sampled_from(sorted(OUTPUTS)),
        dropout=FRACTION,
    ),
    training=st.builds(
        TrainingConfig,
        epochs=COUNT,
        batch_size=COUNT | st.just("full"),
        learning_rate=RATE,
        momentum=FRACTION,
        schedule=st.sampled_from(sorted(SCHEDULES)),
        weight_decay=RATE,
        class_weights=st.sampled_from([None, "balanced", (1.0, 2.5), ()]),
        patience=st.none() | COUNT,
        tolerance=st.none() | RATE,
    ),
)


@relaxed
@given(CONFIGS)
def test_parse_reads_what_dump_writes(config: Config) -> None:
    assert parse_config(dump_config(config), "dump") == config


KEYS = st.sampled_from(
    [
        *flatten(Config().as_json()),
        "data",
        "model",
        "training",
        "training.epoch",
        "",
        ".",
        "a.b.c",
    ]
)
VALUES = st.one_of(
    st.text(max_size=20),
    st.text("-+.0123456789eE_:x[]{}, 'nulaf~&*!|", max_size=12),
    st.sampled_from(
        [
            "1",
            "0.5",
            "adam",
            "full",
            "[]",
            "[1, 2]",
            "{epochs: 3}",
            "null",
            "true",
            ".inf",
            "1e400",
            "x",
        ]
    ),
)
PAIRS = st.lists(st.tuples(KEYS, VALUES), max_size=6)


def config_or_fault(text: str, overrides: list[str]) -> None:
    try:
        documents = [compose(text, "my.yaml"), *map(loading._override, overrides)]
        found = loading._combine(documents)
    except ConfigError as error:
        lines = str(error).split("\n")
        assert all(line.startswith(("my.yaml:", "--set ")) and line.isprintable() for line in lines)
        assert len(set(lines)) == len(lines)
    else:
        assert parse_config(dump_config(found), "dump") == found


@relaxed
@given(PAIRS, st.lists(st.text(max_size=20), max_size=2))
def test_random_overrides_give_a_config_or_faults(
    pairs: list[tuple[str, str]], others: list[str]
) -> None:
    config_or_fault("", [*(f"{key}={value}" for key, value in pairs), *others])


NAMES = st.sampled_from(
    [
        *kinds(Config),
        *kinds(DataConfig),
        *kinds(TrainingConfig),
        "hidden",
        "x",
    ]
)
TREES = st.recursive(
    VALUES, lambda inner: st.dictionaries(NAMES, inner) | st.lists(inner, max_size=3), max_leaves=12
)


@relaxed
@given(TREES, PAIRS)
def test_random_documents_give_a_config_or_faults(tree: Any, pairs: list[tuple[str, str]]) -> None:
    text = str(tree).replace("'", "") if isinstance(tree, dict) else str(tree)
    config_or_fault(text, [f"{key}={value}" for key, value in pairs])


@relaxed
@given(
    st.dictionaries(st.sampled_from(list(kinds(TrainingConfig))), VALUES),
    st.dictionaries(st.sampled_from(list(kinds(ModelConfig))), VALUES),
)
def test_random_sections_give_a_config_or_faults(
    training: dict[str, str], model: dict[str, str]
) -> None:
    lines = ["training:", *(f"  {key}: {value}" for key, value in training.items())]
    lines += ["model:", *(f"  {key}: {value}" for key, value in model.items())]
    config_or_fault("\n".join(lines), [])


@pytest.mark.parametrize("key", ["shift", "alpha"])
def test_a_distortion_that_float32_cannot_hold_is_refused(key):
    with pytest.raises(ConfigError, match=f"data.distort.{key}: expected a number >= 0 and <= 1"):
        load_config(overrides=[f"data.distort={{{key}: 1e39}}"])


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(143)])
def test_a_signal_while_a_config_is_written_is_not_an_error(stop):
    class Interrupted(type(Path())):
        def __str__(self):
            raise stop

    settings = Config(data=DataConfig(path="digits"))
    with_signal = replace(settings.data, path=Interrupted("digits"))
    with pytest.raises(type(stop)):
        replace(settings, data=with_signal).as_json()
