"""Solvers: theta at once, from all examples, where the minimum of the cost is known without any descent.

A new solver is one function and one line in `SOLVERS`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnmnist.model.network import Network
from nnmnist.types import Array


def least_squares(network: Network, x: Array, y: Array) -> None:
    """The W and b of a linear network that minimise sum_i ||y_i - W x_i - b||^2; of many, the smallest.

    By the singular values of [x 1] in float64. The inverse in the textbook's (X^T X)^-1 X^T y would square its
    condition number.

    Args:
        network: with output linear and no hidden layers.
        x: (n, n_inputs) inputs. y: (M, n) targets.

    Raises:
        ValueError: the network is another one.
    """
    if len(network.W) > 1 or network.output_name != "linear":
        raise ValueError("least squares needs a network without hidden layers, and a linear output")
    x1 = np.hstack([x, np.ones((len(x), 1))])  # (n, n_inputs + 1) float64
    solution, *_ = np.linalg.lstsq(x1, y.T.astype(np.float64), rcond=None)  # (n_inputs + 1, M)
    network.W[0][:] = solution[:-1].T
    network.b[0][:] = solution[-1]


SOLVERS: dict[str, Callable[[Network, Array, Array], None]] = {"least_squares": least_squares}
