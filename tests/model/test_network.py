import tracemalloc
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from nnmnist.model import gradcheck
from nnmnist.model.activations import ACTIVATIONS
from nnmnist.model.network import Network
from nnmnist.model.optimizers import SGD
from nnmnist.model.outputs import OUTPUTS


def random_network(sizes=(7, 6, 5, 3), dtype=np.float64, **settings):
    network = Network(sizes, dtype=dtype, **settings)
    network.theta[:] = np.random.default_rng(0).normal(0, 0.5, network.theta.size)
    return network


def problem(n=9, n_inputs=7, units=3, dtype=np.float64):
    rng = np.random.default_rng(1)
    return rng.normal(size=(n, n_inputs)).astype(dtype), np.eye(units, dtype=dtype)[
        :, rng.integers(0, units, n)
    ]


def test_forward_is_the_lectures_formula():
    network = random_network(activation="tanh")
    x, _ = problem()
    h = x.T
    for W, b in zip(network.W[:-1], network.b[:-1], strict=True):
        h = np.tanh(W @ h + b[:, None])
    z = network.W[-1] @ h + network.b[-1][:, None]
    np.testing.assert_allclose(network.logits(x), z, rtol=1e-12)
    np.testing.assert_allclose(
        network.predict(x), (np.exp(z) / np.exp(z).sum(axis=0)).T, rtol=1e-12
    )


def test_parameters_are_views_of_theta_with_all_weights_first():
    network = random_network()
    assert [W.shape for W in network.W] == [(6, 7), (5, 6), (3, 5)]
    assert network.n_weights == 42 + 30 + 15
    network.theta[: network.n_weights] = 1
    network.theta[network.n_weights :] = 2
    assert all((W == 1).all() for W in network.W)
    assert all((b == 2).all() for b in network.b)


def test_a_step_worked_by_hand():
    """One sigmoid unit into two softmax outputs, one example; every number below is arithmetic."""
    network = Network((2, 1, 2), activation="sigmoid", dtype=np.float64)
    network.W[0][:] = [[1.0, -1.0]]
    network.b[0][:] = 0.5
    network.W[1][:] = [[2.0], [0.0]]
    x, y = np.array([[0.5, 1.0]]), np.array([[0.0], [1.0]])
    costs, _ = network.gradient(x, y)
    # z1 = 0.5 - 1 + 0.5 = 0, h = 1/2, z = (1, 0), p1 = e / (1 + e), cost = ln(1 + e)
    p1 = np.e / (1 + np.e)
    assert costs[0] == pytest.approx(np.log(1 + np.e))
    np.testing.assert_allclose(network.db[1], [p1, -p1])
    np.testing.assert_allclose(network.dW[1], [[p1 / 2], [-p1 / 2]])
    # dJ/dh = 2 p1, times h (1 - h) = 1/4
    np.testing.assert_allclose(network.db[0], [p1 / 2])
    np.testing.assert_allclose(network.dW[0], [[p1 / 4, p1 / 2]])
    SGD(network.theta.size).step(network.theta, network.grad, 0.1)
    np.testing.assert_allclose(network.W[0], [[1 - p1 / 40, -1 - p1 / 20]])


def test_cost_of_zero_parameters_is_ln_10():
    x, y = problem(50, 784, 10, np.float32)
    costs, p = Network((784, 30, 10)).gradient(x, y)
    np.testing.assert_allclose(costs, np.log(10), rtol=1e-6)
    np.testing.assert_allclose(p, 0.1, rtol=1e-6)


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient(activation, output, dropout, weight_decay):
    network = random_network(activation=activation, output=output, dropout=dropout)
    x, y = problem()
    checks = gradcheck.check(network, x, y, weight_decay, dropout_seed=3 if dropout else None)
    assert [check.name for check in checks] == ["W1", "W2", "W3", "b1", "b2", "b3"]
    assert sum(check.checked for check in checks) == network.theta.size
    assert max(check.error for check in checks) < 1e-7


@pytest.mark.parametrize("output", OUTPUTS)
def test_gradient_with_example_weights(output):
    x, y = problem()
    weights = np.random.default_rng(2).uniform(0.1, 5, len(x))
    checks = gradcheck.check(random_network(output=output), x, y, 0.1, example_weights=weights)
    assert max(check.error for check in checks) < 1e-7


