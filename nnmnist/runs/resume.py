"""How far a run has come, and what it may be gone on with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import NonNegativeFloat, PositiveInt, TypeAdapter, ValidationError

from nnmnist.config.loading import differences
from nnmnist.checkpoint import Checkpoint
from nnmnist.config.schema import Config
from nnmnist.errors import CheckpointError, ConfigError
from nnmnist.training.fit import Epoch

# what a resumed run may change
EXTENDABLE = {"training.epochs", "training.patience", "training.tolerance"}


@dataclass(frozen=True)
class Best:
    """The best epoch so far, by validation accuracy, then cost; without validation the latest."""

    epoch: int
    cost: float
    accuracy: float | None

    @classmethod
    def of(cls, epoch: Epoch) -> Best:
        """Of one epoch's validation, or of its training where there is none."""
        judged = epoch.validation or epoch
        return cls(epoch.number, judged.cost, judged.accuracy)

    def beats(self, other: Best | None) -> bool:
        """Strictly better, so that of equals the first stays."""
        return other is None or (-(self.accuracy or 0.0), self.cost) < (-(other.accuracy or 0.0), other.cost)


@dataclass(frozen=True)
class RunProgress:
    """How far a run has come, as the document of its `last.npz` says."""

    config: Config
    epoch: PositiveInt
    seconds: NonNegativeFloat
    best: Best
    versions: dict[str, str | int]


def read_progress(last: Checkpoint, path: Path) -> RunProgress:
    """The progress that the checkpoint `last`, from the file `path`, holds.

    Raises:
        CheckpointError: it holds none, or not one of this version.
    """
    try:
        return TypeAdapter(RunProgress).validate_python(last.document)
    except ValidationError:
        raise CheckpointError(
            f"{path}: does not say how far a run has come, as this version of nnmnist does; start a new run"
        ) from None


def require_extension(directory: Path, stored: Config, settings: Config, epochs_done: int) -> None:
    """Raises ConfigError where `settings` differ from those of the run in more than its length, or shorten it."""
    changed = {
        key: pair for key, pair in differences(stored, settings).items() if key not in EXTENDABLE
    }
    if changed:
        lines = [f"{key}: {old!r} there, {new!r} now" for key, (old, new) in changed.items()]
        raise ConfigError(
            f"--resume: {directory} was started with another config ({'; '.join(lines)}); "
            "take the change back, or start a new run"
        )
    if epochs_done > settings.training.epochs:
        raise ConfigError(
            f"--resume: {directory} has {epochs_done} epochs behind it, more than "
            f"training.epochs: {settings.training.epochs}; raise that"
        )
