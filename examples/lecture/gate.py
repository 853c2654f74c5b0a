"""The continuous multiplication gate: four hidden units that multiply two numbers (Lin, Tegmark, Rolnick 2017).

With weights +-lambda into the hidden units, h(u) = h(a) + h'(a) u + h''(a) u^2 / 2 + ... around a bias a gives

    h(a + l (x1 + x2)) + h(a - l (x1 + x2)) - h(a + l (x1 - x2)) - h(a - l (x1 - x2)) = 4 l^2 h''(a) x1 x2 + O(l^4)

and mu = 1 / (4 lambda^2 h''(a)) is the weight that makes it the product, with an error of O(lambda^2).
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

INWARD = np.array([[1, 1], [-1, -1], [1, -1], [-1, 1]])  # times lambda: (4, 2)
OUTWARD = np.array([1, 1, -1, -1])  # times mu: (4,)
LAMBDAS = [2.0**-k for k in range(0, 25, 2)]


def _sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a))


SECOND_DERIVATIVES = {
    "softplus": lambda a: _sigmoid(a) * (1 - _sigmoid(a)),
    "sigmoid": lambda a: _sigmoid(a) * (1 - _sigmoid(a)) * (1 - 2 * _sigmoid(a)),
    "tanh": lambda a: -2 * math.tanh(a) * (1 - math.tanh(a) ** 2),
}
# where |h''| is largest: h''' = 0
POINTS = {
    "softplus": 0.0,
    "sigmoid": math.log(2 + math.sqrt(3)),
    "tanh": math.atanh(1 / math.sqrt(3)),
}


def outward(lam: float, activation: str = "softplus") -> Array:
    """The weights (4,) that make a gate's hidden units their product."""
    return OUTWARD / (4 * lam**2 * SECOND_DERIVATIVES[activation](POINTS[activation]))


def gate(lam: float, activation: str = "softplus") -> Network:
    """A network of two inputs, four hidden units and one output, which is about the product of the inputs."""
    network = Network((2, 4, 1), activation=activation, output="linear", dtype=np.float64)
    network.W[0][:] = lam * INWARD
    network.b[0][:] = POINTS[activation]
    network.W[1][:] = outward(lam, activation)
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


def trained(*overrides: str) -> Network:
    """The gate that training finds: the recipe lecture/gate."""
    settings = load_config(find_config("lecture/gate"), overrides)
    splits = load_data(settings.data, settings.seed)
    network = build_network(settings, splits)
    for _ in fit(network, splits.train, splits.validation, settings.training, settings.seed):
        pass
    return network


def main() -> None:
    print(
        "h''(0):  "
        + ",  ".join(f"{name} {second(0.0) + 0.0:g}" for name, second in SECOND_DERIVATIVES.items())
    )
    print(
        "so mu is infinite for sigmoid and tanh, unless biases move them to a point a with h''(a) != 0:"
    )
    print("a:       " + ",  ".join(f"{name} {a:.4f}" for name, a in POINTS.items()))
    print("\nlargest error on [-1, 1]^2")
    columns = {name: errors(name) for name in SECOND_DERIVATIVES}
    print(f"{'lambda':<10}{'mu, softplus':>14}" + "".join(f"{name:>12}" for name in columns))
    for i, lam in enumerate(LAMBDAS):
        mu = outward(lam)[0]
        print(
            f"2^{math.log2(lam):<8.0f}{mu:14.4g}"
            + "".join(f"{column[i]:12.1e}" for column in columns.values())
        )
    print("best" + " " * 20 + "".join(f"{column.min():12.1e}" for column in columns.values()))
    found = trained()
    print(
        f"\nfound by training, float32: largest error {largest_error(found):.3f}; weights into, bias, weight out of"
    )
    for W, b, out in zip(found.W[0], found.b[0], found.W[1][0], strict=True):
        print(f"{W[0]:8.3f}{W[1]:8.3f}{b:8.3f}{out:8.3f}")


if __name__ == "__main__":
    main()
