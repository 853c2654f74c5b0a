"""Where the trials of a sweep are kept, and whose each is: an Optuna study, and a lock for the moment of a claim.

A trial comes into being when a worker claims it. One worker claims at a time, so that its number is
its place in the sweep and there are as many trials as are planned, however many workers there are.
A worker that dies leaves an orphan, a trial that runs and has nobody: the next to claim takes it
up, from where its run directory ends.
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

# workers that may die over a trial, none bringing it forward, before it counts as failed
DEATHS = 3

optuna.logging.set_verbosity(optuna.logging.ERROR)


class StoreError(NnmnistError):
    """The trials of a sweep cannot be had."""


class Store(ABC):
    """The trials of a sweep, as one worker sees them.

    Raises:
        ConfigError: under this name there is another sweep.
    """

    study: optuna.Study
    storage: BaseStorage

    def __init__(self, sweep: Sweep, folder: Path, where: str) -> None:
        self.sweep = sweep
        self.folder = folder  # of the runs
        self.where = where  # that is, for people who may look from another machine
        self.worker = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"

    @abstractmethod
    def alone(self) -> AbstractContextManager[object]:
        """A context in which no other process claims a trial; where its process dies it ends."""

    @abstractmethod
    def orphans(self) -> list[FrozenTrial]:
        """The running trials whose workers have died; asked while `alone`."""

    @abstractmethod
    def hold(self, number: int) -> None:
        """Show from now on that this worker is alive and has a trial; called while `alone`."""

    @abstractmethod
    def let_go(self) -> None:
        """Show it no more."""

    def patiently(self, act: Callable[[], Result]) -> Result:
        """What `act` returns, for which a store that is away is waited for: it may be called again."""
        return act()

    def open(self, storage: BaseStorage) -> None:
        """Find the study, or create it; called while `alone`."""
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
                f"{key}: {there.get(key, 'none')} there, {now.get(key, 'none')} now"
                for key in changed
            ]
            raise ConfigError(
                f"{self.sweep.name}: another sweep has been started under this name ({'; '.join(lines)}); "
                "take the change back, or give the file another name"
            )

    def trials(self) -> list[FrozenTrial]:
        """All trials so far, in order."""
        return self.patiently(self._trials)

    def left(self) -> int:
        """How many trials are still to be finished, by whomever."""
        return max(0, self.sweep.trials - sum(trial.state.is_finished() for trial in self.trials()))

    def claim(self) -> Trial | None:
        """A trial for this worker to train: an orphan, or the next; None where others have the rest."""
        return self.patiently(self._claim)

    def _claim(self) -> Trial | None:
        with self.alone():
            orphans = self.orphans()
            if waiting := self._trials(TrialState.WAITING):
                return self._ask(waiting[0].number)
            number = len(self._trials())
            if number < self.sweep.trials:
                if self.sweep.sampler == "grid":
                    self.study.enqueue_trial(self.sweep.point(number))
                return self._ask(number)
            for orphan in orphans:  # last, for they may be the death of this worker too
                epochs = len(orphan.intermediate_values)
                if sum(stint.epochs == epochs for stint in stints(orphan)) < DEATHS:
                    return self._take(Trial(self.study, self._id(orphan.number)), epochs)
                self._finish(
                    orphan.number, None, f"{DEATHS} workers died over it, one after the other"
                )
            return None

    def _ask(self, number: int) -> Trial:
        """The trial of that number, which is the first that waits, or is to be the next."""
        self.study.sampler = SAMPLERS[self.sweep.sampler](number)
        return self._take(self.study.ask(), 0)

    def _take(self, trial: Trial, epochs: int) -> Trial:
        trial.set_user_attr("stints", [*stints(trial), Stint(self.worker, self.where, epochs)])
        self.hold(trial.number)
        return trial

    def give_back(self, trial: Trial, first: bool = True) -> None:
        """Leave a trial to whoever claims next, or if it is not to be the `first`, as an orphan.

        One that has been taken up by another, who thought this worker dead, stays as it is.
        """
        frozen = self.storage.get_trial(self._id(trial.number))
        had = stints(frozen)
        if had and had[-1].worker == self.worker:
            with suppress(UpdateFinishedTrialError):  # by one who was thought dead
                trial.set_user_attr("stints", had[:-1])  # nobody has died
                if first:
                    self.storage.set_trial_state_values(self._id(trial.number), TrialState.WAITING)
        self.let_go()

    def report(self, trial: Trial, step: int, value: float) -> bool:
        """Record the value after an epoch, the first being step 1; whether the pruner stops the trial."""

        def act() -> bool:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # that a worker that has died did so before
                trial.report(value, step)
            return trial.should_prune()

        return self.patiently(act)

    def reported(self, number: int) -> set[int]:
        """The steps of a trial that are recorded."""
        return self.patiently(
            lambda: set(self.storage.get_trial(self._id(number)).intermediate_values)
        )

    def finish(self, number: int, value: float | None = None, reason: str = "") -> None:
        """Record the end of a trial: failed for a reason, complete with its value, or without one pruned."""
        self.patiently(lambda: self._finish(number, value, reason))
        self.let_go()

    def _finish(self, number: int, value: float | None, reason: str) -> None:
        state = (
            TrialState.FAIL
            if reason
            else TrialState.PRUNED
            if value is None
            else TrialState.COMPLETE
        )
        with suppress(UpdateFinishedTrialError):  # by another, or before the store was away
            if reason:
                self.storage.set_trial_user_attr(self._id(number), "reason", reason)
            # it waits where another took it for an orphan and gave it back, and Optuna tells none
            # that waits
            self.storage.set_trial_state_values(self._id(number), TrialState.RUNNING)
            self.study.tell(number, value, state, skip_if_finished=True)

    def _trials(self, *states: TrialState) -> list[FrozenTrial]:
        return self.study.get_trials(deepcopy=False, states=states or None)

    def _id(self, number: int) -> int:
        """What the storage calls a trial."""
        study = self.storage.get_study_id_from_name(self.sweep.name)
        return self.storage.get_trial_id_from_study_id_trial_number(study, number)


class Stint(NamedTuple):
    """What a worker had of a trial."""

    worker: str
    where: str  # its runs are
    epochs: int  # that others had done before


def stints(trial: FrozenTrial | Trial) -> list[Stint]:
    """Whose a trial has been, and is."""
    return [Stint(*each) for each in trial.user_attrs.get("stints", [])]


class Journal(Store):
    """A file in the folder of the sweep, for the processes of one machine."""

    def __init__(self, sweep: Sweep, folder: Path) -> None:
        super().__init__(sweep, folder, str(folder))
        self._marks = folder / ".workers"  # a file a worker, locked as long as it has a trial
        self._marks.mkdir(parents=True, exist_ok=True)
        self._mark = FileLock(self._marks / self.worker)
        file = folder / "journal.log"
        self._lock = _JournalLock(file)
        try:
            with self.alone():
                self.open(JournalStorage(JournalFileBackend(str(file), self._lock)))
        except ValueError as error:
            raise StoreError(
                f"{file}: damaged ({error}); remove it, and the sweep begins again; "
                "runs of the same configs are taken over"
            ) from None

    def alone(self) -> AbstractContextManager[object]:
        return self._lock.file_lock

    def orphans(self) -> list[FrozenTrial]:
        living = {mark.name for mark in self._marks.iterdir() if _is_locked(mark)}
        # read after the marks, for a worker finishes its trial before it unlocks its own
        running = self._trials(TrialState.RUNNING)
        return [
            trial
            for trial in running
            if not any(stint.worker in living for stint in stints(trial)[-1:])
        ]

    def hold(self, number: int) -> None:
        self._mark.acquire()

    def let_go(self) -> None:
        self._mark.release()


def _is_locked(mark: Path) -> bool:
    """Whether a worker that lives has locked its mark; the mark of a dead one is removed."""
    try:
        with FileLock(mark).acquire(timeout=0):
            mark.unlink(missing_ok=True)
    except Timeout:
        return True
    return False


class _JournalLock(JournalFileOpenLock):
    """The lock of a journal, which the system opens where its holder was killed; Optuna's own waits for 30 s."""

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
        """Cut off the part of a line that a process left which was killed while it wrote."""
        with self._journal.open("rb+") as file:
            end = file.seek(0, os.SEEK_END)
            if end and (file.seek(end - 1), file.read(1))[1] != b"\n":
                file.seek(0)
                file.truncate(file.read().rfind(b"\n") + 1)
