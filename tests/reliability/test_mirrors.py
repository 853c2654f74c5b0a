"""No server can make the program waste memory, and offline it opens no socket."""

import gzip
import hashlib
import tracemalloc
from pathlib import Path

import pytest

from nnmnist.data import mnist, transfer
from nnmnist.data.download import Published, fetch
from nnmnist.errors import DataUnavailable

from ..data import server as hostile  # noqa: TID252 - the tests are one package only to pytest
from ..data.server import serve  # noqa: TID252 - the tests are one package only to pytest
from .support import finished, nnmnist, posix, spawn

CONTENT = bytes(range(256)) * 400
FILE = {"images": Published(len(CONTENT), hashlib.sha256(CONTENT).hexdigest())}


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NNMNIST_OFFLINE", "0")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(transfer, "MAX_RETRY_WAIT", 0.01)
    with serve({"images": CONTENT}) as running:
        yield running


@pytest.mark.parametrize("kind", ["gzip bomb", "endless"])
def test_no_response_needs_much_memory(server, kind):
    packed = gzip.compress(bytes(50_000_000))[: len(CONTENT)]  # small before it is unpacked
    answer = hostile.endless if kind == "endless" else lambda request: request.send(packed)
    with pytest.raises(DataUnavailable):  # import everything before measuring
        fetch(FILE, [server.mirror("none", hostile.status(404))], Path("folder"))
    tracemalloc.start()
    try:
        with pytest.raises(
            DataUnavailable, match=r"expected 102,400 bytes, found more|sends more than"
        ):
            fetch(FILE, [server.mirror("bad", answer)], Path("folder"))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


NO_SOCKETS = """
import sys
def report_socket(event, arguments):
    if event.startswith("socket."):
        sys.stderr.write(f"{event} {arguments}\\n")
        raise SystemExit(99)
sys.addaudithook(report_socket)
from nnmnist.cli.app import main
main()
"""


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (["train", "-c", "tiny.yaml", "-q"], 0),
        (["train", "-c", "softmax", "--set", "data.fallback=null"], 1),
        (["data", "download"], 1),
        (["data", "info"], 1),
    ],
)
def test_offline_opens_no_socket(tiny_config, command, code):
    process = spawn(*command, program=("-c", NO_SOCKETS))
    _, stderr = finished(process)
    assert process.returncode == code, stderr
    assert "socket." not in stderr


def test_the_audit_hook_detects_a_socket():
    process = spawn(
        "data",
        "download",
        program=("-c", "import os\nos.environ['NNMNIST_OFFLINE'] = '0'\n" + NO_SOCKETS),
    )
    _, stderr = finished(process)
    assert "socket." in stderr
    assert process.returncode != 0


@posix
def test_a_tampered_file_in_a_read_only_cache(real_mnist, monkeypatch):
    """Root may write anyway; if root runs the tests, only reading is tested."""
    monkeypatch.delenv("NNMNIST_DATA_DIR")
    home = mnist._cache_folder()
    home.mkdir(parents=True)
    for name in mnist.FILES:
        for file in (real_mnist / "mnist").glob(f"{name}*"):
            (home / file.name).symlink_to(file)
    for folder in (home, home.parent):
        folder.chmod(0o500)
    assert len(mnist.load().train[0]) == 60_000
    labels = next(home.glob("t10k-labels*"))
    content = labels.read_bytes()
    for folder in (home, home.parent):
        folder.chmod(0o700)
    labels.unlink()
    plain = bytearray(gzip.decompress(content) if labels.suffix == ".gz" else content)
    plain[-1] ^= 1
    (home / "t10k-labels-idx1-ubyte").write_bytes(plain)
    result = nnmnist("data", "download")
    assert result.exit_code == 1
    assert f"{home / 't10k-labels-idx1-ubyte'}: is damaged, or not a file of MNIST" in result.stderr
