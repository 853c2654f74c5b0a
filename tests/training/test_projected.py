"""Training on inputs minus their mean, and on their principal components."""

from dataclasses import replace

import numpy as np
import pytest

from nnmnist.config.schema import DistortConfig, TrainingConfig
from nnmnist.data import synthetic
from nnmnist.data.projection import principal_components
from nnmnist.data.sources import split
from nnmnist.errors import TrainingError
from nnmnist.evaluation.evaluate import evaluate
from nnmnist.model.network import Network
from nnmnist.training import parallel
from nnmnist.training.fit import fit
from nnmnist.training.parallel import workers
from nnmnist.training.projected import ProjectedNetwork
from nnmnist.training.setup import make_optimizer


def settings(**changes):
    defaults = {"epochs": 2, "batch_size": 20, "learning_rate": 0.05, "principal_components": 40}
    return TrainingConfig(**{**defaults, **changes})


@pytest.fixture(scope="module")
def digits():
    return split(synthetic.load(0, n_train=300, n_test=100), 60)


def trained(data, chosen, hidden=(16,), distort=None, **options):
    network = Network((784, *hidden, 10), dropout=options.pop("dropout", 0.0))
    network.initialize(np.random.default_rng(0))
    train = replace(data.train, distort=distort)
    epochs = list(fit(network, train, data.validation, chosen, seed=5, **options))
    return network, epochs


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("hidden", [(), (16,), (16, 12)])
def test_the_network_is_the_one_that_was_trained_on_projected_examples(digits, optimizer, hidden):
    chosen = settings(optimizer=optimizer, learning_rate=0.01, weight_decay=0.01, epochs=1)
    network, [epoch] = trained(digits, chosen, hidden)
    found = principal_components(digits.train, 40)
    small = Network((40, *hidden, 10))
    start = Network((784, *hidden, 10))
    start.initialize(np.random.default_rng(0))
    for W, b, first_W, first_b in zip(small.W, small.b, start.W, start.b, strict=True):
        W[:], b[:] = first_W @ found.P if W is small.W[0] else first_W, first_b
    small.b[0] += start.W[0] @ found.mean
    plain = settings(
        optimizer=optimizer,
        learning_rate=0.01,
        weight_decay=0.01,
        epochs=1,
        principal_components=None,
    )
    train, validation = found.of(digits.train), found.of(digits.validation)
    [expected] = fit(small, train, validation, plain, seed=5)
    np.testing.assert_allclose(
        network.logits(digits.test.x), small.logits(found.of(digits.test).x), atol=1e-4
    )
    assert epoch.cost == pytest.approx(expected.cost, rel=1e-5)
    assert epoch.accuracy == expected.accuracy
    # and W1 sees nothing outside of the components
    np.testing.assert_allclose(network.W[0] @ found.P @ found.P.T, network.W[0], atol=1e-5)


def test_almost_all_components_train_as_centred_inputs(digits):
    """Gradient descent with momentum does not depend on the directions of the axes."""
    centred, _ = trained(digits, settings(principal_components=None, centre_inputs=True))
    rotated, _ = trained(digits, settings(principal_components=783))
    np.testing.assert_allclose(
        rotated.logits(digits.test.x), centred.logits(digits.test.x), atol=2e-3
    )


def test_adversarial_examples_and_dropout_are_used(digits):
    plain = trained(digits, settings())[0].theta
    for network in (
        trained(digits, settings(adversarial=1.0))[0],
        trained(digits, settings(), dropout=0.5)[0],
    ):
        assert np.abs(network.theta - plain).max() > 1e-3


@pytest.mark.parametrize("distort", [None, DistortConfig(rotation=10, shift=1).as_json()])
def test_several_processes_train_what_one_trains(digits, distort, monkeypatch):
    for name, value in {"STEP": 0, "EPOCH": 0, "UNITS": 1}.items():
        monkeypatch.setattr(parallel, name, value)
    monkeypatch.setattr(parallel, "available_cores", lambda: 64)
    thetas = []
    for cores, busy in ((1, False), (2, False), (2, True)):
        monkeypatch.setattr(workers, "is_busy", lambda cores, busy=busy: busy)
        thetas.append(trained(digits, settings(), (16, 12), distort, cores=cores)[0].theta)
    np.testing.assert_allclose(thetas[1], thetas[0], atol=1e-5)
    assert thetas[1].tobytes() == thetas[2].tobytes()


