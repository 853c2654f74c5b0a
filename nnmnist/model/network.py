"""The L-layer network:  h(0) = x,  h(l) = sigma(W(l) h(l-1) + b(l)),  z = W(L) h(L-1) + b(L)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from typing import Protocol

import numpy as np
from numpy.typing import DTypeLike

from nnmnist.images.normalize import normalize
from nnmnist.model.activations import ACTIVATIONS
from nnmnist.model.outputs import OUTPUTS
from nnmnist.types import Array

CHUNK = 2000  # examples a forward pass takes at once where no gradient is wanted
FLAT = 1e-30  # a slope dJ/dx so small has no direction worth following


class Team(Protocol):
    """Processes that train one network together; see `nnmnist.team`."""

    rank: int

    def own(self, n: int) -> slice: ...
    def terms(self, l: int, batch: int) -> Sequence[Sequence[Array]]: ...
    def delta(self, l: int, batch: int) -> Array: ...
    def room(self, terms: Sequence[Sequence[Array]]) -> Array: ...
    def total(self, terms: Sequence[Sequence[Array]], own: slice, out: Array) -> Array: ...
    def meet(self) -> None: ...


class Network:
    """Parameters and the two loops over layers, forward and backward.

    `theta` holds all parameters, all weights first and then all biases, and `grad` their derivatives in the same
    order; `W[l]` (n_out, n_in), `b[l]` (n_out,), `dW[l]`, `db[l]` are views of them, for l = 0 .. L-1: the lecture
    counts from 1, so that W[0] is its W(1), and what W[0] x + b[0] becomes, h[0], is its h(1).

    Args:
        sizes: units of each layer, inputs first: (784, 256, 10) has L = 2 layers of weights.
        activation: a name in `ACTIVATIONS`, for all hidden layers.
        output: a name in `OUTPUTS`.
        dropout: probability with which a hidden unit is silent during a training step (Srivastava et al. 2014;
            inverted, so that prediction needs no factor).
        input_dropout: the same for inputs.
        dtype: float32 to train, float64 to check gradients.
        normalized_shape: (rows, columns) of pictures that are normalized before the first layer; None for none.
            `logits` and `predict` do so themselves; all else takes x as `normalized` gives it.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        activation: str = "relu",
        output: str = "softmax",
        dropout: float = 0.0,
        dtype: DTypeLike = np.float32,
        input_dropout: float = 0.0,
        normalized_shape: tuple[int, int] | None = None,
    ) -> None:
        self.sizes = tuple(sizes)
        self.activation_name, self.activation = activation, ACTIVATIONS[activation]
        self.output_name, self.output = output, OUTPUTS[output]
        self.dropout, self.input_dropout = dropout, input_dropout
        self.normalized_shape = normalized_shape
        self.dtype = np.dtype(dtype)
        self.team: Team | None = None
        # of each layer, the units that are computed here
        self.units = [slice(0, n) for n in self.sizes]
        self._allocate(list(zip(self.sizes[1:], self.sizes[:-1], strict=True)))

    def _allocate(self, shapes: list[tuple[int, int]]) -> None:
        """Parameters for weights of `shapes` (n_out, n_in), and a bias for each unit that is computed here."""
        self.n_weights = sum(n_out * n_in for n_out, n_in in shapes)
        n_biases = sum(units.stop - units.start for units in self.units[1:])
        self._shapes = shapes
        self.grad = np.zeros(self.n_weights + n_biases, self.dtype)
        self.dW, self.db = self.views(self.grad)
        self.place(np.zeros_like(self.grad))
        self._decay: Array | None = None
        self._buffers: dict[int, Buffers] = {}

    def place(self, theta: Array) -> None:
        """Let `theta` (n,) be the array that holds the parameters."""
        self.theta = theta
        self.W, self.b = self.views(theta)

    def views(self, flat: Array) -> tuple[list[Array], list[Array]]:
        """Weights (n_out, n_in) and biases (n_out,) as views of one flat array, all weights first.

        Weights lie input by input (Fortran order): both products of a training step are then up to a quarter faster.
        """
        weights, biases, at = [], [], 0
        for n_out, n_in in self._shapes:
            weights.append(flat[at : at + n_out * n_in].reshape(n_out, n_in, order="F"))
            at += n_out * n_in
        for units in self.units[1:]:
            n_out = units.stop - units.start
            biases.append(flat[at : at + n_out])
            at += n_out
        return weights, biases

    def share(self, team: Team) -> Network:
        """The part of this network that a worker of `team` computes, with parameters of its own, all zero.

        It has the worker's units of each hidden layer: the first layer's weights to them, and the other layers'
        weights from them. All workers know the inputs and the outputs, so that what they need to tell each other
        are sums over hidden units.
        """
        part = copy(self)
        part.team = team
        part.units = [
            slice(0, self.sizes[0]),
            *map(team.own, self.sizes[1:-1]),
            slice(0, self.sizes[-1]),
        ]
        part._allocate([W[block].shape for W, block in zip(self.W, part.blocks(), strict=True)])
        return part

    def blocks(self) -> list[tuple[slice, slice]]:
        """Rows and columns of each W of the whole network that are held here."""
        everything = slice(None)
        return [(self.units[1], everything), *((everything, units) for units in self.units[1:-1])]

    def parameters(self) -> dict[str, Array]:
        """W1, b1, W2, b2, ...: the views by the names that they have in a checkpoint."""
        named: dict[str, Array] = {}
        for l, (W, b) in enumerate(zip(self.W, self.b, strict=True), start=1):
            named[f"W{l}"], named[f"b{l}"] = W, b
        return named

    def initialize(self, rng: np.random.Generator) -> None:
        """Normal weights of the variance that fits the activation, zero biases.

        Softmax regression and its kin, without hidden layers, start at zero: their cost is convex.
        """
        self.theta[:] = 0.0
        if len(self.W) == 1 and self.output.convex:
            return
        for W in self.W:
            n_out, n_in = W.shape
            variance = self.activation.weight_variance(n_in, n_out)
            W[:] = rng.standard_normal((n_out, n_in), dtype=np.float32) * np.float32(variance**0.5)

    def forward(self, x: Array, buffers: Buffers, rng: np.random.Generator | None = None) -> Array:
        """z (M, batch) of the inputs x (batch, n_inputs); with `rng`, units are dropped."""
        if rng is not None and self.input_dropout:
            x = np.multiply(x, buffers.keep(self.input_dropout, self.sizes[0], rng), out=buffers.x)
        buffers.given = x
        h = x.T
        last = len(self.W) - 1
        for l, (W, b) in enumerate(zip(self.W, self.b, strict=True)):
            if self.team and l:  # the sum over h is one over all workers' units
                terms = buffers.terms[l]
                np.matmul(W, h, out=self.team.room(terms))
                z = self.team.total(terms, self.units[l + 1], out=buffers.h[l])
            else:
                z = np.matmul(W, h, out=buffers.h[l])
            z += b[:, None]
            if l == last:
                break
            self.activation.apply(z, buffers.scratch[l])
            h = self._drop(l, buffers, rng) if rng is not None and self.dropout else z
        return z

    def _drop(self, l: int, buffers: Buffers, rng: np.random.Generator) -> Array:
        """h[l] with each unit silenced with probability `dropout`, the others scaled to keep the mean.

        h itself stays as it is: the derivatives of sigmoid and tanh are computed from it.
        """
        mask = buffers.mask[l]
        mask[:] = buffers.keep(self.dropout, self.sizes[l + 1], rng)[:, self.units[l + 1]].T
        return np.multiply(buffers.h[l], mask, out=buffers.dropped[l])

    def backward(self, delta: Array, buffers: Buffers, dropping: bool) -> None:
        """Fill `grad` from delta = dJ/dz (M, batch) and what `forward` left in `buffers`."""
        below = buffers.dropped if dropping else buffers.h
        for l, delta_l in self._deltas(delta, buffers, dropping):
            h = below[l - 1] if l else buffers.given.T  # what layer l was given
            np.matmul(delta_l, h.T, out=self.dW[l])  # dJ/dW = delta h^T
            np.add.reduce(buffers.own_delta[l], axis=1, out=self.db[l])

    def _deltas(
        self, delta: Array, buffers: Buffers, dropping: bool
    ) -> Iterator[tuple[int, Array]]:
        """l and delta = dJ/dz of layer l, from the last layer to the first."""
        for l in reversed(range(len(self.W))):
            yield l, delta
            if l:
                # dJ/dh = W^T delta
                dh = np.matmul(self.W[l].T, delta, out=buffers.own_delta[l - 1])
                if dropping:
                    dh *= buffers.mask[l - 1]
                if self.activation.derivative:
                    slope = buffers.scratch[l - 1]
                    self.activation.derivative(buffers.h[l - 1], slope)
                    dh *= slope
                if self.team and l > 1:
                    self.team.meet()
                # what dh has become, of all units that W[l - 1] leads to
                delta = buffers.delta[l - 1]

    def gradient(
        self, x: Array, y: Array, weight_decay: float = 0.0, rng: np.random.Generator | None = None
    ) -> tuple[Array, Array]:
        """Fill `grad` with the derivative of J = mean_i L_i + weight_decay / 2 sum W^2.

        Args:
            x: (batch, n_inputs) inputs. y: (M, batch) targets, one-hot columns for classes.
            rng: draws the dropped units; None drops nothing.

        Returns:
            The costs L_i (batch,) and the predictions p (M, batch), both valid until the next call.
        """
        buffers = self._working(len(x))
        z = self.forward(x, buffers, rng)
        costs, delta = self._cost(z, y, buffers)
        self.backward(delta, buffers, dropping=rng is not None and self.dropout > 0)
        if weight_decay:
            if self._decay is None:
                self._decay = np.empty(self.n_weights, self.dtype)
            np.multiply(self.theta[: self.n_weights], weight_decay, out=self._decay)
            self.grad[: self.n_weights] += self._decay
        return costs, z  # which the cost has turned into p

    def _cost(self, z: Array, y: Array, buffers: Buffers) -> tuple[Array, Array]:
        """The costs L_i (batch,) and dJ/dz (M, batch) for the targets y; turns z into p."""
        delta = buffers.delta[-1]
        costs = self.output.cost(z, y, delta)
        self.output.delta(z, y, delta)
        delta *= 1.0 / buffers.batch
        return costs, delta

    def _working(self, batch: int) -> Buffers:
        if batch not in self._buffers:
            self._buffers[batch] = Buffers(self, batch, training=True)
        return self._buffers[batch]

    def adversarial(self, x: Array, y: Array, epsilon: float) -> Array:
        """The inputs x (batch, n_inputs), each moved by the distance epsilon to where its cost rises most steeply:

            x_i + epsilon g_i / |g_i|,  g_i = dJ/dx_i

        A network that learns from such examples becomes steady around those it has (Goodfellow, Shlens, Szegedy 2015,
        who move by epsilon sign(g); Miyato, Maeda, Koyama, Ishii 2018, by this).
        """
        buffers = self._working(len(x))
        _, delta = self._cost(self.forward(x, buffers), y, buffers)
        *_, (_, delta) = self._deltas(delta, buffers, dropping=False)  # of the first layer
        moved = buffers.x
        if self.team:
            terms = self.team.terms(-1, len(x))
            np.matmul(self.W[0].T, delta, out=self.team.room(terms))
            self.team.total(terms, self.units[0], out=moved.T)
        else:
            np.matmul(self.W[0].T, delta, out=moved.T)
        length = np.sqrt(np.einsum("ij,ij->i", moved, moved, dtype=np.float64))
        moved *= (epsilon / np.maximum(length, FLAT)).astype(self.dtype)[:, None]
        moved += x
        return moved

    def normalized(self, x: Array) -> Array:
        """Inputs x (n, n_inputs), or their bytes, as the first layer takes them: normalized, where they are to be."""
        return normalize(x, self.normalized_shape) if self.normalized_shape else x

    def past_normalization(self) -> Network:
        """This network, with the same parameters, for inputs that are normalized already."""
        rest = copy(self)
        rest.normalized_shape = None
        return rest

    def logits(self, x: Array) -> Array:
        """z (M, n) for the inputs x (n, n_inputs)."""
        z = np.empty((self.sizes[-1], len(x)), self.dtype)
        for start in range(0, len(x), CHUNK):
            part = self.normalized(x[start : start + CHUNK]).astype(self.dtype, copy=False)
            z[:, start : start + CHUNK] = self.forward(part, Buffers(self, len(part)))
        return z

    def predict(self, x: Array) -> Array:
        """Predictions p (n, M) for the inputs x (n, n_inputs): probabilities for logistic and softmax."""
        z = self.logits(x)
        self.output.predict(z)
        return z.T


