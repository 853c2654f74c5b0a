"""The config: one YAML file, checked before anything else happens, as nested frozen models.

The order of precedence is defaults < file < overrides (`--set`, then dedicated flags). All faults are told at
once, a line each, with file and line or flag.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, core_schema

from nnmnist import yaml_lines
from nnmnist.config_errors import Clash, explain, is_structural
from nnmnist.data import SOURCES, toy
from nnmnist.errors import ConfigError
from nnmnist.model.activations import ACTIVATIONS
from nnmnist.model.optimizers import OPTIMIZERS
from nnmnist.model.outputs import OUTPUTS
from nnmnist.model.schedules import SCHEDULES
from nnmnist.model.solvers import SOLVERS
from nnmnist.yaml_lines import Document, Fault, Node, Place, printable

DEFAULT_RECIPE = "mnist"


def one_of(table: Mapping[str, Any]) -> GetPydanticSchema:
    """Allows the names in `table` and nothing else."""
    return GetPydanticSchema(lambda _source, _handler: core_schema.literal_schema(sorted(table)))


def _not_empty(path: Any) -> Any:
    if path == "":
        raise ValueError("an empty path would mean the current directory")
    return path


Url = Annotated[str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$", json_schema_extra={"format": "uri"})]
Positive = Annotated[int, Field(ge=1)]
# Not strict: YAML writes a tuple as a list and a path as text.
Widths = Annotated[tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...], Field(strict=False)]
Urls = Annotated[tuple[Url, ...], Field(strict=False)]
Folder = Annotated[Path, Field(strict=False), BeforeValidator(_not_empty)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, data: Any) -> Any:
        """An empty file, or a section of which every line is commented out, is null in YAML."""
        return {} if data is None else data


class DataConfig(_Section):
    """Where the examples come from."""

    name: Annotated[str, one_of(SOURCES)] = Field(default="mnist", description="The source of the examples.")
    path: Folder | None = Field(
        default=None,
        description="A folder of four IDX files named like MNIST's, in place of the named source.",
    )
    validation: int = Field(
        default=5000,
        ge=0,
        description="How many training examples are set aside for validation, by the seed.",
    )
    mirrors: Urls | None = Field(
        default=None, description="Where to download MNIST; null is the built-in list."
    )
    fallback: Literal["synthetic"] | None = Field(
        default=None, description="What to train on where the named source cannot be had; null gives up."
    )


class ModelConfig(_Section):
    """The network."""

    hidden: Widths = Field(
        default=(256,), description="The width of each hidden layer; an empty list is softmax regression."
    )
    activation: Annotated[str, one_of(ACTIVATIONS)] = Field(
        default="relu", description="The activation function of the hidden layers."
    )
    output: Annotated[str, one_of(OUTPUTS)] = Field(
        default="softmax", description="What the last layer means, and with it the cost."
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="The probability that a hidden unit is silenced in a training step.",
    )


class TrainingConfig(_Section):
    """How the network is trained."""

    epochs: Positive = Field(default=3, description="How often all training examples are gone through.")
    batch_size: Positive | Literal["full"] = Field(
        default=64, description="How many examples make a step; full means all of them."
    )
    optimizer: Annotated[str, one_of({**OPTIMIZERS, **SOLVERS})] = Field(
        default="sgd",
        description="How the parameters follow the gradient; least_squares solves a linear model at once, "
        "in one epoch and without steps.",
    )
    learning_rate: float = Field(default=0.1, gt=0, description="The peak of the learning rate.")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="The momentum of sgd; adam does not use it.")
    schedule: Annotated[str, one_of(SCHEDULES)] = Field(
        default="constant", description="How the learning rate changes from step to step."
    )
    weight_decay: float = Field(default=0.0, ge=0, description="The L2 penalty on weights; biases are free.")
    patience: Positive | None = Field(
        default=None,
        description="Stop after so many epochs without improvement in validation; null never does.",
    )
    tolerance: float | None = Field(
        default=None,
        ge=0,
        description="Stop when the training cost changes by no more than this over an epoch; null never does.",
    )


class Config(_Section):
    """A config of nnmnist: everything that decides what a training gives."""

    seed: int = Field(
        default=0, ge=0, le=2**32 - 1, description="All randomness is derived from this number."
    )
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _no_clash(self) -> Config:
        if faults := _clashes(self):
            raise Clash(faults)
        return self


def _clashes(config: Config) -> list[tuple[str, str]]:
    """What is allowed alone but not together; defaults clash with nothing, so each key named was given."""
    data, model, training = config.data, config.model, config.training
    faults = []
    if data.path is not None and data.name != "mnist":
        faults.append(
            ("data.path", f"stands in place of a named source; remove it or data.name: {data.name}")
        )
    if model.dropout > 0 and not model.hidden:
        faults.append(("model.dropout", "needs hidden layers, but model.hidden is []"))
    if training.optimizer == "adam" and training.momentum != TrainingConfig().momentum:
        faults.append(
            ("training.momentum", "is not used by training.optimizer: adam; remove it or choose sgd")
        )
    if training.optimizer in SOLVERS:
        if model.hidden or model.output != "linear":
            faults.append(
                ("training.optimizer", "least_squares needs model.hidden: [] and model.output: linear")
            )
        if training.weight_decay:
            faults.append(("training.weight_decay", "is not used by training.optimizer: least_squares"))
    if data.path is None and toy.has_values(data.name) and model.output in ("logistic", "softmax"):
        problem = f"{data.name} has values to learn, and model.output: {model.output} tells classes apart"
        faults.append(("data.name", f"{problem}; set it to linear, sigmoid or relu"))
    if training.patience is not None and data.validation == 0:
        faults.append(("training.patience", "needs validation examples, but data.validation is 0"))
    return faults


class Override(NamedTuple):
    """A value that wins over the file: `key` is dotted, `text` is YAML, `origin` names the flag in errors."""

    key: str
    text: str
    origin: str


def load(path: Path | None = None, overrides: Sequence[str | Override] = ()) -> Config:
    """The config of the file `path` (None: the default recipe) and `overrides`, of which the last wins.

    An override is "dotted.key=YAML value", as given to `--set`, or an `Override` for a flag of its own.
    Raises ConfigError with one line for each fault.
    """
    return _combine([_read(path or _recipe(DEFAULT_RECIPE)), *map(_override, overrides)])


def parse(text: str, name: str) -> Config:
    """The config that the YAML `text` describes; errors call it `name`. Raises ConfigError."""
    return _combine([yaml_lines.compose(text, name)])


def dump(config: Config) -> str:
    """YAML text with every key of `config`, which `parse` reads as an equal config."""
    return yaml_lines.dump(config.model_dump(mode="json"))


def find(name: str) -> Path:
    """The file `name`, or the shipped recipe of that name. Raises ConfigError, which lists the recipes."""
    if os.path.exists(name) and not os.path.isdir(name):
        return Path(name)
    return _recipe(name)


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a config file, with the sections in place."""
    document = Config.model_json_schema()
    del document["$defs"]
    for name, field in Config.model_fields.items():
        if isinstance(field.default, _Section):
            document["properties"][name] = type(field.default).model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **document}


