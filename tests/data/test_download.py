import hashlib
import io
import os
import re
import socket
import subprocess
import sys
import threading
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from requests.adapters import HTTPAdapter
from requests.models import Response

import nnmnist
from nnmnist.data import download, transfer
from nnmnist.data.download import Published, fetch
from nnmnist.data.readers import idx
from nnmnist.errors import DataUnavailable

from . import server as hostile
from .server import serve, status, unused_url

FILES = {
    name: idx.encode(np.random.default_rng(n).integers(0, 256, (7, n + 2, 3), np.uint8))
    for n, name in enumerate(["train-images", "train-labels", "t10k-images", "t10k-labels"])
}
PUBLISHED = {
    name: Published(len(content), hashlib.sha256(content).hexdigest())
    for name, content in FILES.items()
}
ONE = {"train-images": PUBLISHED["train-images"]}


@pytest.fixture(autouse=True)
def impatient_and_online(monkeypatch):
    monkeypatch.setenv("NNMNIST_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(transfer, "MAX_RETRY_WAIT", 0.01)
    monkeypatch.setattr(transfer, "BACKOFF", 0.01)


@pytest.fixture(scope="module")
def server():
    with serve(FILES) as running:
        yield running


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "mnist"


def assert_complete(folder, names=FILES):
    assert {name: (folder / name).read_bytes() for name in names} == {
        name: FILES[name] for name in names
    }
    assert set(os.listdir(folder)) <= {*names, "download.lock"}


BAD_MIRRORS = {
    "wrong bytes of the right length": (hostile.wrong_bytes, "expected SHA-256"),
    "short": (hostile.short, r"expected \d+ bytes, found \d+"),
    "long": (hostile.long, r"expected \d+ bytes, found more"),
    "gzip cut": (hostile.cut_gzip, "damaged gzip"),
    "gzip damaged": (hostile.damaged_gzip, "damaged gzip"),
    "less than announced": (hostile.less_than_announced, "IncompleteRead|damaged gzip"),
    "endless": (hostile.endless, "sends more than"),
    "gzip bomb": (hostile.bomb, "found more"),
    "reset": (hostile.reset, "reset|forcibly closed"),
    "hangs up": (hostile.hang_up, "closed connection without response|aborted|reset"),
    "403": (status(403), "HTTP 403 Forbidden"),
    "404": (status(404), "HTTP 404 Not Found"),
    "429": (status(429, Retry_After="3600"), "HTTP 429"),
    "500": (status(500), "HTTP 500"),
    "204": (status(204), "HTTP 204"),
    "HTML": (hostile.html, r"wrong content: expected \d+ bytes"),
    "strange length": (hostile.strange_length, "invalid literal"),
    "redirected to nobody": (hostile.redirect(unused_url()), "refused|timed out"),
    "redirected to a file": (hostile.redirect("file:///etc"), "No connection adapters"),
}
SLOW_MIRRORS = {
    "stalled": (hostile.stalled, "too slow|timed out"),
    "stalled in the middle": (hostile.stalled_in_the_middle, "too slow|timed out"),
    "dripping": (hostile.dripping, "too slow"),
    "dripping headers": (hostile.dripping_headers, "too slow|timed out"),
}
each_bad_mirror = pytest.mark.parametrize(
    ("answer", "reason", "patience"),
    [pytest.param(*bad, 30.0, id=name) for name, bad in BAD_MIRRORS.items()]
    + [pytest.param(*slow, 0.4, id=name) for name, slow in SLOW_MIRRORS.items()],
)


@each_bad_mirror
def test_the_next_mirror_takes_over(server, folder, monkeypatch, answer, reason, patience):
    """For each of the four files, asked for by itself: a mirror that failed once is asked last."""
    monkeypatch.setattr(transfer, "READ_TIMEOUT", patience)
    for name, published in PUBLISHED.items():
        notices = []
        fetch(
            {name: published},
            [server.mirror("bad", answer), server.mirror("good")],
            folder,
            notices.append,
        )
        failure, success = notices
        assert failure.startswith(f"{server.mirror('bad')}/{name}.gz: ")
        assert re.search(reason, failure)
        assert "\n" not in failure
        assert success.startswith(f"{server.mirror('good')}/{name}.gz: downloaded and verified, ")
    assert_complete(folder)


@each_bad_mirror
def test_nothing_false_is_published(server, folder, monkeypatch, answer, reason, patience):
    monkeypatch.setattr(transfer, "READ_TIMEOUT", patience)
    with pytest.raises(DataUnavailable, match=reason):
        fetch(ONE, [server.mirror("bad", answer)], folder)
    assert set(os.listdir(folder)) == {"download.lock", "download.failed"}


@pytest.mark.parametrize("answer", [hostile.good, hostile.unpacked], ids=["packed", "unpacked"])
def test_a_redirect_is_followed_and_an_unpacked_file_is_welcome(server, folder, answer):
    fetch(ONE, [server.mirror("moved", hostile.redirect(server.mirror("there", answer)))], folder)
    assert_complete(folder, ONE)


def test_a_server_that_recovers_is_asked_again(server, folder):
    answers = [status(503, Retry_After="1000"), status(429, Retry_After="1000"), hostile.good]
    fetch(ONE, [server.mirror("busy", lambda request: answers.pop(0)(request))], folder)
    assert_complete(folder, ONE)
    assert server.counts["/busy/train-images.gz"] == 3


def test_a_slow_but_steady_mirror_is_waited_for(server, folder, monkeypatch):
    monkeypatch.setattr(transfer, "READ_TIMEOUT", 0.3)
    monkeypatch.setattr(transfer, "MIN_SPEED", 20)
    monkeypatch.setattr(transfer, "CHUNK", 20)

    def slow(request):
        packed = hostile.gzip.compress(FILES[request.name])
        request.send(packed[:20], length=len(packed))
        request.server.closing.wait(0.2)
        request.wfile.write(packed[20:40])
        request.server.closing.wait(0.2)
        request.wfile.write(packed[40:])

    fetch(ONE, [server.mirror("slow", slow)], folder)
    assert_complete(folder, ONE)


def test_a_mirror_that_failed_is_the_last_to_be_asked_again(server, folder):
    server.counts.clear()
    fetch(PUBLISHED, [server.mirror("gone", status(404)), server.mirror("good")], folder)
    assert_complete(folder)
    assert [path for path in server.counts if path.startswith("/gone/")] == [
        "/gone/train-images.gz"
    ]


def test_two_half_mirrors_make_a_whole_one(server, folder):
    def half(names, request):
        (hostile.good if request.name in names else status(404))(request)

    names = list(FILES)
    mirrors = [
        server.mirror("odd", partial(half, names[::2])),
        server.mirror("even", partial(half, names[1::2])),
    ]
    fetch(PUBLISHED, mirrors, folder)
    assert_complete(folder)


def test_a_damaged_file_is_replaced_and_a_good_one_left_alone(server, folder):
    server.counts.clear()
    folder.mkdir()
    for name, content in FILES.items():
        (folder / name).write_bytes(content)
    fetch(PUBLISHED, [], folder)
    (folder / "t10k-images").write_bytes(FILES["t10k-images"][:-1] + b"\0")
    fetch(PUBLISHED, [server.mirror("good")], folder)
    assert_complete(folder)
    assert server.counts == {"/good/t10k-images.gz": 1}


def test_what_a_killed_process_left_is_swept_up(server, folder):
    folder.mkdir()
    (folder / ".train-images.0a1b2c3d.tmp").write_bytes(b"half a file")
    (folder / "download.lock").touch()
    fetch(ONE, [server.mirror("good")], folder)
    assert_complete(folder, ONE)


def test_all_mirrors_dead_gives_one_message_with_all_that_is_needed(folder):
    mirrors = [unused_url() + "/a/", unused_url() + "/b", "http://mirror.invalid:99999/c"]
    notices = []
    with pytest.raises(DataUnavailable) as failure:
        fetch(PUBLISHED, mirrors, folder, notices.append)
    message = str(failure.value)
    assert message.splitlines()[0].startswith(
        f"{folder} lacks {', '.join(FILES)}, and no mirror has it"
    )
    for needed in [
        str(folder),
        mirrors[1],
        "data.name: synthetic",
        *(f"{mirrors[0]}{n}.gz" for n in FILES),
    ]:
        assert needed in message
    assert len(notices) == 3


@pytest.mark.parametrize("stage", ["name", "address"])
def test_a_network_that_swallows_everything_is_given_up_in_time(folder, monkeypatch, stage):
    """Neither a hanging resolver nor a hundred dead addresses may outlast the bound."""
    assert download.CONNECT_TOTAL <= 16  # of the 20 seconds that a user waits at most
    monkeypatch.setattr(download, "CONNECT_TOTAL", 0.3)
    release = hostile.Event()
    target = "getaddrinfo" if stage == "name" else "create_connection"

    def hang(*_args, **_kwargs):
        release.wait()
        raise OSError("released")

    monkeypatch.setattr(socket, target, hang)
    began = time.monotonic()
    try:
        with pytest.raises(DataUnavailable, match=r"no connection within 0\.1 s"):
            fetch(
                PUBLISHED, ["https://a.invalid", "https://b.invalid", "https://c.invalid"], folder
            )
        assert time.monotonic() - began < 5
    finally:
        release.set()


def test_https_cannot_be_redirected_to_plain_http(folder, monkeypatch):
    asked = []

    def answer(_adapter, request, **_):
        asked.append(request.url)
        response = Response()
        response.status_code, response.url, response.request = 302, request.url, request
        response.headers["Location"] = "http://elsewhere.invalid/file.gz"
        response.raw = io.BytesIO()
        return response

    monkeypatch.setattr(transfer, "_check_reachable", lambda url: None)
    monkeypatch.setattr(HTTPAdapter, "send", answer)
    with pytest.raises(DataUnavailable, match=r"No connection adapters .*elsewhere"):
        fetch(ONE, ["https://mirror.invalid"], folder)
    assert asked == ["https://mirror.invalid/train-images.gz"]


@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_proxy_stands_before_the_mirror(server, folder, monkeypatch, scheme):
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("http_proxy", f"{scheme}127.0.0.1:{server.server_port}")
    fetch(ONE, ["http://mirror.invalid/good"], folder)
    assert_complete(folder, ONE)


@pytest.mark.parametrize("value", ["1", "yes"])
def test_offline_means_no_socket_at_all(folder, monkeypatch, value):
    def forbidden(*_args, **_kwargs):
        raise AssertionError("a socket was made")

    monkeypatch.setenv("NNMNIST_OFFLINE", value)
    monkeypatch.setattr(socket, "socket", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    with pytest.raises(DataUnavailable, match="NNMNIST_OFFLINE forbids the network") as failure:
        fetch(PUBLISHED, ["http://127.0.0.1:9"], folder)
    assert "http://127.0.0.1:9/t10k-labels.gz" in str(failure.value)
    assert not folder.exists()


def test_without_any_mirror(folder):
    with pytest.raises(DataUnavailable, match="no mirror is configured"):
        fetch(ONE, [], folder)


def test_a_folder_that_cannot_be_made_is_no_traceback(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataUnavailable, match="is not writable"):
        fetch(ONE, [unused_url()], tmp_path / "file" / "mnist")


HOLD_LOCK = """
import sys
from filelock import FileLock
with FileLock(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_a_killed_process_does_not_keep_the_lock(server, folder, times):
    folder.mkdir()
    for _ in range(times):
        (folder / "train-images").unlink(missing_ok=True)
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLD_LOCK, str(folder / "download.lock")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with holder:
            assert holder.stdout.readline().strip() == b"held"
            began = time.monotonic()
            # by then, most likely, fetch waits for the lock
            killer = threading.Timer(0.1, holder.kill)
            killer.start()
            fetch(ONE, [server.mirror("good")], folder)
            assert time.monotonic() - began < 5
            killer.join()
            assert holder.wait() != 0
        assert_complete(folder, ONE)


def test_who_waited_for_a_failure_shares_it(server, folder):
    """The lock is free again, and the mark of the failure is younger than our wish."""
    folder.mkdir()
    (folder / "download.failed").touch()
    os.utime(folder / "download.failed", times=(time.time() + 60,) * 2)
    with pytest.raises(DataUnavailable, match="another process has just failed"):
        fetch(ONE, [server.mirror("good")], folder)
    os.utime(folder / "download.failed", (0, 0))
    fetch(ONE, [server.mirror("good")], folder)
    assert (folder / "train-images").read_bytes() == FILES["train-images"]


FETCH = """
import sys
from pathlib import Path
from nnmnist.data.download import Published, fetch
url, folder, *files = sys.argv[1:]
fetch({name: Published(int(size), sha) for name, size, sha in map(str.split, files)}, [url],
Path(folder))
"""


def test_sixteen_processes_fetch_each_file_once(server, folder):
    server.counts.clear()
    files = [f"{name} {size} {sha256}" for name, (size, sha256) in PUBLISHED.items()]
    command = [sys.executable, "-c", FETCH, server.mirror("good"), str(folder), *files]
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(nnmnist.__file__).parents[1]),
        "OPENBLAS_NUM_THREADS": "1",
    }
    processes = [subprocess.Popen(command, env=environment) for _ in range(16)]
    assert [process.wait(60) for process in processes] == [0] * 16
    assert_complete(folder)
    assert server.counts == {f"/good/{name}.gz": 1 for name in FILES}


def test_a_bar_is_drawn_on_a_terminal_and_nowhere_else(server, folder, monkeypatch, capsys):
    fetch(ONE, [server.mirror("good")], folder)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    (folder / "train-images").unlink()
    fetch(ONE, [server.mirror("good")], folder)
    assert "train-images" in capsys.readouterr().err