class Buffers:
    """The working memory of a pass over `batch` examples, allocated once.

    Memory order is a matter of measured speed alone: hidden layers lie example by example (Fortran order), as the
    inputs do; the few outputs lie unit by unit, so that sums over them run along the batch.
    """

    def __init__(self, network: Network, batch: int, training: bool = False) -> None:
        self.batch = batch
        self.given: Array  # the inputs as the first layer takes them, (batch, n_inputs)
        own, team = network.units[1:-1], network.team
        n_hidden = [units.stop - units.start for units in own]
        n_outputs = network.sizes[-1]

        def hidden() -> list[Array]:
            # (n_l, batch)
            return [np.empty((n, batch), network.dtype, order="F") for n in n_hidden]

        self.h = [*hidden(), np.empty((n_outputs, batch), network.dtype)]
        flat = np.empty(max(n_hidden, default=0) * batch, network.dtype)
        self.scratch = [flat[: n * batch].reshape(n, batch, order="F") for n in n_hidden]
        if not training:
            return
        self.delta = [*hidden(), np.empty((n_outputs, batch), network.dtype)]
        self.own_delta = self.delta
        # inputs that are not as they were given
        self.x = np.empty((batch, network.sizes[0]), network.dtype)
        if network.dropout:
            self.mask, self.dropped = hidden(), hidden()
        if network.dropout or network.input_dropout:
            self._draws = np.empty(batch * max(network.sizes[:-1]), network.dtype)
        if team:
            self.terms = {l: team.terms(l, batch) for l in range(1, len(network.W))}
            self.delta[1:-1] = [team.delta(l, batch) for l in range(1, len(own))]
            self.own_delta = [
                self.delta[0],
                *(d[units] for d, units in zip(self.delta[1:-1], own[1:], strict=True)),
                self.delta[-1],
            ]

    def keep(self, dropout: float, units: int, rng: np.random.Generator) -> Array:
        """(batch, units): 1 / (1 - dropout) for what is kept, 0 for what is dropped; valid until the next call.

        It is for all units, also those of other workers, so that a team needs one generator alone.
        """
        keep = self._draws[: self.batch * units].reshape(self.batch, units)
        rng.random(dtype=keep.dtype, out=keep)
        np.greater_equal(keep, dropout, out=keep)
        keep *= 1.0 / (1.0 - dropout)
        return keep
