import errno
import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
from click.testing import CliRunner

from nnmnist import checkpoint
from nnmnist._version import __version__
from nnmnist.cli.app import COMMANDS, cli
from nnmnist.model.network import Network

HEAVY = ("numpy", "msgspec", "requests", "yaml", "tqdm", "PIL", "threadpoolctl", "matplotlib")


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


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.EACCES, "change the permissions"),
        (errno.EROFS, "make it writable"),
        (errno.ENOSPC, "free some space"),
    ],
)
def test_an_error_of_the_system_says_what_to_do(tiny_config, monkeypatch, number, advice):
    def refuse(path, mode=0o777, *_):
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(os, "mkdir", refuse)
    for output in ([], ["-o", "mine"]):
        result = CliRunner().invoke(cli, ["train", "-c", str(tiny_config), *output])
        assert result.exit_code == 1
        assert result.stderr.startswith(f"Error: {output[1] if output else 'runs'}")
        assert result.stderr.endswith(
            f"{os.strerror(number)}; {advice}, or choose another place with --output\n"
        )
    checkpoint.save("net.npz", Network((30, 3)), list("abc"), {"image_shape": [6, 5]})
    result = CliRunner().invoke(cli, ["predict", "net.npz", "x.png", "--save-prepared", "prepared"])
    assert result.stderr == (
        f"Error: prepared: {os.strerror(number)}; {advice}, or choose another place\n"
    )


def test_a_file_where_a_folder_is_expected(tiny_config):
    Path("runs").touch()
    for arguments in (["-c", str(tiny_config)], ["-c", str(tiny_config), "-o", "runs/mine"]):
        result = CliRunner().invoke(cli, ["train", *arguments])
        assert result.exit_code == 1
        assert "; move the file that is in its way, or choose another place with --output\n" in (
            result.stderr
        )


def test_the_backend_of_a_notebook_does_not_matter(tiny_config):
    """A Jupyter kernel names its own backend, which matplotlib refuses where it is missing."""
    assert CliRunner().invoke(cli, ["train", "-c", "tiny.yaml", "-o", "run", "-q"]).exit_code == 0
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    env["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    command = [sys.executable, "-m", "nnmnist", "plot", "run", "--kind", "curves"]
    result = subprocess.run(command, capture_output=True, text=True, env=env)
    assert (result.returncode, result.stdout, result.stderr) == (0, "run/curves.png\n", "")
