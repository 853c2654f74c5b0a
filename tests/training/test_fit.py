from dataclasses import replace

import numpy as np
import pytest

from nnmnist.config.schema import TrainingConfig
from nnmnist.data import synthetic
from nnmnist.data.examples import Examples
from nnmnist.data.sources import split
from nnmnist.errors import DataError, TrainingError
from nnmnist.evaluation.evaluate import evaluate
from nnmnist.evaluation.predictor import NormalizedNetwork
from nnmnist.images.normalize import normalize
from nnmnist.model.network import Network
from nnmnist.model.outputs import OUTPUTS
from nnmnist.training import descent
from nnmnist.training.fit import fit
from nnmnist.training.setup import make_optimizer, training_targets


def settings(**changes):
    defaults = {"epochs": 3, "batch_size": 16, "learning_rate": 0.1}
    return TrainingConfig(**{**defaults, **changes})


def clusters(n=200, seed=0):
    """Three clouds in the plane that a line separates."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n).astype(np.uint8)
    x = (np.array([[0, 3], [3, 0], [-3, -3]])[y] + rng.normal(0, 0.5, (n, 2))).astype(np.float32)
    rows = np.arange(n)
    return Examples(x, y, rows[50:], 3), Examples(x, y, rows[:50], 3)


def trained(dropout=0.0, epochs_seen=None, **changes):
    network = Network((2, 8, 3), dropout=dropout)
    network.initialize(np.random.default_rng(0))
    train, validation = clusters()
    epochs = []
    for epoch in fit(network, train, validation, settings(**changes), seed=5):
        epochs.append(epoch)
        if epoch.number == epochs_seen:
            break
    return network, epochs


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("batch_size", [16, 1, "full"])
def test_it_learns(optimizer, batch_size):
    rate = 0.01 if optimizer == "adam" else 0.05
    epochs = 60 if batch_size == "full" else 3
    _, records = trained(
        optimizer=optimizer, batch_size=batch_size, learning_rate=rate, epochs=epochs
    )
    assert [record.number for record in records] == list(range(1, epochs + 1))
    assert records[-1].cost < records[0].cost / 2
    assert records[-1].validation.accuracy > 0.95


def test_a_record_says_what_happened():
    _, [first, *_] = trained(schedule="cosine")
    assert first.validation.n == 50
    assert 0 < first.accuracy <= 1
    assert 0 < first.learning_rate < 0.1
    assert first.seconds > 0
    assert first.examples_per_second > 0


def test_same_seed_same_bytes():
    assert trained(dropout=0.3)[0].theta.tobytes() == trained(dropout=0.3)[0].theta.tobytes()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_going_on_ends_in_the_same_bits(optimizer):
    whole, _ = trained(dropout=0.3, optimizer=optimizer, schedule="one_cycle")
    train, validation = clusters()
    network = Network((2, 8, 3), dropout=0.3)
    network.initialize(np.random.default_rng(0))
    changed = settings(optimizer=optimizer, schedule="one_cycle")
    first = make_optimizer(network, changed)
    next(fit(network, train, validation, changed, seed=5, optimizer=first))
    second = make_optimizer(network, changed)
    for name, array in first.state.items():
        second.state[name][...] = array
    records = list(
        fit(network, train, validation, changed, seed=5, optimizer=second, epochs_done=1)
    )
    assert [record.number for record in records] == [2, 3]
    assert network.theta.tobytes() == whole.theta.tobytes()


def test_the_steps_of_an_epoch_are_counted():
    seen = []
    train, validation = clusters()
    network = Network((2, 3))
    for _ in fit(
        network, train, validation, settings(epochs=1), on_progress=lambda *step: seen.append(step)
    ):
        pass
    # 150 examples in 9 batches of 16 and one of 6
    assert [step for step, *_ in seen] == list(range(1, 11))
    assert {steps for _, steps, *_ in seen} == {10}


def test_the_epochs_cost_is_the_mean_of_all_examples():
    """Without steps that change anything, the running cost is the cost."""
    train, validation = clusters()
    network = Network((2, 3))
    network.theta[:] = np.random.default_rng(0).normal(0, 0.3, network.theta.size)
    whole = evaluate(network, train)
    [record] = fit(network, train, validation, settings(epochs=1, learning_rate=1e-30))
    assert record.cost == pytest.approx(whole.cost, rel=1e-6)
    assert record.accuracy == whole.accuracy


@pytest.mark.parametrize("output", ["softmax", "logistic", "linear"])
def test_with_class_weights_the_epochs_cost_is_the_weighted_mean(output):
    """That of the training examples; the validation cost has no weights."""
    train, validation = clusters()
    network = Network((2, 3), output=output)
    network.theta[:] = np.random.default_rng(0).normal(0, 0.3, network.theta.size)
    v = np.array([1.0, 2.0, 5.0])[train.y]
    costs, _, _ = network.output.cost(
        network.logits(train.x), np.eye(3, dtype=np.float32)[train.y].T
    )
    chosen = settings(epochs=1, learning_rate=1e-30, class_weights=(1.0, 2.0, 5.0))
    [record] = fit(network, train, validation, chosen)
    assert record.cost == pytest.approx((v * costs).sum() / v.sum(), rel=1e-5)
    assert record.cost != pytest.approx(costs.mean(), rel=1e-2)
    assert record.validation.cost == evaluate(network, validation).cost


def test_balanced_weights_learn_a_rare_class():
    """One example in 40 is of the second class; the clouds overlap."""
    rng = np.random.default_rng(0)
    y = (np.arange(800) % 40 == 0).astype(np.uint8)
    x = (y[:, None] + rng.normal(0, 0.7, (800, 2))).astype(np.float32)
    data, recalls = Examples(x, y, np.arange(800), 2), []
    for weights in (None, "balanced"):
        network = Network((2, 2))
        list(fit(network, data, data, settings(epochs=5, class_weights=weights)))
        confusion = evaluate(network, data).confusion
        recalls.append((confusion.diagonal() / confusion.sum(axis=1)).tolist())
    assert recalls[0][1] < 0.4
    assert min(recalls[1]) > 0.7


def test_a_network_that_normalizes_learns_from_normalized_pictures():
    labels = (np.arange(60) % 3).astype(np.uint8)
    pictures = synthetic.render(labels, np.random.default_rng(0))
    rows = np.arange(60)

    def theta(inputs, shape):
        network = Network((784, 5, 3))
        network.initialize(np.random.default_rng(0))
        if shape:
            network = NormalizedNetwork(network, shape)
        train, validation = (
            Examples(inputs, labels, rows[:40], 3),
            Examples(inputs, labels, rows[40:], 3),
        )
        *_, last = fit(network, train, validation, settings(), seed=5)
        assert last.validation.cost == evaluate(network, validation).cost
        return network.theta

    theirs = theta(normalize(pictures, (28, 28)), None)
    np.testing.assert_array_equal(theta(pictures, (28, 28)), theirs)
    assert not np.array_equal(theta(pictures, None), theirs)


def test_without_validation():
    train, _ = clusters()
    none = Examples(train.inputs, train.targets, np.arange(0), 3)
    records = list(fit(Network((2, 3)), train, none, settings()))
    assert [record.validation for record in records] == [None] * 3


def test_divergence_names_epoch_step_and_rate():
    with pytest.raises(
        TrainingError,
        match=r"epoch 1, step \d+ of 10; the learning rate was 1e\+30, lower "
        r"training.learning_rate",
    ):
        trained(learning_rate=1e30)


def test_weights_that_break_in_the_last_step_are_named():
    train, validation = clusters()
    huge = Examples(train.inputs * np.float32(1e4), train.targets, train.rows, 3)
    one_step = settings(learning_rate=1e38, momentum=0.0, batch_size="full", epochs=1)
    with pytest.raises(
        TrainingError, match="W1 is no longer finite after the last step of epoch 1"
    ):
        list(fit(Network((2, 3)), huge, validation, one_step))


def test_validation_alone_may_break():
    train, validation = clusters()
    inputs = train.inputs.copy()
    inputs[validation.rows[0]] = np.nan
    broken = Examples(inputs, train.targets, validation.rows, 3)
    with pytest.raises(TrainingError, match="validation cost is no longer finite after epoch 1"):
        list(fit(Network((2, 3)), train, broken, settings()))


def test_regression():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 2)).astype(np.float32)
    y = (x @ [[1.0], [-2.0]] + 0.5).astype(np.float32)
    network = Network((2, 1), output="linear")
    rows = np.arange(100)
    *_, last = fit(
        network,
        Examples(x, y, rows[20:], 0),
        Examples(x, y, rows[:20], 0),
        settings(epochs=100, learning_rate=0.01),
    )
    assert last.accuracy is None
    assert last.validation.cost < 1e-6
    np.testing.assert_allclose(network.theta, [1, -2, 0.5], atol=1e-3)


def values(n=100):
    """Values of a plane with noise, and their examples."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(n, 2)).astype(np.float32)
    y = (x @ [[1.0], [-2.0]] + 0.5 + 0.1 * rng.normal(size=(n, 1))).astype(np.float32)
    return Examples(x, y, np.arange(n), 0)


