"""One file over HTTP, with bounds that hold against every kind of bad server.

The time limits of a socket bind neither name resolution, nor a host of many dead addresses, nor headers or
bytes that drip in one by one. So the request runs in a thread of its own, and the caller takes what comes out
of a queue and keeps the clock.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from contextlib import closing
from queue import Empty, Queue
from threading import Event, Thread
from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import requests
    from urllib3 import BaseHTTPResponse

CONNECT_TIMEOUT = 5.0  # seconds until somebody accepts the connection
READ_TIMEOUT = 30.0  # seconds of silence, and what a transfer may take on top of its size / SLOWEST
SLOWEST = 10_000  # bytes a second
BACKOFF = 0.2  # seconds, doubled at each of two retries
LONGEST_WAIT = 1.0  # seconds before a retry, whatever Retry-After asks
CHUNK = 1 << 16

# Some of the body, its announced length (0: unknown), a failure, or the end.
Happening = bytes | int | Exception | None


class TransferError(Exception):
    """Why a mirror was of no use."""


def receive(url: str, limit: int, connect: float, hear: Callable[[int, int | None], None]) -> bytes:
    """The body of `url` as it was sent, without undoing any compression.

    Gives up after `connect` seconds without a connection, below SLOWEST bytes a second, or past `limit`
    bytes. `hear(count, total)` is called as bytes arrive; a total of None was not announced.

    Raises TransferError for whatever goes wrong.
    """
    import requests  # noqa: F401 - loaded before the clock starts

    happenings: Queue[Happening] = Queue()
    abandoned = Event()
    Thread(target=_work, args=(url, happenings, abandoned), daemon=True).start()
    try:
        return _collect(happenings, limit, connect, hear)
    finally:
        abandoned.set()


def _collect(
    happenings: Queue[Happening],
    limit: int,
    connect: float,
    hear: Callable[[int, int | None], None],
) -> bytes:
    _next(happenings, connect, f"no connection within {connect:g} s")
    began = monotonic()
    body = bytearray()
    total = None
    while True:
        patience = began + READ_TIMEOUT + len(body) / SLOWEST - monotonic()
        so_far = f"{len(body):,} bytes in {monotonic() - began + patience:.0f} s"
        happening = _next(happenings, patience, f"too slow: {so_far}")
        if happening is None:
            return bytes(body)
        if isinstance(happening, int):
            total = happening or None
            continue
        body += happening
        if len(body) > limit:
            raise TransferError(f"sends more than the {limit:,} bytes there can be")
        hear(len(body), total)


def _next(happenings: Queue[Happening], patience: float, complaint: str) -> bytes | int | None:
    try:
        happening = happenings.get(timeout=max(patience, 0.0))
    except Empty:
        raise TransferError(complaint) from None
    if isinstance(happening, Exception):
        raise TransferError(_reason(happening)) from happening
    return happening


def _reason(error: BaseException) -> str:
    """What lies at the bottom of a stack of wrapped exceptions: `[Errno 104] Connection reset by peer`."""
    while deeper := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = deeper
    return str(error) or type(error).__name__


def _work(url: str, happenings: Queue[Happening], abandoned: Event) -> None:
    try:
        with closing(_exchange(url)) as exchange:
            for happening in exchange:
                happenings.put(happening)
                if abandoned.is_set():
                    return
        happenings.put(None)
    except (
        Exception
    ) as error:  # whatever it is, it concerns this mirror alone, and nobody must wait in vain
        happenings.put(error)


def _exchange(url: str) -> Generator[bytes | int, None, None]:
    _knock(url)
    yield b""
    with (
        _session(url) as session,
        session.get(
            url,
            stream=True,
            timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
            headers={"Accept-Encoding": "identity"},
        ) as response,
    ):
        if response.status_code != 200:
            raise TransferError(f"HTTP {response.status_code} {response.reason}")
        yield int(response.headers.get("Content-Length", 0))
        yield from response.raw.stream(CHUNK, decode_content=False)


def _knock(url: str) -> None:
    """Raise OSError unless the host of `url`, or the proxy that stands before it, accepts a connection."""
    from requests.utils import get_environ_proxies, select_proxy

    proxy = select_proxy(url, get_environ_proxies(url))
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    host = urlsplit(proxy or url)
    port = host.port or {"http": 80, "https": 443}.get(host.scheme, 1080)
    socket.create_connection((host.hostname or "", port), CONNECT_TIMEOUT).close()


def _session(url: str) -> requests.Session:
    """A session that retries twice and, for an https `url`, cannot be redirected to plain http."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3 import Retry

    class BriefRetry(Retry):
        def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
            seconds = super().get_retry_after(response)
            return None if seconds is None else min(seconds, LONGEST_WAIT)

    retry = BriefRetry(
        total=2,
        connect=0,  # the next mirror is the better second try
        backoff_factor=BACKOFF,
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
    )
    session = requests.Session()
    session.mount("https://", HTTPAdapter(max_retries=retry))
    if urlsplit(url).scheme == "https":
        del session.adapters["http://"]
    else:
        session.mount("http://", HTTPAdapter(max_retries=retry))
    return session
