"""The keys of a config, with their types, bounds and defaults, as nested pydantic models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
from pydantic_core import PydanticSerializationError, core_schema

from nnmnist.config.messages import Conflict
from nnmnist.data import toy
from nnmnist.data.sources import SOURCES
from nnmnist.images.preparation import MODES
from nnmnist.model.activations import ACTIVATIONS
from nnmnist.model.optimizers import OPTIMIZERS
from nnmnist.model.outputs import OUTPUTS, Softmax, SquaredError
from nnmnist.model.schedules import SCHEDULES
from nnmnist.model.solvers import SOLVERS


def one_of(table: Mapping[str, Any]) -> GetPydanticSchema:
    """The type of a text that is one of the names in `table`."""
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
ClassWeights = Annotated[
    tuple[Annotated[float, Field(gt=0, le=1_000_000)], ...], Field(strict=False)
]
Urls = Annotated[tuple[Url, ...], Field(strict=False)]
DataPath = Annotated[Path, Field(strict=False), BeforeValidator(_not_empty)]
Paths = Annotated[tuple[DataPath, ...], Field(strict=False)]
Names = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(strict=False)]


class Section(BaseModel):
    """A section of a config: frozen, strict, and without unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, data: Any) -> Any:
        """An empty file or section, perhaps with comments, is null in YAML."""
        return {} if data is None else data


class DistortConfig(Section):
    """How strongly the images of a training step are distorted.

    Rotation, shear, scale and shift are sampled uniformly between minus and plus the value.
    """

    rotation: float = Field(
        default=15.0,
        ge=0,
        le=180,
        description="Largest rotation in degrees; half of it for the labels 1 and 7.",
    )
    shear: float = Field(
        default=15.0,
        ge=0,
        le=60,
        description="Largest shear in degrees; half of it for the labels 1 and 7.",
    )
    scale: float = Field(
        default=0.15,
        ge=0,
        lt=1,
        description="Largest change of width and of height, as a fraction.",
    )
    shift: float = Field(
        default=1.0,
        ge=0,
        le=1_000_000,
        description="Largest shift in pixels, horizontally and vertically.",
    )
    alpha: float = Field(
        default=37.0,
        ge=0,
        le=1_000_000,
        description="Strength of the elastic distortion: factor of the smoothed noise, in pixels.",
    )
    sigma: float = Field(
        default=5.5,
        ge=0.5,
        description="Standard deviation of the Gaussian that smooths the noise, in pixels.",
    )
    sharpen: bool = Field(
        default=False,
        description="Remove about half of the blur that the distortion adds.",
    )


def _section_or_null(value: Any) -> Any:
    """Read true as a section of defaults, and false as null."""
    return {True: {}, False: None}[value] if isinstance(value, bool) else value


def _allow_boolean(schema: dict[str, Any]) -> None:
    schema["anyOf"].insert(0, {"type": "boolean"})


