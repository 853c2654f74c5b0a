"""One run, from a Config to a finished directory:

    config.yaml   the resolved config, with the versions it ran on
    metrics.csv   one row an epoch
    best.npz      the network of the best epoch by validation
    last.npz      the last epoch, with the optimizer's state, from which `--resume` goes on
    summary.json  written at the end: the run is finished where it exists

An epoch is recorded in the order metrics, best, last. A run killed at any moment goes on from `last.npz`, does the
rest of that epoch again to the same bits, and drops the rows that it had written too early.
"""

from __future__ import annotations

import csv
import io
import json
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import nnmnist
from nnmnist import checkpoint, config
from nnmnist.config import Config
from nnmnist.data import Splits
from nnmnist.errors import CheckpointError, ConfigError
from nnmnist.evaluation import Evaluation, evaluate
from nnmnist.files import write_atomic
from nnmnist.model.network import Network
from nnmnist.model.outputs import OUTPUTS
from nnmnist.randomness import generator
from nnmnist.threads import blas_threads
from nnmnist.training import Epoch, Progress, fit, make_optimizer

FILES = ("config.yaml", "metrics.csv", "best.npz", "last.npz", "summary.json")
COLUMNS = (
    "epoch", "train_cost", "train_accuracy", "validation_cost", "validation_accuracy", "learning_rate", "seconds",
)  # fmt: skip
EXTENDABLE = {"training.epochs", "training.patience"}  # what a resumed run may change


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


def build_network(settings: Config, splits: Splits) -> Network:
    """The untrained network that a config describes, for the data it is to learn."""
    n_classes = len(splits.classes)
    n_outputs = (
        OUTPUTS[settings.model.output].units(n_classes) if n_classes else splits.train.targets.shape[1]
    )
    sizes = (splits.train.inputs.shape[1], *settings.model.hidden, n_outputs)
    model = settings.model
    network = Network(sizes, model.activation, model.output, model.dropout)
    network.initialize(generator(settings.seed, "weights"))
    return network


def create(settings: Config, name: str, output: Path | None = None, force: bool = False) -> Run:
    """A new run in `output`, or in a new directory `runs/<name>-<time>[-n]`.

    Raises:
        ConfigError: `output` exists and `force` is not given.
    """
    if output is None:
        directory = _new_directory(Path("runs"), f"{name}-{time.strftime('%Y%m%d-%H%M%S')}")
    else:
        try:
            output.mkdir(parents=True, exist_ok=False)
        except FileExistsError:
            if not force:
                raise ConfigError(
                    f"--output: {output} exists; go on with it by --resume, write over it by --force, or name another"
                ) from None
            for file in FILES:
                (output / file).unlink(missing_ok=True)
        directory = output
    run = Run(directory, settings)
    run.write_config()
    return run


def _new_directory(base: Path, name: str) -> Path:
    """A directory that nobody else has, however many start in the same second."""
    n = 0
    while True:
        directory = base / (f"{name}-{n}" if n else name)
        try:
            directory.mkdir(parents=True, exist_ok=False)
            return directory
        except FileExistsError:
            n += 1


def reopen(directory: Path, settings: Config) -> Run:
    """A run to go on with, under `settings`.

    Raises:
        ConfigError: there is no run in `directory`, or `settings` differ from its own in more than its length.
    """
    stored = stored_config(directory)
    changed = {
        key: pair for key, pair in config.differences(stored, settings).items() if key not in EXTENDABLE
    }
    if changed:
        lines = [f"{key}: {old!r} there, {new!r} now" for key, (old, new) in changed.items()]
        raise ConfigError(
            f"--resume: {directory} was started with another config ({'; '.join(lines)}); "
            "take the change back, or start a new run"
        )
    run = Run(directory, settings)
    if stored != settings:
        run.write_config()
    return run


def stored_config(directory: Path) -> Config:
    """The config that a run was started with.

    Raises:
        ConfigError: there is no run in `directory`.
    """
    file = directory / "config.yaml"
    if not file.is_file():
        raise ConfigError(
            f"--resume: {directory} holds no run (no {file.name}); give the directory that `train` named"
        )
    return config.load(file)


