"""Downloads one file over HTTP, with limits that hold for every kind of bad server.

The timeouts of a socket do not limit name resolution, a host with many dead addresses, or headers
and bytes that arrive one by one. So the request runs in a thread of its own, and the caller takes
results from a queue and watches the clock.
"""

from __future__ import annotations

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
# seconds without data; a whole transfer may take so many seconds, plus its size / MIN_SPEED
READ_TIMEOUT = 30.0
MIN_SPEED = 10_000  # bytes per second
BACKOFF = 0.2  # seconds before a retry, doubled for the second one
MAX_RETRY_WAIT = 1.0  # seconds before a retry, even if Retry-After is longer
CHUNK = 1 << 16  # bytes per read

# A part of the body, its announced length (0: unknown), an error, or None at the end.
Message = bytes | int | Exception | None
# Called with the number of bytes so far and the announced total; None if it is unknown.
OnProgress = Callable[[int, int | None], None]


class TransferError(Exception):
    """The reason why a mirror failed."""


def receive(url: str, limit: int, connect_timeout: float, on_progress: OnProgress) -> bytes:
    """The body of a URL as the server sends it, without decompression.

    Args:
        url: the address.
        limit: the largest number of bytes to accept.
        connect_timeout: seconds to wait for a connection, name resolution included.
        on_progress: is called with the number of bytes so far and the total; None if it is unknown.

    Raises:
        TransferError: the request failed, was too slow, or sent more than `limit` bytes.
    """
    # Importing requests takes a while: do it before the clock starts.
    import requests  # noqa: F401

    messages: Queue[Message] = Queue()
    abandoned = Event()
    Thread(target=_run_request, args=(url, messages, abandoned), daemon=True).start()
    try:
        return _collect(messages, limit, connect_timeout, on_progress)
    finally:
        abandoned.set()


def _collect(
    messages: Queue[Message], limit: int, connect_timeout: float, on_progress: OnProgress
) -> bytes:
    # The first message is empty: it says that the connection exists.
    _next_message(messages, connect_timeout, f"no connection within {connect_timeout:g} s")
    start = monotonic()
    body = bytearray()
    total = None
    while True:
        allowed = READ_TIMEOUT + len(body) / MIN_SPEED
        too_slow = f"too slow: {len(body):,} bytes in {allowed:.0f} s"
        message = _next_message(messages, start + allowed - monotonic(), too_slow)
        if message is None:
            return bytes(body)
        if isinstance(message, int):
            total = message or None
            continue
        body += message
        if len(body) > limit:
            raise TransferError(f"sends more than {limit:,} bytes, the largest possible size")
        on_progress(len(body), total)


def _next_message(messages: Queue[Message], timeout: float, complaint: str) -> bytes | int | None:
    try:
        message = messages.get(timeout=max(timeout, 0.0))
    except Empty:
        raise TransferError(complaint) from None
    if isinstance(message, Exception):
        raise TransferError(_root_cause(message)) from message
    return message


def _root_cause(error: BaseException) -> str:
    """The innermost of several wrapped exceptions: `[Errno 104] Connection reset by peer`."""
    while inner := error.__cause__ or (None if error.__suppress_context__ else error.__context__):
        error = inner
    return str(error) or type(error).__name__


def _run_request(url: str, messages: Queue[Message], abandoned: Event) -> None:
    """Send the request, and put what happens into the queue; runs in a thread of its own."""
    try:
        with closing(_request(url)) as parts:
            for part in parts:
                messages.put(part)
                if abandoned.is_set():
                    return
        messages.put(None)
    # Every error concerns this mirror alone. It must be reported, or the caller waits in vain.
    except Exception as error:
        messages.put(error)


def _request(url: str) -> Generator[bytes | int, None, None]:
    _check_reachable(url)
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


def _check_reachable(url: str) -> None:
    """Raise OSError unless the host of a URL, or its proxy, accepts a connection."""
    # Here, as this takes a while to import, and most runs need no network.
    import socket

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
            return None if seconds is None else min(seconds, MAX_RETRY_WAIT)

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