@pytest.mark.parametrize("distort", [None, DistortConfig(rotation=10, shift=1).as_json()])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_resumed_training_ends_in_the_same_bits(digits, optimizer, distort):
    chosen = settings(epochs=3, optimizer=optimizer, learning_rate=0.01)
    whole, _ = trained(digits, chosen, distort=distort, dropout=0.3)
    network = Network((784, 16, 10), dropout=0.3)
    network.initialize(np.random.default_rng(0))
    optimizer = make_optimizer(network, chosen)
    assert optimizer.state["m" if "m" in optimizer.state else "velocity"].size == 41 * 16 + 170
    train = replace(digits.train, distort=distort)
    for epochs_done in range(3):
        epochs = fit(network, train, digits.validation, chosen, 5, optimizer, epochs_done)
        next(epochs)
        epochs.close()
    assert network.theta.tobytes() == whole.theta.tobytes()


def test_the_curve_does_not_change_the_training(digits):
    network, epochs = trained(digits, settings(curve_every=6))
    without, _ = trained(digits, settings())
    assert network.theta.tobytes() == without.theta.tobytes()
    points = [point for epoch in epochs for point in epoch.curve]
    assert [point.iteration for point in points] == [6, 12, 18, 24]
    assert [p.validation.cost for p in points[1::2]] == [e.validation.cost for e in epochs]
    assert points[-1].train.cost == evaluate(network, digits.train).cost


@pytest.mark.parametrize("key", [{"centre_inputs": True}, {"principal_components": 40}])
def test_an_interrupted_epoch_keeps_what_it_learned(digits, key):
    def interrupt(step, *_):
        if step == 8:
            raise KeyboardInterrupt

    chosen = settings(**{"principal_components": None, **key})
    network = Network((784, 16, 10))
    network.initialize(np.random.default_rng(0))
    before = network.logits(digits.test.x)
    with pytest.raises(KeyboardInterrupt):
        list(fit(network, digits.train, digits.validation, chosen, 5, on_progress=interrupt))
    assert np.abs(network.logits(digits.test.x) - before).max() > 0.1


def test_starting_from_a_network_keeps_what_it_does_with_the_mean(digits):
    """The components of other data may leave out a part of W1."""
    whole = Network((784, 16, 10))
    whole.initialize(np.random.default_rng(0))
    mean = digits.train.mean[None]
    expected = whole.logits(mean)
    projected = ProjectedNetwork(whole, principal_components(digits.train, 5))
    projected.load()
    projected.store(projected.trained)
    np.testing.assert_allclose(whole.logits(mean), expected, atol=1e-4)


def test_a_divergence_is_one_clear_error(digits):
    with pytest.raises(TrainingError, match=r"^the cost is no longer finite in epoch 1, step"):
        trained(digits, settings(learning_rate=1e39))


def test_a_network_that_drops_inputs_has_none_to_drop(digits):
    network = Network((784, 16, 10), input_dropout=0.2)
    with pytest.raises(ValueError, match=r"^network has input_dropout"):
        next(fit(network, digits.train, digits.validation, settings()))


@pytest.mark.parametrize("k", [784, 1000])
def test_with_fewer_inputs_than_components_the_inputs_are_centred(digits, k):
    """So that a recipe also trains on small pictures and short rows."""
    chosen = settings(principal_components=k)
    network, _ = trained(digits, chosen)
    centred, _ = trained(digits, settings(principal_components=None, centre_inputs=True))
    assert network.theta.tobytes() == centred.theta.tobytes()
    assert make_optimizer(network, chosen).state["velocity"].size == network.theta.size
