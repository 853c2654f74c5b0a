"""Options that several commands share, and checks of what a user gives for an option."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import click

from nnmnist.errors import printable

MAX_DIGITS = 18  # of a whole number; Python refuses to convert thousands of them

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
    help="Change a key of the config, such as training.learning_rate=0.1. May be repeated.",
)
json_option = click.option(
    "--json",
    "as_json",
    is_flag=True,
    help="Print one JSON object per result and nothing else on stdout.",
)
chart_option = click.option(
    "--chart",
    "with_chart",
    is_flag=True,
    help="Draw the cost per epoch as text, on stderr.",
)
data_dir_option = click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Read MNIST from this folder: DIR/mnist/train-images-idx3-ubyte, ...",
)
split_option = click.option(
    "--split",
    type=click.Choice(["test", "validation", "train"]),
    default="test",
    show_default=True,
    help="Which examples to use.",
)
other_data_option = click.option(
    "--data",
    "other",
    metavar="NAME|PATH",
    help="Use this data instead of the data that the network was trained on.",
)
quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Show no progress, only results and errors."
)
force_option = click.option("--force", is_flag=True, help="Overwrite existing files.")


def parse_ranges(text: str, flag: str, example: str) -> list[range]:
    """Ranges of whole numbers with both ends included: `3,5-7` as [range(3, 4), range(5, 8)].

    Args:
        text: what the user gave.
        flag: the option, for errors.
        example: what is expected, for errors.

    Raises:
        click.UsageError: `text` has another form, or a range runs backwards.
    """
    ranges = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not _is_number(first) or (dash and not _is_number(last)):
            raise click.UsageError(f"{flag} {printable(text)}: expected {example}")
        low, high = int(first), int(last or first)
        if high < low:
            raise click.UsageError(f"{flag} {text}: {low}-{high} runs backwards; try {high}-{low}")
        ranges.append(range(low, high + 1))
    return ranges


def _is_number(text: str) -> bool:
    """Whether these are the digits of a number, and not so many that no index or seed has them."""
    return text.isdecimal() and len(text) <= MAX_DIGITS


def require_output(path: Path, suffixes: Iterable[str], force: bool) -> None:
    """Check that a file can be written: its suffix is known, and it is new or `force` is given.

    Raises:
        click.UsageError: the file has another suffix.
        click.ClickException: the file already exists.
    """
    *others, last = suffixes
    if path.suffix.lower() not in (*others, last):
        known = f"{', '.join(others)} or {last}" if others else last
        raise click.UsageError(f"{path}: the file name must end in {known}")
    if path.exists() and not force:
        raise click.ClickException(
            f"{path}: already exists; use --force to overwrite, or name another file"
        )