class Run:
    """A run directory and its config."""

    def __init__(self, directory: Path, settings: Config) -> None:
        self.directory = directory
        self.config = settings
        self.best: Best | None = None
        self.seconds = 0.0  # of training, in this and all earlier sittings
        self.epochs_done = 0

    def path(self, name: str) -> Path:
        """A file of the run."""
        return self.directory / name

    def write_config(self) -> None:
        """The resolved config, headed by what it runs on."""
        head = "".join(f"# {name}: {value}\n" for name, value in versions().items())
        write_atomic(self.path("config.yaml"), (head + config.dump(self.config)).encode())

    def train(self, splits: Splits, progress: Progress | None = None) -> Iterator[Epoch]:
        """Train, from the last recorded epoch on, recording each epoch before it is yielded.

        Raises:
            TrainingError: the cost is no longer finite.
            CheckpointError: the run cannot be gone on with.
        """
        settings = self.config.training
        network = build_network(self.config, splits)
        optimizer = make_optimizer(network, settings)
        if self.path("last.npz").exists():
            self._restore(network, optimizer.state, splits)
        self._rewrite_metrics()
        self.path("summary.json").unlink(missing_ok=True)
        if self._stalled():
            return
        epochs = fit(
            network, splits.train, splits.validation, settings,
            self.config.seed, optimizer, self.epochs_done, progress,
        )  # fmt: skip
        for epoch in epochs:
            self.seconds += epoch.seconds
            best = Best.of(epoch)
            improved = best.beats(self.best) or epoch.validation is None
            self.best = best if improved else self.best
            self._append_metrics(epoch)
            facts = self._facts(epoch, splits)
            if improved:
                checkpoint.save(self.path("best.npz"), network, splits.classes, facts)
            checkpoint.save(self.path("last.npz"), network, splits.classes, facts, optimizer)
            self.epochs_done = epoch.number
            yield epoch
            if self._stalled():
                return

    def finish(self, splits: Splits) -> dict[str, Any]:
        """Look at the test set, once, with the best network; write and return the summary."""
        network = checkpoint.load(self.path("best.npz")).network
        validation = evaluate(network, splits.validation) if len(splits.validation) else None
        summary = {
            "run": str(self.directory),
            "checkpoint": str(self.path("best.npz")),
            "data": splits.name,
            "epochs": self.epochs_done,
            "seconds": round(self.seconds, 3),
            "validation": _figures(validation),
            "test": _figures(evaluate(network, splits.test)),
        }
        write_atomic(self.path("summary.json"), (json.dumps(summary, indent=2) + "\n").encode())
        return summary

    def _stalled(self) -> bool:
        """Early stopping: no better epoch for `patience` epochs."""
        patience = self.config.training.patience
        return bool(patience and self.best and self.epochs_done - self.best.epoch >= patience)

    def _facts(self, epoch: Epoch, splits: Splits) -> dict[str, Any]:
        """What a checkpoint says about itself."""
        assert self.best is not None
        return {
            "image_shape": splits.image_shape,
            "preprocessing": "pixels / 255" if splits.image_shape else None,
            "config": self.config.model_dump(mode="json"),
            "data": {"name": splits.name, **splits.identity},
            "epoch": epoch.number,
            "seconds": self.seconds,
            "best": vars(self.best),
            "metrics": {
                "train": {"cost": epoch.cost, "accuracy": epoch.accuracy},
                "validation": _figures(epoch.validation),
            },
            "versions": versions(),
        }

    def _restore(self, network: Network, state: dict[str, np.ndarray[Any, Any]], splits: Splits) -> None:
        """Take up network, optimizer and best epoch where `last.npz` left them."""
        last = self.path("last.npz")
        saved = checkpoint.load(last)
        document = saved.document
        trained_on = document.get("data", {})
        here = {"name": splits.name, **splits.identity}
        if any(trained_on.get(key) != value for key, value in here.items() if key != "folder"):
            raise CheckpointError(
                f"{last}: was trained on {trained_on.get('name')}, and these examples are others ({splits.name}); "
                "find the data it had, or start a new run"
            )
        if saved.network.sizes != network.sizes or saved.optimizer.keys() != state.keys():
            raise CheckpointError(f"{last}: does not fit the config beside it; start a new run")
        network.theta[:] = saved.network.theta
        for name, array in state.items():
            array[...] = saved.optimizer[name]
        self.epochs_done, self.seconds = document["epoch"], document["seconds"]
        self.best = Best(**document["best"])

    def _rewrite_metrics(self) -> None:
        """Keep the whole rows of the epochs done, under the header."""
        rows: list[list[str]] = []
        if self.epochs_done:
            text = self.path("metrics.csv").read_text(encoding="utf-8")
            whole = text[: text.rfind("\n") + 1]
            rows = [row for row in csv.reader(io.StringIO(whole)) if row[0].isdigit()]
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(row for row in rows if int(row[0]) <= self.epochs_done)
        write_atomic(self.path("metrics.csv"), out.getvalue().encode())

    def _append_metrics(self, epoch: Epoch) -> None:
        """One row, on the disk before the checkpoint that says the epoch is done."""
        validation = epoch.validation
        row = [epoch.number, epoch.cost, epoch.accuracy]
        row += [validation.cost, validation.accuracy] if validation else [None, None]
        row += [epoch.learning_rate, round(epoch.seconds, 4)]
        out = io.StringIO()
        csv.writer(out, lineterminator="\n").writerow(row)
        with open(self.path("metrics.csv"), "a", encoding="utf-8", newline="") as file:
            file.write(out.getvalue())
            file.flush()
            os.fsync(file.fileno())


def versions() -> dict[str, str | int]:
    """What a result depends on beside the config."""
    return {
        "nnmnist": nnmnist.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "blas_threads": blas_threads(),
    }


def _figures(evaluation: Evaluation | None) -> dict[str, float | None] | None:
    return None if evaluation is None else {"cost": evaluation.cost, "accuracy": evaluation.accuracy}
