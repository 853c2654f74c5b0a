"""The trials of a sweep in PostgreSQL, for workers on several machines that share nothing else."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

from optuna.exceptions import OptunaError, StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import URL, Engine, NullPool, create_engine, make_url, text
from sqlalchemy.exc import (
    ArgumentError,
    InterfaceError,
    OperationalError,
    PendingRollbackError,  # a query after the one that lost the connection, as Optuna makes it
    SQLAlchemyError,
)

from nnmnist.errors import ConfigError, MissingLibrary
from nnmnist.sweep.plan import Sweep
from nnmnist.sweep.store import Result, Store, StoreError

HEARTBEAT = 2.0  # seconds between two heartbeats
DEAD_AFTER = 10.0  # seconds without a heartbeat after which a worker is presumed dead
RETRY_AFTER = 1.0  # seconds between two attempts to reach the database


class Database(Store):
    """The study of a sweep in a PostgreSQL database.

    Args:
        sweep: the sweep.
        folder: of the runs on this machine.
        url: postgresql://...; psycopg is used if it names no driver.
        notify: receives a line if the database is unreachable.

    Raises:
        ConfigError: `url` is not one of PostgreSQL, or another sweep has this name.
        MissingLibrary: the driver is not installed.
        StoreError: the database is unreachable.
    """

    def __init__(
        self,
        sweep: Sweep,
        folder: Path,
        url: str,
        notify: Callable[[str], None] = lambda line: None,
    ) -> None:
        super().__init__(sweep, folder, f"{socket.gethostname()}:{folder.resolve()}")
        address = _address(url)
        self._notify = notify
        self._name = URL.create(  # no user, password or options
            address.drivername, host=address.host, port=address.port, database=address.database
        ).render_as_string()
        self._engine = _engine(address)
        self._over = threading.Event()
        # number -> last heartbeat, and when it was seen first
        self._seen: dict[int, tuple[object, float]] = {}
        self._looked = 0.0  # when heartbeats were checked last
        # one connection each: a server has only about a hundred
        one_each = {"pool_pre_ping": True, "pool_size": 1}
        try:
            with self.claim_lock():
                self.open(RDBStorage(address.render_as_string(hide_password=False), one_each))
        except (SQLAlchemyError, StorageInternalError) as error:
            raise StoreError(f"--storage {self._name}: {_first_line(error)}") from error

    @contextmanager
    def claim_lock(self) -> Iterator[None]:
        with self._engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('nnmnist sweep'))"))
            yield

    def abandoned(self) -> list[FrozenTrial]:
        """The running trials without a new heartbeat for DEAD_AFTER seconds on this clock.

        This process must watch all the time: if it trained, was suspended or had no connection for
        a while, missing heartbeats mean nothing.
        """
        now, abandoned = time.monotonic(), []
        if now - self._looked > DEAD_AFTER / 2:
            self._seen.clear()
        self._looked = now
        for trial in self._trials(TrialState.RUNNING):
            heartbeat = trial.user_attrs.get("stints"), trial.user_attrs.get("beat")
            seen, since = self._seen.get(trial.number, (None, now))
            if heartbeat != seen:
                self._seen[trial.number] = heartbeat, now
            elif now - since > DEAD_AFTER:
                abandoned.append(trial)
        return abandoned

    def start_heartbeat(self, number: int) -> None:
        self.stop_heartbeat()
        self._over = threading.Event()
        beat = threading.Thread(
            target=self._send_heartbeats, args=(self._id(number), self._over), daemon=True
        )
        beat.start()

    def stop_heartbeat(self) -> None:
        self._over.set()

    def _send_heartbeats(self, trial: int, over: threading.Event) -> None:
        """Send heartbeats until it is over."""
        for n in count():
            with suppress(OptunaError, SQLAlchemyError):  # unreachable: `retry` reports that
                self.storage.set_trial_user_attr(trial, "beat", n)
            if over.wait(HEARTBEAT):
                return

    def retry(self, act: Callable[[], Result]) -> Result:
        notified = False
        while True:
            try:
                return act()
            except (SQLAlchemyError, StorageInternalError) as error:
                if not _is_unreachable(error):
                    raise
                if not notified:
                    self._notify(
                        f"{self._name} is unreachable, waiting for it: {_first_line(error)}"
                    )
                notified = True
            time.sleep(RETRY_AFTER)


def _address(url: str) -> URL:
    """The address with the driver of the extra `sweep`. Raises ConfigError."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):  # their messages may show the password
        address = URL.create("no address")
    if url.count("@") > 1:
        raise ConfigError("--storage: more than one @; write @ as %40 in a password or a name")
    if address.drivername.partition("+")[0] != "postgresql":
        raise ConfigError(
            f"--storage: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
            f"found {address.drivername}"
        )
    return (
        address.set(drivername="postgresql+psycopg")
        if address.drivername == "postgresql"
        else address
    )


def _engine(address: URL) -> Engine:
    """The engine for the lock. Raises ConfigError and MissingLibrary."""
    try:
        return create_engine(address, poolclass=NullPool)
    except ImportError:
        raise MissingLibrary(
            f"--storage {address.drivername}: its driver is not installed; "
            "pip install 'nnmnist[sweep]'"
        ) from None
    except ArgumentError:
        raise ConfigError(
            f"--storage: there is no driver {address.drivername}; write postgresql://..."
        ) from None


def _is_unreachable(error: Exception) -> bool:
    """Whether the database is unreachable; Optuna wraps such an error in its own."""
    found = error.__cause__ if isinstance(error, StorageInternalError) else error
    return isinstance(found, (OperationalError, InterfaceError, PendingRollbackError))


def _first_line(error: BaseException) -> str:
    """The first line of the message of the database or the driver."""
    said = (
        getattr(error, "orig", None)
        or getattr(error.__cause__, "orig", None)
        or error.__cause__
        or error
    )
    return str(said).strip().partition("\n")[0]
