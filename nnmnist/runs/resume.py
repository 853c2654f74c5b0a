"""The progress of a run, and the configs with which it may be resumed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import NonNegativeFloat, PositiveInt, TypeAdapter, ValidationError

from nnmnist.checkpoint import Checkpoint
from nnmnist.config.loading import differences
from nnmnist.config.schema import Config
from nnmnist.config.yaml import dump_value
from nnmnist.errors import CheckpointError, ConfigError
from nnmnist.training.fit import Epoch

# The keys that a resumed run may change.
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

    def is_better_than(self, other: Best | None) -> bool:
        """Whether it is strictly better, so that the first of equal epochs stays the best."""
        return other is None or self._rank() < other._rank()

    def _rank(self) -> tuple[float, float]:
        """Smaller is better; regression has no accuracy."""
        return -(self.accuracy or 0.0), self.cost


@dataclass(frozen=True)
class RunProgress:
    """The progress of a run, from the document of its `last.npz`."""

    config: Config
    epoch: PositiveInt
    seconds: NonNegativeFloat
    best: Best
    versions: dict[str, str | int]


def read_progress(last: Checkpoint, path: Path) -> RunProgress:
    """Read the progress in the checkpoint `last`, which was loaded from `path`.

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
    changes = [
        f"{key}: {dump_value(old)} before, {dump_value(new)} now"
        for key, (old, new) in differences(stored, settings).items()
        if key not in EXTENDABLE
    ]
    if changes:
        raise ConfigError(
            f"--resume: {directory} was started with another config ({'; '.join(changes)}); "
            "revert the change, or start a new run"
        )
    if epochs_done > settings.training.epochs:
        raise ConfigError(
            f"--resume: {directory} has already trained {epochs_done} epochs, more than "
            f"training.epochs: {settings.training.epochs}; raise training.epochs"
        )
