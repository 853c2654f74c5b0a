"""Options that several commands share, and notices to the user."""

from __future__ import annotations

from pathlib import Path

import click

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a result, nothing else."
)
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to look for data first: DIR/mnist/train-images-idx3-ubyte, ...",
)


def notice(line: str) -> None:
    """Tell the user something that is no result: stderr."""
    click.echo(line, err=True)
