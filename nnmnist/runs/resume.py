"""The progress of a run, and the configs with which it may be resumed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import NonNegativeFloat, PositiveInt, TypeAdapter, ValidationError

from nnmnist.checkpoint import Checkpoint
from nnmnist.config.loading import differences
from nnmnist.config.schema import Config
from nnmnist.errors import CheckpointError, ConfigError
from nnmnist.training.fit import Epoch

# what a resume may change
EXTENDABLE = {"training.epochs", "training.patience", "training.tolerance"}


@dataclass(frozen=True)
class Best:
    """The best epoch so far: by validation accuracy, then cost; without validation the last."""

    epoch: int
    cost: float
    accuracy: float | None

    @classmethod
    def of(cls, epoch: Epoch) -> Best:
        """The result of an epoch on the validation examples, or else on the training examples."""
        result = epoch.validation or epoch
        return cls(epoch.number, result.cost, result.accuracy)

    def beats(self, other: Best | None) -> bool:
        """Whether it is strictly better: of equal epochs the first one stays."""
        return other is None or (-(self.accuracy or 0.0), self.cost) < (
            -(other.accuracy or 0.0),
            other.cost,
        )


@dataclass(frozen=True)
class RunProgress:
    """The progress of a run, from the document of its `last.npz`."""

    config: Config
    epoch: PositiveInt
    seconds: NonNegativeFloat
    best: Best
    versions: dict[str, str | int]


def read_progress(last: Checkpoint, path: Path) -> RunProgress:
    """The progress in the checkpoint `last` of the file `path`.

    Raises:
        CheckpointError: it has none, or one of another version.
    """
    try:
        return TypeAdapter(RunProgress).validate_python(last.document)
    except ValidationError:
        raise CheckpointError(
            f"{path}: has no progress of a run that this version of nnmnist can read; "
            "start a new run"
        ) from None


def require_extension(directory: Path, stored: Config, settings: Config, epochs_done: int) -> None:
    """Raise ConfigError if `settings` change more than the length of a run, or shorten it."""
    changed = {
        key: pair for key, pair in differences(stored, settings).items() if key not in EXTENDABLE
    }
    if changed:
        lines = [f"{key}: {old!r} before, {new!r} now" for key, (old, new) in changed.items()]
        raise ConfigError(
            f"--resume: {directory} was started with another config ({'; '.join(lines)}); "
            "revert the change, or start a new run"
        )
    if epochs_done > settings.training.epochs:
        raise ConfigError(
            f"--resume: {directory} has already trained {epochs_done} epochs, more than "
            f"training.epochs: {settings.training.epochs}; raise training.epochs"
        )
