"""One training run, from a config to a finished directory.

    config.yaml   the complete config, with the versions it ran on
    metrics.csv   one row per epoch
    curve.csv     with `training.curve_every`, one row per so many steps
    best.npz      the network of the best epoch by validation
    last.npz      the last epoch with the optimizer's state, the digest of best.npz, and all that
                  decides when training stops; `--resume` continues from here
    summary.json  written at the end: a run with this file is finished
    failure.txt   why the last session failed; the next session removes it
    .lock         locked by the process that trains the run (lock.py)

Each epoch is recorded in the order metrics, curve, best, last. A run that was killed at any moment
resumes from `last.npz`. It repeats the epoch after it, to the same bits, and removes the rows of
metrics.csv and curve.csv that were written too early. A session is the time from the start or a
resume to the next stop.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from msgspec.structs import asdict, replace

from nnmnist import checkpoint
from nnmnist.checkpoint import Checkpoint
from nnmnist.config.loading import dump_config, load_config
from nnmnist.config.schema import Config
from nnmnist.data.examples import Splits
from nnmnist.errors import CheckpointError, ConfigError, DataError
from nnmnist.evaluation.evaluate import Evaluation, evaluate_on_cores, is_chance
from nnmnist.files import read_regular, write_atomic
from nnmnist.model.network import Network
from nnmnist.model.optimizers import Optimizer
from nnmnist.runs import metrics, summary
from nnmnist.runs.directory import FAILURE, RunDirectory, is_unstarted, new_directory
from nnmnist.runs.facts import (
    data_facts,
    data_id,
    data_title,
    is_same_data,
    preprocessing,
    replaced_data,
    scores,
    versions,
)
from nnmnist.runs.resume import Best, RunProgress, own_best, read_progress, require_extension
from nnmnist.training.descent import OnProgress
from nnmnist.training.fit import Epoch, fit
from nnmnist.training.parallel import process_count, thread_count
from nnmnist.training.setup import build_network, class_weights, make_optimizer
from nnmnist.training.start import copy_layers
from nnmnist.training.threads import available_cores, limit_blas_threads, training_cores
from nnmnist.types import Array


def create_run(settings: Config, name: str, output: Path | None = None, force: bool = False) -> Run:
    """Create a run in `output`, or in a new directory `runs/<name>-<time>[-n]`.

    Raises:
        ConfigError: `output` is not empty, and `force` is not given.
        RunLocked: another process is training the run in `output`.
    """
    if output is None:
        directory = new_directory(Path("runs"), f"{name}-{time.strftime('%Y%m%d-%H%M%S')}")
    else:
        # Check before anything is written there.
        _require_free(output, force)
        output.mkdir(parents=True, exist_ok=True)
        directory = output
    run = Run(directory, settings)
    with run.session():
        # Check again: another process may have trained there before the run was locked.
        _require_free(directory, force)
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
        CheckpointError: last.npz is damaged, or does not belong to a run; or best.npz is missing,
            or is not the one of this run.
        RunLocked: another process is training the run.
    """
    stored = stored_config(directory)
    run = Run(directory, settings)
    with run.session():
        run.remove_leftovers()
        if run.path("last.npz").exists():
            run.last_checkpoint = checkpoint.load(run.path("last.npz"))
            run.progress = read_progress(run.last_checkpoint, run.path("last.npz"))
            # Not that of config.yaml, which may have been edited.
            stored = run.progress.config
        epochs_done = run.progress.epoch if run.progress else 0
        require_extension(directory, stored, settings, epochs_done)
        if run.progress:
            run.best = own_best(run.path("best.npz"), run.progress)
        if stored != settings:
            run.write_config()
    return run


def finished_summary(directory: Path, settings: Config, splits: Splits) -> dict[str, Any] | None:
    """The summary of a run that is finished with exactly this config and data; else None."""
    last, best = directory / "last.npz", directory / "best.npz"
    try:
        found = json.loads(read_regular(directory / summary.FILE, summary.MAX_SIZE))
        checkpoint.checked(found, summary.Summary)
        progress = read_progress(checkpoint.load(last), last)
        is_whole = own_best(best, progress) is not None
    except (OSError, ValueError, CheckpointError, DataError):
        return None
    is_same = progress.config == settings and is_same_data(progress.data, data_facts(splits))
    if not is_whole or not is_same:
        return None
    return {**found, "run": str(directory), "checkpoint": str(best)}


def stored_config(directory: Path) -> Config:
    """The config of the run in `directory`. Raises ConfigError if there is none."""
    file = directory / "config.yaml"
    if not file.is_file():
        raise ConfigError(
            f"--resume: {directory} is not a run (no {file.name}); give the directory of a run"
        )
    # Runs of older versions have paths relative to the directory where they were started.
    return load_config(file, folder=Path())


