import os
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from nnmnist.training import threads
from nnmnist.training.threads import (
    available_cores,
    blas_kernel,
    blas_threads,
    blas_threads_of,
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


def test_a_training_uses_no_more_cores_than_blas_has_threads():
    with blas_threads_of(1):
        assert blas_threads() == training_cores() == 1


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
