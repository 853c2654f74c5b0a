"""Connections to PostgreSQL that end if the server, or this process, is silent for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from typing import Any, TypeVar

import psycopg
from sqlalchemy import URL, create_engine

Result = TypeVar("Result")

SILENCE = 30.0  # seconds without a byte from the server


class Silent(psycopg.OperationalError):
    """The server is silent. A network that loses all packets reports nothing else."""


class Connection(psycopg.Connection[Any]):
    """A connection that waits at most SILENCE seconds for a byte from the server."""

    def wait(self, gen: Generator[Any, Any, Result], *args: Any, **settings: Any) -> Result:
        try:
            return super().wait(_limited(gen), *args, **settings)
        except Silent:
            self.close()
            raise


def _limited(gen: Generator[Any, Any, Result]) -> Generator[Any, Any, Result]:
    """The generator `gen`, to which psycopg sends what is ready, and 0 ten times per second."""
    heard = time.monotonic()
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready:
                heard = time.monotonic()
            elif time.monotonic() - heard > SILENCE:
                raise Silent(f"no answer for {SILENCE:.0f} s")
            wanted = gen.send(ready)
    except StopIteration as end:
        result: Result = end.value
        return result


def connector(address: URL, idle: float) -> Callable[[], Connection]:
    """A function that connects to a database.

    Args:
        address: of the database, with the driver psycopg.
        idle: seconds after which the server ends a transaction in which the process does nothing:
            else a process that is suspended would keep its locks.
    """
    arguments, settings = create_engine(address).dialect.create_connect_args(address)

    def connect() -> Connection:
        connection = Connection.connect(*arguments, **{"connect_timeout": int(SILENCE), **settings})
        connection.execute(f"SET idle_in_transaction_session_timeout = {1000 * idle:.0f}")
        connection.commit()
        return connection

    return connect
