"""Stores the trials of a sweep: an Optuna study, and a lock for claims.

A trial starts to exist when a worker claims it. One worker claims at a time, so that the number of
a trial is its place in the sweep, and there are as many trials as planned, however many workers
there are. It exists with its values or not at all, so that the values do not depend on who dies. A
worker that dies leaves an abandoned trial, which has the state RUNNING but no worker. The next
worker that claims takes it, and continues it where its run directory ends.
"""

from __future__ import annotations

import json
import os
import socket
import uuid
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, Trial, TrialState, create_trial

from nnmnist.data.examples import Splits
from nnmnist.errors import ConfigError, DataError, NnmnistError, printable
from nnmnist.sweep.plan import Sweep
from nnmnist.sweep.samplers import LEARNING, PRUNERS, SAMPLERS
from nnmnist.sweep.space import MOST

Result = TypeVar("Result")

# Workers that may die while they train a trial, without progress, before it counts as failed.
MOST_DEATHS = 3
MOST_DRAWS = 20  # points that a sampler proposes until one is new
LONG_WAIT = 10.0  # seconds of waiting for the lock of a journal until the user is told

optuna.logging.set_verbosity(optuna.logging.ERROR)


class StoreError(NnmnistError):
    """The trials of a sweep cannot be read or written."""


