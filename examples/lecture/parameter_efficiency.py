"""Parameter efficiency: the sum of a few products x_i x_j, by two models.

One model is a network of multiplication gates, the other is linear regression on all products.
"""

from __future__ import annotations

import numpy as np
from gate import INPUT_SIGNS, output_weights
from numpy.typing import NDArray

from nnmnist.config.schema import TrainingConfig
from nnmnist.data.examples import Examples
from nnmnist.evaluation.evaluate import evaluate
from nnmnist.model.network import Network
from nnmnist.training.fit import fit

Array = NDArray[np.float64]

# The trained version: three products of forty inputs, with fewer examples than there are products.
N_INPUTS, N_PRODUCTS, N_EXAMPLES, N_TEST = 40, 3, 600, 4000
WIDTHS = (4, 8, 12, 16, 24)
TRAINING = TrainingConfig(
    epochs=150, batch_size=20, optimizer="adam", learning_rate=0.01, schedule="cosine"
)
LEAST_SQUARES = TrainingConfig(optimizer="least_squares")


def sum_of_products(x: Array, pairs: NDArray[np.int64]) -> Array:
    """The sum (n, 1) of x_i x_j over the pairs (i, j), for x (n, n_inputs) and pairs (K, 2)."""
    return x[:, pairs].prod(axis=2).sum(axis=1, keepdims=True)


def gates(n_inputs: int, pairs: NDArray[np.int64], lam: float = 2.0**-11) -> Network:
    """A network with one gate of four hidden units per pair; it approximates `sum_of_products`."""
    sizes = (n_inputs, 4 * len(pairs), 1)
    network = Network(sizes, activation="softplus", output="linear", dtype=np.float64)
    for k, pair in enumerate(pairs):
        network.W[0][4 * k : 4 * k + 4, pair] = lam * INPUT_SIGNS
        network.W[1][0, 4 * k : 4 * k + 4] = output_weights(lam)
    return network


def n_products(n_inputs: int) -> int:
    """Number of products x_i x_j with i <= j."""
    return n_inputs * (n_inputs + 1) // 2


def all_products(x: Array) -> Array:
    """The products x_i x_j for all i <= j, one per column."""
    i, j = np.triu_indices(x.shape[1])
    return x[:, i] * x[:, j]


def build_models(n_inputs: int = 1000, k: int = 10) -> tuple[Network, Network, float]:
    """The lecture's two models for k products, without training.

    Returns the linear model on all products, the network of gates, and its largest error.
    """
    rng = np.random.default_rng(0)
    pairs = rng.permutation(n_inputs)[: 2 * k].reshape(k, 2)
    network = gates(n_inputs, pairs)
    x = rng.uniform(-1, 1, (1000, n_inputs))
    error = np.abs(network.predict(x) - sum_of_products(x, pairs)).max()
    return Network((n_products(n_inputs), 1), output="linear"), network, float(error)


def problem(n_examples: int, seed: int = 0) -> tuple[Examples, Examples]:
    """Training and test examples of the smaller problem; the inputs have variance 1."""
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(N_INPUTS)[: 2 * N_PRODUCTS].reshape(N_PRODUCTS, 2)
    x = rng.uniform(-(3**0.5), 3**0.5, (N_TEST + n_examples, N_INPUTS))
    y = sum_of_products(x, pairs)
    return _examples(x[N_TEST:], y[N_TEST:]), _examples(x[:N_TEST], y[:N_TEST])


def _examples(x: Array, y: Array) -> Examples:
    return Examples(x.astype(np.float32), y.astype(np.float32), np.arange(len(x)), n_classes=0)


def test_error(
    network: Network, train: Examples, test: Examples, settings: TrainingConfig
) -> float:
    """Train the network; return 1 - R^2, the part of the test variance it does not explain."""
    network.initialize(np.random.default_rng(0))
    no_validation = Examples(test.inputs, test.targets, np.arange(0), 0)
    for _ in fit(network, train, no_validation, settings):
        pass
    r2 = evaluate(network, test).r2
    assert r2 is not None  # R^2 exists because the test targets differ
    return 1 - r2


def by_network(width: int, train: Examples, test: Examples) -> tuple[int, float]:
    """Number of parameters and test error of a trained network with `width` hidden units."""
    network = Network((N_INPUTS, width, 1), activation="softplus", output="linear")
    return network.theta.size, test_error(network, train, test, TRAINING)


def by_products(train: Examples, test: Examples) -> tuple[int, float]:
    """Number of parameters and test error of linear regression on all products."""
    network = Network((n_products(N_INPUTS), 1), output="linear")
    train, test = (_examples(all_products(split.x), split.y) for split in (train, test))
    return network.theta.size, test_error(network, train, test, LEAST_SQUARES)


def compare_models() -> tuple[Array, Array]:
    """Rows (parameters, test error): of networks with all WIDTHS, and of linear regression."""
    train, test = problem(N_EXAMPLES)
    networks = [by_network(width, train, test) for width in WIDTHS]
    return np.array(networks), np.array([by_products(train, test)])


def print_built_models() -> None:
    linear, network, error = build_models()
    print("ten products of 1000 inputs          weights  with biases")
    print(f"linear regression on all products {linear.n_weights:10,}{linear.theta.size:13,}")
    print(f"ten gates, 40 hidden units        {network.n_weights:10,}{network.theta.size:13,}")
    print(f"largest error of the gates on 1000 points of [-1, 1]^1000: {error:.0e}\n")


def print_trained_models() -> None:
    title = f"{N_PRODUCTS} products of {N_INPUTS} inputs, {N_EXAMPLES} examples"
    print(f"{title}    parameters   test error (1 - R^2)")
    networks, products = compare_models()
    for width, (parameters, error) in zip(WIDTHS, networks, strict=True):
        print(f"trained network, {width:2} hidden units {parameters:17,.0f}{error:23.4f}")
    print(f"linear regression on all products{products[0, 0]:16,.0f}{products[0, 1]:23.4f}\n")


def print_numbers_of_examples() -> None:
    print("examples                       network, 12 units    linear regression")
    for n_examples in (300, 600, 1200):
        train, test = problem(n_examples)
        _, network_error = by_network(12, train, test)
        _, linear_error = by_products(train, test)
        print(f"{n_examples:8,}{network_error:40.4f}{linear_error:21.4f}", flush=True)


def main() -> None:
    print_built_models()
    print_trained_models()
    print_numbers_of_examples()


if __name__ == "__main__":
    main()
