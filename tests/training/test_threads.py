import os

import pytest

from nnmnist.training import threads
from nnmnist.training.threads import available_cores, blas_threads, blas_threads_of, training_cores


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
