"""The trials of a sweep in PostgreSQL, for workers on several machines that have nothing else in common."""

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

BEAT = 2.0  # seconds between two signs of life
GRACE = 10.0  # seconds without one after which a worker counts as dead
PAUSE = 1.0  # seconds between two knocks at a database that is away


class Database(Store):
    """The study of a sweep in a PostgreSQL database.

    Args:
        url: postgresql://...; psycopg is used where it names no driver.
        notify: receives a line where the database is away and waited for.

    Raises:
        ConfigError: `url` is none of PostgreSQL, or under this name there is another sweep.
        MissingLibrary: the driver is not installed.
        StoreError: the database cannot be had.
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
        # number -> last sign of life, and since when
        self._seen: dict[int, tuple[object, float]] = {}
        self._looked = 0.0  # when it was last looked for signs
        # connections, for a server has but a hundred
        one_each = {"pool_pre_ping": True, "pool_size": 1}
        try:
            with self.alone():
                self.open(RDBStorage(address.render_as_string(hide_password=False), one_each))
        except (SQLAlchemyError, StorageInternalError) as error:
            raise StoreError(f"--storage {self._name}: {_first_line(error)}") from error

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._engine.begin() as connection:
            connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('nnmnist sweep'))"))
            yield

    def orphans(self) -> list[FrozenTrial]:
        """Those whose sign of life this process has seen unchanged for GRACE: no two clocks are compared.

        It has to look all the while: that nothing came while it trained, was halted or had no
        database says nothing.
        """
        now, orphans = time.monotonic(), []
        if now - self._looked > GRACE / 2:
            self._seen.clear()
        self._looked = now
        for trial in self._trials(TrialState.RUNNING):
            sign = trial.user_attrs.get("stints"), trial.user_attrs.get("beat")
            seen, since = self._seen.get(trial.number, (None, now))
            if sign != seen:
                self._seen[trial.number] = sign, now
            elif now - since > GRACE:
                orphans.append(trial)
        return orphans

    def hold(self, number: int) -> None:
        self.let_go()
        self._over = threading.Event()
        beat = threading.Thread(target=self._beat, args=(self._id(number), self._over), daemon=True)
        beat.start()

    def let_go(self) -> None:
        self._over.set()

    def _beat(self, trial: int, over: threading.Event) -> None:
        """Give signs of life until it is over."""
        for n in count():
            with suppress(OptunaError, SQLAlchemyError):  # away: `patiently` has the last word
                self.storage.set_trial_user_attr(trial, "beat", n)
            if over.wait(BEAT):
                return

    def patiently(self, act: Callable[[], Result]) -> Result:
        told = False
        while True:
            try:
                return act()
            except (SQLAlchemyError, StorageInternalError) as error:
                if not _is_away(error):
                    raise
                if not told:
                    self._notify(f"{self._name} is away, and waited for: {_first_line(error)}")
                told = True
            time.sleep(PAUSE)


def _address(url: str) -> URL:
    """An address with the driver that the extra `sweep` brings. Raises ConfigError."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):  # whose texts may show the password
        address = URL.create("no address")
    if url.count("@") > 1:
        raise ConfigError("--storage: more than one @; write @ as %40 in a password or a name")
    if address.drivername.partition("+")[0] != "postgresql":
        raise ConfigError(
            f"--storage: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE, found {address.drivername}"
        )
    return (
        address.set(drivername="postgresql+psycopg")
        if address.drivername == "postgresql"
        else address
    )


def _engine(address: URL) -> Engine:
    """What the lock is had by. Raises ConfigError and MissingLibrary."""
    try:
        return create_engine(address, poolclass=NullPool)
    except ImportError:
        raise MissingLibrary(
            f"--storage {address.drivername}: its driver is not installed: pip install 'nnmnist[sweep]'"
        ) from None
    except ArgumentError:
        raise ConfigError(
            f"--storage: no driver is called {address.drivername}; write postgresql://..."
        ) from None


def _is_away(error: Exception) -> bool:
    """Whether the database, not what was asked of it, is at fault; Optuna packs such an error into its own."""
    found = error.__cause__ if isinstance(error, StorageInternalError) else error
    return isinstance(found, (OperationalError, InterfaceError, PendingRollbackError))


def _first_line(error: BaseException) -> str:
    """What the database, or the driver, has to say."""
    said = (
        getattr(error, "orig", None)
        or getattr(error.__cause__, "orig", None)
        or error.__cause__
        or error
    )
    return str(said).strip().partition("\n")[0]
