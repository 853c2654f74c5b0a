"""Why deep: multiplication gates in k layers multiply 2^k numbers, with few parameters; flat models need very many."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from gate import INWARD, outward

from nnmnist.model.network import Network

LAMBDA = 2.0**-11


def product_network(k: int) -> Network:
    """A network of k hidden layers for the product of 2^k inputs: each layer multiplies pairs of what comes in.

    A hidden layer's weights hold the way out of the gates before it and the way into its own: (4, 8) for two gates
    and the one that multiplies their products.
    """
    n = 2**k
    sizes = [n, *(4 * n // 2**l for l in range(1, k + 1)), 1]
    network = Network(sizes, activation="softplus", output="linear", dtype=np.float64)
    out = outward(LAMBDA)[None, :]  # (1, 4)
    into = LAMBDA * INWARD  # (4, 2)
    network.W[0][:] = np.kron(np.eye(n // 2), into)
    for l, W in enumerate(network.W[1:-1], start=2):
        W[:] = np.kron(np.eye(n // 2**l), into @ np.kron(np.eye(2), out))
    network.W[-1][:] = out
    return network


def relative_error(network: Network, points: int = 200) -> float:
    """The largest relative error of the product, inputs of both signs between 0.9 and 1.1 in size."""
    rng = np.random.default_rng(0)
    x = rng.uniform(0.9, 1.1, (points, network.sizes[0])) * rng.choice(
        [-1, 1], (points, network.sizes[0])
    )
    product = x.prod(axis=1)
    return float(np.abs(network.predict(x)[:, 0] / product - 1).max())


def log10_monomials(n: int) -> float:
    """log10 of the number of monomials of degree n in n variables, the binomial (2n - 1 over n)."""
    return (math.lgamma(2 * n) - math.lgamma(n + 1) - math.lgamma(n)) / math.log(10)


class Row(NamedTuple):
    """What it takes to multiply n = 2^k numbers."""

    k: int  # hidden layers
    n: int
    parameters: int  # of the network, all of them
    nonzero: int  # weights that are not zero
    log10_flat: float  # units of one hidden layer, 2^n
    log10_monomials: float  # parameters of a linear model
    error: float


def rows(deepest: int = 10) -> list[Row]:
    """k = 1 .. deepest."""
    found = []
    for k in range(1, deepest + 1):
        network, n = product_network(k), 2**k
        nonzero = int(np.count_nonzero(network.theta))
        flat = n * math.log10(2)
        error = relative_error(network)
        found.append(Row(k, n, network.theta.size, nonzero, flat, log10_monomials(n), error))
    return found


def main() -> None:
    print(
        f"{'layers':>6}{'inputs':>8}{'parameters':>12}{'not zero':>10}{'flat: units':>13}{'monomials':>11}{'error':>9}"
    )
    for row in rows():
        flat, monomials = (f"10^{power:.1f}" for power in (row.log10_flat, row.log10_monomials))
        print(
            f"{row.k:6}{row.n:8,}{row.parameters:12,}{row.nonzero:10,}{flat:>13}{monomials:>11}{row.error:9.0e}"
        )
    exact = 1000 * math.log(1000) - math.lgamma(1001)
    stirling = 1000 - math.log(2 * math.pi * 1000) / 2
    ln10 = math.log(10)
    print(f"\n1000^1000 / 1000!       = 10^{exact / ln10:.4f}")
    print(f"e^1000 / sqrt(2000 pi)  = 10^{stirling / ln10:.4f}")
    print(f"monomials of degree 1000 in 1000 variables, exactly: 10^{log10_monomials(1000):.4f}")


if __name__ == "__main__":
    main()
