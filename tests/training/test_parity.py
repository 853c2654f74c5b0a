"""The same numbers as PyTorch, which `make test-slow` installs."""

import numpy as np
import pytest

from nnmnist.model.network import Network
from nnmnist.model.optimizers import OPTIMIZERS

pytestmark = pytest.mark.slow  # `make test` does without a download of this size

SIZES = (784, 64, 32, 10)


@pytest.fixture(scope="module")
def torch():
    """PyTorch; without it, the tests fail."""
    import torch

    return torch


@pytest.fixture
def pair(torch):
    """Our network and PyTorch's, with the same weights."""
    ours = Network(SIZES)
    ours.initialize(np.random.default_rng(0))
    theirs = torch.nn.Sequential(
        torch.nn.Linear(784, 64),
        torch.nn.ReLU(),
        torch.nn.Linear(64, 32),
        torch.nn.ReLU(),
        torch.nn.Linear(32, 10),
    )
    with torch.no_grad():
        for layer, W, b in zip(theirs[::2], ours.W, ours.b, strict=True):
            layer.weight.copy_(torch.tensor(np.ascontiguousarray(W)))
            layer.bias.copy_(torch.tensor(b))
    return ours, theirs


def batches(n=20, size=64):
    rng = np.random.default_rng(1)
    for _ in range(n):
        yield rng.random((size, 784), dtype=np.float32), rng.integers(0, 10, size)


def test_logits(torch, pair):
    ours, theirs = pair
    [(x, _)] = batches(1)
    np.testing.assert_allclose(
        ours.logits(x).T, theirs(torch.tensor(x)).detach().numpy(), atol=1e-5
    )


@pytest.mark.parametrize(("name", "rate"), [("sgd", 0.05), ("adam", 0.001)])
def test_twenty_steps(torch, pair, name, rate):
    ours, theirs = pair
    optimizer = OPTIMIZERS[name](ours.theta.size, 0.9, np.float32)
    if name == "sgd":
        reference = torch.optim.SGD(theirs.parameters(), lr=rate, momentum=0.9)
    else:
        reference = torch.optim.Adam(theirs.parameters(), lr=rate)
    for x, labels in batches():
        costs, _ = ours.gradient(x, np.eye(10, dtype=np.float32)[:, labels])
        optimizer.step(ours.theta, ours.grad, rate)
        reference.zero_grad()
        loss = torch.nn.functional.cross_entropy(theirs(torch.tensor(x)), torch.tensor(labels))
        loss.backward()
        reference.step()
        assert costs.mean() == pytest.approx(loss.item(), rel=1e-4)
    for layer, W, b in zip(theirs[::2], ours.W, ours.b, strict=True):
        np.testing.assert_allclose(W, layer.weight.detach().numpy(), atol=1e-4)
        np.testing.assert_allclose(b, layer.bias.detach().numpy(), atol=1e-4)
