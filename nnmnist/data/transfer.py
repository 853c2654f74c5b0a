"""Downloads one file over HTTP, with limits that hold for every kind of bad server.

The timeouts of a socket do not limit name resolution, a host with many dead addresses, or headers
and bytes that arrive one by one. So the request runs in a thread of its own, and the caller takes
results from a queue and watches the clock.
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

CONNECT_TIMEOUT = 5.0  # seconds
READ_TIMEOUT = 30.0  # seconds without data, and seconds that any transfer may take
SLOWEST = 10_000  # bytes per second
BACKOFF = 0.2  # seconds before a retry, doubled for the second one
LONGEST_WAIT = 1.0  # seconds before a retry, even if Retry-After is longer
CHUNK = 1 << 16

# A part of the body, its announced length (0: unknown), an error, or None at the end.
Message = bytes | int | Exception | None


class TransferError(Exception):
    """The reason why a mirror failed."""


def receive(
    url: str, limit: int, connect: float, on_progress: Callable[[int, int | None], None]
) -> bytes:
    """The body of a URL as the server sends it, without decompression.

    Args:
        url: the address.
        limit: the largest number of bytes to accept.
        connect: seconds to wait for a connection.
        on_progress: is called with the number of bytes so far and the total; None if it is unknown.

    Raises:
        TransferError: the request failed, was too slow, or sent more than `limit` bytes.
    """
    import requests  # noqa: F401 - loaded before the clock starts

    events: Queue[Message] = Queue()
    abandoned = Event()
    Thread(target=_work, args=(url, events, abandoned), daemon=True).start()
    try:
        return _collect(events, limit, connect, on_progress)
    finally:
        abandoned.set()


def _collect(
    events: Queue[Message],
    limit: int,
    connect: float,
    on_progress: Callable[[int, int | None], None],
) -> bytes:
    _next(events, connect, f"no connection within {connect:g} s")
    began = monotonic()
    body = bytearray()
    total = None
    while True:
        patience = began + READ_TIMEOUT + len(body) / SLOWEST - monotonic()
        so_far = f"{len(body):,} bytes in {monotonic() - began + patience:.0f} s"
        event = _next(events, patience, f"too slow: {so_far}")
        if event is None:
            return bytes(body)
        if isinstance(event, int):
            total = event or None
            continue
        body += event
        if len(body) > limit:
            raise TransferError(f"sends more than {limit:,} bytes, the largest possible size")
        on_progress(len(body), total)


def _next(events: Queue[Message], patience: float, complaint: str) -> bytes | int | None:
    try:
        event = events.get(timeout=max(patience, 0.0))
    except Empty:
        raise TransferError(complaint) from None
    if isinstance(event, Exception):
        raise TransferError(_reason(event)) from event
    return event


def _reason(error: BaseException) -> str:
    """The innermost of several wrapped exceptions: `[Errno 104] Connection reset by peer`."""
    while deeper := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = deeper
    return str(error) or type(error).__name__


def _work(url: str, events: Queue[Message], abandoned: Event) -> None:
    try:
        with closing(_exchange(url)) as exchange:
            for event in exchange:
                events.put(event)
                if abandoned.is_set():
                    return
        events.put(None)
    except (
        Exception
    ) as error:  # whatever it is, it concerns this mirror alone, and nobody must wait in vain
        events.put(error)


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
    """Raise OSError unless the host of a URL, or its proxy, accepts a connection."""
    from requests.utils import get_environ_proxies, select_proxy

    proxy = select_proxy(url, get_environ_proxies(url))
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    host = urlsplit(proxy or url)
    port = host.port or {"http": 80, "https": 443}.get(host.scheme, 1080)
    socket.create_connection((host.hostname or "", port), CONNECT_TIMEOUT).close()


def _session(url: str) -> requests.Session:
    """A session that retries twice, and is never redirected from https to plain http."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3 import Retry

    class BriefRetry(Retry):
        def get_retry_after(self, response: BaseHTTPResponse) -> float | None:
            seconds = super().get_retry_after(response)
            return None if seconds is None else min(seconds, LONGEST_WAIT)

    retry = BriefRetry(
        total=2,
        connect=0,  # the next mirror is a better second try
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