def test_the_records_r2_is_that_of_its_cost():
    data = values()
    [record] = fit(
        Network((2, 1), output="linear"), data, data, settings(epochs=1, learning_rate=1e-30)
    )
    variance = data.y.var(dtype=np.float64)
    assert record.r2 == pytest.approx(1 - record.cost / variance, rel=1e-5)
    assert record.validation.r2 == pytest.approx(record.r2, rel=1e-5)


@pytest.mark.parametrize("batch_size", [16, "full"])
def test_least_squares_is_done_in_one_epoch(batch_size):
    data = values()
    network = Network((2, 1), output="linear")
    steps = settings(optimizer="least_squares", epochs=7, batch_size=batch_size)
    [record] = fit(network, data, data, steps)
    assert record.number == 1
    assert record.learning_rate == 0
    assert record.cost == pytest.approx(record.validation.cost, rel=1e-6)
    assert list(fit(network, data, data, steps, epochs_done=1)) == []
    perfect = network.theta.copy()
    network.gradient(data.x, data.y.T)
    assert np.abs(network.grad).max() < 1e-6
    assert network.theta.tobytes() == perfect.tobytes()


def test_least_squares_of_labels_has_an_accuracy():
    train, validation = clusters()
    [record] = fit(
        Network((2, 3), output="linear"), train, validation, settings(optimizer="least_squares")
    )
    assert record.accuracy > 0.95
    assert record.r2 is None


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_centred_inputs_train_as_inputs_minus_their_mean(optimizer, shift):
    """And afterwards the network takes inputs as they are."""
    train, validation = clusters()
    train = replace(train, inputs=train.inputs + np.float32(shift))
    mean = train.mean
    np.testing.assert_allclose(mean, train.x.mean(axis=0), rtol=1e-6, atol=1e-6)
    centred = replace(train, inputs=train.inputs - mean)
    changes = {"epochs": 1, "optimizer": optimizer, "learning_rate": 0.01, "weight_decay": 0.1}
    networks = [Network((2, 8, 3)) for _ in range(2)]
    for network, data, centre in zip(networks, (train, centred), (True, False), strict=True):
        network.initialize(np.random.default_rng(0))
        if not centre:  # the same function to start from
            network.b[0] += network.W[0] @ mean
        list(fit(network, data, validation, settings(**changes, centre_inputs=centre), seed=5))
    first, second = networks
    for W, expected in zip(first.W, second.W, strict=True):
        np.testing.assert_allclose(W, expected, atol=1e-5)
    np.testing.assert_allclose(first.b[0], second.b[0] - second.W[0] @ mean, atol=1e-4)


