"""One training run, from a config to a finished directory.

    config.yaml   the complete config, with the versions it ran on
    metrics.csv   one row per epoch
    best.npz      the network of the best epoch by validation
    last.npz      the last epoch with the optimizer's state; `--resume` continues from here
    summary.json  written at the end: a run with this file is finished
    failure.txt   why the last session failed; the next session removes it
    .lock         locked by the process that trains the run (lock.py)

Each epoch is recorded in the order metrics, best, last. A run that was killed at any moment resumes
from `last.npz`. It repeats the epoch after it, to the same bits, and removes the rows of
metrics.csv that were written too early. A session is the time from the start or a resume to the
next stop.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

import nnmnist
from nnmnist import checkpoint
from nnmnist.checkpoint import Checkpoint
from nnmnist.config.loading import dump_config, load_config
from nnmnist.config.schema import Config
from nnmnist.data.examples import Splits
from nnmnist.errors import CheckpointError, ConfigError
from nnmnist.evaluation.evaluate import Evaluation, evaluate
from nnmnist.files import write_atomic
from nnmnist.model.network import Network
from nnmnist.runs import metrics
from nnmnist.runs.directory import FAILURE, RunDirectory, is_unstarted, new_directory
from nnmnist.runs.resume import Best, RunProgress, read_progress, require_extension
from nnmnist.training.descent import OnProgress
from nnmnist.training.fit import Epoch, fit
from nnmnist.training.setup import build_network, make_optimizer
from nnmnist.training.threads import blas_threads, training_cores


def create_run(settings: Config, name: str, output: Path | None = None, force: bool = False) -> Run:
    """Create a run in `output`, or in a new directory `runs/<name>-<time>[-n]`.

    Raises:
        ConfigError: `output` is not empty, and `force` is not given.
        RunLocked: another process is training the run in `output`.
    """
    if output is None:
        directory = new_directory(Path("runs"), f"{name}-{time.strftime('%Y%m%d-%H%M%S')}")
    else:
        _require_free(output, force)  # before anything is written there
        output.mkdir(parents=True, exist_ok=True)
        directory = output
    run = Run(directory, settings)
    with run.session():
        _require_free(directory, force)  # again: another process may just have finished there
        run.clear()
        run.write_config()
    return run


def _require_free(directory: Path, force: bool) -> None:
    if not force and not is_unstarted(directory):
        raise ConfigError(
            f"--output: {directory} already exists; use --resume to continue, "
            "--force to overwrite, or choose another directory"
        )


def reopen_run(directory: Path, settings: Config) -> Run:
    """Open a run to resume it with the config `settings`.

    Raises:
        ConfigError: there is no run in `directory`, or its config differs in more than its length.
        CheckpointError: last.npz is damaged, or does not belong to a run.
        RunLocked: another process is training the run.
    """
    stored = stored_config(directory)
    run = Run(directory, settings)
    with run.session():
        run.remove_leftovers()
        if run.path("last.npz").exists():
            run.last = checkpoint.load(run.path("last.npz"))
            run.progress = read_progress(run.last, run.path("last.npz"))
            stored = run.progress.config  # config.yaml may have been edited
        require_extension(directory, stored, settings, run.progress.epoch if run.progress else 0)
        if stored != settings:
            run.write_config()
    return run


def finished_summary(directory: Path, settings: Config) -> dict[str, Any] | None:
    """The summary of a run that is finished with exactly this config; else None."""
    last = directory / "last.npz"
    try:
        summary = json.loads((directory / "summary.json").read_text(encoding="utf-8"))
        trained = read_progress(checkpoint.load(last), last).config
    except (OSError, ValueError, CheckpointError):
        return None
    if (
        trained != settings
        or not isinstance(summary, dict)
        or not (directory / "best.npz").is_file()
    ):
        return None
    return {**summary, "run": str(directory), "checkpoint": str(directory / "best.npz")}


def stored_config(directory: Path) -> Config:
    """The config of the run in `directory`. Raises ConfigError if there is none."""
    file = directory / "config.yaml"
    if not file.is_file():
        raise ConfigError(
            f"--resume: {directory} is not a run (no {file.name}); give the directory of a run"
        )
    return load_config(file)


class Run(RunDirectory):
    """A run directory and its config."""

    def __init__(self, directory: Path, settings: Config) -> None:
        super().__init__(directory)
        self.config = settings
        self.last: Checkpoint | None = None  # where the last session ended, until it is restored
        self.progress: RunProgress | None = None
        self.best: Best | None = None
        self.seconds = 0.0  # of training, in all sessions
        self.epochs_done = 0
        self.costs: list[float] = []  # training cost of each epoch
        self.versions = versions()  # now, before a parallel training changes the number of threads

    def changes(self) -> dict[str, tuple[str | int, str | int]]:
        """The versions and threads that have changed since the last session: (before, now)."""
        then = self.progress.versions if self.progress else {}
        return {
            key: (then[key], now) for key, now in self.versions.items() if then.get(key, now) != now
        }

    def write_config(self) -> None:
        """Write the complete config, below the versions it runs on."""
        head = "".join(f"# {name}: {value}\n" for name, value in self.versions.items())
        write_atomic(self.path("config.yaml"), (head + dump_config(self.config)).encode())

    def train(self, splits: Splits, on_progress: OnProgress | None = None) -> Iterator[Epoch]:
        """Train from the last recorded epoch on; record each epoch before it is yielded.

        Raises:
            TrainingError: the cost is no longer finite, or a worker process has ended.
            CheckpointError: the run cannot be resumed with these examples.
        """
        with self.session():
            yield from self._epochs(splits, on_progress)

    def _epochs(self, splits: Splits, on_progress: OnProgress | None) -> Iterator[Epoch]:
        settings = self.config.training
        network = build_network(self.config, splits)
        optimizer = make_optimizer(network, settings)
        if self.last and self.progress:
            self._restore(
                self.last, self.progress, network, optimizer.state if optimizer else {}, splits
            )
            self.last = None
        self.costs = metrics.rewrite(self.path("metrics.csv"), self.epochs_done)
        for name in ("summary.json", FAILURE):
            self.path(name).unlink(missing_ok=True)
        if self._stalled() or self._converged():
            return
        fitting = fit(
            network, splits.train, splits.validation, settings,
            self.config.seed, optimizer, self.epochs_done, on_progress, training_cores(),
        )  # fmt: skip
        with closing(fitting) as epochs:
            for epoch in epochs:
                self.seconds += epoch.seconds
                best = Best.of(epoch)
                improved = best.beats(self.best) or epoch.validation is None
                self.best = best if improved else self.best
                metrics.record(self.path("metrics.csv"), epoch)
                facts = self._facts(epoch, splits)
                if improved:
                    checkpoint.save(self.path("best.npz"), network, splits.classes, facts)
                checkpoint.save(self.path("last.npz"), network, splits.classes, facts, optimizer)
                self.epochs_done = epoch.number
                self.costs.append(epoch.cost)
                yield epoch
                if self._stalled() or self._converged():
                    return

    def finish(self, splits: Splits) -> dict[str, Any]:
        """Evaluate the best network on the test set, once; write and return the summary."""
        with self.session():
            best = checkpoint.load(self.path("best.npz"))
            summary = {
                "run": str(self.directory),
                "checkpoint": str(self.path("best.npz")),
                "data": splits.name,
                "epochs": self.epochs_done,
                "seconds": round(self.seconds, 3),
                "validation": best.document["metrics"]["validation"],
                "test": _figures(evaluate(best.network, splits.test)),
            }
            write_atomic(self.path("summary.json"), (json.dumps(summary, indent=2) + "\n").encode())
        self.lock.release()
        return summary

    def _stalled(self) -> bool:
        """Whether the last `patience` epochs were not better: early stopping."""
        patience = self.config.training.patience
        return bool(patience and self.best and self.epochs_done - self.best.epoch >= patience)

    def _converged(self) -> bool:
        """Whether the training cost changed by no more than `tolerance` in the last epoch."""
        tolerance = self.config.training.tolerance
        return (
            tolerance is not None
            and len(self.costs) > 1
            and abs(self.costs[-1] - self.costs[-2]) <= tolerance
        )

    def _facts(self, epoch: Epoch, splits: Splits) -> dict[str, Any]:
        """What a checkpoint of this epoch says about itself."""
        assert self.best is not None
        return {
            "image_shape": splits.image_shape,
            "preprocessing": _preprocessing(self.config, splits),
            "config": self.config.model_dump(mode="json"),
            "data": {"name": splits.name, **splits.identity},
            "epoch": epoch.number,
            "seconds": self.seconds,
            "best": vars(self.best),
            "metrics": {
                "train": _figures(epoch),
                "validation": _figures(epoch.validation),
            },
            "versions": self.versions,
        }

    def _restore(
        self, saved: Checkpoint, progress: RunProgress,
        network: Network, state: dict[str, np.ndarray[Any, Any]], splits: Splits,
    ) -> None:  # fmt: skip
        """Restore network, optimizer and best epoch from `last.npz`."""
        last = self.path("last.npz")
        trained_on = saved.document.get("data", {})
        here = {"name": splits.name, **splits.identity}
        if any(trained_on.get(key) != value for key, value in here.items() if key != "folder"):
            raise CheckpointError(
                f"{last}: was trained on {trained_on.get('name')}, but the data is now "
                f"{splits.name}, with other examples; use the same data, or start a new run"
            )
        if saved.network.sizes != network.sizes or _kinds(saved.optimizer) != _kinds(state):
            raise CheckpointError(f"{last}: does not match the config of its run; start a new run")
        network.theta[:] = saved.network.theta
        for name, array in state.items():
            array[...] = saved.optimizer[name]
        self.epochs_done, self.seconds, self.best = progress.epoch, progress.seconds, progress.best


def versions() -> dict[str, str | int]:
    """What a result depends on besides the config and the data."""
    return {
        "nnmnist": nnmnist.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": f"{platform.system()} {platform.machine()}",
        "blas_threads": blas_threads(),
    }


def _kinds(arrays: dict[str, np.ndarray[Any, Any]]) -> dict[str, tuple[Any, ...]]:
    return {name: (array.dtype, array.shape) for name, array in arrays.items()}


def _figures(result: Evaluation | Epoch | None) -> dict[str, float | None] | None:
    if result is None:
        return None
    figures = {"cost": result.cost, "accuracy": result.accuracy}
    return figures if result.r2 is None else {**figures, "r2": result.r2}


def _preprocessing(settings: Config, splits: Splits) -> str | None:
    """How bytes of an image become inputs of the first layer, in words; None without images."""
    if not splits.image_shape:
        return None
    return "pixels / 255" + (
        ", then nnmnist.images.normalize.normalize" if settings.model.normalize else ""
    )
