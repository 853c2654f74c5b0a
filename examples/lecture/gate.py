"""The continuous multiplication gate: four hidden units that multiply two numbers.

From Lin, Tegmark, Rolnick, "Why does deep and cheap learning work so well?" (2017). Around a bias
a, h(a + u) = h(a) + h'(a) u + h''(a) u^2 / 2 + ..., so with l for lambda,

    h(a + l (x1 + x2)) + h(a - l (x1 + x2)) - h(a + l (x1 - x2)) - h(a - l (x1 - x2))
        = 4 l^2 h''(a) x1 x2 + O(l^4).

The output weight mu = 1 / (4 lambda^2 h''(a)) turns this into x1 x2, with an error of O(lambda^2).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from nnmnist.config.loading import find_config, load_config
from nnmnist.model.network import Network
from nnmnist.training.fit import fit
from nnmnist.training.setup import build_network, load_data

Array = NDArray[np.float64]

# The weights of a gate: W(1) = lambda * INPUT_SIGNS, W(2) = mu * OUTPUT_SIGNS.
INPUT_SIGNS = np.array([[1, 1], [-1, -1], [1, -1], [-1, 1]])  # (4, 2)
OUTPUT_SIGNS = np.array([1, 1, -1, -1])  # (4,)
LAMBDAS = [2.0**-k for k in range(0, 25, 2)]


def _sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a))


SECOND_DERIVATIVES = {
    "softplus": lambda a: _sigmoid(a) * (1 - _sigmoid(a)),
    "sigmoid": lambda a: _sigmoid(a) * (1 - _sigmoid(a)) * (1 - 2 * _sigmoid(a)),
    "tanh": lambda a: -2 * math.tanh(a) * (1 - math.tanh(a) ** 2),
}
# The bias a where |h''| is largest: h'''(a) = 0.
BIASES = {
    "softplus": 0.0,
    "sigmoid": math.log(2 + math.sqrt(3)),
    "tanh": math.atanh(1 / math.sqrt(3)),
}


def output_weights(lam: float, activation: str = "softplus") -> Array:
    """The weights (4,) from a gate's hidden units to their product."""
    return OUTPUT_SIGNS / (4 * lam**2 * SECOND_DERIVATIVES[activation](BIASES[activation]))


def gate(lam: float, activation: str = "softplus") -> Network:
    """A network with two inputs and four hidden units; its output approximates x1 x2."""
    network = Network((2, 4, 1), activation=activation, output="linear", dtype=np.float64)
    network.W[0][:] = lam * INPUT_SIGNS
    network.b[0][:] = BIASES[activation]
    network.W[1][:] = output_weights(lam, activation)
    return network


def grid(n: int = 101) -> Array:
    """Points (n * n, 2) of the square [-1, 1]^2."""
    side = np.linspace(-1, 1, n)
    return np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)


def largest_error(network: Network) -> float:
    """The largest |output - x1 x2| on the square."""
    x = grid()
    return float(np.abs(network.predict(x)[:, 0] - x[:, 0] * x[:, 1]).max())


def errors(activation: str = "softplus") -> Array:
    """The largest error of the gate for each of LAMBDAS."""
    return np.array([largest_error(gate(lam, activation)) for lam in LAMBDAS])


def trained_gate() -> Network:
    """The gate that training finds with the recipe lecture/gate."""
    settings = load_config(find_config("lecture/gate"))
    splits = load_data(settings.data, settings.seed)
    network = build_network(settings, splits)
    for _ in fit(network, splits.train, splits.validation, settings.training, settings.seed):
        pass
    return network


def print_second_derivatives() -> None:
    at_0 = [f"{name} {second(0.0) + 0.0:g}" for name, second in SECOND_DERIVATIVES.items()]
    print("h''(0):  " + ",  ".join(at_0))
    print("mu is infinite for sigmoid and tanh, unless biases shift them to a with h''(a) != 0:")
    print("a:       " + ",  ".join(f"{name} {a:.4f}" for name, a in BIASES.items()))


def print_errors() -> None:
    print("\nlargest error on [-1, 1]^2")
    columns = {name: errors(name) for name in SECOND_DERIVATIVES}
    print(f"{'lambda':<10}{'mu, softplus':>14}" + "".join(f"{name:>12}" for name in columns))
    for i, lam in enumerate(LAMBDAS):
        mu = output_weights(lam)[0]
        values = "".join(f"{column[i]:12.1e}" for column in columns.values())
        print(f"2^{math.log2(lam):<8.0f}{mu:14.4g}{values}")
    print("best" + " " * 20 + "".join(f"{column.min():12.1e}" for column in columns.values()))


def print_trained_gate() -> None:
    network = trained_gate()
    print(f"\nfound by training, in float32: largest error {largest_error(network):.3f}")
    print("hidden unit: weight of x1, weight of x2, bias, weight to the output")
    for W, b, out in zip(network.W[0], network.b[0], network.W[1][0], strict=True):
        print(f"{W[0]:8.3f}{W[1]:8.3f}{b:8.3f}{out:8.3f}")


def main() -> None:
    print_second_derivatives()
    print_errors()
    print_trained_gate()


if __name__ == "__main__":
    main()
