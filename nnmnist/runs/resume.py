"""The progress of a run, and the configs with which it may be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from nnmnist import checkpoint
from nnmnist.checkpoint import Checkpoint, PositiveInt, Scores, checked
from nnmnist.config.loading import differences
from nnmnist.config.schema import Config
from nnmnist.config.yaml import dump_value
from nnmnist.errors import CheckpointError, ConfigError
from nnmnist.evaluation.text import counted
from nnmnist.runs.facts import is_same_data
from nnmnist.training.fit import Epoch

# The keys that a resumed run may change. The data may have been moved; its contents are compared.
EXTENDABLE = {"data.path", "training.epochs", "training.patience", "training.tolerance"}


class Best(msgspec.Struct, frozen=True):
    """The best epoch so far: by validation accuracy, then cost; without validation the last."""

    epoch: int
    cost: float
    accuracy: float | None
    sha256: str | None = None  # of best.npz; None in runs of older versions

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


class RunProgress(msgspec.Struct, frozen=True):
    """The progress of a run, from the document of its `last.npz`."""

    config: Config
    epoch: PositiveInt
    seconds: Annotated[float, Meta(ge=0)]
    best: Best
    versions: dict[str, str | int]
    metrics: dict[str, Scores | None]
    data: dict[str, Any]
    costs: tuple[float, ...] = ()  # training costs of the last two epochs

    @property
    def last_costs(self) -> list[float]:
        """The training costs of the last two epochs; older versions stored only the last one."""
        if self.costs:
            return list(self.costs)
        cost = (self.metrics.get("train") or {}).get("cost")
        return [] if cost is None else [cost]


def read_progress(last: Checkpoint, path: Path) -> RunProgress:
    """Read the progress in the checkpoint `last`, which was loaded from `path`.

    Raises:
        CheckpointError: it has none, or one of another version.
    """
    try:
        config = Config.from_json(last.document["config"])
        return checked({**last.document, "config": config}, RunProgress)
    except (KeyError, ValueError):
        raise CheckpointError(
            f"{path}: has no progress of a run that this version of nnmnist can read; "
            "start a new run"
        ) from None


def own_best(path: Path, progress: RunProgress) -> Best | None:
    """The best epoch of a run, after a check that `best.npz` at `path` is its network.

    Each epoch writes best.npz before last.npz. A process that was killed between the two leaves the
    network of the next epoch there; then the result is None, and the next epoch becomes the best
    again.

    Raises:
        CheckpointError: the file is missing or damaged, or is not of this run.
    """
    advice = "restore the file of this run, or start a new run"
    if not path.is_file():
        raise CheckpointError(f"{path}: is missing, so the run cannot be resumed; {advice}")
    found, best = checkpoint.load(path), progress.best
    if found.sha256 == best.sha256:
        return best
    epoch, is_own = found.document.get("epoch"), _is_of_run(found, progress)
    if is_own and best.sha256 is None and epoch == best.epoch:
        return best
    if is_own and epoch == progress.epoch + 1:
        return None
    raise CheckpointError(
        f"{path}: is not the network of epoch {best.epoch} of this run, its best so far; {advice}"
    )


def _is_of_run(found: Checkpoint, progress: RunProgress) -> bool:
    """Whether a checkpoint states the config and the data of a run."""
    try:
        config = Config.from_json(found.document.get("config"))
    except ValueError:
        return False
    changes = differences(progress.config, config).keys() - EXTENDABLE
    return not changes and is_same_data(found.document.get("data", {}), progress.data)


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
            f"--resume: {directory} has already trained {counted(epochs_done, 'epoch')}, more than "
            f"training.epochs: {settings.training.epochs}; raise training.epochs"
        )
