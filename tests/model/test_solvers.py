import numpy as np
import pytest

from nnmnist.model.network import Network
from nnmnist.model.solvers import least_squares


def solved(x, y):
    network = Network((x.shape[1], len(y)), output="linear", dtype=np.float64)
    least_squares(network, x, y)
    return network


def test_least_squares_finds_the_plane_without_noise():
    rng = np.random.default_rng(0)
    x, W, b = rng.normal(size=(50, 4)), rng.normal(size=(3, 4)), rng.normal(size=3)
    network = solved(x, W @ x.T + b[:, None])
    np.testing.assert_allclose(network.W[0], W, rtol=1e-12)
    np.testing.assert_allclose(network.b[0], b, rtol=1e-12)


def test_the_gradient_is_zero_there():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 4)), rng.normal(size=(3, 50))
    network = solved(x, y)
    network.gradient(x, y)
    assert np.abs(network.grad).max() < 1e-14


def test_inputs_that_are_nearly_the_same_are_no_trouble():
    """The condition number is 1e8: its square, which an inverse of X^T X has, is past float64."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(50, 2))
    x[:, 1] = x[:, 0] + 1e-8 * x[:, 1]
    y = (x @ [1.0, 1.0] + 0.5)[None]
    network = solved(x, y)
    np.testing.assert_allclose(network.predict(x)[:, 0], y[0], atol=1e-10)
    np.testing.assert_allclose(network.W[0], [[1, 1]], atol=1e-6)


def test_of_many_solutions_the_smallest():
    network = solved(np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]]), np.array([[2.0, 4.0, 6.0]]))
    np.testing.assert_allclose(network.W[0], [[1, 1]], atol=1e-12)
    np.testing.assert_allclose(network.b[0], [0], atol=1e-12)


@pytest.mark.parametrize(("sizes", "output"), [((2, 3, 1), "linear"), ((2, 1), "sigmoid")])
def test_a_network_that_is_not_linear_is_refused(sizes, output):
    with pytest.raises(ValueError, match="needs a network without hidden layers"):
        least_squares(Network(sizes, output=output), np.ones((3, 2)), np.ones((1, 3)))
