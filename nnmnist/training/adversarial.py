"""Adversarial examples: inputs that were moved to where their cost rises most steeply."""

from __future__ import annotations

import numpy as np

from nnmnist.model.network import Network
from nnmnist.types import Array

# A gradient dJ/dx shorter than this has no direction: the input stays where it is.
FLAT = 1e-30


def adversarial_examples(network: Network, x: Array, y: Array, epsilon: float) -> Array:
    """Move each input x_i by the distance epsilon in the direction of its gradient.

    The result is x_i + epsilon g_i / |g_i| with g_i = dJ/dx_i. A network that trains on such
    examples changes less around the examples that it has. Goodfellow, Shlens, Szegedy 2015 move by
    epsilon sign(g); Miyato, Maeda, Koyama, Ishii 2018 move as here.

    Args:
        network: the network that is trained.
        x: (batch, n_inputs) inputs; they stay as they are.
        y: (M, batch) targets.
        epsilon: L2 distance.

    Returns:
        (batch, n_inputs) inputs, valid until the next call.
    """
    _, _, delta = network.output.cost(network.forward(x), y)
    delta *= 1.0 / len(x)  # dJ/dz; the weight of an example does not change the direction of g
    for layer in reversed(network.layers):
        delta = layer.backward(delta)
    moved = delta.T  # dJ/dx, in the memory of the first layer's buffer
    length = np.sqrt(np.einsum("ij,ij->i", moved, moved, dtype=np.float64))
    moved *= (epsilon / np.maximum(length, FLAT)).astype(network.dtype)[:, None]
    moved += x
    return moved
