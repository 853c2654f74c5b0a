"""The keys of a config, with their types, bounds and defaults, as nested sections."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Set
from functools import cache
from inspect import getdoc
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

import msgspec
import numpy as np
from msgspec import Meta
from msgspec.structs import asdict, fields, force_setattr

from nnmnist.config.messages import Conflict, words
from nnmnist.data import toy
from nnmnist.data.sources import SOURCES
from nnmnist.images.preparation import MODES
from nnmnist.model.activations import ACTIVATIONS
from nnmnist.model.optimizers import OPTIMIZERS
from nnmnist.model.outputs import OUTPUTS, Softmax, SquaredError
from nnmnist.model.schedules import SCHEDULES
from nnmnist.model.solvers import SOLVERS


def one_of(table: Iterable[str]) -> Meta:
    """What restricts a text to the names in `table`."""
    names = sorted(table)
    return Meta(pattern=rf"^({'|'.join(names)}){END}", extra_json_schema={"enum": names})


END = r"$(?!\n)"  # in Python, $ alone also matches before a last line break
Url = Annotated[
    str, Meta(pattern=rf"^https?://[^\s/]+(/\S*)?{END}", extra_json_schema={"format": "uri"})
]
Positive = Annotated[int, Meta(ge=1)]
Widths = tuple[Annotated[int, Meta(ge=1, le=1_000_000)], ...]
Fraction = Annotated[float, Meta(ge=0, lt=1)]
Share = Annotated[float, Meta(gt=0, lt=1)]
Strength = Annotated[float, Meta(ge=0, le=1_000_000)]
NonNegative = Annotated[float, Meta(ge=0)]
ClassWeights = tuple[Annotated[float, Meta(gt=0, le=1_000_000)], ...]
Names = tuple[Annotated[str, Meta(min_length=1)], ...]
AnySection = TypeVar("AnySection", bound="Section")


# dict=True has room for `given`.
class Section(msgspec.Struct, frozen=True, dict=True):
    """A section of a config: frozen and strict."""

    def __post_init__(self) -> None:
        """Check all values, and convert them: a list to a tuple, a text to a path, 1 to 1.0."""
        faults = []
        for key, kind in kinds(type(self)).items():
            try:
                force_setattr(self, key, convert(getattr(self, key), kind))
            except ValueError as error:
                faults.append(f"{key}: {error}")
        if faults:
            raise ValueError("; ".join(faults))

    @classmethod
    def from_json(cls: type[AnySection], values: Any) -> AnySection:
        """The section of a mapping, or of None if YAML or JSON is empty. Raises ValueError."""
        values = {} if values is None else values
        if not isinstance(values, dict) or not values.keys() <= kinds(cls).keys():
            raise ValueError(f"expected a mapping with the keys {', '.join(kinds(cls))}")
        section = cls(**values)
        section.__dict__["given"] = set(values)
        return section

    @property
    def given(self) -> Set[str]:
        """The keys that JSON or YAML gave; of a section made in Python, the changed ones."""
        old, new = type(self)().as_json(), self.as_json()
        return self.__dict__.get("given", {key for key in new if new[key] != old[key]})

    def as_json(self) -> dict[str, Any]:
        """Every key of the section, as values that JSON and YAML can write."""
        return {key: _as_json(value) for key, value in asdict(self).items()}


def _as_json(value: Any) -> Any:
    if isinstance(value, Section):
        return value.as_json()
    if isinstance(value, tuple):
        return [_as_json(item) for item in value]
    return str(value) if isinstance(value, Path) else value


@cache
def kinds(section: type[Section]) -> dict[str, Any]:
    """The type of each key of a section."""
    return {field.name: field.type for field in fields(section)}


def section_in(kind: Any) -> type[Section] | None:
    """The section in the type of a key, such as `bool | DistortConfig | None`."""
    if isinstance(kind, type(Section)):
        return kind
    return next(filter(None, map(section_in, get_args(kind))), None)


def convert(value: Any, kind: Any) -> Any:
    """A value as the type of a key. Raises ValueError if it is not allowed."""
    if isinstance(value, dict) or value is None:
        section = section_in(kind)
        if section and (value is not None or section is kind):
            return section.from_json(value)
    try:
        return msgspec.convert(_plain(value), kind, dec_hook=_to_path)
    except ValueError:
        raise ValueError(f"expected {words(schema_of(kind))}, found {value!r:.80}") from None


def is_allowed(value: Any, kind: Any) -> bool:
    """Whether a value may be that of a key of this type."""
    try:
        convert(value, kind)
    except ValueError:
        return False
    return True


def _plain(value: Any) -> Any:
    """NumPy's numbers and all iterables as plain Python. Raises ValueError for infinity and NaN."""
    if isinstance(value, (np.generic, np.ndarray)):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError("not finite")
    if isinstance(value, Iterable) and not isinstance(value, (str, bytes, dict)):
        return [_plain(item) for item in value]
    return value


def _to_path(_kind: type, value: Any) -> Path:
    """A path. Raises ValueError for an empty text, which would mean the current directory."""
    if not isinstance(value, (str, Path)) or value == "":
        raise ValueError("not a path")
    return value if isinstance(value, Path) else Path(value)


