import numpy as np
import pytest

from nnmnist.data.examples import Examples
from nnmnist.evaluation.evaluate import (
    evaluate,
    evaluate_on_cores,
    is_chance,
    most_confident_mistakes,
    probabilities,
    wilson_interval,
)
from nnmnist.model.network import Network


def examples(n=40, n_inputs=6, n_classes=3, dtype=np.float32):
    rng = np.random.default_rng(0)
    inputs = (
        rng.integers(0, 256, (n, n_inputs)).astype(np.uint8)
        if dtype == np.uint8
        else rng.normal(size=(n, n_inputs))
    )
    return Examples(
        inputs.astype(dtype),
        rng.integers(0, n_classes, n).astype(np.uint8),
        np.arange(n),
        n_classes,
    )


def random_network(sizes=(6, 5, 3), seed=0, **settings):
    network = Network(sizes, **settings)
    network.theta[:] = np.random.default_rng(seed).normal(0, 1, network.theta.size)
    return network


def test_cost_accuracy_and_confusion_by_hand():
    data = examples()
    network = random_network()
    p = network.predict(data.x).astype(np.float64)
    result = evaluate(network, data)
    predicted = p.argmax(axis=1)
    assert result.n == 40
    assert result.accuracy == np.mean(predicted == data.y)
    assert result.cost == pytest.approx(-np.log(p[np.arange(40), data.y]).mean(), rel=1e-5)
    for true in range(3):
        for said in range(3):
            assert result.confusion[true, said] == np.sum((data.y == true) & (predicted == said))


@pytest.mark.parametrize("output", ["linear", "softmax"])
def test_threads_give_the_same_bits(output, monkeypatch):
    monkeypatch.setattr("nnmnist.evaluation.evaluate.CHUNK", 7)
    data, network = examples(), random_network(output=output)
    alone, shared = evaluate(network, data), evaluate(network, data, threads=3)
    assert (shared.n, shared.cost) == (alone.n, alone.cost)
    assert np.array_equal(shared.confusion, alone.confusion)
    assert evaluate_on_cores(network, data).cost == alone.cost


def test_pixels_are_scaled_as_in_training():
    data = examples(dtype=np.uint8)
    scaled = Examples(data.inputs.astype(np.float32) / 255, data.targets, data.rows, 3)
    network = random_network()
    assert evaluate(network, data).cost == pytest.approx(evaluate(network, scaled).cost, rel=1e-5)


def test_only_its_own_rows_count():
    data = examples()
    part = Examples(data.inputs, data.targets, np.array([3, 5, 8]), 3)
    alone = Examples(data.inputs[[3, 5, 8]], data.targets[[3, 5, 8]], np.arange(3), 3)
    network = random_network()
    assert evaluate(network, part).cost == pytest.approx(evaluate(network, alone).cost, rel=1e-6)


@pytest.mark.parametrize("output", ["linear", "logistic", "softmax"])
def test_an_ensemble_averages_predictions(output):
    data = examples()
    members = [random_network(seed=seed, output=output) for seed in (1, 2, 3)]
    mean = np.mean([member.predict(data.x).astype(np.float64) for member in members], axis=0)
    result = evaluate(members, data)
    assert result.accuracy == np.mean(mean.argmax(axis=1) == data.y)
    y = np.eye(3)[data.y]
    costs = {
        "linear": lambda: ((y - mean) ** 2).sum(axis=1),
        "logistic": lambda: -(y * np.log(mean) + (1 - y) * np.log(1 - mean)).sum(axis=1),
        "softmax": lambda: -np.log(mean[np.arange(40), data.y]),
    }
    assert result.cost == pytest.approx(costs[output]().mean(), rel=1e-4)


def test_an_ensemble_of_equals_is_its_member():
    data, network = examples(), random_network()
    one, three = evaluate(network, data), evaluate([network] * 3, data)
    assert one.cost == pytest.approx(three.cost, rel=1e-5)
    np.testing.assert_array_equal(one.confusion, three.confusion)