def test_the_mean_of_pixels_is_that_of_the_chosen_rows():
    pixels = np.array([[0, 255], [255, 255], [9, 9]], np.uint8)
    examples = Examples(pixels, np.array([0, 1, 1], np.uint8), np.array([0, 1]), 2)
    np.testing.assert_allclose(examples.mean, [0.5, 1.0], rtol=1e-6)


def test_the_warmup_moves_the_peak_of_the_rate():
    train, validation = clusters()
    rates = {}
    for warmup in (0.1, 0.9):
        chosen = settings(epochs=10, schedule="one_cycle", warmup=warmup, learning_rate=1e-3)
        records = fit(Network((2, 8, 3)), train, validation, chosen)
        rates[warmup] = [record.learning_rate for record in records]
    assert np.argmax(rates[0.1]) < 2
    assert np.argmax(rates[0.9]) == 8


def with_others(n=50):
    """The clusters, and between them examples of no class."""
    train, validation = clusters()
    x = np.random.default_rng(1).normal(0, 0.5, (n, 2)).astype(np.float32)
    more = train.with_more(x, np.full(n, 3, np.uint8), len(train.inputs) + np.arange(n))
    assert more.has_others
    return more, validation


def test_examples_of_no_class_make_all_classes_equally_probable_there():
    train, validation = with_others()
    network = Network((2, 16, 3))
    network.initialize(np.random.default_rng(0))
    *_, last = fit(network, train, validation, settings(epochs=40), seed=5)
    p = network.predict(np.zeros((1, 2), np.float32))
    assert np.abs(p - 1 / 3).max() < 0.1
    assert last.validation.accuracy > 0.95