@cache
def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON Schema of the type of a key or of a section, without references."""
    section = section_in(kind)
    if section and section is kind:
        keys = {key: schema_of(each) for key, each in kinds(section).items()}
        for key, default in section().as_json().items():
            if "properties" not in keys[key]:
                keys[key] = {**keys[key], "default": default}
        return {
            "title": section.__name__,
            "description": getdoc(section),
            "type": "object",
            "properties": keys,
            "additionalProperties": False,
        }
    path = {"type": "string", "format": "path"}
    schema = msgspec.json.schema(kind, schema_hook=lambda _kind: path)
    if section:
        branches = [schema_of(section) if "$ref" in each else each for each in schema["anyOf"]]
        schema = {"anyOf": branches}
    if "enum" in schema:
        del schema["pattern"]  # of `one_of`, which says the same
    for part in get_args(kind):
        if isinstance(part, str):
            schema = {"description": part, **schema}
    return schema


class DistortConfig(Section, frozen=True, kw_only=True):
    """How strongly the images of a training step are distorted.

    Rotation, shear, scale and shift are sampled uniformly between minus and plus the value.
    """

    rotation: Annotated[
        float, Meta(ge=0, le=180), "Largest rotation in degrees; half of it for the labels 1 and 7."
    ] = 15.0
    shear: Annotated[
        float, Meta(ge=0, le=60), "Largest shear in degrees; half of it for the labels 1 and 7."
    ] = 15.0
    scale: Annotated[Fraction, "Largest change of width and of height, as a fraction."] = 0.15
    shift: Annotated[Strength, "Largest shift in pixels, horizontally and vertically."] = 1.0
    alpha: Annotated[
        Strength, "Strength of the elastic distortion: factor of the smoothed noise, in pixels."
    ] = 37.0
    sigma: Annotated[
        float, Meta(ge=0.5), "Standard deviation of the Gaussian that smooths the noise, in pixels."
    ] = 5.5
    sharpen: Annotated[bool, "Remove about half of the blur that the distortion adds."] = False


class DataConfig(Section, frozen=True, kw_only=True):
    """Where the training examples come from."""

    name: Annotated[str, one_of(SOURCES), "Source of the examples."] = "mnist"
    path: Annotated[
        Path | None,
        "Your own data, in place of the named source: a folder of pictures per class, IDX, .npz, "
        ".csv or Parquet files. Relative to the config file.",
    ] = None
    prepare: Annotated[
        str,
        one_of(["auto", *MODES]),
        "How pictures of data.path become inputs: digit finds a digit and gives it the format of "
        "MNIST; as_is takes pictures of one size; resize resizes; auto is as_is for pictures of "
        "one size of at most 64 pixels, otherwise digit.",
    ] = "auto"
    test: Annotated[
        Share,
        "Fraction of each class of data.path that is set aside for the test, if there is no test "
        "part.",
    ] = 0.15
    classes: Annotated[
        Names | None, "Names of the classes of data.path, in the order of the labels."
    ] = None
    skip_unreadable: Annotated[
        bool, "Leave out pictures of data.path that cannot be read; otherwise they are an error."
    ] = False
    extra: Annotated[
        tuple[Path, ...],
        "Your own examples to add to the training data, in any form of data.path; their classes "
        "are those of the data.",
    ] = ()
    extra_share: Annotated[
        Share,
        "Fraction of the examples of each epoch that comes from data.extra, repeated as often as "
        "needed.",
    ] = 0.1
    generated: Annotated[
        Fraction,
        "Fraction of the training examples that are generated digits, which also show styles that "
        "are rare in MNIST. Data that is not made of digits 0 to 9 in the format of MNIST gets "
        "none.",
    ] = 0.0
    no_digits: Annotated[
        Fraction,
        "Fraction of the training examples that are generated letters, signs and scribbles, so "
        "that predict can answer ? instead of a digit. Their target is none of the classes with "
        "model.output: softmax_or_none, and otherwise the same probability for all classes. Only "
        "data of the digits 0 to 9 in the format of MNIST gets them.",
    ] = 0.0
    validation: Annotated[
        int,
        Meta(ge=0),
        "Number of training examples set aside for validation; the seed chooses them.",
    ] = 5000
    mirrors: Annotated[
        tuple[Url, ...] | None, "URLs to download MNIST from; null means the built-in list."
    ] = None
    fallback: Annotated[
        Literal["synthetic"] | None,
        "Source to use if the named one is not available; null stops with an error.",
    ] = None
    distort: Annotated[
        bool | DistortConfig | None,
        "Distort the images anew in each training step: true, or how strongly.",
    ] = None

    def __post_init__(self) -> None:
        """Read true as a section of defaults, and false as null."""
        super().__post_init__()
        if isinstance(self.distort, bool):
            force_setattr(self, "distort", DistortConfig() if self.distort else None)

    @property
    def own(self) -> dict[str, Any]:
        """The keyword arguments of `nnmnist.data.own.load`."""
        names = ("prepare", "test", "classes", "skip_unreadable")
        return {name: getattr(self, name) for name in names}

    @property
    def distortion(self) -> dict[str, Any] | None:
        """The keyword arguments of `nnmnist.data.distort.Distortion`; None without distortion."""
        return asdict(self.distort) if isinstance(self.distort, DistortConfig) else None


class ModelConfig(Section, frozen=True, kw_only=True):
    """The network."""

    hidden: Annotated[
        Widths,
        "Number of units in each hidden layer; an empty list means none, as in softmax regression.",
    ] = (256,)
    activation: Annotated[str, one_of(ACTIVATIONS), "Activation function of the hidden layers."] = (
        "relu"
    )
    output: Annotated[
        str,
        one_of(OUTPUTS),
        "Output function of the last layer; it also determines the cost. softmax_or_none has one "
        "more output, for none of the classes; see data.no_digits.",
    ] = "softmax"
    dropout: Annotated[
        Fraction, "Probability that a hidden unit is dropped in a training step."
    ] = 0.0
    input_dropout: Annotated[
        Fraction, "Probability that an input is dropped in a training step."
    ] = 0.0
    normalize: Annotated[
        bool,
        "Bring each image to the same slant, width and height before the first layer, by its "
        "moments.",
    ] = False


class TrainingConfig(Section, frozen=True, kw_only=True):
    """How the network is trained."""

    epochs: Annotated[Positive, "Number of passes over all training examples."] = 3
    batch_size: Annotated[
        Positive | Literal["full"], "Number of examples per step; full means all of them."
    ] = 64
    optimizer: Annotated[
        str,
        one_of([*OPTIMIZERS, *SOLVERS]),
        "Optimizer of the parameters; least_squares solves a linear model in closed form, in one "
        "epoch.",
    ] = "sgd"
    learning_rate: Annotated[float, Meta(gt=0), "Largest learning rate of the schedule."] = 0.1
    momentum: Annotated[Fraction, "Momentum of sgd; adam does not use it."] = 0.9
    schedule: Annotated[
        str, one_of(SCHEDULES), "How the learning rate changes during the training."
    ] = "constant"
    warmup: Annotated[
        Share, "Fraction of the training in which the schedule one_cycle raises the learning rate."
    ] = 0.3
    centre_inputs: Annotated[
        bool,
        "Subtract the mean of the training inputs in training steps. The weights fit inputs "
        "without this.",
    ] = False
    principal_components: Annotated[
        Positive | None,
        "Number of principal components of the inputs to train on, instead of the inputs; null, or "
        "as many as there are inputs, keeps the inputs. They are centred. The weights fit inputs "
        "without this.",
    ] = None
    weight_decay: Annotated[NonNegative, "L2 penalty on the weights; biases have none."] = 0.0
    label_smoothing: Annotated[
        Fraction,
        "Part of each target's probability that is spread evenly over all classes in training.",
    ] = 0.0
    class_weights: Annotated[
        Literal["balanced"] | ClassWeights | None,
        "Weight of an example of each class in the training cost: one number per class, in the "
        "order of the classes; balanced gives each class the same total weight.",
    ] = None
    adversarial: Annotated[
        float,
        Meta(ge=0, le=1000),
        "L2 size of the adversarial perturbation of each input in a training step.",
    ] = 0.0
    start_from: Annotated[
        Path | None,
        "Checkpoint whose network the training starts from; its keys of model need not be "
        "repeated.",
    ] = None
    patience: Annotated[
        Positive | None,
        "Stop after this many epochs without a better validation result; null means never.",
    ] = None
    tolerance: Annotated[
        NonNegative | None,
        "Stop when the training cost changes by no more than this in an epoch; null means never.",
    ] = None
    curve_every: Annotated[
        Positive | None,
        "Evaluate training, validation and test examples every so many steps, and record cost and "
        "accuracy in curve.csv, where they decide nothing; null means never.",
    ] = None


class Config(Section, frozen=True, kw_only=True):
    """A config of nnmnist: every setting that determines the result of a training run."""

    seed: Annotated[int, Meta(ge=0, le=2**32 - 1), "Seed of all random numbers."] = 0
    data: DataConfig = DataConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()

    def __post_init__(self) -> None:
        super().__post_init__()
        if faults := _conflicts(self):
            raise Conflict(faults)


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
    for key, default in DataConfig().own.items():
        if getattr(data, key) != default:
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
            ("training.principal_components", training.principal_components),
            ("training.class_weights", training.class_weights is not None),
            ("training.adversarial", training.adversarial),
            ("training.curve_every", training.curve_every),
        ):
            if used:
                yield key, "is not used by training.optimizer: least_squares; remove it"
    if training.principal_components and model.input_dropout:
        problem = "drops inputs, but with training.principal_components the network takes none"
        yield "model.input_dropout", f"{problem}; remove one of the two"
    if training.patience is not None and data.validation == 0:
        hint = "raise it, or remove training.patience"
        yield "training.patience", f"needs validation examples, but data.validation is 0; {hint}"
