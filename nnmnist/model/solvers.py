"""Solvers compute theta at once, where the minimum of the cost has a closed form.

A new solver is one function and one line in `SOLVERS`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nnmnist.model.network import Network
from nnmnist.types import Array


def least_squares(network: Network, x: Array, y: Array) -> None:
    """Set W and b of a linear network to the minimum of sum_i ||y_i - W x_i - b||^2.

    Takes inputs x (n, n_inputs) and targets y (M, n). If there are many minima, it takes the
    smallest one. It uses the singular values of [x 1] in float64: the inverse in the textbook's
    (X^T X)^-1 X^T y would square the condition number.

    Raises:
        ValueError: the network has hidden layers, or its output is not linear.
    """
    if len(network.W) > 1 or network.output_name != "linear":
        raise ValueError("least squares needs a network without hidden layers, and a linear output")
    x1 = np.hstack([x, np.ones((len(x), 1))])  # (n, n_inputs + 1) float64
    solution, *_ = np.linalg.lstsq(x1, y.T.astype(np.float64), rcond=None)  # (n_inputs + 1, M)
    network.W[0][:] = solution[:-1].T
    network.b[0][:] = solution[-1]


SOLVERS: dict[str, Callable[[Network, Array, Array], None]] = {"least_squares": least_squares}