def test_an_example_of_weight_3_counts_as_three_examples():
    network, (x, y) = random_network(activation="tanh"), problem()
    times = np.array([1, 1, 3, 1, 2, 1, 1, 1, 1])
    costs, _ = network.gradient(x, y, 0.0, None, times / times.mean())
    weighted, J = network.grad.copy(), costs.mean()
    costs, _ = network.gradient(x.repeat(times, axis=0), y.repeat(times, axis=1))
    assert costs.mean() == pytest.approx(J, rel=1e-12)
    np.testing.assert_allclose(weighted, network.grad, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("sizes", [(7, 3), (7, 6, 3), (7, 6, 5, 3)])
def test_gradient_with_dropped_inputs(sizes, dropout):
    x, y = problem()
    network = random_network(sizes, activation="tanh", dropout=dropout, input_dropout=0.3)
    checks = gradcheck.check(network, x, y, dropout_seed=3)
    assert max(check.error for check in checks) < 1e-7


def test_gradient_without_hidden_layers():
    x, y = problem()
    checks = gradcheck.check(random_network((7, 3)), x, y, weight_decay=0.01)
    assert max(check.error for check in checks) < 1e-7


def test_a_check_of_some_parameters_covers_all(monkeypatch):
    """A wrong entry that is not among those compared one by one is found along the random
    direction.
    """
    network = random_network((30, 20, 3), activation="tanh")
    x, y = problem(n_inputs=30)
    assert max(check.error for check in gradcheck.check(network, x, y, most=2)) < 1e-7
    right = network.gradient

    def wrong(*arguments):
        answer = right(*arguments)
        network.dW[0][7, 5] *= 1.01
        return answer

    monkeypatch.setattr(network, "gradient", wrong)
    errors = {check.name: check.error for check in gradcheck.check(network, x, y, most=2)}
    assert errors.pop("W1") > 1e-5
    assert max(errors.values()) < 1e-7


def test_dropout_drops_its_share_and_keeps_the_mean():
    network = random_network((4, 2000, 3), activation="softplus", dropout=0.25, dtype=np.float32)
    x, y = problem(50, 4, 3, np.float32)
    network.gradient(x, y, rng=np.random.default_rng(0))
    _, activation, dropout, _ = network.layers
    h, dropped = activation.h, dropout.buffer("dropped", *activation.h.shape)
    assert np.mean(dropped == 0) == pytest.approx(0.25, abs=0.01)
    assert dropped.mean() == pytest.approx(h.mean(), rel=0.02)
    assert network.predict(x).tolist() == network.predict(x).tolist()


def test_the_last_batch_may_be_smaller():
    network = random_network()
    x, y = problem()
    network.gradient(x, y)
    whole = network.grad.copy()
    network.gradient(x[:4], y[:, :4])
    first = network.grad.copy()
    network.gradient(x[4:], y[:, 4:])
    np.testing.assert_allclose((4 * first + 5 * network.grad) / 9, whole, rtol=1e-10, atol=1e-14)


def test_logits_are_the_same_in_chunks(monkeypatch):
    network = random_network()
    x, _ = problem(23)
    whole = network.logits(x)
    monkeypatch.setattr("nnmnist.model.network.CHUNK", 5)
    np.testing.assert_allclose(network.logits(x), whole, rtol=1e-12)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_initial_weights_fit_the_activation(activation):
    network = Network((400, 300, 200, 10), activation=activation)
    network.initialize(np.random.default_rng(0))
    for W in network.W:
        n_out, n_in = W.shape
        assert W.var() == pytest.approx(
            ACTIVATIONS[activation].weight_variance(n_in, n_out), rel=0.1
        )
    assert not network.theta[network.n_weights :].any()
    again = Network((400, 300, 200, 10), activation=activation)
    again.initialize(np.random.default_rng(0))
    assert again.theta.tobytes() == network.theta.tobytes()


@pytest.mark.parametrize("output", OUTPUTS)
def test_without_hidden_layers_only_a_convex_cost_starts_at_zero(output):
    """At zero a relu output would never move: its slope is zero there."""
    network = Network((5, 3), output=output)
    network.initialize(np.random.default_rng(0))
    assert network.W[0].any() == (output in ("relu", "sigmoid"))


@pytest.mark.parametrize("dropout", [0.0, 0.5])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_step_allocates_nothing_the_size_of_a_layer(activation, dropout):
    network = Network((784, 300, 200, 10), activation=activation, dropout=dropout)
    network.initialize(np.random.default_rng(0))
    x, y = problem(128, 784, 10, np.float32)
    optimizer, rng = SGD(network.theta.size, 0.9), np.random.default_rng(0)

    def step():
        network.gradient(x, y, 1e-4, rng)
        optimizer.step(network.theta, network.grad, 0.01)

    step()
    tracemalloc.start()
    step()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # NumPy casts and reduces through buffers of 8,192 elements; the smallest hidden layer is
    # 102,400 bytes
    assert peak < 80_000


def vanishing():
    network = random_network((7, *[8] * 8, 3), activation="sigmoid")
    for W in network.W:
        W *= 0.3
    return network


def test_a_gradient_that_vanishes_is_right_and_a_wrong_one_is_caught(monkeypatch):
    x, y = problem()
    network = vanishing()
    network.gradient(x, y)
    assert 0 < np.abs(network.dW[0]).max() < 1e-6
    assert max(check.error for check in gradcheck.check(network, x, y)) < 1e-6
    gradient = network.gradient

    def wrong(*arguments):
        result = gradient(*arguments)
        network.dW[0][:] *= 2
        return result

    monkeypatch.setattr(network, "gradient", wrong)
    assert gradcheck.check(network, x, y)[0].error > 1e-6


def test_a_deliberately_wrong_gradient_is_caught(monkeypatch):
    """The checker itself is checked: one activation's derivative is a little off."""

    def slope(h, out):
        np.multiply(h, h, out=out)
        np.subtract(1.001, out, out=out)

    monkeypatch.setitem(ACTIVATIONS, "tanh", ACTIVATIONS["tanh"]._replace(slope=slope))
    x, y = problem()
    checks = gradcheck.check(random_network(activation="tanh"), x, y)
    assert max(check.error for check in checks) > 1e-4


def test_a_gradient_check_in_float32_is_refused():
    x, y = problem()
    with pytest.raises(ValueError, match="float64"):
        gradcheck.check(random_network(dtype=np.float32), x, y)


def test_unknown_names_and_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="activation is 'rleu'; expected one of identity, relu, "):
        Network((4, 3, 2), activation="rleu")
    with pytest.raises(ValueError, match="output is 'sofmax'; expected one of linear, logistic, "):
        Network((4, 3, 2), output="sofmax")
    for sizes in ((4,), (), (4, 0, 2)):
        with pytest.raises(ValueError, match="expected two or more numbers of units"):
            Network(sizes)
    with pytest.raises(TypeError):
        Network((4, 3, 2), "relu")