class Run(RunDirectory):
    """A run directory and its config."""

    def __init__(self, directory: Path, settings: Config) -> None:
        super().__init__(directory)
        self.config = settings
        # The end of the last session. Training restores the checkpoint, then forgets it.
        self.last_checkpoint: Checkpoint | None = None
        self.progress: RunProgress | None = None
        self.best: Best | None = None
        # Of the best epoch, if it has validation examples and was trained in this session.
        self.best_validation: Evaluation | None = None
        # Time of training in all sessions.
        self.seconds = 0.0
        self.epochs_done = 0
        # Training costs of the last two epochs.
        self.costs: list[float] = []
        # Read now, because a parallel training changes the number of threads.
        self.versions = versions()
        # Of the checkpoint that training started from.
        self.start_sha256: str | None = None

    def changed_versions(self) -> dict[str, tuple[str | int, str | int]]:
        """The versions and threads that have changed since the last session: (before, now)."""
        before = self.progress.versions if self.progress else {}
        changed = {}
        for key, now in self.versions.items():
            if key in before and before[key] != now:
                changed[key] = before[key], now
        return changed

    def restore_threads(self) -> None:
        """Use as many BLAS threads as the last session of the run, if there are as many cores.

        A training in several processes needs no cores for that: one process can compute the same.
        """
        before = self.progress.versions if self.progress else {}
        threads, processes = before.get("blas_threads"), before.get("processes", 1)
        if isinstance(threads, int) and (threads <= available_cores() or processes != 1):
            limit_blas_threads(threads)
            self.versions = versions()

    def _processes(self, network: Network, splits: Splits) -> int:
        """With how many processes to train: as in the last session, if it had as many threads."""
        before = self.progress.versions if self.progress else {}
        if before.get("blas_threads") == self.versions["blas_threads"] and "processes" in before:
            return int(before["processes"])
        return process_count(network, splits.train, self.config.training, training_cores())

    def write_config(self, splits: Splits | None = None) -> None:
        """Write the complete config, below the versions and, once known, the data of the run."""
        head = "".join(f"# {name}: {value}\n" for name, value in self.versions.items())
        if splits:
            title = data_title(splits.name, replaced_data(self.config.data, splits.name))
            head += f"# data: {title}\n"
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
        network = build_network(self.config, splits)
        processes = self._processes(network, splits)
        self.versions = {**self.versions, "processes": processes}
        if processes == 1:  # perhaps fewer than BLAS has
            threads = thread_count(network, splits.train, self.config.training)
            self.versions["blas_threads"] = threads
        optimizer = make_optimizer(network, self.config.training)
        if self.last_checkpoint and self.progress:
            self._restore(self.last_checkpoint, self.progress, splits, network, optimizer)
            self.start_sha256 = self.last_checkpoint.document.get("start")
            self.last_checkpoint = None
        elif path := self.config.training.start_from:
            start = checkpoint.load(path)
            copy_layers(start, path, network, splits.classes)
            self.start_sha256 = start.sha256
        for name in self._tables():
            metrics.rewrite(self.path(name), self.epochs_done)
        for name in (summary.FILE, FAILURE):
            self.path(name).unlink(missing_ok=True)
        self.write_config(splits)
        if self.stop_reason():
            return
        epochs = fit(
            network,
            splits.train,
            splits.validation,
            self.config.training,
            seed=self.config.seed,
            optimizer=optimizer,
            epochs_done=self.epochs_done,
            on_progress=on_progress,
            cores=training_cores(),
            processes=processes,
            extra=splits.extra,
            test=splits.test if self.config.training.curve_every else None,
        )
        with closing(epochs):
            for epoch in epochs:
                self._record(epoch, splits, network, optimizer)
                yield epoch
                if self.stop_reason():
                    return

    def _record(
        self, epoch: Epoch, splits: Splits, network: Network, optimizer: Optimizer | None
    ) -> None:
        """Write the metrics and the checkpoints of an epoch, in the order described above."""
        self.seconds += epoch.seconds
        self.costs = [*self.costs[-1:], epoch.cost]
        result = Best.of(epoch)
        # Without validation, the last epoch is the best.
        improved = epoch.validation is None or result.is_better_than(self.best)
        metrics.record(self.path(metrics.FILE), epoch)
        if epoch.curve:
            metrics.record_curve(self.path(metrics.CURVE), epoch)
        facts = self._checkpoint_facts(epoch, splits)
        if improved:
            digest = checkpoint.save(self.path("best.npz"), network, splits.classes, facts)
            self.best = replace(result, sha256=digest)
            self.best_validation = epoch.validation
        facts |= {"best": self.best and asdict(self.best), "costs": self.costs}
        checkpoint.save(self.path("last.npz"), network, splits.classes, facts, optimizer)
        self.epochs_done = epoch.number

    def _tables(self) -> list[str]:
        """The files with rows of numbers that the run writes."""
        return [metrics.FILE, *([metrics.CURVE] if self.config.training.curve_every else [])]

    def finish(self, splits: Splits) -> dict[str, Any]:
        """Evaluate the best network on the test set, once; write and return the summary.

        Raises:
            CheckpointError: best.npz is damaged, or another process has replaced it.
        """
        with self.session():
            best = checkpoint.load(self.path("best.npz"))
            if self.best and self.best.sha256 not in (None, best.sha256):
                raise CheckpointError(
                    f"{self.path('best.npz')}: was replaced during the training; train again"
                )
            extra = splits.extra
            result = {
                "run": str(self.directory),
                "checkpoint": str(self.path("best.npz")),
                "data": splits.name,
                "data_id": data_id(data_facts(splits)),
                "replaced_data": replaced_data(self.config.data, splits.name),
                "epochs": self.epochs_done,
                "planned_epochs": self.config.training.epochs,
                "stopped_by": self.stop_reason(),
                "seconds": round(self.seconds, 3),
                "validation": best.document["metrics"]["validation"],
                "test": scores(evaluate_on_cores(best.network, splits.test)),
                "extra": scores(evaluate_on_cores(best.network, extra)) if extra else None,
                "chance": self._is_chance(best.network, splits),
            }
            write_atomic(self.path(summary.FILE), (json.dumps(result, indent=2) + "\n").encode())
        self.lock.release()
        return result

    def _is_chance(self, network: Network, splits: Splits) -> bool | None:
        """Whether a network is no better than a guess on the validation examples; see `is_chance`.

        Without validation, the training examples decide. Class weights count as in the cost. For
        regression, the answer is None.
        """
        examples = splits.validation if len(splits.validation) else splits.train.without_others()
        confusion = (self.best_validation or evaluate_on_cores(network, examples)).confusion
        if confusion is None:
            return None
        weights = class_weights(self.config.training, splits.train)
        return is_chance(confusion if weights is None else weights[:, None] * confusion)

    def stop_reason(self) -> str | None:
        """The key of the config by which training stops before its last epoch; None if it goes on.

        After the last epoch, it is None too.
        """
        if self.epochs_done >= self.config.training.epochs:
            return None
        if self._out_of_patience():
            return "training.patience"
        return "training.tolerance" if self._converged() else None

    def _out_of_patience(self) -> bool:
        """Whether the last `patience` epochs were not better than the best: early stopping."""
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

    def _checkpoint_facts(self, epoch: Epoch, splits: Splits) -> dict[str, Any]:
        """What both checkpoints of an epoch store besides the network."""
        return {
            "image_shape": splits.image_shape,
            "preprocessing": preprocessing(self.config, splits),
            "prepare": splits.preparation.facts() if splits.preparation else None,
            "config": self.config.as_json(),
            "data": data_facts(splits),
            "epoch": epoch.number,
            "seconds": self.seconds,
            "metrics": {
                "train": scores(epoch),
                "validation": scores(epoch.validation),
                "extra": scores(epoch.extra),
            },
            "start": self.start_sha256,
            "versions": self.versions,
        }

    def _restore(
        self,
        last: Checkpoint,
        progress: RunProgress,
        splits: Splits,
        network: Network,
        optimizer: Optimizer | None,
    ) -> None:
        """Restore network, optimizer and counters from `last.npz`."""
        path = self.path("last.npz")
        if not is_same_data(progress.data, data_facts(splits)):
            raise CheckpointError(
                f"{path}: was trained on {progress.data.get('name')}, but the data is now "
                f"{splits.name}, with other examples; use the same data, or start a new run"
            )
        state = optimizer.state if optimizer else {}
        if last.network.sizes != network.sizes or _kinds(last.optimizer) != _kinds(state):
            raise CheckpointError(f"{path}: does not match the config of its run; start a new run")
        network.theta[:] = last.network.theta
        for name, array in state.items():
            array[...] = last.optimizer[name]
        self.epochs_done, self.seconds = progress.epoch, progress.seconds
        self.costs = progress.last_costs


def _kinds(arrays: dict[str, Array]) -> dict[str, tuple[Any, ...]]:
    """Data type and shape of each array."""
    return {name: (array.dtype, array.shape) for name, array in arrays.items()}