class DataConfig(Section):
    """Where the training examples come from."""

    name: Annotated[str, one_of(SOURCES)] = Field(
        default="mnist", description="Source of the examples."
    )
    path: DataPath | None = Field(
        default=None,
        description="Your own data, in place of the named source: a folder of pictures per class, "
        "IDX, .npz, .csv or Parquet files. Relative to the config file.",
    )
    prepare: Annotated[str, one_of(dict.fromkeys(("auto", *MODES)))] = Field(
        default="auto",
        description="How pictures of data.path become inputs: digit finds a digit and gives it the "
        "format of MNIST; as_is takes pictures of one size; resize resizes; auto is as_is for "
        "pictures of one size of at most 64 pixels, otherwise digit.",
    )
    test: float = Field(
        default=0.15,
        gt=0,
        lt=1,
        description="Fraction of each class of data.path that is set aside for the test, if there "
        "is no test part.",
    )
    classes: Names | None = Field(
        default=None,
        description="Names of the classes of data.path, in the order of the labels.",
    )
    skip_unreadable: bool = Field(
        default=False,
        description="Leave out pictures of data.path that cannot be read; otherwise they are an "
        "error.",
    )
    extra: Paths = Field(
        default=(),
        description="Your own examples to add to the training data, in any form of data.path; "
        "their classes are those of the data.",
    )
    extra_share: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description="Fraction of the examples of each epoch that comes from data.extra, repeated "
        "as often as needed.",
    )
    generated: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Fraction of the training examples that are generated digits, which also show "
        "styles that are rare in MNIST. Data that is not made of digits 0 to 9 in the format of "
        "MNIST gets none.",
    )
    no_digits: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Fraction of the training examples that are generated letters, signs and "
        "scribbles, so that predict can answer ? instead of a digit. Their target is none of the "
        "classes with model.output: softmax_or_none, and otherwise the same probability for all "
        "classes. Only data of the digits 0 to 9 in the format of MNIST gets them.",
    )
    validation: int = Field(
        default=5000,
        ge=0,
        description="Number of training examples set aside for validation; the seed chooses them.",
    )
    mirrors: Urls | None = Field(
        default=None, description="URLs to download MNIST from; null means the built-in list."
    )
    fallback: Literal["synthetic"] | None = Field(
        default=None,
        description="Source to use if the named one is not available; null stops with an error.",
    )
    distort: Annotated[DistortConfig | None, BeforeValidator(_section_or_null)] = Field(
        default=None,
        json_schema_extra=_allow_boolean,
        description="Distort the images anew in each training step: true, or how strongly.",
    )

    @property
    def own(self) -> dict[str, Any]:
        """The keyword arguments of `nnmnist.data.own.load`."""
        names = ("prepare", "test", "classes", "skip_unreadable")
        return {name: getattr(self, name) for name in names}

    @property
    def distortion(self) -> dict[str, Any] | None:
        """The keyword arguments of `nnmnist.data.distort.Distortion`; None without distortion."""
        return self.distort.model_dump() if self.distort else None


class ModelConfig(Section):
    """The network."""

    hidden: Widths = Field(
        default=(256,),
        description="Number of units in each hidden layer; an empty list means none, "
        "as in softmax regression.",
    )
    activation: Annotated[str, one_of(ACTIVATIONS)] = Field(
        default="relu", description="Activation function of the hidden layers."
    )
    output: Annotated[str, one_of(OUTPUTS)] = Field(
        default="softmax",
        description="Output function of the last layer; it also determines the cost. "
        "softmax_or_none has one more output, for none of the classes; see data.no_digits.",
    )
    dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Probability that a hidden unit is dropped in a training step.",
    )
    input_dropout: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Probability that an input is dropped in a training step.",
    )
    normalize: bool = Field(
        default=False,
        description="Bring each image to the same slant, width and height before the first "
        "layer, by its moments.",
    )


class TrainingConfig(Section):
    """How the network is trained."""

    epochs: Positive = Field(default=3, description="Number of passes over all training examples.")
    batch_size: Positive | Literal["full"] = Field(
        default=64, description="Number of examples per step; full means all of them."
    )
    optimizer: Annotated[str, one_of({**OPTIMIZERS, **SOLVERS})] = Field(
        default="sgd",
        description="Optimizer of the parameters; least_squares solves a linear model in closed "
        "form, in one epoch.",
    )
    learning_rate: float = Field(
        default=0.1, gt=0, description="Largest learning rate of the schedule."
    )
    momentum: float = Field(
        default=0.9, ge=0, lt=1, description="Momentum of sgd; adam does not use it."
    )
    schedule: Annotated[str, one_of(SCHEDULES)] = Field(
        default="constant", description="How the learning rate changes during the training."
    )
    warmup: float = Field(
        default=0.3,
        gt=0,
        lt=1,
        description="Fraction of the training in which the schedule one_cycle raises the learning "
        "rate.",
    )
    centre_inputs: bool = Field(
        default=False,
        description="Subtract the mean of the training inputs in training steps. The weights fit "
        "inputs without this.",
    )
    weight_decay: float = Field(
        default=0.0, ge=0, description="L2 penalty on the weights; biases have none."
    )
    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Part of each target's probability that is spread evenly over all classes in "
        "training.",
    )
    class_weights: Literal["balanced"] | ClassWeights | None = Field(
        default=None,
        description="Weight of an example of each class in the training cost: one number per "
        "class, in the order of the classes; balanced gives each class the same total weight.",
    )
    adversarial: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="L2 size of the adversarial perturbation of each input in a training step.",
    )
    start_from: DataPath | None = Field(
        default=None,
        description="Checkpoint whose network the training starts from; its keys of model need not "
        "be repeated.",
    )
    patience: Positive | None = Field(
        default=None,
        description="Stop after this many epochs without a better validation result; "
        "null means never.",
    )
    tolerance: float | None = Field(
        default=None,
        ge=0,
        description="Stop when the training cost changes by no more than this in an epoch; "
        "null means never.",
    )
    curve_every: Positive | None = Field(
        default=None,
        description="Evaluate training, validation and test examples every so many steps, and "
        "record cost and accuracy in curve.csv, where they decide nothing; null means never.",
    )


