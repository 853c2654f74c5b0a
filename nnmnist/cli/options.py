"""Options that several commands share, and checks of what a user gives for an option."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from nnmnist.errors import DataError, printable
from nnmnist.files import best_of

Command = TypeVar("Command", bound=Callable[..., Any])

MAX_DIGITS = 18  # of a whole number; Python refuses to convert thousands of them


class PathType(click.Path):
    """A path. An empty one, as of a variable of a shell that is not set, is an error.

    Without this, it would be the current directory.
    """

    def __init__(self, **settings: bool) -> None:
        super().__init__(path_type=Path, **settings)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if value == "":
            self.fail("the path is empty; a dot is the current directory", param, ctx)
        return super().convert(value, param, ctx)


def _complete(name: str) -> Callable[..., Any]:
    """What the function `name` of the module `completion` suggests; it is imported when needed."""

    def suggest(*arguments: Any) -> Any:
        from nnmnist.cli import completion

        return getattr(completion, name)(*arguments)

    return suggest


complete_files, complete_runs = _complete("files"), _complete("runs")
complete_data, complete_recipes = _complete("data"), _complete("config_files")


def checkpoint_argument(name: str, metavar: str, **attributes: Any) -> Callable[[Command], Command]:
    """An argument that names a checkpoint, or a run directory, which means its best checkpoint."""
    return _path_argument(name, metavar, best_of, **attributes)


def run_argument(name: str, metavar: str, **attributes: Any) -> Callable[[Command], Command]:
    """An argument that names a run directory, or a checkpoint, which means the run it lies in."""

    def run_of(path: Path) -> Path:
        if path.is_file() and path.suffix != ".npz":
            raise click.UsageError(f"{path}: is a file; name a run directory or its checkpoint")
        return path.parent if path.is_file() else path

    return _path_argument(name, metavar, run_of, exists=True, **attributes)


def _path_argument(
    name: str, metavar: str, change: Callable[[Path], Path], exists: bool = False, **attributes: Any
) -> Callable[[Command], Command]:
    def changed(context: click.Context, argument: click.Parameter, found: Any) -> Any:
        return tuple(map(change, found)) if isinstance(found, tuple) else change(found)

    return click.argument(
        name,
        metavar=metavar,
        type=PathType(exists=exists),
        callback=changed,
        shell_complete=complete_runs,
        **attributes,
    )


def config_option(command: Command) -> Command:
    """The config as the option `-c` or as an argument; the parameter `file` of the command."""

    @wraps(command)
    def with_file(*, argument: str | None, file: str | None, **others: Any) -> Any:
        if argument is not None and file is not None:
            raise click.UsageError(f"{argument} and --config {file} name two configs; give one")
        return command(file=argument if file is None else file, **others)

    option = click.option(
        "-c",
        "--config",
        "file",
        metavar="FILE",
        shell_complete=complete_recipes,
        help="YAML file, or the name of a shipped recipe; same as the argument.  [default: mnist]",
    )
    found = click.argument(
        "argument", required=False, metavar="[CONFIG]", shell_complete=complete_recipes
    )
    return cast(Command, found(option(with_file)))


set_option = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="KEY=VALUE",
    shell_complete=_complete("settings"),
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


def _existing_folder(
    context: click.Context, option: click.Parameter, folder: Path | None
) -> Path | None:
    """Raise DataError if there is no such folder, also where the command needs no MNIST."""
    if folder is None or folder.is_dir():
        return folder
    raise DataError(
        f"--data-dir {folder}: this folder does not exist; name the folder that has "
        "mnist/train-images-idx3-ubyte and the other files of MNIST"
    )


data_dir_option = click.option(
    "--data-dir",
    type=PathType(file_okay=False),
    callback=_existing_folder,
    help="Read MNIST from this folder: DIR/mnist/train-images-idx3-ubyte, ...  "
    "[env var: NNMNIST_DATA_DIR]",
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
    shell_complete=complete_data,
    help="Use this data instead of the data that the network was trained on.",
)
quiet_option = click.option(
    "-q", "--quiet", is_flag=True, help="Show no progress, only results and errors."
)
force_option = click.option("--force", is_flag=True, help="Overwrite existing files.")


ENVIRONMENT = """\b
Environment variables:
  NNMNIST_DATA_DIR=DIR  the folder that has MNIST, if there is no --data-dir
  NNMNIST_OFFLINE=1     never download anything"""


def with_examples(*lines: str, environment: bool = False) -> str:
    """The end of a help text: commands to try, and the environment variables of the data."""
    text = "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])
    return f"{text}\n\n{ENVIRONMENT}" if environment else text


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
