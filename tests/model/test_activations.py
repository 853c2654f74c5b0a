import numpy as np
import pytest

from nnmnist.model.activations import ACTIVATIONS, glorot, he

FORMULAS = {
    "identity": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softplus": lambda z: np.log(1 + np.exp(z)),
    "tanh": np.tanh,
}


def apply(name, z):
    h = z.copy()
    ACTIVATIONS[name].apply(h, np.empty_like(h))
    return h


def derivative(name, h):
    slope = np.empty_like(h)
    ACTIVATIONS[name].slope(h, slope)
    return slope


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_is_the_function_of_its_name(name):
    z = np.linspace(-6, 6, 60).reshape(5, 12)
    np.testing.assert_allclose(apply(name, z), FORMULAS[name](z), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivative_is_the_slope(name):
    z = np.linspace(-6, 6, 60).reshape(5, 12)  # no z is 0, where relu has a corner
    e = 1e-6
    slope = (apply(name, z + e) - apply(name, z - e)) / (2 * e)
    np.testing.assert_allclose(derivative(name, apply(name, z)), slope, rtol=1e-8, atol=1e-9)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_derivative_leaves_h_as_it_was(name):
    h = apply(name, np.linspace(-3, 3, 12))
    before = h.copy()
    derivative(name, h)
    np.testing.assert_array_equal(h, before)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_no_z_overflows(name):
    h = apply(name, np.array([-1e4, -100, 0, 100, 1e4], np.float32))
    assert np.isfinite(h).all()
    assert np.isfinite(derivative(name, h)).all()


def test_initial_variances():
    assert he(50, 7) == pytest.approx(0.04)
    assert glorot(30, 10) == pytest.approx(0.05)
