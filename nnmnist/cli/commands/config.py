"""`nnmnist config`: the keys of a config file."""

from __future__ import annotations

import json

import click


@click.group()
def config() -> None:
    """Describe what a config file may contain."""


@config.command()
def schema() -> None:
    """Print the JSON Schema of config files.

    Editors use it to complete and check the keys while you type.
    """
    from nnmnist.cli.terminal import echo
    from nnmnist.config.loading import json_schema

    echo(json.dumps(json_schema(), indent=2))
