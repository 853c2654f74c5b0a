"""The command line. Its rooms alone print, draw bars and exit; one file a command, imported when it is called."""

from __future__ import annotations

import os
import signal
import sys
from importlib import import_module
from typing import Any, NoReturn

import click

from nnmnist._version import __version__
from nnmnist.errors import ConfigError, NnmnistError

# command -> its line in `nnmnist --help`. A new command is one file of its name here and one line.
COMMANDS = {
    "check": "Compare the gradient with central differences.",
    "compare": "Tell whether one trained network is better than another.",
    "config": "Tell what a config file may hold.",
    "data": "Fetch the data, or tell what is there.",
    "evaluate": "Tell how good a trained network is.",
    "export": "Make a trained network usable elsewhere.",
    "plot": "Draw runs: curves, weights, confusion, mistakes, sweeps, more.",
    "predict": "Read digits with a trained network.",
    "report": "Write a page about a run: curves, mistakes, weights, calibration.",
    "runs": "List runs with what they reached, or name the best.",
    "sweep": "Train over a space of configs, several runs at once.",
    "train": "Train a network from one YAML file.",
}


class Commands(click.Group):
    """Finds a command's module when it is called, and turns errors into one line and an exit code."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = getattr(
            import_module(f"nnmnist.cli.commands.{cmd_name}"), cmd_name
        )
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(sorted(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        signal.signal(signal.SIGTERM, _terminate)
        try:
            return self._invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt:  # a second one, before the first was answered
            ctx.exit(130)
        except BrokenPipeError:  # the reader of stdout has gone, as `head` does
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            ctx.exit(1)
        except Exception as error:
            if ctx.params["debug"]:
                raise
            raise _readable(error) from error

    def _invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            # All is saved: a second one may kill Python as it ends.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            ctx.exit(130)


def _terminate(signum: int, frame: object) -> NoReturn:
    raise SystemExit(143)


class _ConfigFault(click.ClickException):
    exit_code = 2


def _readable(error: Exception) -> click.ClickException:
    """One line (or one line a fault) for the user, with the exit code that the error has."""
    if isinstance(error, NnmnistError):
        text = str(error)
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, MemoryError):
        text = f"out of memory: {error}; lower model.hidden or training.batch_size"
    else:
        text = f"internal error: {type(error).__name__}: {error}; run `nnmnist --debug ...` and report what it prints"
    return _ConfigFault(text) if isinstance(error, ConfigError) else click.ClickException(text)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
def cli(debug: bool) -> None:
    """Train digit classifiers in NumPy from one YAML file."""


def main() -> None:
    """The entry point of `nnmnist` and `python -m nnmnist`."""
    cli(prog_name="nnmnist")