def test_two_classes_from_one_logistic_unit():
    data = examples(n_classes=2)
    network = random_network((6, 4, 1), output="logistic")
    p = network.predict(data.x)[:, 0].astype(np.float64)
    result = evaluate(network, data)
    assert result.accuracy == np.mean((p > 0.5) == data.y)
    assert result.cost == pytest.approx(
        -np.where(data.y == 1, np.log(p), np.log(1 - p)).mean(), rel=1e-4
    )


def test_regression_has_a_cost_and_no_accuracy():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(20, 2)).astype(np.float32)
    data = Examples(rng.normal(size=(20, 6)).astype(np.float32), values, np.arange(20), 0)
    network = random_network((6, 2), output="linear")
    result = evaluate(network, data)
    assert result.cost == pytest.approx(
        ((network.predict(data.x) - values) ** 2).sum(axis=1).mean(), rel=1e-5
    )
    assert result.accuracy is None
    assert result.interval is None
    error = ((network.predict(data.x) - values) ** 2).sum()
    assert result.r2 == pytest.approx(
        1 - error / ((values - values.mean(axis=0)) ** 2).sum(), rel=1e-5
    )


def test_r2_is_of_values_that_differ():
    inputs = np.random.default_rng(0).normal(size=(20, 6)).astype(np.float32)
    equal = Examples(inputs, np.full((20, 1), 3, np.float32), np.arange(20), 0)
    assert evaluate(random_network((6, 1), output="linear"), equal).r2 is None
    assert evaluate(random_network(output="linear"), examples()).r2 is None


def test_wilson_interval_is_that_of_the_textbook():
    # Newcombe 1998 (Statistics in Medicine 17:857), table I: 81 of 263 gives 0.2553 to 0.3662
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)


def test_wilson_interval_stays_inside_0_and_1():
    low, high = wilson_interval(0, 10)
    assert low == 0.0
    assert 0 < high < 0.5
    assert wilson_interval(10, 10) == pytest.approx((1 - high, 1.0))


@pytest.mark.parametrize("output", ["linear", "logistic", "softmax"])
def test_probabilities_are_the_predictions_in_order(output):
    # more than one batch
    data, network = examples(5000, dtype=np.uint8), random_network(output=output)
    part = Examples(data.inputs, data.targets, np.arange(4999, 0, -2), 3)
    np.testing.assert_allclose(
        probabilities(network, part), network.predict(part.x), rtol=1e-5, atol=1e-6
    )


def test_probabilities_of_one_unit_are_of_both_classes():
    data, network = examples(n_classes=2), random_network((6, 4, 1), output="logistic")
    p = probabilities(network, data)
    np.testing.assert_allclose(p[:, 1], network.predict(data.x)[:, 0], rtol=1e-5)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-6)


def test_probabilities_of_an_ensemble_are_the_mean():
    data, members = examples(), [random_network(seed=seed) for seed in (1, 2, 3)]
    mean = np.mean([member.predict(data.x) for member in members], axis=0)
    np.testing.assert_allclose(probabilities(members, data), mean, rtol=1e-5, atol=1e-7)


def test_the_most_confident_mistakes_by_hand():
    p = np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8], [0.3, 0.7], [0.0, 1.0]])
    assert most_confident_mistakes(p, np.array([0, 1, 0, 0, 1])).tolist() == [2, 3, 1]
    assert most_confident_mistakes(p, p.argmax(axis=1)).tolist() == []


@pytest.mark.parametrize(
    ("confusion", "expected"),
    [
        ([[50, 0], [50, 0]], True),  # always the same class
        ([[40, 10], [31, 19]], True),  # 59 % right; the share of a class is 50 % with error 5 %
        ([[40, 10], [29, 21]], False),  # 61 % right
        ([[0, 50], [50, 0]], True),  # worse than a guess
        ([[90, 0], [8, 2]], True),  # 92 % right, but a guess is right in 90 % with error 3 %
        ([[2, 0], [0, 1]], False),  # no mistake, though three examples say little
        ([[99, 0], [0, 1]], False),
    ],
)
def test_a_network_that_is_no_better_than_a_guess(confusion, expected):
    assert is_chance(np.array(confusion)) is expected
