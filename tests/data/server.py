"""A web server on 127.0.0.1 that does to its clients what mirrors do, and worse."""

from __future__ import annotations

import gzip
import socket
import struct
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from urllib.parse import urlsplit

Answer = Callable[["Request"], None]


class Request(BaseHTTPRequestHandler):
    """One request; an Answer calls its methods."""

    server: HostileServer

    def do_GET(self) -> None:
        path = urlsplit(self.path).path  # a proxy is asked for a whole URL
        mirror, _, name = path.strip("/").partition("/")
        self.name = name.removesuffix(".gz")
        self.server.counts[path] += 1
        with suppress(OSError):  # the client had enough
            self.server.answers[mirror](self)

    def send(
        self, body: bytes, status: int = 200, length: int | None = None, **headers: str
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """The tests' output is no access log."""


class HostileServer(ThreadingHTTPServer):
    """Mirrors side by side: `<url>/<mirror>/<file>.gz` is answered by `answers[mirror]`."""

    def __init__(self, files: dict[str, bytes]) -> None:
        super().__init__(("127.0.0.1", 0), Request)
        self.files = files  # unpacked
        self.answers: dict[str, Answer] = {"good": good}
        self.counts: Counter[str] = Counter()  # requests by path
        self.closing = Event()

    def mirror(self, name: str, answer: Answer | None = None) -> str:
        if answer is not None:
            self.answers[name] = answer
        return f"http://127.0.0.1:{self.server_port}/{name}"


@contextmanager
def serve(files: dict[str, bytes]) -> Iterator[HostileServer]:
    with HostileServer(files) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.closing.set()
            server.shutdown()
            thread.join()


def unused_url() -> str:
    """A mirror where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def good(request: Request) -> None:
    request.send(gzip.compress(request.server.files[request.name]))


def unpacked(request: Request) -> None:
    request.send(request.server.files[request.name])


def wrong_bytes(request: Request) -> None:
    content = bytearray(request.server.files[request.name])
    content[-1] ^= 1
    request.send(gzip.compress(bytes(content)))


def short(request: Request) -> None:
    request.send(gzip.compress(request.server.files[request.name][:-1]))


def long(request: Request) -> None:
    request.send(gzip.compress(request.server.files[request.name] + b"\0"))


def cut_gzip(request: Request) -> None:
    request.send(gzip.compress(request.server.files[request.name])[:-10])


def damaged_gzip(request: Request) -> None:
    packed = bytearray(gzip.compress(request.server.files[request.name]))
    packed[12:16] = b"\xff" * 4
    request.send(bytes(packed))


def less_than_announced(request: Request) -> None:
    packed = gzip.compress(request.server.files[request.name])
    request.send(packed[:-5], length=len(packed))


def endless(request: Request) -> None:
    request.send(b"", length=1 << 40)
    while not request.server.closing.is_set():
        request.wfile.write(bytes(1 << 16))


def bomb(request: Request) -> None:
    request.send(gzip.compress(bytes(1 << 24), compresslevel=1)[:1000])


def reset(request: Request) -> None:
    request.send(b"\x1f\x8b", length=1000)
    request.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()


def hang_up(request: Request) -> None:
    request.connection.close()


def status(code: int, **headers: str) -> Answer:
    return lambda request: request.send(b"go away", code, **headers)


def html(request: Request) -> None:
    request.send(b"<!DOCTYPE html><title>Please log in</title>", Content_Type="text/html")


def stalled(request: Request) -> None:
    request.server.closing.wait()


def stalled_in_the_middle(request: Request) -> None:
    request.send(gzip.compress(request.server.files[request.name])[:20], length=1000)
    request.server.closing.wait()


def dripping(request: Request) -> None:
    request.send(b"", length=1 << 20)
    while not request.server.closing.wait(0.02):
        request.wfile.write(b"\0")


def dripping_headers(request: Request) -> None:
    request.wfile.write(b"HTTP/1.0 200 OK\r\nX-Drip: ")
    while not request.server.closing.wait(0.02):
        request.wfile.write(b"a")


def strange_length(request: Request) -> None:
    request.wfile.write(b"HTTP/1.0 200 OK\r\nContent-Length: many\r\n\r\nhello")


def redirect(target: str) -> Answer:
    return lambda request: request.send(b"", 302, Location=f"{target}/{request.name}.gz")