class Store(ABC):
    """The trials of a sweep, as one worker sees them.

    Raises:
        ConfigError: another sweep has this name, or the folder belongs to another sweep.
    """

    study: optuna.Study
    storage: BaseStorage

    def __init__(self, sweep: Sweep, folder: Path, location: str) -> None:
        self.sweep = sweep
        self.folder = folder  # of the runs
        self.location = location  # of the runs, for people on other machines
        self.worker = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._owner = folder / ".sweep"  # the name of the sweep that the folder belongs to
        self._require_own_folder()

    @abstractmethod
    def claim_lock(self) -> AbstractContextManager[object]:
        """A context in which no other process claims a trial. It ends if the process dies."""

    @abstractmethod
    def abandoned(self) -> list[FrozenTrial]:
        """The running trials whose workers have died; call it within `claim_lock`."""

    @abstractmethod
    def start_heartbeat(self, number: int) -> None:
        """Show that this worker is alive and trains a trial; call it within `claim_lock`."""

    @abstractmethod
    def stop_heartbeat(self) -> None:
        """Stop this."""

    def retry(self, act: Callable[[], Result]) -> Result:
        """Return act(). While the store is unreachable, wait and call it again."""
        return act()

    def open(self, storage: BaseStorage) -> None:
        """Open the study, or create it; call it within `claim_lock`."""
        self.storage = storage
        pruner = PRUNERS[self.sweep.pruner](self.sweep.base.training.epochs * self.sweep.seeds)
        if self.sweep.name in optuna.get_all_study_names(storage):
            self.study = optuna.load_study(
                storage=storage, study_name=self.sweep.name, pruner=pruner
            )
        else:
            self.study = self._new_study(storage, pruner)
        there, now = self.study.user_attrs.get("sweep"), self.sweep.identity()
        if there is None:
            self.study.set_user_attr("sweep", now)
        elif changed := [key for key in {**there, **now} if there.get(key) != now.get(key)]:
            lines = [
                f"{key}: {there.get(key, 'none')} before, {now.get(key, 'none')} now"
                for key in changed
            ]
            raise ConfigError(
                f"{self.sweep.name}: another sweep has this name ({'; '.join(lines)}); "
                "revert the change, or rename the file"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        with suppress(FileExistsError), self._owner.open("x", encoding="utf-8") as file:
            file.write(self.sweep.name)
        self._require_own_folder()

    def _new_study(
        self, storage: BaseStorage | None, pruner: optuna.pruners.BasePruner
    ) -> optuna.Study:
        return optuna.create_study(
            storage=storage, study_name=self.sweep.name, direction="maximize", pruner=pruner
        )

    def _require_own_folder(self, owner: str = "") -> None:
        """Raise ConfigError if the folder belongs to another sweep, which may be given."""
        with suppress(FileNotFoundError):
            owner = self._owner.read_text(encoding="utf-8")
        if owner and owner != self.sweep.name:
            raise ConfigError(
                f"{self.folder}: contains the runs of the sweep {printable(owner)}; "
                f"give the sweep {self.sweep.name} another folder with --output"
            )

    def require_data(self, splits: Splits) -> None:
        """Record the data with which the sweep is started.

        Raises:
            DataError: it was started with other data.
        """
        now = {"name": splits.name, "sha256": splits.identity["sha256"]}

        def act() -> Any:
            with self.claim_lock():
                if "data" not in self.study.user_attrs:
                    self.study.set_user_attr("data", now)
                return self.study.user_attrs["data"]

        there = self.retry(act)
        if there["sha256"] != now["sha256"]:
            raise DataError(
                f"{self.sweep.name}: was started with the data {there['name']}, but the data is "
                f"now {now['name']}, with other examples; use the same data, or start a new sweep"
            )

    def trials(self) -> list[FrozenTrial]:
        """All trials so far, in order."""
        return self.retry(self._trials)

    def left(self) -> int:
        """The number of trials that are not finished."""
        return max(0, self.sweep.trials - sum(trial.state.is_finished() for trial in self.trials()))

    def claim(self) -> Trial | None:
        """A trial for this worker, abandoned or new; None while others train the rest."""
        return self.retry(self._claim)

    def _claim(self) -> Trial | None:
        with self.claim_lock():
            abandoned = self.abandoned()
            if waiting := self._trials(TrialState.WAITING):
                return self._take_waiting(self._id(waiting[0].number))
            number = len(self._trials())
            if number < self.sweep.trials:
                return self._create(number)
            for trial in abandoned:  # last, because they may kill this worker too
                epochs = len(trial.intermediate_values)
                deaths = [each for each in assignments(trial) if each.epochs == epochs]
                if len(deaths) < MOST_DEATHS:
                    return self._take(Trial(self.study, self._id(trial.number)), epochs)
                reason = f"{MOST_DEATHS} workers died while training it, one after the other"
                self._finish(trial.number, None, reason)
            return None

    def _create(self, number: int) -> Trial:
        """Create trial `number` with its values, for this worker."""
        trial = self._draw(number)
        self._assign(trial, 0)
        [template] = trial.study.get_trials(deepcopy=False)[-1:]
        study = self.storage.get_study_id_from_name(self.sweep.name)
        created = self.storage.create_new_trial(study, template)  # in one write
        self.start_heartbeat(number)
        return Trial(self.study, created)

    def _draw(self, number: int) -> Trial:
        """Trial `number` in memory, with values that no earlier trial has.

        Each draw has its own seed, so that the values depend on the earlier trials alone.
        """
        sweep, trials = self.sweep, self._trials()
        study = self._new_study(None, self.study.pruner)
        if sweep.sampler in LEARNING:  # from the results, and from the number of the trial
            failed = create_trial(state=TrialState.FAIL)
            study.add_trials(trial if trial.state.is_finished() else failed for trial in trials)
        used = {_point(trial.params) for trial in trials}
        for n in count():
            if sweep.sampler == "grid":
                study.enqueue_trial(sweep.point(number))
            elif n >= MOST_DRAWS and sweep.size <= MOST:  # few points are left
                left = [point for point in sweep.points() if _point(point) not in used]
                study.enqueue_trial(left[np.random.default_rng(number).integers(len(left))])
            sampler = SAMPLERS[sweep.sampler if n < MOST_DRAWS else "random"]
            study.sampler = sampler(number + n * MOST)
            trial = study.ask()
            sweep.values(trial)
            if sweep.sampler == "grid" or _point(trial.params) not in used:
                return trial
            study.tell(trial, state=TrialState.FAIL)
        raise AssertionError("no point is left")  # `Sweep.trials` is at most their number

    def _take_waiting(self, trial: int) -> Trial | None:
        with suppress(UpdateFinishedTrialError):  # by a worker that was presumed dead
            if self.storage.set_trial_state_values(trial, TrialState.RUNNING):
                return self._take(Trial(self.study, trial), 0)
        return None

    def _take(self, trial: Trial, epochs: int) -> Trial:
        # An earlier version of nnmnist created trials without values, which are now drawn.
        self.study.sampler = SAMPLERS[self.sweep.sampler](trial.number)
        self._assign(trial, epochs)
        self.start_heartbeat(trial.number)
        return trial

    def _assign(self, trial: Trial, epochs: int) -> None:
        """Record this worker as that of a trial."""
        trial.set_user_attr(
            "stints", [*assignments(trial), Assignment(self.worker, self.location, epochs)]
        )

    def release(self, trial: Trial, first: bool = True) -> None:
        """Release a trial for the next worker that claims; if not `first`, as an abandoned one.

        If another worker has taken it, because it presumed this one dead, the trial stays as it is.
        """
        frozen = self.storage.get_trial(self._id(trial.number))
        had = assignments(frozen)
        if had and had[-1].worker == self.worker:
            with suppress(UpdateFinishedTrialError):  # by a worker that was presumed dead
                trial.set_user_attr("stints", had[:-1])  # no worker has died
                if first:
                    self.storage.set_trial_state_values(self._id(trial.number), TrialState.WAITING)
        self.stop_heartbeat()

    def report(self, trial: Trial, step: int, value: float) -> bool:
        """Record the value after epoch `step` = 1, 2, ...; whether the pruner stops the trial."""

        def act() -> bool:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # Optuna warns if a worker that died has reported this before
                trial.report(value, step)
            return trial.should_prune()

        return self.retry(act)

    def reported(self, number: int) -> set[int]:
        """The recorded steps of a trial."""
        return self.retry(lambda: set(self.storage.get_trial(self._id(number)).intermediate_values))

    def finish(self, number: int, value: float | None = None, reason: str = "") -> None:
        """Record the end of a trial: failed with a reason, complete with a value, or pruned."""

        def act() -> None:
            with suppress(UpdateFinishedTrialError):
                self.storage.set_trial_user_attr(self._id(number), "location", self.location)
                self._finish(number, value, reason)

        self.retry(act)
        self.stop_heartbeat()

    def _finish(self, number: int, value: float | None, reason: str) -> None:
        state = (
            TrialState.FAIL
            if reason
            else TrialState.PRUNED
            if value is None
            else TrialState.COMPLETE
        )
        with suppress(
            UpdateFinishedTrialError
        ):  # by another worker, or before the store was unreachable
            if reason:
                self.storage.set_trial_user_attr(self._id(number), "reason", reason)
            # It waits if another worker took it for an abandoned trial and released it. Optuna does
            # not end a trial that waits.
            self.storage.set_trial_state_values(self._id(number), TrialState.RUNNING)
            self.study.tell(number, value, state, skip_if_finished=True)

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=states or None)

    def _id(self, number: int) -> int:
        """The id of a trial in the storage."""
        study = self.storage.get_study_id_from_name(self.sweep.name)
        return self.storage.get_trial_id_from_study_id_trial_number(study, number)


