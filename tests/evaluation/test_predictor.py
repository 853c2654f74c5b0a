import numpy as np
import pytest

from nnmnist.data import synthetic
from nnmnist.data.examples import Examples
from nnmnist.evaluation.predictor import (
    Ensemble,
    NormalizedNetwork,
    as_predictor,
    skip_normalization,
)
from nnmnist.images.normalize import normalize
from nnmnist.model.network import Network
from nnmnist.model.outputs import OUTPUTS

SHAPE = (28, 28)


@pytest.fixture(scope="module")
def digits():
    return synthetic.render((np.arange(60) % 10).astype(np.uint8), np.random.default_rng(0))


def random_network(sizes=(784, 5, 10), seed=0, **settings):
    network = Network(sizes, **settings)
    network.theta[:] = np.random.default_rng(seed).normal(0, 0.2, network.theta.size)
    return network


def test_a_normalized_network_normalizes_the_images_that_it_predicts(digits):
    network = random_network()
    x = digits / np.float32(255)
    found = NormalizedNetwork(network, SHAPE).predict(x)
    assert found == pytest.approx(network.predict(normalize(x, SHAPE)), abs=1e-6)
    assert abs(found - network.predict(x)).max() > 0.1


def test_a_normalized_network_shares_the_parameters():
    network = random_network()
    normalized = NormalizedNetwork(network, SHAPE)
    network.W[0][:] = 7
    assert (normalized.theta[: 5 * 784] == 7).all()
    assert normalized.parameters()["W1"] is network.W[0]
    assert normalized.sizes == network.sizes


def test_a_training_skips_the_normalization_and_gets_normalized_images(digits):
    labels = (np.arange(60) % 10).astype(np.uint8)
    train, validation = (
        Examples(digits, labels, np.arange(60)[part], 10) for part in (slice(40), slice(40, 60))
    )
    network = random_network()
    assert skip_normalization(network, train, validation) == (network, train, [validation])
    plain, its_train, [its_validation] = skip_normalization(
        NormalizedNetwork(network, SHAPE), train, validation
    )
    assert plain is network
    np.testing.assert_array_equal(its_train.inputs, normalize(digits, SHAPE))
    np.testing.assert_allclose(its_validation.x, normalize(validation.x, SHAPE))
    np.testing.assert_array_equal(its_validation.y, validation.y)


@pytest.mark.parametrize("output", OUTPUTS)
def test_an_ensemble_predicts_the_mean(output):
    members = [random_network((4, 6, 3), seed, output=output) for seed in range(3)]
    x = np.random.default_rng(1).normal(size=(7, 4)).astype(np.float32)
    mean = np.mean([member.predict(x).astype(float) for member in members], axis=0)
    p = OUTPUTS[output].predict(Ensemble(members).logits(x))
    found = OUTPUTS[output].class_probabilities(p)
    np.testing.assert_allclose(found.T, mean, rtol=1e-6, atol=1e-12)


def test_one_network_is_no_ensemble():
    network = random_network((4, 3))
    assert as_predictor(network) is as_predictor([network]) is network
