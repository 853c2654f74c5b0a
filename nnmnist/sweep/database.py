"""The trials of a sweep in PostgreSQL, for workers on several machines that share nothing else."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from optuna.exceptions import OptunaError, StorageInternalError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    NullPool,
    create_engine,
    event,
    make_url,
    text,
)
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
LOCK_AFTER = 0.05  # seconds between two attempts to lock

# The server ends a transaction that is idle for longer, and its session: else a process that is
# suspended would keep its locks. The lock of a claim ends later than any transaction in the claim.
IDLE, IDLE_LOCK = DEAD_AFTER / 2, DEAD_AFTER


class LockLost(StoreError):
    """The server has given the lock to others, because this process did nothing for long."""


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
        self._held = threading.local()  # its `lock` is the connection that holds the lock
        self._over = threading.Event()
        # number -> last heartbeat, and when it was seen first
        self._seen: dict[int, tuple[object, float]] = {}
        self._looked = 0.0  # when heartbeats were checked last
        # one connection each: a server has only about a hundred
        one_each = {"pool_pre_ping": True, "pool_size": 1, **_creator(address, IDLE)}
        try:
            with self._lock("tables"):
                storage = RDBStorage(address.render_as_string(hide_password=False), one_each)
            event.listen(storage.engine, "commit", self._require_lock)
            with self.claim_lock():
                self.open(storage)
        except (SQLAlchemyError, StorageInternalError) as error:
            raise StoreError(f"--storage {self._name}: {_first_line(error)}") from error

    def claim_lock(self) -> AbstractContextManager[None]:
        return self._lock(f"sweep {self.sweep.name}")

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        """Lock a name within this database; the lock ends if this process does nothing with it."""
        attempt = text("SELECT pg_try_advisory_xact_lock(hashtext('nnmnist'), hashtext(:name))")
        with self._engine.connect() as connection:
            while not connection.scalar(attempt, {"name": name}):
                time.sleep(LOCK_AFTER)
            self._held.lock = connection
            try:
                yield
            finally:
                self._held.lock = None
                with suppress(SQLAlchemyError):  # the server has ended it already
                    connection.commit()

    def _require_lock(self, connection: Connection) -> None:
        """Called before a commit: if this thread has lost its lock meanwhile, nothing is written.

        A process may have been suspended. The transaction has been idle for longer than the lock,
        so that the server ends it earlier.
        """
        if (lock := getattr(self._held, "lock", None)) is not None:
            try:
                lock.execute(text("SELECT 1"))
            except SQLAlchemyError as error:
                raise LockLost(_first_line(error)) from error

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
            except LockLost:
                continue
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
        return create_engine(address, poolclass=NullPool, **_creator(address, IDLE_LOCK))
    except ImportError:
        raise MissingLibrary(
            f"--storage {address.drivername}: its driver is not installed; "
            "pip install 'nnmnist[sweep]'"
        ) from None
    except ArgumentError:
        raise ConfigError(
            f"--storage: there is no driver {address.drivername}; write postgresql://..."
        ) from None


def _creator(address: URL, idle: float) -> dict[str, Any]:
    """Options of an engine: how it connects. Other drivers than psycopg connect in their own way.

    Args:
        address: with the driver.
        idle: seconds after which the server ends a transaction that is idle.
    """
    if address.drivername != "postgresql+psycopg":
        return {}
    from nnmnist.sweep.connection import connector

    return {"creator": connector(address, idle)}


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
