"""`nnmnist config`: the shipped recipes, and the keys of a config file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from nnmnist.cli.options import PathType, complete_recipes, force_option, with_examples

SCHEMA_LINE = "# yaml-language-server: $schema="


@click.group(
    epilog=with_examples("nnmnist config list", "nnmnist config new my.yaml --from softmax")
)
def config() -> None:
    """List, show and copy recipes; describe the keys of a config."""


@config.command(
    "list",
    epilog=with_examples("nnmnist config list", "nnmnist train softmax"),
)
def list_recipes() -> None:
    """List the shipped recipes, with the first sentence of each."""
    from nnmnist.cli.layout import columns, shorten
    from nnmnist.cli.terminal import echo
    from nnmnist.config.loading import recipes

    found = {name: about(path.read_text("utf-8")) for name, path in recipes().items()}
    width, room = max(map(len, found)), columns()
    for name, sentence in found.items():
        line = f"{name:<{width}}  {sentence}"
        echo(shorten(line, room) if room else line)


@config.command(epilog=with_examples("nnmnist config show mnist", "nnmnist config show my.yaml"))
@click.argument("name", metavar="NAME", shell_complete=complete_recipes)
def show(name: str) -> None:
    """Print a recipe.

    To see all keys with their values, use `nnmnist train NAME --dry-run`.
    """
    from nnmnist.cli.terminal import echo
    from nnmnist.config.loading import find_config

    echo(find_config(name).read_text("utf-8").removesuffix("\n"))


@config.command(
    epilog=with_examples("nnmnist config new my.yaml", "nnmnist config new my.yaml --from softmax")
)
@click.argument("file", type=PathType(dir_okay=False), metavar="FILE")
@click.option(
    "--from",
    "name",
    metavar="NAME",
    default="mnist",
    show_default=True,
    shell_complete=complete_recipes,
    help="The recipe to copy.",
)
@force_option
def new(file: Path, name: str, force: bool) -> None:
    """Write a copy of a recipe to change it.

    The first line of FILE names the schema of this installation. Editors with a YAML language
    server use it to complete and check the keys while you type.
    """
    from nnmnist.cli.options import require_output
    from nnmnist.cli.terminal import echo_path
    from nnmnist.config.loading import find_config
    from nnmnist.files import write_atomic

    require_output(file, [".yaml", ".yml"], force)
    write_atomic(file, copy_of(find_config(name).read_text("utf-8")).encode())
    echo_path(file)


@config.command(
    epilog=with_examples("nnmnist config schema", "nnmnist config schema > schema.json")
)
def schema() -> None:
    """Print the JSON Schema of config files.

    Editors use it to complete and check the keys while you type.
    """
    from nnmnist.cli.terminal import echo
    from nnmnist.config.loading import json_schema

    echo(json.dumps(json_schema(), indent=2))


def about(text: str) -> str:
    """The first sentence of the comments of a recipe, without the line for editors."""
    lines = [
        line.removeprefix("#").strip()
        for line in text.splitlines()
        if line.startswith("#") and not line.startswith(SCHEMA_LINE)
    ]
    return " ".join(lines).partition(". ")[0].removesuffix(".")


def copy_of(text: str) -> str:
    """A recipe whose first line names the schema by its absolute path."""
    from nnmnist.config.loading import recipe_folder

    lines = [line for line in text.splitlines() if not line.startswith(SCHEMA_LINE)]
    schema_file = (recipe_folder() / "schema.json").resolve()
    return "\n".join([f"{SCHEMA_LINE}{schema_file}", *lines, ""])
