"""The network on one page computes what the package computes."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from nnmnist.model.network import Network

SCRIPT = Path(__file__).parents[2] / "examples" / "lecture" / "one_page.py"


@pytest.fixture(scope="module")
def one_page():
    spec = importlib.util.spec_from_file_location("one_page", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("sizes", [(9, 4), (9, 7, 4), (9, 8, 7, 6, 4)])
def test_cost_and_gradient_are_those_of_the_network(one_page, sizes):
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(20, 9)), np.eye(4)[rng.integers(0, 4, 20)]
    W, b = one_page.initialize(sizes, rng)
    for l in range(1, len(W)):
        b[l] += rng.normal(size=b[l].shape)
    network = Network(sizes, dtype=np.float64)
    for l in range(1, len(W)):
        network.W[l - 1][:], network.b[l - 1][:] = W[l], b[l]
    J, dW, db = one_page.gradient(x, y, W, b)
    costs, _ = network.gradient(x, y.T)
    assert costs.mean() == pytest.approx(J, rel=0, abs=1e-10)
    for l in range(1, len(W)):
        np.testing.assert_allclose(network.dW[l - 1], dW[l], rtol=0, atol=1e-10)
        np.testing.assert_allclose(network.db[l - 1], db[l], rtol=0, atol=1e-10)
        assert np.abs(dW[l]).max() > 1e-3


def test_it_reads_mnist_past_97_percent(real_mnist):
    output = subprocess.run(
        [sys.executable, SCRIPT], capture_output=True, text=True, check=True
    ).stdout
    lines = re.findall(r"epoch (\d): training cost ([\d.]+), test accuracy ([\d.]+)%", output)
    assert [number for number, _, _ in lines] == list("12345")
    assert float(lines[-1][1]) < float(lines[0][1])
    assert float(lines[-1][2]) > 97