def differences(a: Config, b: Config) -> dict[str, tuple[Any, Any]]:
    """The values of `a` and `b` under each dotted key in which they differ."""
    left, right = _flat(a), _flat(b)
    return {key: (left[key], right[key]) for key in left if left[key] != right[key]}


def _flat(config: Config) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in config:
        flat |= (
            {f"{name}.{key}": leaf for key, leaf in value} if isinstance(value, _Section) else {name: value}
        )
    return flat


def _recipe(name: str) -> Path:
    folder = _recipe_folder()
    recipes = {
        path.relative_to(folder).with_suffix("").as_posix(): path for path in sorted(folder.rglob("*.yaml"))
    }
    if name not in recipes:
        raise ConfigError(
            f"{printable(name)}: no such config file; the shipped recipes are {', '.join(recipes)}"
        )
    return recipes[name]


def _recipe_folder() -> Path:
    """Inside the package once installed, beside it in a checkout."""
    inside = Path(__file__).parent / "configs"
    return inside if inside.is_dir() else inside.parents[1] / "configs"


def _read(path: Path) -> Document:
    name = printable(str(path), limit=1000)
    try:
        with open(path, "rb") as file:
            return yaml_lines.compose(file.read(yaml_lines.MAX_SIZE + 1), name)
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from None


def _override(override: str | Override) -> Document:
    if isinstance(override, str):
        key, equals, text = override.partition("=")
        override = Override(key.strip() if equals else "", text, f"--set {override}")
    place = Place(printable(override.origin))
    if not override.key:
        return Document(place.source, None, [Fault(place, "expected KEY=VALUE, such as training.epochs=5")])
    document = yaml_lines.compose(override.text, place.source, numbered=False)
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
        shape = schema()
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
