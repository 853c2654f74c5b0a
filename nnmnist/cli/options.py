"""Options that several commands share, and notices to the user."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

import click

config_option = click.option(
    "-c",
    "--config",
    "file",
    metavar="FILE",
    help="YAML file, or the name of a shipped recipe.  [default: mnist]",
)
set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    help="Change a key: training.learning_rate=0.1",
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a result, nothing else."
)
chart_option = click.option(
    "--chart",
    "with_chart",
    is_flag=True,
    help="Show the curve of the cost in the terminal, on stderr.",
)
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to look for data first: DIR/mnist/train-images-idx3-ubyte, ...",
)


def program() -> str:
    """What to type to call this program again: its name, or its path where it is not on the PATH."""
    called = sys.argv[0]
    return (
        called if Path(called).stem == "nnmnist" and shutil.which("nnmnist") is None else "nnmnist"
    )


def require_output(path: Path, suffixes: Iterable[str], force: bool) -> None:
    """A file to write has a suffix that says what it is, and is new, unless `force` is given.

    Raises:
        click.UsageError: it has another suffix. click.ClickException: it exists.
    """
    *others, last = suffixes
    if path.suffix.lower() not in (*others, last):
        known = f"{', '.join(others)} or {last}" if others else last
        raise click.UsageError(f"{path}: name a file that ends in {known}")
    if path.exists() and not force:
        raise click.ClickException(f"{path}: exists; write over it by --force, or name another")


def notice(line: str) -> None:
    """Tell the user something that is no result: stderr."""
    click.echo(line, err=True)
