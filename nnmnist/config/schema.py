"""What a config may hold: its sections as nested frozen models, with the bounds and the default of every key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetPydanticSchema,
    model_validator,
)
from pydantic_core import core_schema

from nnmnist.config.messages import Clash
from nnmnist.data import toy
from nnmnist.data.sources import SOURCES
from nnmnist.model.activations import ACTIVATIONS
from nnmnist.model.optimizers import OPTIMIZERS
from nnmnist.model.outputs import OUTPUTS
from nnmnist.model.schedules import SCHEDULES
from nnmnist.model.solvers import SOLVERS


def one_of(table: Mapping[str, Any]) -> GetPydanticSchema:
    """Allows the names in `table` and nothing else."""
    return GetPydanticSchema(lambda _source, _handler: core_schema.literal_schema(sorted(table)))


def _not_empty(path: Any) -> Any:
    if path == "":
        raise ValueError("an empty path would mean the current directory")
    return path


Url = Annotated[
    str, Field(pattern=r"^https?://[^\s/]+(/\S*)?$", json_schema_extra={"format": "uri"})
]
Positive = Annotated[int, Field(ge=1)]
# Not strict: YAML writes a tuple as a list and a path as text.
Widths = Annotated[tuple[Annotated[int, Field(ge=1, le=1_000_000)], ...], Field(strict=False)]
Urls = Annotated[tuple[Url, ...], Field(strict=False)]
Folder = Annotated[Path, Field(strict=False), BeforeValidator(_not_empty)]


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, data: Any) -> Any:
        """An empty file, or a section of which every line is commented out, is null in YAML."""
        return {} if data is None else data


class DistortConfig(Section):
    """How far the pictures of a training step are distorted; rotation to shift are bounds of uniform draws, +-."""

    rotation: float = Field(
        default=15.0, ge=0, le=180, description="Degrees; of labels 1 and 7 half of it."
    )
    shear: float = Field(
        default=15.0, ge=0, le=60, description="Degrees; of labels 1 and 7 half of it."
    )
    scale: float = Field(
        default=0.15, ge=0, lt=1, description="Of width and of height, as a fraction."
    )
    shift: float = Field(default=1.0, ge=0, description="Pixels, to the side and up or down.")
    alpha: float = Field(
        default=37.0, ge=0, description="Elastic fields: the noise times so many pixels."
    )
    sigma: float = Field(
        default=5.5,
        ge=0.5,
        description="The deviation, in pixels, of the Gaussian that smooths the noise.",
    )
    sharpen: bool = Field(
        default=False,
        description="Whether the blur that distorting adds is in part taken back.",
    )


def _switch(value: Any) -> Any:
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


def _or_boolean(schema: dict[str, Any]) -> None:
    schema["anyOf"].insert(0, {"type": "boolean"})


class DataConfig(Section):
    """Where the examples come from."""

    name: Annotated[str, one_of(SOURCES)] = Field(
        default="mnist", description="The source of the examples."
    )
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
        default=None,
        description="What to train on where the named source cannot be had; null gives up.",
    )
    distort: Annotated[DistortConfig | None, BeforeValidator(_switch)] = Field(
        default=None,
        json_schema_extra=_or_boolean,
        description="Whether each step of a training sees its pictures distorted anew; true, or how far.",
    )

    @property
    def distortion(self) -> dict[str, Any] | None:
        """The keyword arguments of `nnmnist.data.distort.Distortion`; None where nothing is distorted."""
        return self.distort.model_dump() if self.distort else None


class ModelConfig(Section):
    """The network."""

    hidden: Widths = Field(
        default=(256,),
        description="The width of each hidden layer; an empty list is softmax regression.",
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
    input_dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="The probability that an input is silenced in a training step.",
    )
    normalize: bool = Field(
        default=False,
        description="Whether the network first brings each picture to one slant, width and height, by its moments.",
    )


class TrainingConfig(Section):
    """How the network is trained."""

    epochs: Positive = Field(
        default=3, description="How often all training examples are gone through."
    )
    batch_size: Positive | Literal["full"] = Field(
        default=64, description="How many examples make a step; full means all of them."
    )
    optimizer: Annotated[str, one_of({**OPTIMIZERS, **SOLVERS})] = Field(
        default="sgd",
        description="How the parameters follow the gradient; least_squares solves a linear model at once, "
        "in one epoch and without steps.",
    )
    learning_rate: float = Field(default=0.1, gt=0, description="The peak of the learning rate.")
    momentum: float = Field(
        default=0.9, ge=0, lt=1, description="The momentum of sgd; adam does not use it."
    )
    schedule: Annotated[str, one_of(SCHEDULES)] = Field(
        default="constant", description="How the learning rate changes from step to step."
    )
    weight_decay: float = Field(
        default=0.0, ge=0, description="The L2 penalty on weights; biases are free."
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="The part of a target's probability that is spread over all classes in training.",
    )
    adversarial: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="How far each input is moved, before a training step, to where its cost rises most steeply.",
    )
    patience: Positive | None = Field(
        default=None,
        description="Stop after so many epochs without improvement in validation; null never does.",
    )
    tolerance: float | None = Field(
        default=None,
        ge=0,
        description="Stop when the training cost changes by no more than this over an epoch; null never does.",
    )


class Config(Section):
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
    if training.label_smoothing and model.output != "softmax":
        faults.append(
            (
                "training.label_smoothing",
                f"is for model.output: softmax, not {model.output}; remove it",
            )
        )
    if model.dropout > 0 and not model.hidden:
        faults.append(("model.dropout", "needs hidden layers, but model.hidden is []"))
    if training.optimizer == "adam" and training.momentum != TrainingConfig().momentum:
        faults.append(
            (
                "training.momentum",
                "is not used by training.optimizer: adam; remove it or choose sgd",
            )
        )
    if training.optimizer in SOLVERS:
        if model.hidden or model.output != "linear":
            faults.append(
                (
                    "training.optimizer",
                    "least_squares needs model.hidden: [] and model.output: linear",
                )
            )
        for key, used in (
            ("data.distort", data.distort),
            ("model.input_dropout", model.input_dropout),
            ("training.weight_decay", training.weight_decay),
            ("training.adversarial", training.adversarial),
        ):
            if used:
                faults.append((key, "is not used by training.optimizer: least_squares"))
    if data.path is None and data.name in toy.PROBLEMS:
        for key, used in (("data.distort", data.distort), ("model.normalize", model.normalize)):
            if used:
                faults.append(
                    (key, f"needs pictures, and data.name: {data.name} has none; remove it")
                )
    if data.path is None and toy.has_values(data.name) and model.output in ("logistic", "softmax"):
        problem = (
            f"{data.name} has values to learn, and model.output: {model.output} tells classes apart"
        )
        faults.append(("data.name", f"{problem}; set it to linear, sigmoid or relu"))
    if training.patience is not None and data.validation == 0:
        faults.append(("training.patience", "needs validation examples, but data.validation is 0"))
    return faults
