"""The layers of a network that is sharded over a process group, as in Megatron-LM."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from nnmnist.model.activations import ActivationLayer
from nnmnist.model.layers import Dense, Dropout, Layer
from nnmnist.model.network import Network
from nnmnist.training.parallel.group import PartialSums, ProcessGroup
from nnmnist.types import Array, Order

ALL = slice(None)


class ColumnParallelDense(Dense):
    """The first layer: this process has W[shard, :], from all inputs to its own units.

    Megatron-LM writes x A with A = W^T, which it cuts into columns: hence the name.
    """

    def __init__(self, network: ShardedNetwork, n_in: int, n_out: int) -> None:
        self.own = network.group.shard(n_out)  # units of the whole layer
        super().__init__(n_in, self.own.stop - self.own.start, network.dtype)
        self.block, self.own_biases = (self.own, ALL), ALL
        self.sums = PartialSums(network.group, "dx", n_in, network.max_batch, network.dtype)

    def backward(self, delta: Array) -> Array:
        batch = delta.shape[1]
        np.matmul(self.W.T, delta, out=self.sums.send_buffer(batch))
        return self.sums.all_reduce(batch, ALL, out=self.buffer("dh", self.n_in, batch))


class RowParallelDense(Dense):
    """A later layer: this process has W[:, shard], from its own units to all units of the layer.

    `forward` returns the rows of z that are this process's own. `gradient` and `backward` take the
    delta of all units. Of b, only the own part is used.
    """

    def __init__(self, network: ShardedNetwork, l: int, n_in: int, n_out: int) -> None:
        group, last = network.group, l == len(network.sizes) - 1
        shard = group.shard(n_in)
        order: Order = "C" if last else "F"
        super().__init__(shard.stop - shard.start, n_out, network.dtype, order)
        self.own = slice(0, n_out) if last else group.shard(n_out)  # all have all outputs
        self.block, self.own_biases = (ALL, shard), self.own
        self.sums = PartialSums(group, f"z{l}", n_out, network.max_batch, network.dtype, order)

    def forward(self, h: Array, rng: np.random.Generator | None = None) -> Array:
        self.h = h
        batch = h.shape[1]
        np.matmul(self.W, h, out=self.sums.send_buffer(batch))
        z = self.buffer("z", self.own.stop - self.own.start, batch, self.order)
        self.sums.all_reduce(batch, self.own, out=z)
        z += self.b[self.own, None]
        return z

    def gradient(self, delta: Array) -> None:
        np.matmul(delta, self.h.T, out=self.dW)
        np.add.reduce(delta[self.own], axis=1, out=self.db[self.own])


class GatherDelta(Layer):
    """Stands on a hidden row-parallel layer: passes z on, and gathers the delta of all units."""

    def __init__(self, network: ShardedNetwork, l: int, n: int) -> None:
        super().__init__(network.dtype)
        self.group, self.n, self.own = network.group, n, network.group.shard(n)
        size = n * network.max_batch
        self.memory = self.group.shared_array(f"delta{l}", size, network.dtype)

    def forward(self, z: Array, rng: np.random.Generator | None = None) -> Array:
        return z

    def backward(self, delta: Array) -> Array:
        batch = delta.shape[1]
        whole = self.memory[: self.n * batch].reshape((self.n, batch), order="F")
        whole[self.own] = delta
        self.group.barrier()
        return whole


class ShardedDropout(Dropout):
    """Samples the masks of all units, as one process would, and uses those of its own units."""

    def __init__(self, network: ShardedNetwork, n: int) -> None:
        super().__init__(network.dropout, network.dtype)
        self.n, self.own = n, network.group.shard(n)

    def dropout_mask(self, n: int, batch: int, rng: np.random.Generator) -> Array:
        return super().dropout_mask(self.n, batch, rng)[self.own]


def arguments(network: Network) -> dict[str, Any]:
    """The keyword arguments with which a network was made."""
    names = {"activation": network.activation_name, "output": network.output_name}
    rates = {"dropout": network.dropout, "input_dropout": network.input_dropout}
    return {**names, **rates, "dtype": network.dtype}


class ShardedNetwork(Network):
    """The shard of a network that this process trains, with parameters of its own.

    Args:
        network: the whole network.
        group: the processes.
        max_batch: the largest number of examples in a step.
    """

    def __init__(self, network: Network, group: ProcessGroup, max_batch: int) -> None:
        self.group, self.max_batch = group, max_batch
        super().__init__(network.sizes, **arguments(network))

    def make_layers(self) -> list[Layer]:
        layers: list[Layer] = []
        if self.input_dropout:
            layers.append(Dropout(self.input_dropout, self.dtype))
        for l, (n_in, n_out) in enumerate(pairwise(self.sizes), start=1):
            if l == 1:
                layers.append(ColumnParallelDense(self, n_in, n_out))
            else:
                layers.append(RowParallelDense(self, l, n_in, n_out))
            if l == len(self.sizes) - 1:
                break
            if l > 1:
                layers.append(GatherDelta(self, l, n_out))
            layers.append(ActivationLayer(self.activation, self.dtype))
            if self.dropout:
                layers.append(ShardedDropout(self, n_out))
        return layers

    def pairs(self, network: Network, whole: Array, own: Array) -> Iterator[tuple[Array, Array]]:
        """Views of the same parameters in arrays like the whole theta and like this theta."""
        weights, biases = network.views(whole)
        own_weights, own_biases = self.views(own)
        for l, layer in enumerate(self.dense):
            assert isinstance(layer, (ColumnParallelDense, RowParallelDense))
            yield weights[l][layer.block], own_weights[l]
            yield biases[l][layer.own], own_biases[l][layer.own_biases]