class Config(Section):
    """A config of nnmnist: every setting that determines the result of a training run."""

    seed: int = Field(default=0, ge=0, le=2**32 - 1, description="Seed of all random numbers.")
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()

    @model_validator(mode="after")
    def _no_conflict(self) -> Config:
        if faults := _conflicts(self):
            raise Conflict(faults)
        return self

    def as_json(self) -> dict[str, Any]:
        """Every key of the config, as values that JSON and YAML can write."""
        try:
            return self.model_dump(mode="json")
        except PydanticSerializationError as error:
            # The exception of a signal that comes at this moment, as that of Ctrl-C; pydantic
            # wraps it, and the program would report an error instead of stopping.
            raise error.__cause__ or error from None


def _conflicts(config: Config) -> list[tuple[str, str]]:
    """The keys whose values are allowed alone but not together, and what to do.

    No default conflicts with anything: the user has given each key that is named.
    """
    return [*_data_conflicts(config), *_model_conflicts(config), *_training_conflicts(config)]


def _data_conflicts(config: Config) -> Iterator[tuple[str, str]]:
    data, model = config.data, config.model
    if data.path is not None:
        if data.name != "mnist":
            hint = f"remove it, or remove data.name: {data.name}"
            yield "data.path", f"replaces a named source; {hint}"
        if data.classes is not None and len(set(data.classes)) < len(data.classes):
            yield "data.classes", "names a class twice"
        return
    for key in ("prepare", "test", "classes", "skip_unreadable"):
        if getattr(data, key) != DataConfig.model_fields[key].default:
            yield f"data.{key}", "is used with data.path alone; remove it, or add data.path"
    if data.name in toy.PROBLEMS:
        for key, used in (("data.distort", data.distort), ("model.normalize", model.normalize)):
            if used:
                yield key, f"needs images, but data.name: {data.name} has none; remove it"
    if toy.has_values(data.name) and not isinstance(OUTPUTS[model.output], SquaredError):
        problem = (
            f"{data.name} has values as targets, but model.output: {model.output} needs classes"
        )
        yield "data.name", f"{problem}; set model.output to linear, sigmoid or relu"


def _model_conflicts(config: Config) -> Iterator[tuple[str, str]]:
    if config.model.dropout > 0 and not config.model.hidden:
        hint = "add a hidden layer, or remove it"
        yield "model.dropout", f"needs hidden layers, but model.hidden is []; {hint}"


def _training_conflicts(config: Config) -> Iterator[tuple[str, str]]:
    data, model, training = config.data, config.model, config.training
    if training.label_smoothing and not isinstance(OUTPUTS[model.output], Softmax):
        problem = f"needs model.output: softmax, not {model.output}"
        yield "training.label_smoothing", f"{problem}; remove it"
    if training.class_weights is not None and data.path is None and toy.has_values(data.name):
        problem = f"needs classes, but data.name: {data.name} has values as targets"
        yield "training.class_weights", f"{problem}; remove it"
    if training.optimizer == "adam" and training.momentum != TrainingConfig().momentum:
        problem = "is not used by training.optimizer: adam"
        yield "training.momentum", f"{problem}; remove it, or choose sgd"
    if training.optimizer in SOLVERS:
        if model.hidden or model.output != "linear":
            problem = "least_squares needs model.hidden: [] and model.output: linear"
            yield "training.optimizer", problem
        for key, used in (
            ("data.distort", data.distort),
            ("model.input_dropout", model.input_dropout),
            ("training.weight_decay", training.weight_decay),
            ("training.class_weights", training.class_weights is not None),
            ("training.adversarial", training.adversarial),
            ("training.curve_every", training.curve_every),
        ):
            if used:
                yield key, "is not used by training.optimizer: least_squares; remove it"
    if training.patience is not None and data.validation == 0:
        hint = "raise it, or remove training.patience"
        yield "training.patience", f"needs validation examples, but data.validation is 0; {hint}"