class Assignment(NamedTuple):
    """The work of one worker on a trial."""

    worker: str
    location: str  # of its runs
    epochs: int  # that others had trained before


def assignments(trial: FrozenTrial | Trial) -> list[Assignment]:
    """The workers of a trial so far, the present one last."""
    return [Assignment(*each) for each in trial.user_attrs.get("stints", [])]


def _point(params: dict[str, Any]) -> frozenset[tuple[str, Any]]:
    """A point of the space, for comparison."""
    return frozenset(params.items())


class Journal(Store):
    """The trials in a file in the folder of the sweep, for the processes of one machine.

    Args:
        sweep: the sweep.
        folder: of the runs and the journal.
        notify: receives a line if another process keeps the journal locked.

    Raises:
        ConfigError: another sweep has this name, or the folder belongs to another sweep.
        StoreError: the journal is damaged.
    """

    def __init__(
        self, sweep: Sweep, folder: Path, notify: Callable[[str], None] = lambda line: None
    ) -> None:
        super().__init__(sweep, folder, str(folder))
        self._marks = folder / ".workers"  # one file per worker, locked while it has a trial
        self._marks.mkdir(parents=True, exist_ok=True)
        self._mark = FileLock(self._marks / self.worker)
        file = folder / "journal.log"
        self._lock = _JournalLock(file, notify)
        try:
            with self.claim_lock():
                file.touch()
                self._lock.mend()
                for line in file.read_bytes().splitlines():  # Optuna does not report the last one
                    json.loads(line)
                storage = JournalStorage(JournalFileBackend(str(file), self._lock))
                names = optuna.get_all_study_names(storage)
                if self.sweep.name not in names:  # earlier versions did not record the owner
                    self._require_own_folder(*names[:1])
                self.open(storage)
                for trial in self._trials():  # Optuna does not check these
                    epochs = trial.intermediate_values
                    sum((trial.value or 0.0, *epochs, *epochs.values()))
                    assignments(trial)
        except (NnmnistError, OSError):
            raise
        except Exception as error:  # Optuna expects what it has written, and may raise any
            raise StoreError(
                f"{file}: damaged ({printable(f'{type(error).__name__}: {error}')}); remove it, "
                "and the sweep starts again; runs with the same configs are reused"
            ) from None

    def claim_lock(self) -> AbstractContextManager[object]:
        return self._lock

    def abandoned(self) -> list[FrozenTrial]:
        living = {mark.name for mark in self._marks.iterdir() if _is_locked(mark)}
        # Read after the marks, because a worker finishes its trial before it unlocks its mark.
        running = self._trials(TrialState.RUNNING)
        return [
            trial
            for trial in running
            if not any(assignment.worker in living for assignment in assignments(trial)[-1:])
        ]

    def start_heartbeat(self, number: int) -> None:
        self._mark.acquire()

    def stop_heartbeat(self) -> None:
        self._mark.release()


