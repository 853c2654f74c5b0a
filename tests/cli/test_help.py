import shlex

import click
import pytest
from click.testing import CliRunner

from nnmnist.cli.app import cli


def all_commands(command=cli, words=()):
    """The words after `nnmnist` of every command, with the command."""
    yield words, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            yield from all_commands(command.get_command(context, name), (*words, name))


COMMANDS = dict(all_commands())


def help_of(words):
    result = CliRunner().invoke(cli, [*words, "--help"])
    assert result.exit_code == 0
    return result.output


def test_all_commands_are_found():
    assert len(COMMANDS) > 20
    assert ("config", "new") in COMMANDS


@pytest.mark.parametrize("words", COMMANDS)
def test_every_help_fits_80_columns_and_has_two_examples_that_can_be_typed(words):
    text = help_of(words)
    assert max(map(len, text.splitlines())) <= 80
    examples = text.partition("  Examples:\n")[2].partition("\n\n")[0].splitlines()
    assert len(examples) >= 2
    for line in examples:
        program, *typed = shlex.split(line.partition("> ")[0])
        assert program == "nnmnist"
        found = next(n for n in range(len(typed), -1, -1) if tuple(typed[:n]) in COMMANDS)
        command = COMMANDS[tuple(typed[:found])]
        # raises NoSuchOption, or UsageError where an argument is missing
        command.make_parser(click.Context(command)).parse_args(typed[found:])


@pytest.mark.parametrize("words", [words for words in COMMANDS if words])
def test_help_names_the_environment_variables_where_data_is_read(words):
    reads_data = any(each.name == "data_dir" for each in COMMANDS[words].params)
    text = help_of(words)
    assert ("NNMNIST_DATA_DIR=DIR" in text) == (reads_data or words == ("data",))
    assert ("NNMNIST_OFFLINE=1" in text) == (reads_data or words == ("data",))


@pytest.mark.parametrize(
    ("typed", "meant"), [("trian", "train"), ("evaluat", "evaluate"), ("run", "runs")]
)
def test_a_misspelt_command(typed, meant):
    result = CliRunner().invoke(cli, [typed])
    assert result.exit_code == 2
    assert f"No such command '{typed}'; did you mean {meant}?" in result.stderr
    assert "did you mean" not in CliRunner().invoke(cli, ["xyz"]).stderr
