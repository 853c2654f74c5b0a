import os
import subprocess
import sys
from importlib import import_module

import pytest
from click.testing import CliRunner

from nnmnist._version import __version__
from nnmnist.cli.app import COMMANDS, cli

HEAVY = ("numpy", "pydantic", "requests", "yaml", "tqdm", "PIL", "threadpoolctl", "matplotlib")


def test_help_lists_every_command():
    result = CliRunner().invoke(cli, ["--help"])
    assert result.exit_code == 0
    for name, line in COMMANDS.items():
        assert f"  {name}" in result.output
        assert line in result.output


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_starts_with_the_same_line(name):
    command = getattr(import_module(f"nnmnist.cli.commands.{name}"), name)
    assert command.get_short_help_str(limit=200) == COMMANDS[name]


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom nnmnist.cli.app import cli\n"
        "try: cli(['--help'])\nexcept SystemExit: pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True
    ).stdout
    assert output.splitlines()[-1] == "[]"


def test_version():
    assert __version__ in CliRunner().invoke(cli, ["--version"]).output


def test_an_unknown_command():
    result = CliRunner().invoke(cli, ["trian"])
    assert result.exit_code == 2
    assert "No such command" in result.output


def test_python_m():
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    result = subprocess.run(
        [sys.executable, "-m", "nnmnist", "--version"],
        capture_output=True,
        text=True,
        env=env,
        check=True,
    )
    assert result.stdout.startswith("nnmnist")


def test_the_public_api():
    import nnmnist

    for name in nnmnist.__all__:
        assert getattr(nnmnist, name) is not None
    with pytest.raises(AttributeError, match="nonsense"):
        nnmnist.nonsense  # noqa: B018
