import numpy as np
import pytest

from nnmnist.model.network import Network
from nnmnist.training.adversarial import adversarial_examples


def random_network(sizes):
    network = Network(sizes, activation="tanh", dtype=np.float64)
    network.theta[:] = np.random.default_rng(0).normal(0, 0.5, network.theta.size)
    return network


def problem(n=9):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, 7)), np.eye(3)[:, rng.integers(0, 3, n)]


@pytest.mark.parametrize("sizes", [(7, 3), (7, 6, 3), (7, 6, 5, 3)])
def test_adversarial_inputs_go_where_the_cost_rises(sizes):
    network = random_network(sizes)
    x, y = problem()
    before = x.copy()
    moved = adversarial_examples(network, x, y, 0.01)
    np.testing.assert_array_equal(x, before)
    step, slope = 1e-6, np.empty_like(x)
    for i, pixel in np.ndindex(x.shape):
        changed = x.copy()
        changed[i, pixel] += step
        above = network.gradient(changed, y)[0][i]
        changed[i, pixel] -= 2 * step
        slope[i, pixel] = (above - network.gradient(changed, y)[0][i]) / (2 * step)
    steepest = slope / np.linalg.norm(slope, axis=1, keepdims=True)
    np.testing.assert_allclose((moved - x) / 0.01, steepest, atol=1e-6)


def test_adversarial_inputs_stay_where_the_cost_is_flat():
    """A network that is sure of an answer leaves slopes that underflow: no direction, and no
    division by zero.
    """
    network = Network((7, 3))
    network.W[0][:] = 200 * np.eye(3, 7)
    x = np.eye(3, 7, dtype=np.float32)
    with np.errstate(divide="raise", invalid="raise", over="raise"):
        moved = adversarial_examples(network, x, np.eye(3, dtype=np.float32), 0.5)
    np.testing.assert_array_equal(moved, x)
