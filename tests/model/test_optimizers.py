import numpy as np
import pytest

from nnmnist.model.optimizers import OPTIMIZERS, SGD, Adam


def test_sgd_steps_down_the_gradient():
    theta, grad = np.array([1.0, 2.0]), np.array([10.0, -10.0])
    SGD(2, dtype=np.float64).step(theta, grad, 0.1)
    np.testing.assert_allclose(theta, [0.0, 3.0])


def test_momentum_by_hand():
    """v1 = 1, theta = 0 - 0.1; v2 = 0.5 + 2, theta = -0.1 - 0.25."""
    theta, sgd = np.zeros(1), SGD(1, momentum=0.5, dtype=np.float64)
    sgd.step(theta, np.array([1.0]), 0.1)
    sgd.step(theta, np.array([2.0]), 0.1)
    np.testing.assert_allclose(theta, [-0.35])


def test_adam_moves_by_the_learning_rate_at_first():
    """m and v are unbiased, so the first step is eta g / (|g| + epsilon) for any g."""
    theta = np.zeros(3)
    Adam(3, dtype=np.float64).step(theta, np.array([1e-3, -5.0, 200.0]), 0.01)
    np.testing.assert_allclose(theta, [-0.01, 0.01, -0.01], rtol=1e-4)


def test_adam_is_its_paper():
    rng = np.random.default_rng(0)
    theta, adam = np.zeros(4), Adam(4, dtype=np.float64)
    expected, m, v = np.zeros(4), np.zeros(4), np.zeros(4)
    for t in range(1, 8):
        g = rng.normal(size=4)
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g**2
        expected -= 0.02 * (m / (1 - 0.9**t)) / (np.sqrt(v / (1 - 0.999**t)) + 1e-8)
        adam.step(theta, g.copy(), 0.02)
    np.testing.assert_allclose(theta, expected, rtol=1e-10)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_state_is_all_there_is_to_remember(name):
    rng = np.random.default_rng(0)
    gradients = rng.normal(size=(6, 5)).astype(np.float32)
    theta, optimizer = np.zeros(5, np.float32), OPTIMIZERS[name](5, 0.9, np.float32)
    for g in gradients:
        optimizer.step(theta, g.copy(), 0.1)
    half, first = np.zeros(5, np.float32), OPTIMIZERS[name](5, 0.9, np.float32)
    for g in gradients[:3]:
        first.step(half, g.copy(), 0.1)
    second = OPTIMIZERS[name](5, 0.9, np.float32)
    for key, array in first.state.items():
        second.state[key][...] = array
    for g in gradients[3:]:
        second.step(half, g.copy(), 0.1)
    assert half.tobytes() == theta.tobytes()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_averages_decay_to_zero_and_not_into_subnormal_numbers(name):
    """Those would make each step some hundred times slower for the parameters concerned."""
    optimizer = OPTIMIZERS[name](4, 0.9, np.float32)
    theta = np.zeros(4, np.float32)
    for step in range(1200):
        optimizer.step(theta, np.full(4, 1e-3 if step == 0 else 0.0, np.float32), 0.1)
        for average in ("velocity", "m"):
            if average in optimizer.state:
                values = optimizer.state[average]
                assert not ((values != 0) & (np.abs(values) < np.finfo(np.float32).tiny)).any()
    assert not any(
        optimizer.state[average].any()
        for average in ("velocity", "m")
        if average in optimizer.state
    )


def test_parameters_beyond_one_block(monkeypatch):
    rng = np.random.default_rng(0)
    theta, gradient = rng.normal(size=(2, 10)).astype(np.float32)
    for name in OPTIMIZERS:
        whole, parts = theta.copy(), theta.copy()
        OPTIMIZERS[name](10, 0.9, np.float32).step(whole, gradient.copy(), 0.1)
        with monkeypatch.context() as small:
            small.setattr("nnmnist.model.optimizers.BLOCK", 3)
            OPTIMIZERS[name](10, 0.9, np.float32).step(parts, gradient.copy(), 0.1)
        np.testing.assert_array_equal(whole, parts)