def _is_locked(mark: Path) -> bool:
    """Whether a living worker has locked its mark; the mark of a dead one is removed."""
    try:
        with FileLock(mark).acquire(timeout=0):
            mark.unlink(missing_ok=True)
    except Timeout:
        return True
    return False


class _JournalLock(JournalFileOpenLock):
    """The lock of a journal, which the system releases with its process; Optuna's waits 30 s.

    A process that is suspended keeps it, and nothing can take it away: the user is told.
    """

    def __init__(self, journal: Path, notify: Callable[[str], None]) -> None:
        super().__init__(str(journal))
        self._journal, self._notify = journal, notify
        self._lock = FileLock(journal.with_suffix(".lock"))

    def __enter__(self) -> None:
        try:
            self._lock.acquire(timeout=LONG_WAIT)
        except Timeout:
            who = _holder(self._lock.lock_file)
            self._notify(
                f"{self._lock.lock_file}: has been locked for {LONG_WAIT:.0f} s, now by {who}; "
                "if it is suspended, continue it (kill -CONT) or end it"
            )
            self._lock.acquire()

    def __exit__(self, *error: object) -> None:
        self._lock.release()

    def acquire(self) -> bool:
        self.__enter__()
        self.mend()
        return True

    def release(self) -> None:
        self._lock.release()

    def mend(self) -> None:
        """Remove the incomplete last line of a process that was killed while it wrote."""
        with self._journal.open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            if end and (file.seek(end - 1), file.read(1))[1] != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)


def _holder(lock: str) -> str:
    """The process that holds a lock, as far as the system says."""
    with suppress(OSError):
        end = f":{os.stat(lock).st_ino}"
        for fields in map(str.split, Path("/proc/locks").read_text().splitlines()):
            if fields[1] == "FLOCK" and fields[5].endswith(end):
                return f"process {fields[4]}"
    return "another process"
