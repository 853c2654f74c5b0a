"""Fixtures of all tests: no network, a cache of their own, and a tiny data set."""

import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from filelock import FileLock
from threadpoolctl import threadpool_limits

from nnmnist.cli.app import cli
from nnmnist.data.readers import idx

REAL_DATA = os.environ.get("NNMNIST_DATA_DIR")


MEMORY = Path("/dev/shm")  # Linux: a folder in memory
ENOUGH = 2 * 2**30  # bytes; the files of all tests need 0.3 GB
LONG = ("docs", "examples", "export", "reliability")  # folders of tests


def pytest_configure():
    """Keep the files of the tests in memory, and let the programs that they start receive Ctrl-C.

    A run waits for the disk after each epoch: longer than it computes, where it is as tiny as here.
    A background job of a script ignores Ctrl-C, and its child processes inherit this.
    """
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH:
        os.environ["TMPDIR"] = tempfile.tempdir = str(MEMORY)
    # Otherwise each of these programs compiles nnmnist again.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    sys.dont_write_bytecode = False
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_xdist_auto_num_workers():
    """Two workers more than there are cores: many tests wait for a timeout or a browser."""
    return len(os.sched_getaffinity(0)) + 2 if hasattr(os, "sched_getaffinity") else None


def pytest_collection_modifyitems(items):
    """Start with the folders of the longest tests: at the end one worker would run them alone."""
    items.sort(key=lambda item: item.path.parent.name not in LONG)


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread():
    """Use one BLAS thread, here and in the programs that tests start.

    On cores that others use, threads wait for each other, and a product takes up to 15 times as
    much CPU time. The last bits of results depend on the number, too.
    """
    with pytest.MonkeyPatch.context() as patch, threadpool_limits(1, "blas"):
        patch.setenv("OPENBLAS_NUM_THREADS", "1")
        yield


@pytest.fixture
def two_blas_threads():
    """Use two BLAS threads, as on a user's machine."""
    with threadpool_limits(2, "blas"):
        yield


@pytest.fixture(autouse=True)
def isolated(tmp_path, monkeypatch):
    """Give each test its own working directory and user cache, and no mirror."""
    monkeypatch.setenv("NNMNIST_OFFLINE", "1")
    monkeypatch.delenv("NNMNIST_DATA_DIR", raising=False)
    for variable in ("XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(variable, str(tmp_path / "home"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)


@pytest.fixture
def real_mnist(monkeypatch):
    """The directory with the real MNIST, which NNMNIST_DATA_DIR names."""
    if not REAL_DATA:
        pytest.skip("NNMNIST_DATA_DIR does not name a directory with the real MNIST")
    monkeypatch.setenv("NNMNIST_DATA_DIR", REAL_DATA)
    return Path(REAL_DATA)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A folder of four IDX files with 300 and 60 images of 6 x 5 pixels.

    Their three classes are easy to separate.
    """
    folder = tmp_path_factory.mktemp("tiny")
    rng = np.random.default_rng(0)
    for part, n in (("train", 300), ("t10k", 60)):
        labels = np.arange(n, dtype=np.uint8) % 3
        images = rng.integers(0, 100, (n, 6, 5)).astype(np.uint8)
        for label in range(3):
            images[labels == label, 2 * label : 2 * label + 2] += 80
        (folder / f"{part}-images-idx3-ubyte").write_bytes(idx.encode(images))
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(idx.encode(labels))
    return folder


@pytest.fixture
def tiny_config(tiny):
    """A config file for the tiny data, in the working directory."""
    path = Path("tiny.yaml")
    path.write_text(
        f"data: {{path: {tiny.as_posix()}, validation: 60}}\n"
        "model: {hidden: [8]}\n"
        "training: {epochs: 4, batch_size: 16, learning_rate: 0.05, schedule: cosine}\n"
    )
    return path


@pytest.fixture(scope="session")
def trained_runs():
    """The files of each run that `tiny_run` has trained, by its name and arguments."""
    return {}


@pytest.fixture
def tiny_run(tiny_config, trained_runs):
    """A function that trains on the tiny data, with these arguments, and returns the run's folder.

    A run that another test has trained is copied.
    """

    def train(name, *arguments, code=0):
        folder, key = Path(name), (name, *arguments)
        if key in trained_runs:
            folder.mkdir(parents=True)
            for file, content in trained_runs[key].items():
                (folder / file).write_bytes(content)
        else:
            words = ["train", "-c", tiny_config, "-o", name, "-q", *arguments]
            result = CliRunner().invoke(cli, [str(word) for word in words])
            assert result.exit_code == code, result.output
            trained_runs[key] = {file.name: file.read_bytes() for file in folder.iterdir()}
        return folder

    return train


@pytest.fixture
def sweep_file(tiny_config):
    """A function that writes a sweep file for the tiny data.

    It writes `text` below the first line, which names the base config.
    """

    def write(text, name="tune.yaml"):
        Path(name).write_text(f"config: {tiny_config}\n{text}\n")
        return Path(name)

    return write


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """A function that returns a folder of this name, which `fill(folder)` has filled.

    All processes that run the tests share it: which tests a process gets is decided while they run,
    and a fixture of the session is made in each process that gets one of its tests.
    """
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent

    def make(name, fill):
        folder, complete = place / name, place / f"{name}.complete"
        with FileLock(place / f"{name}.lock"):
            if not complete.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                complete.touch()
        return folder

    return make


CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser")
BROWSER_ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def browser():
    """The installed Chromium without a window, controlled by Playwright.

    The program that never has a window needs two thirds of the time.
    """
    chromium = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if chromium is None:
        pytest.skip("pages are tested in chromium, which is not installed")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium, args=BROWSER_ARGUMENTS)
        yield found
        found.close()
