import numpy as np
import pytest

from nnmnist.model.outputs import OUTPUTS

# the h of y = h(z) with the squared error
FUNCTIONS = {
    "linear": lambda z: z,
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
}


def cost(name, z, y):
    """Costs (batch,) and predictions p (M, batch), z left alone."""
    costs, p, _ = OUTPUTS[name].cost(z.copy(), y)
    return costs, p


def problem(name, units=4, batch=7, dtype=np.float64):
    rng = np.random.default_rng(1)
    z = rng.normal(0, 2, (units, batch)).astype(dtype)
    if name in FUNCTIONS:
        return z, rng.normal(0, 1, (units, batch)).astype(dtype)
    return z, np.eye(units, dtype=dtype)[:, rng.integers(0, units, batch)]


def by_the_formula(name, z, y):
    if name in FUNCTIONS:
        return ((y - FUNCTIONS[name](z)) ** 2).sum(axis=0)
    if name == "logistic":
        p = 1 / (1 + np.exp(-z))
        return (-y * np.log(p) - (1 - y) * np.log(1 - p)).sum(axis=0)
    return np.log(np.exp(z).sum(axis=0)) - (y * z).sum(axis=0)


@pytest.mark.parametrize("name", OUTPUTS)
def test_cost_is_the_lectures(name):
    z, y = problem(name)
    np.testing.assert_allclose(cost(name, z, y)[0], by_the_formula(name, z, y), rtol=1e-12)


@pytest.mark.parametrize("name", OUTPUTS)
def test_cost_leaves_the_prediction(name):
    z, y = problem(name)
    p = OUTPUTS[name].predict(z.copy())
    np.testing.assert_allclose(cost(name, z, y)[1], p, rtol=1e-14)


@pytest.mark.parametrize("name", OUTPUTS)
def test_delta_is_the_derivative_of_the_cost(name):
    z, y = problem(name)
    _, _, delta = OUTPUTS[name].cost(z.copy(), y)
    e = 1e-6
    for m in range(len(z)):
        up, down = z.copy(), z.copy()
        up[m] += e
        down[m] -= e
        slope = (cost(name, up, y)[0] - cost(name, down, y)[0]) / (2 * e)
        np.testing.assert_allclose(delta[m], slope, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("size", [50.0, 1e4])
@pytest.mark.parametrize("name", OUTPUTS)
def test_safe_for_large_z_in_float32(name, size):
    z = np.array(
        [[size, -size, size, 0], [-size, -size, size, 0], [0, -size, size, -size]], np.float32
    )
    y = np.eye(3, dtype=np.float32)[:, [1, 0, 2, 2]]
    costs, p = cost(name, z, y)
    assert np.isfinite(costs).all()
    assert np.isfinite(p).all()


def test_softmax_at_large_z_is_exact():
    z = np.array([[1e4, -1e4], [-1e4, -1e4]], np.float32)
    y = np.array([[0, 1], [1, 0]], np.float32)  # surely wrong; undecided
    np.testing.assert_allclose(cost("softmax", z, y)[0], [2e4, np.log(2)], rtol=1e-6)


def test_logistic_at_large_z_is_exact():
    z = np.array([[1e4, -1e4, 1e4, -1e4]], np.float32)
    y = np.array([[0, 1, 1, 0]], np.float32)
    np.testing.assert_allclose(cost("logistic", z, y)[0], [1e4, 1e4, 0, 0], rtol=1e-6)


@pytest.mark.parametrize("name", OUTPUTS)
def test_the_link_predicts_the_same(name):
    z, y = problem(name)
    p = cost(name, z, y)[1]
    again = OUTPUTS[name].predict(OUTPUTS[name].link(p).copy())
    np.testing.assert_allclose(again, p, rtol=1e-10)


@pytest.mark.parametrize("name", ["logistic", "sigmoid", "softmax"])
def test_the_link_is_finite_where_p_is_rounded_to_0_or_1(name):
    assert np.isfinite(OUTPUTS[name].link(np.array([[0.0, 1.0], [1.0, 0.0]]))).all()


@pytest.mark.parametrize(
    ("name", "n_classes", "units"),
    [
        ("linear", 2, 2),
        ("sigmoid", 2, 2),
        ("logistic", 2, 1),
        ("logistic", 3, 3),
        ("softmax", 2, 2),
        ("softmax_or_none", 2, 3),
    ],
)
def test_number_of_units(name, n_classes, units):
    assert OUTPUTS[name].n_units(n_classes) == units
    assert OUTPUTS[name].one_hot(n_classes).shape == (units, n_classes)


def test_none_of_the_classes_is_the_last_output():
    output = OUTPUTS["softmax_or_none"]
    p = np.array([[0.2, 0.6], [0.3, 0.3], [0.5, 0.1]])
    assert output.one_hot(2).tolist() == [[1, 0], [0, 1], [0, 0]]
    assert output.class_probabilities(p).tolist() == [[0.2, 0.6], [0.3, 0.3]]
    assert output.label(p).tolist() == [1, 0]  # a class also where none is the most probable


def test_label():
    p = np.array([[0.2, 0.9], [0.8, 0.1]])
    assert OUTPUTS["softmax"].label(p).tolist() == [1, 0]
    assert OUTPUTS["logistic"].label(p[1:]).tolist() == [1, 0]


def test_a_single_logistic_unit_stands_for_two_classes():
    output, p = OUTPUTS["logistic"], np.array([[0.25, 0.75]])
    assert output.one_hot(2).tolist() == [[0, 1]]
    assert output.class_probabilities(p).tolist() == [[0.75, 0.25], [0.25, 0.75]]
