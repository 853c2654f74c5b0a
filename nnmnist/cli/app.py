"""The entry point: finds commands, and turns errors into one line and an exit code."""

from __future__ import annotations

import errno
import os
import signal
import sys
from difflib import get_close_matches
from importlib import import_module
from typing import Any, NoReturn

import click

from nnmnist._version import __version__
from nnmnist.cli.options import with_examples
from nnmnist.cli.waiting import waiting_for
from nnmnist.errors import (
    ConfigError,
    DataUnavailable,
    NnmnistError,
    printable,
    printable_lines,
)

# command -> its line in `nnmnist --help`. A new command is one file in `commands/` and one line.
COMMANDS = {
    "check": "Compare the gradient with central differences.",
    "compare": "Test whether one trained network is better than another.",
    "config": "List, show and copy recipes; describe the keys of a config.",
    "data": "Download MNIST; describe, draw or convert data.",
    "evaluate": "Evaluate a trained network.",
    "export": "Export a trained network as a web page, ONNX or safetensors.",
    "plot": "Draw runs: curves, weights, confusion, mistakes, sweeps, more.",
    "predict": "Predict the digits in images with a trained network.",
    "report": "Write an HTML report: curves, mistakes, weights, calibration.",
    "runs": "List runs and their results, or name the best run.",
    "sweep": "Train over a space of configs, several runs at once.",
    "train": "Train a network from one YAML file.",
}

COMPLETING = "_NNMNIST_COMPLETE" in os.environ  # a shell asks for completions

# What to do about errors of the system.
ADVICE = {
    errno.EACCES: "change the permissions",
    errno.EPERM: "change the permissions",
    errno.EROFS: "make it writable",
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.ENOENT: "create the folder first",
    errno.ENOTDIR: "move the file that is in its way",
    errno.EEXIST: "move the file that is in its way",
}


class Commands(click.Group):
    """Imports the module of a command when it is called, and reports its errors."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            if near := get_close_matches(cmd_name, COMMANDS, n=1):
                ctx.fail(f"No such command '{cmd_name}'; did you mean {near[0]}?")
            return None
        with waiting_for("starting", quiet=COMPLETING):
            module = import_module(f"nnmnist.cli.commands.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        # Until now, a Ctrl-C has ended the process at once.
        if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        signal.signal(signal.SIGTERM, _terminate)
        # A parent that ignores SIGCHLD passes that on; then no process learns how its children end.
        if hasattr(signal, "SIGCHLD"):
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            return self._invoke(ctx)
        except click.ClickException as error:
            vars(error)["message"] = printable_lines(error.message)
            raise
        except (click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:
            # a second Ctrl-C, while the first one was handled
            ctx.exit(130)
        except BrokenPipeError:
            # the reader of stdout has ended, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
        except Exception as error:
            if ctx.params["debug"]:
                raise
            raise _readable(error, ctx) from error

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # Everything is saved, so a second Ctrl-C may end Python at once.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            ctx.exit(130)


def _terminate(signum: int, frame: object) -> NoReturn:
    raise SystemExit(143)


class _UsageFailure(click.ClickException):
    exit_code = 2


def _readable(error: Exception, ctx: click.Context) -> click.ClickException:
    """An error as one line with its exit code; the faults of a config, and advice, are lines."""
    if isinstance(error, NnmnistError):
        text = str(error)
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
        text += _advice(error, ctx)
    elif isinstance(error, MemoryError):
        text = (
            f"out of memory: {error}; lower model.hidden or training.batch_size, or use fewer or "
            "smaller images"
        )
    else:
        text = (
            f"internal error: {type(error).__name__}: {error}; "
            "run `nnmnist --debug ...` and report what it prints"
        )
    several = isinstance(error, (ConfigError, DataUnavailable))
    text = printable_lines(text) if several else printable(text, None)
    return _UsageFailure(text) if isinstance(error, ConfigError) else click.ClickException(text)


def _advice(error: OSError, ctx: click.Context) -> str:
    """What to do about a file that cannot be written."""
    if error.errno not in ADVICE:
        return ""
    command = ctx.invoked_subcommand and cli.get_command(ctx, ctx.invoked_subcommand)
    has_output = command and any(option.name == "output" for option in command.params)
    other = "choose another place" + (" with --output" if has_output else "")
    return f"; {ADVICE[error.errno]}, or {other}"


@click.group(
    cls=Commands,
    epilog=with_examples(
        "nnmnist train", 'nnmnist evaluate "$(nnmnist runs best)"', environment=True
    ),
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__)
@click.option("--debug", is_flag=True, help="Show the traceback of errors.")
def cli(debug: bool) -> None:
    """Train digit classifiers in NumPy from one YAML file."""


def main() -> None:
    """Run the command of the command line."""
    _prepare_streams()
    if "--debug" not in sys.argv:
        # A signal may interrupt the constructor of an object, such as zipfile.ZipFile. Python then
        # prints a traceback of its destructor, which says nothing to the user.
        sys.unraisablehook = lambda unraisable: None
    # Figures are files. A notebook names a backend here that this installation may not have.
    os.environ["MPLBACKEND"] = "agg"
    if COMPLETING:
        from nnmnist.cli import completion  # noqa: F401 - registers what bash needs
    cli(prog_name="nnmnist")


def _prepare_streams() -> None:
    """Replace closed standard streams, and print what an encoding lacks as escapes."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:
            stream = open(os.devnull, mode)  # noqa: SIM115 - until the process ends
            setattr(sys, name, stream)
        if mode == "w":
            stream.reconfigure(errors="backslashreplace")
