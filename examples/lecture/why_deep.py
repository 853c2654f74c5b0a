"""Why deep: multiplication gates in k layers multiply 2^k numbers with few parameters.

Models with one layer need very many parameters or units for the same product.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from gate import INPUT_SIGNS, output_weights

from nnmnist.model.network import Network

LAMBDA = 2.0**-11


def product_network(k: int) -> Network:
    """A network with k hidden layers whose output approximates the product of 2^k inputs.

    Each layer multiplies pairs of the values from the layer before. The weights of a hidden layer
    combine two matrices: the output weights of the gates before it, and the input weights of its
    own gates. For two gates and the gate that multiplies their products, this is (4, 8).
    """
    n = 2**k
    sizes = [n, *(4 * n // 2**l for l in range(1, k + 1)), 1]
    network = Network(sizes, activation="softplus", output="linear", dtype=np.float64)
    W_out = output_weights(LAMBDA)[None, :]  # (1, 4)
    W_in = LAMBDA * INPUT_SIGNS  # (4, 2)
    network.W[0][:] = np.kron(np.eye(n // 2), W_in)
    for l, W in enumerate(network.W[1:-1], start=2):
        W[:] = np.kron(np.eye(n // 2**l), W_in @ np.kron(np.eye(2), W_out))
    network.W[-1][:] = W_out
    return network


def relative_error(network: Network, n_points: int = 200) -> float:
    """The largest relative error of the product, for inputs x with 0.9 <= |x| <= 1.1."""
    rng = np.random.default_rng(0)
    shape = n_points, network.sizes[0]
    x = rng.uniform(0.9, 1.1, shape) * rng.choice([-1, 1], shape)
    product = x.prod(axis=1)
    return float(np.abs(network.predict(x)[:, 0] / product - 1).max())


def log10_monomials(n: int) -> float:
    """log10 of the number of monomials of degree n in n variables: 2n - 1 choose n."""
    return (math.lgamma(2 * n) - math.lgamma(n + 1) - math.lgamma(n)) / math.log(10)


class Row(NamedTuple):
    """What each model needs to multiply n = 2^k numbers."""

    k: int  # number of hidden layers
    n: int
    parameters: int  # all parameters of the deep network
    nonzero: int  # those that are not zero
    log10_flat: float  # units of a network with one hidden layer, 2^n
    log10_monomials: float  # parameters of a linear model
    error: float  # of the deep network


def rows(max_k: int = 10) -> list[Row]:
    """One row for each k = 1 .. max_k."""
    result = []
    for k in range(1, max_k + 1):
        network, n = product_network(k), 2**k
        nonzero = int(np.count_nonzero(network.theta))
        flat = n * math.log10(2)
        error = relative_error(network)
        result.append(Row(k, n, network.theta.size, nonzero, flat, log10_monomials(n), error))
    return result


def print_rows() -> None:
    header = f"{'layers':>6}{'inputs':>8}{'parameters':>12}{'not zero':>10}"
    print(f"{header}{'flat: units':>13}{'monomials':>11}{'error':>9}")
    for row in rows():
        deep = f"{row.k:6}{row.n:8,}{row.parameters:12,}{row.nonzero:10,}"
        flat, monomials = (f"10^{power:.1f}" for power in (row.log10_flat, row.log10_monomials))
        print(f"{deep}{flat:>13}{monomials:>11}{row.error:9.0e}")


def main() -> None:
    print_rows()
    exact = 1000 * math.log(1000) - math.lgamma(1001)
    stirling = 1000 - math.log(2 * math.pi * 1000) / 2
    ln10 = math.log(10)
    print(f"\n1000^1000 / 1000!       = 10^{exact / ln10:.4f}")
    print(f"e^1000 / sqrt(2000 pi)  = 10^{stirling / ln10:.4f}")
    print(f"monomials of degree 1000 in 1000 variables, exactly: 10^{log10_monomials(1000):.4f}")


if __name__ == "__main__":
    main()
