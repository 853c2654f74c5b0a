import os
import platform
import signal
import subprocess
import sys
import time
import warnings
from contextlib import ExitStack
from threading import Barrier, Event, Thread
from types import SimpleNamespace

import numpy as np
import pytest

from nnmnist.config.schema import TrainingConfig
from nnmnist.data.examples import Examples
from nnmnist.model.network import Network
from nnmnist.training import parallel, threads
from nnmnist.training.fit import fit
from nnmnist.training.parallel import thread_count
from nnmnist.training.threads import (
    available_cores,
    blas_kernel,
    blas_threads,
    blas_threads_of,
    in_threads,
    limit_blas_threads,
    training,
    training_cores,
)


@pytest.fixture(autouse=True)
def four_cores(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr(threads, "CPU_QUOTA", tmp_path / "cpu.max")


@pytest.mark.parametrize(
    ("quota", "cores"),
    [
        (None, 4),
        ("max 100000\n", 4),
        ("200000 100000\n", 2),
        ("150000 100000\n", 1),
        ("50000 100000\n", 1),
        ("900000 100000\n", 4),
        ("odd\n", 4),
    ],
)
def test_the_quota_of_a_container_counts(tmp_path, quota, cores):
    if quota:
        (tmp_path / "cpu.max").write_text(quota)
    assert available_cores() == cores


@pytest.fixture
def blas_has_three(monkeypatch):
    """BLAS has three threads, as if the user had set this."""
    before = blas_threads()
    monkeypatch.setattr(threads, "_state", threads._State())
    limit_blas_threads(3)
    yield
    limit_blas_threads(before)


def test_a_training_uses_no_more_cores_than_blas_has_threads(blas_has_three):
    assert training_cores() == 3
    limit_blas_threads(1)
    assert blas_threads() == training_cores() == 1


def now():
    """The number of threads that BLAS has at this moment."""
    return threads._blas().info()[0]["num_threads"]


@pytest.mark.parametrize("first_to_end", [0, 1])
def test_after_the_last_training_blas_has_as_many_threads_as_before(blas_has_three, first_to_end):
    """Whichever training ends first."""
    both = ExitStack(), ExitStack()
    for each in both:
        each.enter_context(training())
        with blas_threads_of(1):
            assert now() == 1
        assert blas_threads() == 3  # outside of trainings
    both[first_to_end].close()
    assert now() == 1
    both[1 - first_to_end].close()
    assert now() == blas_threads() == 3


def test_two_trainings_in_two_threads_restore_the_number(blas_has_three):
    """One starts while the other one runs, and ends after it."""
    second_runs, first_has_ended = Event(), Event()

    def second():
        with training(), blas_threads_of(1):
            second_runs.set()
            assert first_has_ended.wait(30)

    thread = Thread(target=second)
    with training(), blas_threads_of(1):
        thread.start()
        assert second_runs.wait(30)
    assert now() == 1
    first_has_ended.set()
    thread.join(30)
    assert now() == 3


def test_a_limit_set_during_a_training_holds_after_it(blas_has_three):
    with training(), blas_threads_of(1):
        limit_blas_threads(2)
        assert (now(), blas_threads()) == (1, 2)
    assert now() == 2


def test_trainings_with_other_numbers_of_threads_take_turns(blas_has_three):
    """The bits of each depend on its number."""
    order, starts = [], Event()

    def second():
        starts.set()
        with blas_threads_of(2):
            order.append(("second", now()))

    thread = Thread(target=second)
    with training():
        with blas_threads_of(1):
            thread.start()
            assert starts.wait(30)
            while not threads._state.changed._waiters:  # until the second one waits
                assert thread.is_alive()
            order.append(("first", now()))
        thread.join(30)
        with blas_threads_of(1):
            order.append(("first", now()))
    assert order == [("first", 1), ("second", 2), ("first", 1)]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_process_does_not_wait_for_threads_that_it_does_not_have(blas_has_three):
    with blas_threads_of(1), threads._state.changed, warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads
        pid = os.fork()
        if not pid:
            signal.alarm(30)
            with blas_threads_of(2):
                os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.fixture
def three_by_default(blas_has_three, monkeypatch):
    """BLAS has three threads, and nobody asked for them."""
    monkeypatch.setattr(threads._state, "is_limited", False)


def plain_settings(batch_size, optimizer="sgd"):
    return TrainingConfig(epochs=1, batch_size=batch_size, optimizer=optimizer)


@pytest.mark.parametrize(
    ("sizes", "batch_size", "expected"),
    [
        ((784, 256, 10), 192, 1),
        ((784, 1024, 1024, 10), 64, 1),
        ((784, 10), 55_000, 1),  # 1000 examples are all
        ((784, 10), "full", 1),
        ((784, 256, 10), 512, 3),
        ((784, 256, 10), "full", 3),
        ((10, 2000, 1000, 10), 64, 3),  # the largest product is not the first
    ],
)
def test_small_networks_train_with_one_thread(three_by_default, sizes, batch_size, expected):
    network, data = Network(sizes), examples(1000, sizes[0])
    assert thread_count(network, data, plain_settings(batch_size)) == expected
    limit_blas_threads(3)
    assert thread_count(network, data, plain_settings(batch_size)) == 3  # as it was asked for


def test_solvers_use_all_threads(three_by_default):
    settings = plain_settings("full", "least_squares")
    assert thread_count(Network((4, 10), output="linear"), examples(100, 4), settings) == 3


def examples(n, n_inputs):
    rows = np.arange(n)
    return Examples(np.zeros((n, n_inputs), np.uint8), (rows % 10).astype(np.uint8), rows, 10)


@pytest.mark.parametrize("product", [0, 1_000_000_000])
def test_fit_computes_with_the_number_of_threads_that_is_recorded(
    three_by_default, monkeypatch, product
):
    monkeypatch.setattr(parallel, "PRODUCT", product)
    network, data, settings = Network((4, 8, 10)), examples(100, 4), plain_settings(50)
    seen = set()
    list(fit(network, data, data, settings, on_progress=lambda *_: seen.add(now())))
    assert seen == {thread_count(network, data, settings)}
    assert now() == 3


@pytest.mark.parametrize(
    ("pools", "kernel"),
    [
        (
            [{"internal_api": "openblas", "version": "0.3.30", "architecture": "Zen"}],
            "openblas 0.3.30 Zen",
        ),
        ([{"internal_api": "mkl", "version": "2024.1", "architecture": None}], "mkl 2024.1"),
        ([{"internal_api": "openblas", "version": None}], "openblas"),
        (
            [
                {"internal_api": "openblas", "version": "1", "filepath": "/lib/scipy.libs/a.so"},
                {"internal_api": "openblas", "version": "2", "filepath": "/lib/numpy.libs/b.so"},
            ],
            "openblas 2",
        ),
        ([], "unknown"),
    ],
)
def test_the_kernel_is_named_as_far_as_it_is_known(monkeypatch, pools, kernel):
    monkeypatch.setattr(threads, "_blas", lambda: SimpleNamespace(info=lambda: pools))
    assert blas_kernel() == kernel


@pytest.mark.skipif(
    platform.machine() != "x86_64" or not blas_kernel().startswith("openblas"),
    reason="needs OpenBLAS on x86-64",
)
def test_another_kernel_has_another_name():
    program = "from nnmnist.training.threads import blas_kernel; print(blas_kernel())"
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(sys.path),
        "OPENBLAS_CORETYPE": "Nehalem",
    }
    printed = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert printed.split() == [*blas_kernel().split()[:2], "Nehalem"]


@pytest.mark.parametrize("n", [0, 1, 5])
@pytest.mark.parametrize("count", [1, 3])
def test_threads_keep_the_order_of_results(n, count):
    assert in_threads(lambda item: item * 10, range(n), count) == [10 * item for item in range(n)]


def test_items_are_computed_at_the_same_time():
    here = Barrier(3, timeout=60)
    assert sorted(in_threads(lambda _: here.wait(), range(3), 3)) == [0, 1, 2]


@pytest.mark.parametrize("count", [1, 2])
def test_an_error_in_a_thread_is_raised_here_and_nothing_more_starts(count):
    started = []

    def fail(item):
        started.append(item)
        if len(started) == 2:
            raise OSError("the disk is full")
        time.sleep(0.01)

    with pytest.raises(OSError, match="disk is full"):
        in_threads(fail, range(1000), count)
    assert len(started) < 500
