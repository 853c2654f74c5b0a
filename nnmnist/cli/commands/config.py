"""`nnmnist config`: what a config file may hold."""

from __future__ import annotations

import json

import click


@click.group()
def config() -> None:
    """Tell what a config file may hold."""


@config.command()
def schema() -> None:
    """Print the JSON Schema of config files, by which editors complete and check them."""
    from nnmnist.config.loading import json_schema

    click.echo(json.dumps(json_schema(), indent=2))