@pytest.mark.parametrize("class_weights", [None, "balanced", (1, 2, 3)])
def test_the_accuracy_is_that_of_the_examples_of_a_class(class_weights):
    train, validation = with_others()
    network = Network((2, 16, 3))
    network.initialize(np.random.default_rng(0))
    frozen = settings(epochs=1, learning_rate=1e-12, class_weights=class_weights)
    [epoch] = fit(network, train, validation, frozen, seed=5)
    classed = train.without_others()
    assert len(classed) == 150
    assert epoch.accuracy == pytest.approx(evaluate(network, classed).accuracy)


def test_the_target_of_no_class_is_the_same_probability_for_all():
    train, _ = with_others()
    y = training_targets(OUTPUTS["softmax"], train, settings(label_smoothing=0.1))
    assert y.shape == (3, 4)
    assert y[:, 3] == pytest.approx([1 / 3] * 3)
    assert y.sum(axis=0) == pytest.approx([1] * 4)


def test_without_the_mark_a_label_outside_the_classes_is_an_error():
    train, _ = with_others()
    with pytest.raises(DataError, match=r"label 3 is outside the classes 0 \.\. 2"):
        replace(train, has_others=False)


@pytest.mark.parametrize("centre", [False, True])
def test_the_curve_does_not_change_the_training(centre):
    changes = {"dropout": 0.3, "centre_inputs": centre}
    network, epochs = trained(**changes, curve_every=5)
    without, same_epochs = trained(**changes)
    assert network.theta.tobytes() == without.theta.tobytes()
    assert [epoch.cost for epoch in epochs] == [epoch.cost for epoch in same_epochs]
    assert not any(epoch.curve for epoch in same_epochs)
    # 150 examples are 10 steps per epoch
    points = [point for epoch in epochs for point in epoch.curve]
    assert [point.iteration for point in points] == [5, 10, 15, 20, 25, 30]
    assert [point.epochs for point in points] == [0.5, 1, 1.5, 2, 2.5, 3]
    # a point at the end of an epoch is the result of that epoch
    assert [p.validation.cost for p in points[1::2]] == [e.validation.cost for e in epochs]
    assert points[-1].train.cost == evaluate(network, clusters()[0]).cost


def test_the_curve_shows_all_classes_of_many_sorted_examples(monkeypatch):
    monkeypatch.setattr(descent, "MOST_EVALUATED", 30)
    train, validation = clusters()
    train = replace(train, rows=train.rows[np.argsort(train.y, kind="stable")])
    network = Network((2, 3))
    [epoch] = fit(network, train, validation, settings(epochs=1, curve_every=10))
    [point] = epoch.curve
    assert point.train.n == 30
    counts = point.train.confusion.sum(axis=1)
    np.testing.assert_allclose(counts / 30, np.bincount(train.y) / len(train), atol=0.05)


@pytest.mark.parametrize("normalize", [False, True])
def test_the_curve_and_the_extra_examples_are_evaluated_as_the_network_reads_them(normalize):
    splits = split(synthetic.load(0, n_train=200, n_test=40), 40)
    network = Network((784, 10))
    network = NormalizedNetwork(network, (28, 28)) if normalize else network
    [epoch] = fit(
        network, splits.train, splits.validation, settings(epochs=1, curve_every=10),
        extra=splits.validation, test=splits.test,
    )  # fmt: skip
    point = epoch.curve[-1]
    assert point.iteration == 10
    assert point.test.cost == pytest.approx(evaluate(network, splits.test).cost, rel=1e-5)
    assert point.validation.cost == epoch.validation.cost == epoch.extra.cost


def test_the_curve_without_validation():
    train, validation = clusters()
    none = replace(validation, rows=validation.rows[:0])
    [epoch] = fit(Network((2, 3)), train, none, settings(epochs=1, curve_every=10))
    assert epoch.curve[0].validation is epoch.curve[0].test is None
