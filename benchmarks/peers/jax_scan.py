"""JAX on the CPU: a whole epoch is one jitted lax.scan, and the parameters are donated."""

import time
from functools import partial

import jax
import jax.numpy as jnp
from common import arguments, mnist, one_cycle, report

options = arguments()
x, y, x_test, y_test = map(jnp.asarray, mnist(options.centre, options.components))
sizes = (x.shape[1], *options.hidden, 10)
key = jax.random.key(options.seed)
keys = jax.random.split(key, len(sizes))
theta = [
    # The first layer starts as one of 784 inputs, in nnmnist too.
    (jax.random.normal(k, (n_in, n_out)) * (2 / fan_in) ** 0.5, jnp.zeros(n_out))
    for k, n_in, n_out, fan_in in zip(keys, sizes, sizes[1:], (784, *sizes[1:]), strict=False)
]
velocity = jax.tree.map(jnp.zeros_like, theta)


def logits(theta, x):
    for W, b in theta[:-1]:
        x = jax.nn.relu(x @ W + b)
    W, b = theta[-1]
    return x @ W + b


def loss(theta, x, y):
    target = jax.nn.one_hot(y, 10) * (1 - options.smoothing) + options.smoothing / 10
    return -(target * jax.nn.log_softmax(logits(theta, x))).sum(axis=1).mean()


@partial(jax.jit, donate_argnums=(0, 1))
def epoch(theta, velocity, order, rates):
    def step(state, now):
        theta, velocity = state
        rows, rate = now
        gradient = jax.grad(loss)(theta, x[rows], y[rows])
        velocity = jax.tree.map(lambda v, g: options.momentum * v + g, velocity, gradient)
        theta = jax.tree.map(lambda p, v: p - rate * v, theta, velocity)
        return (theta, velocity), None

    return jax.lax.scan(step, (theta, velocity), (order, rates))[0]


# Only full batches: all steps of a scan have the same shape.
steps = len(x) // options.batch
rate = one_cycle(options.rate, steps * options.epochs, options.warmup)


def order(number):
    shuffled = jax.random.permutation(jax.random.fold_in(key, number), len(x))
    return shuffled[: steps * options.batch].reshape(steps, -1)


compiling = time.perf_counter()
if options.warm:
    epoch = epoch.lower(theta, velocity, order(0), jnp.zeros(steps)).compile()
compiling = time.perf_counter() - compiling
seconds = []
for number in range(options.epochs):
    started = time.perf_counter()
    rates = jnp.asarray([rate(number * steps + step) for step in range(steps)])
    theta, velocity = jax.block_until_ready(epoch(theta, velocity, order(number), rates))
    seconds.append(time.perf_counter() - started)
accuracy = float((logits(theta, x_test).argmax(axis=1) == y_test).mean())
report("jax", seconds, accuracy, compiling=compiling)
