"""A worker of a sweep: claims a trial, trains it on one thread, and repeats until none is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import count
from pathlib import Path
from statistics import mean

from msgspec.structs import replace
from optuna.exceptions import OptunaError, TrialPruned, UpdateFinishedTrialError
from optuna.trial import Trial

from nnmnist.config.schema import Config, DataConfig
from nnmnist.data.examples import Source, Splits
from nnmnist.data.sources import Notify
from nnmnist.errors import ConfigError, NnmnistError, RunLocked, TrainingError
from nnmnist.runs import metrics
from nnmnist.runs.run import Run, create_run, finished_summary, reopen_run
from nnmnist.sweep.store import Store
from nnmnist.training.setup import load_configured, split_configured
from nnmnist.training.threads import limit_blas_threads

POLL = 0.2  # seconds between two attempts to claim a trial, while others train the last ones


def work(store: Store, data_dir: Path | None, wanted: Callable[[], bool]) -> None:
    """Train trials until all trials of the sweep are finished, by any worker.

    Args:
        store: the trials.
        data_dir: where to look for data first.
        wanted: whether this worker is still needed; otherwise it stops.

    Raises:
        OSError: a run cannot be written. Another worker, or a later one, continues it.
    """
    limit_blas_threads(1)
    while wanted():
        trial = store.claim()
        if trial is not None:
            _train(store, trial, data_dir, wanted)
        elif store.left():
            time.sleep(POLL)
        else:
            return


def _train(store: Store, trial: Trial, data_dir: Path | None, wanted: Callable[[], bool]) -> None:
    """Train a trial and record its result."""
    try:
        store.finish(trial.number, _value(store, trial, data_dir, wanted))
    except TrialPruned:
        store.finish(trial.number)
    except UpdateFinishedTrialError:
        store.stop_heartbeat()  # another worker presumed this one dead and has finished the trial
    except RunLocked:  # another process still trains this run
        store.retry(lambda: store.release(trial, first=False))
        time.sleep(POLL)
    except (NnmnistError, MemoryError) as error:
        reason = str(error).replace("\n", "; ") or "out of memory"
        store.finish(trial.number, reason=reason)
    except BaseException:
        with suppress(OptunaError):  # else it becomes an abandoned trial
            store.release(trial)
        raise


def _value(store: Store, trial: Trial, data_dir: Path | None, wanted: Callable[[], bool]) -> float:
    """The best validation score of a trial's run, or the mean over its runs.

    Raises:
        TrialPruned: the pruner stops the trial.
        SystemExit: the worker is no longer needed.
        NnmnistError, OSError: the trial cannot be trained.
    """
    sweep, scores = store.sweep, list[float]()
    for directory, settings in store.retry(lambda: sweep.runs(trial, store.folder)):
        splits = load(settings.data, settings.seed, data_dir)
        summary, before = (
            finished_summary(directory, settings, splits),
            len(scores) * settings.training.epochs,
        )
        if summary is not None:
            _replay(store, trial, directory, before, scores)
        else:
            run = _open(directory, settings)
            if run.last_checkpoint is not None:
                _replay(store, trial, directory, before, scores)
            for epoch in run.train(splits):
                if epoch.validation is None:
                    raise TrainingError(
                        "trials are compared by validation, but this one has no validation examples"
                    )
                score = _score(epoch.validation.accuracy, epoch.validation.r2)
                step = before + epoch.number
                stop = store.report(trial, step, mean([*scores, score]))
                # after the last epoch, stopping saves nothing
                if stop and step < sweep.seeds * settings.training.epochs:
                    raise TrialPruned
                if not wanted():
                    raise SystemExit(1)
            summary = run.finish(splits)
        figures = summary["validation"]
        scores.append(_score(figures["accuracy"], figures.get("r2")))
    return mean(scores)


def _open(directory: Path, settings: Config) -> Run:
    """Open the run in a directory to resume it, or create one if it has no complete epoch.

    A run with another config is moved aside. A sampler may choose one after the journal was
    removed.
    """
    if (directory / "last.npz").exists():
        try:
            return reopen_run(directory, settings)
        except ConfigError:
            names = (directory.with_name(f"{directory.name}-before-{n}") for n in count(1))
            directory.rename(next(name for name in names if not name.exists()))
    return create_run(settings, directory.name, directory, force=True)


def _score(accuracy: float | None, r2: float | None) -> float:
    """What a sweep maximizes: the accuracy, or R^2 for values."""
    score = r2 if accuracy is None else accuracy
    if score is None:
        raise TrainingError("trials are compared by R^2, but the validation values are all equal")
    return score


def _replay(
    store: Store, trial: Trial, directory: Path, before: int, scores: Sequence[float]
) -> None:
    """Report the epochs of a run that the store does not know: other trials are judged by them.

    For values, metrics.csv has no R^2: such a run reports only later epochs.
    """
    known = store.reported(trial.number)
    for row in metrics.read(directory / "metrics.csv"):
        step, score = before + int(row["epoch"] or 0), row["validation_accuracy"]
        if score is not None and step not in known:
            store.report(trial, step, mean([*scores, score]))


def load(
    settings: DataConfig, seed: int, data_dir: Path | None, notify: Notify = lambda line: None
) -> Splits:
    """Load data as `load_data` does, and keep the source for the next trial."""
    global _kept
    wanted = replace(settings, validation=0, distort=None, extra=(), generated=0.0, no_digits=0.0)
    # The seed generates examples, or chooses the test part of the user's own data.
    depends = settings.path is not None or settings.name != "mnist"
    key = wanted, seed if depends else None
    if _kept is None or _kept[0] != key:
        _kept = key, load_configured(settings, seed, data_dir, notify)
    return split_configured(_kept[1], settings, seed, notify)


_kept: tuple[tuple[DataConfig, int | None], Source] | None = None
