"""`nnmnist check`: the gradient of a config's network against central differences."""

from __future__ import annotations

import sys

import click
import numpy as np

from nnmnist.cli.options import config_option, set_option
from nnmnist.config.loading import find_config, load_config
from nnmnist.config.schema import Config
from nnmnist.data import synthetic
from nnmnist.data.examples import Source
from nnmnist.data.sources import load_source, split
from nnmnist.evaluation.evaluate import targets
from nnmnist.evaluation.predictor import skip_normalization
from nnmnist.model import gradcheck
from nnmnist.model.gradcheck import Check
from nnmnist.training.setup import build_network

EXAMPLES = 8
MOST = 100  # parameters of an array compared one by one; the others all together
# in a large network fewer: so many multiplications of an example are made for one array
WORK = 40_000_000
TOLERANCE = 1e-6


@click.command()
@config_option
@set_option
def check(file: str | None, settings: tuple[str, ...]) -> None:
    """Compare the gradient with central differences."""
    checks = check_gradient(load_config(find_config(file) if file is not None else None, settings))
    click.echo(as_text(checks))
    sys.exit(0 if all(each.error <= TOLERANCE for each in checks) else 1)


def check_gradient(settings: Config) -> list[Check]:
    """Check the network of a config, in float64, with a few of its examples at a random point.

    At the start of a training all biases are zero, and a relu might stand on its kink.
    """
    splits = split(few_examples(settings), 0)
    network = build_network(settings, splits, np.float64)
    rng = np.random.default_rng(settings.seed)
    for W, b in zip(network.W, network.b, strict=True):
        W[:] = rng.standard_normal(W.shape) / W.shape[1] ** 0.5
        b[:] = rng.standard_normal(b.shape)
    network, train, _ = skip_normalization(network, splits.train, splits.validation)
    x, y = train.x[:EXAMPLES].astype(np.float64), train.y[:EXAMPLES]
    one_hot = targets(network.output, train)
    return gradcheck.check(
        network,
        x,
        y.T.astype(np.float64) if one_hot is None else one_hot[:, y],
        settings.training.weight_decay,
        dropout_seed=settings.seed
        if settings.model.dropout or settings.model.input_dropout
        else None,
        most=max(2, min(MOST, WORK // network.theta.size)),
    )


def few_examples(settings: Config) -> Source:
    """The data of a config; a few drawn digits in the place of MNIST, whose pictures make no other derivative."""
    if settings.data.path is None and settings.data.name in ("mnist", "synthetic"):
        return synthetic.load(settings.seed, n_train=2 * EXAMPLES, n_test=EXAMPLES)
    return load_source(settings.data.name, path=settings.data.path, seed=settings.seed)


def as_text(checks: list[Check]) -> str:
    """A row a parameter array."""
    lines = [f"{'array':<6}{'shape':>14}{'singly':>9}{'largest relative error':>24}"]
    for each in checks:
        shape = " x ".join(map(str, each.shape))
        wrong = "" if each.error <= TOLERANCE else f"   above {TOLERANCE:g}: WRONG"
        lines.append(f"{each.name:<6}{shape:>14}{each.checked:>9,}{each.error:>24.1e}{wrong}")
    return "\n".join(lines)
