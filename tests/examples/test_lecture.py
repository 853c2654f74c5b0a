"""Runs every recipe and every script of the lecture offline; slow ones with smaller settings."""

import importlib
import json
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from nnmnist.cli.app import cli
from nnmnist.config.loading import load_config
from nnmnist.training import setup

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "configs" / "lecture"
RECIPES = sorted(FOLDER.glob("*.yaml"))
SCRIPTS = ROOT / "examples" / "lecture"


def nnmnist(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


@pytest.fixture
def script(monkeypatch):
    """Imports an example script in the way of the other scripts in its folder."""
    monkeypatch.syspath_prepend(str(SCRIPTS))
    before = set(sys.modules)
    yield importlib.import_module
    for name in set(sys.modules) - before:
        if str(SCRIPTS) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]


@pytest.fixture(scope="module")
def training_of_the_gate():
    """A function that returns the gate that the lecture trains, each time the same network."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SCRIPTS))
        found = importlib.import_module("gate").trained_gate
        del sys.modules["gate"]
    return cache(found)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_documents_its_item_and_its_result(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "# yaml-language-server: $schema=../schema.json"
    assert lines[1].startswith("# Item ")
    assert "Measured" in " ".join(line for line in lines if line.startswith("#"))


# The lowest R^2 or accuracy on the test set that counts as learned.
MINIMUM_SCORES = {
    "curve_1": 0.85,
    "curve_2": 0.96,
    "curve_3": 0.96,
    "gate": 0.9999,
    "glm_relu": 0.98,
    "glm_sigmoid": 0.98,
    "line": 0.9,
    "line_exact": 0.9,
    "planes": 0.99,
    "planes_exact": 0.99,
    "rings": 0.98,
    "three_classes": 0.95,
    "threshold": 0.85,
    "two_classes": 0.93,
}


@pytest.mark.parametrize("name", MINIMUM_SCORES)
def test_a_recipe_learns(name):
    result = nnmnist("train", "-c", f"lecture/{name}", "-o", "run", "--json")
    assert result.exit_code == 0
    test = json.loads(result.stdout)["test"]
    score = test["r2"] if test["accuracy"] is None else test["accuracy"]
    assert score > MINIMUM_SCORES[name]
    evaluated = json.loads(nnmnist("evaluate", "run/best.npz", "--json").stdout)
    assert {key: evaluated[key] for key in test} == test


@pytest.mark.parametrize("name", ["hand_in_1", "hand_in_2", "hand_in_3"])
def test_the_hand_in_on_a_few_images(tiny, name):
    small = [f"data.path={tiny.as_posix()}", "data.validation=60", "training.epochs=60"]
    arguments = [argument for setting in small for argument in ("--set", setting)]
    result = nnmnist("train", "-c", f"lecture/{name}", *arguments, "--json")
    assert json.loads(result.stdout)["test"]["accuracy"] > 0.9


def test_every_recipe_is_tested_here():
    assert {path.stem for path in RECIPES} == {
        *MINIMUM_SCORES,
        "hand_in_1",
        "hand_in_2",
        "hand_in_3",
    }


@pytest.mark.parametrize("path", sorted(FOLDER.parent.rglob("*.yaml")), ids=lambda path: path.stem)
def test_the_gradient_of_every_recipe(path, monkeypatch):
    monkeypatch.setattr(setup, "CHECK_PRODUCTS", 4_000_000)  # a tenth of what `check` does
    assert max(check.error for check in setup.check_gradient(load_config(path))) < 5e-7


@pytest.mark.parametrize("problem", ["line", "planes"])
def test_gradient_descent_finds_the_least_squares_solution(script, problem):
    descent, exact = script("linear_regression").train_both(problem).values()
    np.testing.assert_allclose(descent.theta, exact.theta, atol=1e-4)


def test_only_the_safe_softmax_is_always_finite(script):
    softmax = script("softmax_safety")
    p, cost = softmax.naive(softmax.Z)
    assert np.isfinite(cost).tolist() == [True, False, False, False, False]
    safe_p, safe_cost = softmax.safe(softmax.Z)
    np.testing.assert_allclose(safe_p[0], p[0], rtol=1e-6)
    np.testing.assert_allclose(safe_p.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(safe_cost, [cost[0], 0, np.log(3), 200, 0], rtol=1e-6)


def test_three_learning_rates(script):
    descent = script("gradient_descent")
    points = descent.line_points()
    small, right, large = (
        descent.excess_cost(descent.descend(points, rate, 20), points)
        for rate in descent.RATES.values()
    )
    assert (np.diff(small) < 0).all()
    assert small[-1] > 1
    assert right[-1] < 1e-8
    assert (np.diff(large[1:]) > 0).all()


def test_a_step_follows_the_formula(script):
    descent = script("gradient_descent")
    points = descent.line_points()
    x, y = points.x[:, 0].astype(np.float64), points.y[:, 0].astype(np.float64)
    b, w = descent.START
    error = y - w * x - b
    expected = [b + 0.6 * 2 * error.mean(), w + 0.6 * 2 * (error * x).mean()]
    path = descent.descend(points, 0.6, 3)
    assert path[0].tolist() == [b, w]
    np.testing.assert_allclose(path[1], expected, rtol=1e-6)
    assert len(path) == 4


def test_minibatches_start_faster_and_do_not_reach_the_minimum(script):
    descent = script("gradient_descent")
    points = descent.line_points()
    batch = descent.excess_cost(descent.descend(points, 0.6, 20), points)
    minibatch = descent.excess_cost(descent.descend(points, 0.1, 200, batch_size=10), points)
    assert len(minibatch) == 201
    assert minibatch[10] < batch[1]
    assert minibatch[200] > 1000 * batch[20]


def test_a_smaller_tolerance_takes_more_steps(script):
    descent = script("gradient_descent")
    points = descent.line_points()
    steps = [descent.steps_until(tolerance, points, 0.6) for tolerance in (1e-2, 1e-4, 1e-6)]
    assert steps == sorted(set(steps))


def test_different_starts_end_in_different_minima(script):
    local = script("local_minima")
    points = local.bump()
    paths = [local.descend(start, points) for start in (local.STARTS[1], *local.STARTS[-2:])]
    paths.append(local.descend(local.STARTS[3], points))
    found = local.minima(paths, points)
    assert len(found) == 3
    assert [local.name_of(path, found) for path in paths] == ["A", "C", "C", "B"]
    for b, w in found:  # a minimum: everything around it is higher
        angle = np.linspace(0, 2 * np.pi, 30)
        around = local.cost(b + 0.1 * np.cos(angle), w + 0.1 * np.sin(angle), points)
        assert around.min() > local.cost(np.array(b), np.array(w), points)
    x = points.x.astype(np.float64)
    p = local.model(*found[1]).predict(x)
    J = ((points.y - p) ** 2).mean() + local.WEIGHT_DECAY / 2 * found[1][1] ** 2
    assert local.cost(*found[1][:, None], points)[0] == pytest.approx(J)


def test_paths_of_gradient_descent_are_drawn_to_scale_and_inside_their_frame(script):
    figure = script("draw").gradient_descent()
    for axes in figure.axes:
        assert axes.get_aspect() == 1
    for axes in figure.axes[:2]:
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        for line in axes.lines:
            b, w = line.get_xydata().T
            assert left < b.min() <= b.max() < right
            assert low < w.min() <= w.max() < high


def test_the_learnt_product_is_drawn_as_a_surface(script, training_of_the_gate, monkeypatch):
    draw = script("draw")
    monkeypatch.setattr(draw.gate, "trained_gate", training_of_the_gate)
    figure = draw.gate_surface()
    assert [axes.name for axes in figure.axes[:3]] == ["3d", "3d", "rectilinear"]
    error = figure.axes[2].collections[0].get_array()
    assert 0 < np.abs(error).max() < 0.02


@pytest.mark.parametrize("activation", ["softplus", "sigmoid", "tanh"])
def test_the_gate_multiplies(script, activation):
    gate = script("gate")
    errors = gate.errors(activation)
    assert errors.min() < 1e-6
    ratios = errors[2:5] / errors[1:4]  # a quarter of lambda: a sixteenth of the error
    np.testing.assert_allclose(ratios, 1 / 16, rtol=0.05)
    assert errors[-1] > 1000 * errors.min()  # because of rounding


@pytest.mark.parametrize("activation", ["softplus", "sigmoid", "tanh"])
def test_the_second_derivatives(script, activation):
    from nnmnist.model.activations import ACTIVATIONS

    gate = script("gate")
    for a in (0.0, gate.BIASES[activation]):
        e = 1e-4
        z = np.array([a - e, a, a + e])
        ACTIVATIONS[activation].apply(z, np.empty(3))
        second = gate.SECOND_DERIVATIVES[activation](a)
        assert second == pytest.approx((z[0] - 2 * z[1] + z[2]) / e**2, abs=1e-6)
        assert (second == 0) == (a == 0 and activation != "softplus")


def test_training_finds_the_gate(script, training_of_the_gate):
    gate = script("gate")
    network = training_of_the_gate()
    assert gate.largest_error(network) < 0.02
    signs = {
        tuple(np.sign(W)): np.sign(out)
        for W, out in zip(network.W[0], network.W[1][0], strict=True)
    }
    assert signs == {(1, 1): 1, (-1, -1): 1, (1, -1): -1, (-1, 1): -1}


def test_parameter_counts_of_the_lecture(script):
    linear, network, error = script("parameter_efficiency").build_models()
    assert linear.n_weights == 500_500
    assert network.sizes == (1000, 40, 1)
    assert network.n_weights == 40_040
    assert network.theta.size == 40_081
    assert error < 1e-3


def test_a_network_has_a_smaller_test_error_than_linear_regression(script):
    efficiency = script("parameter_efficiency")
    train, test = efficiency.problem(efficiency.N_EXAMPLES)
    network_parameters, network_error = efficiency.by_network(12, train, test)
    linear_parameters, linear_error = efficiency.by_products(train, test)
    assert (network_parameters, linear_parameters) == (505, 821)
    assert network_error < linear_error / 3


def test_gates_in_several_layers(script):
    deep = script("why_deep")
    rows = deep.rows(6)
    assert [(row.k, row.n) for row in rows] == [(k, 2**k) for k in range(1, 7)]
    assert max(row.error for row in rows) < 1e-5
    assert rows[1].parameters == 4 * 8 + 8 + 8 * 4 + 4 + 4 + 1
    assert deep.log10_monomials(3) == pytest.approx(1)  # 10 monomials of degree 3 in 3 variables
    assert deep.log10_monomials(1000) == pytest.approx(600.0103, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gate", "found by training"),
        ("gradient_descent", "too large"),
        ("local_minima", "minimum     cost J"),
        ("linear_regression", "least squares"),
        ("parameter_efficiency", "500,500"),
        ("softmax_safety", "naive"),
        ("why_deep", "10^432.3954"),
    ],
)
def test_a_script_prints_its_table(script, training_of_the_gate, monkeypatch, capsys, name, text):
    module = script(name)
    if name == "gate":
        monkeypatch.setattr(module, "trained_gate", training_of_the_gate)
    if name == "parameter_efficiency":
        monkeypatch.setattr(module, "TRAINING", replace(module.TRAINING, epochs=1))
    monkeypatch.setattr(sys, "argv", [f"{name}.py"])
    module.main()
    assert text in capsys.readouterr().out
