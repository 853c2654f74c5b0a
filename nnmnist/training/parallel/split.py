"""One process that computes what the processes of a group would, to the same bits.

On a busy machine, processes that wait for each other are slower than one. A matrix product that is
cut into shards rounds differently from a whole one, so the one process cuts it in the same way.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike

from nnmnist.model.layers import Dense, Layer
from nnmnist.model.network import Network
from nnmnist.training.parallel.group import shards
from nnmnist.training.parallel.layers import arguments
from nnmnist.types import Array, Order


class SplitColumnDense(Dense):
    """The first layer: z[shard] = W[shard, :] h + b[shard], shard by shard."""

    def __init__(self, n_in: int, n_out: int, dtype: DTypeLike, world_size: int) -> None:
        super().__init__(n_in, n_out, dtype)
        self.shards = shards(n_out, world_size)

    def forward(self, h: Array, rng: np.random.Generator | None = None) -> Array:
        self.h = h
        z = self.buffer("z", self.n_out, h.shape[1])
        for shard in self.shards:
            np.matmul(self.W[shard], h, out=z[shard])
        z += self.b[:, None]
        return z

    def gradient(self, delta: Array) -> None:
        for shard in self.shards:
            np.matmul(delta[shard], self.h.T, out=self.dW[shard])
        np.add.reduce(delta, axis=1, out=self.db)

    def backward(self, delta: Array) -> Array:
        dh = self.buffer("dh", self.n_in, delta.shape[1])
        part = self.buffer("part", self.n_in, delta.shape[1])
        for rank, shard in enumerate(self.shards):
            out = part if rank else dh
            np.matmul(self.W[shard].T, delta[shard], out=out)
            if rank:
                dh += part
        return dh


class SplitRowDense(Dense):
    """A later layer: z = (sum over the shards of W[:, shard] h[shard]) + b."""

    def __init__(
        self, n_in: int, n_out: int, dtype: DTypeLike, order: Order, world_size: int
    ) -> None:
        super().__init__(n_in, n_out, dtype, order)
        self.shards = shards(n_in, world_size)

    def forward(self, h: Array, rng: np.random.Generator | None = None) -> Array:
        self.h = h
        z = self.buffer("z", self.n_out, h.shape[1], self.order)
        part = self.buffer("part", self.n_out, h.shape[1], self.order)
        for rank, shard in enumerate(self.shards):
            out = part if rank else z
            np.matmul(self.W[:, shard], h[shard], out=out)
            if rank:
                z += part
        z += self.b[:, None]
        return z

    def gradient(self, delta: Array) -> None:
        for shard in self.shards:
            np.matmul(delta, self.h[shard].T, out=self.dW[:, shard])
        np.add.reduce(delta, axis=1, out=self.db)

    def backward(self, delta: Array) -> Array:
        dh = self.buffer("dh", self.n_in, delta.shape[1])
        for shard in self.shards:
            np.matmul(self.W[:, shard].T, delta, out=dh[shard])
        return dh


class SplitNetwork(Network):
    """The whole network, with dense layers that compute shard by shard.

    Args:
        network: the network, whose parameters are not shared.
        world_size: number of shards.
    """

    def __init__(self, network: Network, world_size: int) -> None:
        self.world_size = world_size
        super().__init__(network.sizes, **arguments(network))

    def make_layers(self) -> list[Layer]:
        layers = super().make_layers()
        first = True
        for i, layer in enumerate(layers):
            if isinstance(layer, Dense):
                sizes = layer.n_in, layer.n_out, layer.dtype
                if first:
                    layers[i] = SplitColumnDense(*sizes, self.world_size)
                else:
                    layers[i] = SplitRowDense(*sizes, layer.order, self.world_size)
                first = False
        return layers
