"""`nnmnist check`: the gradient of a config's network against central differences."""

from __future__ import annotations

import sys

import click

from nnmnist.cli.options import config_option, set_option, with_examples
from nnmnist.cli.terminal import echo
from nnmnist.cli.waiting import waiting_for
from nnmnist.config.loading import find_config, load_config
from nnmnist.model.gradcheck import Check
from nnmnist.training.setup import check_gradient

TOLERANCE = 1e-6  # largest relative error of a gradient that is correct


@click.command(
    epilog=with_examples(
        "nnmnist check",
        "nnmnist check -c deep --set model.activation=tanh",
    )
)
@config_option
@set_option
def check(file: str | None, settings: tuple[str, ...]) -> None:
    """Compare the gradient with central differences.

    The network is the one that the config describes, in float64, on a few examples. The exit code
    is 1 if a relative error is above 1e-6.
    """
    path = find_config(file) if file is not None else None
    with waiting_for("checking the gradient"):
        checks = check_gradient(load_config(path, settings))
    echo(as_text(checks))
    sys.exit(0 if all(each.error <= TOLERANCE for each in checks) else 1)


def as_text(checks: list[Check]) -> str:
    """One row per parameter array."""
    lines = [f"{'array':<6}{'shape':>14}{'checked':>9}{'largest relative error':>24}"]
    for each in checks:
        shape = " x ".join(map(str, each.shape))
        wrong = "" if each.error <= TOLERANCE else f"   above {TOLERANCE:g}: WRONG"
        lines.append(f"{each.name:<6}{shape:>14}{each.checked:>9,}{each.error:>24.1e}{wrong}")
    return "\n".join(lines)
