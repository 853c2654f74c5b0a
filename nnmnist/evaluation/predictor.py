"""What predicts: a network, a network behind normalization, or an ensemble of networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from nnmnist.data.examples import Examples
from nnmnist.images.normalize import normalize
from nnmnist.model.network import CHUNK, Network
from nnmnist.types import Array, require_type


class NormalizedNetwork(Network):
    """A network that normalizes each image before its first layer.

    It shares its layers and parameters with `network`, which takes images that are normalized
    already, as in training.

    Args:
        network: what follows the normalization.
        image_shape: (rows, columns) of an image.
    """

    def __init__(self, network: Network, image_shape: tuple[int, int]) -> None:
        vars(self).update(vars(network))
        self.network, self.image_shape = network, image_shape

    def logits(self, x: Array) -> Array:
        """z (M, n) for images x (n, rows * columns) that are not normalized yet."""
        z = np.empty((self.sizes[-1], len(x)), self.dtype)
        for start in range(0, len(x), CHUNK):
            chunk = normalize(x[start : start + CHUNK], self.image_shape)
            z[:, start : start + CHUNK] = self.network.logits(chunk)
        return z


class Ensemble:
    """Several networks, whose predictions are averaged.

    Args:
        members: at least one network; all have the same inputs, outputs and kind of output.

    Raises:
        ValueError: they have not.
    """

    def __init__(self, members: Sequence[Network]) -> None:
        kinds = {(each.sizes[0], each.sizes[-1], each.output_name) for each in members}
        if len(kinds) != 1:
            raise ValueError(
                f"network is an ensemble of {len(members)} networks with {len(kinds)} kinds of "
                "inputs and outputs; expected one"
            )
        self.members = members
        self.sizes, self.output, self.dtype = members[0].sizes, members[0].output, np.dtype(float)

    def logits(self, x: Array) -> Array:
        """The z (M, n) whose prediction is the mean of the members' predictions."""
        mean = np.zeros((self.sizes[-1], len(x)))
        for member in self.members:
            mean += self.output.predict(member.logits(x).astype(np.float64))
        return self.output.link(mean / len(self.members))


def as_predictor(network: Network | Sequence[Network]) -> Network | Ensemble:
    """A network as it is, several as an ensemble. Raises TypeError or ValueError for another."""
    if isinstance(network, Network):
        return network
    expected = "a Network, such as nnmnist.load(path).network, or a list of them"
    require_type("network", network, (list, tuple), expected)
    for k, member in enumerate(network):
        require_type(f"network[{k}]", member, Network, "a Network")
    return network[0] if len(network) == 1 else Ensemble(network)


def skip_normalization(
    network: Network, train: Examples, *others: Examples, threads: int = 1
) -> tuple[Network, Examples, list[Examples]]:
    """The network that follows the normalization, if there is one, and examples for it.

    A training normalizes each image once, before any distortion, and not in every step.
    """
    if not isinstance(network, NormalizedNetwork):
        return network, train, list(others)
    train = replace(train, inputs=normalize(train.inputs, network.image_shape, threads))
    normalized = []
    for each in others:
        x, rows = normalize(each.x, network.image_shape, threads), np.arange(len(each))
        normalized.append(replace(each, inputs=x, targets=each.y, rows=rows))
    return network.network, train, normalized
