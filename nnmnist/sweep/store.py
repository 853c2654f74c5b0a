"""Stores the trials of a sweep: an Optuna study, and a lock for claims.

A trial starts to exist when a worker claims it. One worker claims at a time, so that the number of
a trial is its place in the sweep, and there are as many trials as planned, however many workers
there are. A worker that dies leaves an abandoned trial, which has the state RUNNING but no worker.
The next worker that claims takes it, and continues it where its run directory ends.
"""

from __future__ import annotations

import os
import socket
import uuid
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import NamedTuple, TypeVar

import optuna
from filelock import FileLock, Timeout
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock
from optuna.trial import FrozenTrial, Trial, TrialState

from nnmnist.errors import ConfigError, NnmnistError
from nnmnist.sweep.plan import Sweep
from nnmnist.sweep.samplers import PRUNERS, SAMPLERS

Result = TypeVar("Result")

# Workers that may die while they train a trial, without progress, before it counts as failed.
MOST_DEATHS = 3

optuna.logging.set_verbosity(optuna.logging.ERROR)


class StoreError(NnmnistError):
    """The trials of a sweep cannot be read or written."""


class Store(ABC):
    """The trials of a sweep, as one worker sees them.

    Raises:
        ConfigError: another sweep has this name.
    """

    study: optuna.Study
    storage: BaseStorage

    def __init__(self, sweep: Sweep, folder: Path, location: str) -> None:
        self.sweep = sweep
        self.folder = folder  # of the runs
        self.location = location  # of the runs, for people on other machines
        self.worker = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"

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
        self.study = optuna.create_study(
            storage=storage,
            study_name=self.sweep.name,
            direction="maximize",
            pruner=PRUNERS[self.sweep.pruner](self.sweep.base.training.epochs * self.sweep.seeds),
            load_if_exists=True,
        )
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
                return self._ask(waiting[0].number)
            number = len(self._trials())
            if number < self.sweep.trials:
                if self.sweep.sampler == "grid":
                    self.study.enqueue_trial(self.sweep.point(number))
                return self._ask(number)
            for trial in abandoned:  # last, because they may kill this worker too
                epochs = len(trial.intermediate_values)
                deaths = [each for each in assignments(trial) if each.epochs == epochs]
                if len(deaths) < MOST_DEATHS:
                    return self._take(Trial(self.study, self._id(trial.number)), epochs)
                reason = f"{MOST_DEATHS} workers died while training it, one after the other"
                self._finish(trial.number, None, reason)
            return None

    def _ask(self, number: int) -> Trial:
        """The trial of this number: the first that waits, or the next one."""
        self.study.sampler = SAMPLERS[self.sweep.sampler](number)
        return self._take(self.study.ask(), 0)

    def _take(self, trial: Trial, epochs: int) -> Trial:
        trial.set_user_attr(
            "stints", [*assignments(trial), Assignment(self.worker, self.location, epochs)]
        )
        self.start_heartbeat(trial.number)
        return trial

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
        self.retry(lambda: self._finish(number, value, reason))
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
            # it waits where another took it for an trial and gave it back, and Optuna tells none
            # that waits
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


class Journal(Store):
    """The trials in a file in the folder of the sweep, for the processes of one machine."""

    def __init__(self, sweep: Sweep, folder: Path) -> None:
        super().__init__(sweep, folder, str(folder))
        self._marks = folder / ".workers"  # one file per worker, locked while it has a trial
        self._marks.mkdir(parents=True, exist_ok=True)
        self._mark = FileLock(self._marks / self.worker)
        file = folder / "journal.log"
        self._lock = _JournalLock(file)
        try:
            with self.claim_lock():
                self.open(JournalStorage(JournalFileBackend(str(file), self._lock)))
        except ValueError as error:
            raise StoreError(
                f"{file}: damaged ({error}); remove it, and the sweep starts again; "
                "runs with the same configs are reused"
            ) from None

    def claim_lock(self) -> AbstractContextManager[object]:
        return self._lock.file_lock

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
    """The lock of a journal, which the system releases with its process; Optuna's waits 30 s."""

    def __init__(self, journal: Path) -> None:
        super().__init__(str(journal))
        self._journal = journal
        self.file_lock = FileLock(journal.with_suffix(".lock"))

    def acquire(self) -> bool:
        self.file_lock.acquire()
        self._mend()
        return True

    def release(self) -> None:
        self.file_lock.release()

    def _mend(self) -> None:
        """Remove the incomplete last line of a process that was killed while it wrote."""
        with self._journal.open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            if end and (file.seek(end - 1), file.read(1))[1] != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