def test_arrays_of_a_wrong_shape_are_refused():
    network = random_network()
    x, y = problem()
    with pytest.raises(ValueError, match=r"^x has the shape \(9, 6\); expected \(n, 7\)$"):
        network.predict(x[:, :6])
    with pytest.raises(ValueError, match=r"^x has the shape \(7,\); expected \(n, 7\)$"):
        network.logits(x[0])
    with pytest.raises(ValueError, match=r"^y has the shape \(9, 3\); expected \(3, 9\)$"):
        network.gradient(x, y.T)
    with pytest.raises(ValueError, match=r"^x has the shape"):
        network.gradient(x[:, :5], y)


def test_repr_names_sizes_activation_and_output():
    network = Network((784, 256, 10), activation="tanh")
    expected = "Network((784, 256, 10), activation='tanh', output='softmax', dtype='float32')"
    assert repr(network) == expected


def test_several_threads_may_predict_at_once():
    network = random_network((30, 200, 100, 3), activation="tanh", dtype=np.float32)
    rng = np.random.default_rng(0)
    inputs = [rng.normal(size=(500, 30)).astype(np.float32) for _ in range(8)]
    expected = [network.predict(x) for x in inputs]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(20):
            for found, p in zip(threads.map(network.predict, inputs), expected, strict=True):
                np.testing.assert_array_equal(found, p)
