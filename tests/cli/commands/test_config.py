from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from nnmnist.cli.app import cli
from nnmnist.cli.commands.config import config
from nnmnist.config.loading import json_schema, load_config, recipes


def nnmnist(*arguments: str) -> str:
    result = CliRunner().invoke(cli, ["config", *arguments])
    assert result.exit_code == 0, result.output
    return result.stdout


def test_schema_is_json_on_stdout() -> None:
    result = CliRunner().invoke(config, ["schema"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json_schema()


def test_help_describes_the_command() -> None:
    result = CliRunner().invoke(config, ["--help"])
    assert result.exit_code == 0
    assert "schema  Print the JSON Schema of config files" in result.stdout


def test_the_command_imports_nothing_heavy_before_it_runs() -> None:
    code = (
        "import sys, nnmnist.cli.commands.config; "
        "print(sorted({'numpy', 'msgspec', 'yaml'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


def test_list_describes_every_recipe() -> None:
    lines = nnmnist("list").splitlines()
    assert [line.split()[0] for line in lines] == list(recipes())
    assert all(len(line.split()) > 3 for line in lines)
    assert "softmax                        Softmax regression: no hidden layer" in lines


def test_list_fits_a_terminal(on_terminal) -> None:  # type: ignore[no-untyped-def]
    lines = on_terminal("config", "list", columns=60).splitlines()
    assert len(lines) == len(recipes())
    assert max(map(len, lines)) == 60


@pytest.mark.parametrize("name", recipes())
def test_show_prints_a_recipe(name: str) -> None:
    assert nnmnist("show", name) == recipes()[name].read_text()


@pytest.mark.parametrize("name", ["softmax", "lecture/line", "records/one-minute"])
def test_a_copy_trains_the_same_and_names_a_schema_that_exists(name: str) -> None:
    assert nnmnist("new", "new.yaml", "--from", name) == "new.yaml\n"
    text = Path("new.yaml").read_text()
    first, rest = text.split("\n", 1)
    original = recipes()[name].read_text()
    assert rest == original.split("\n", 1)[1]
    schema = Path(first.removeprefix("# yaml-language-server: $schema="))
    assert schema.is_absolute()
    assert json.loads(schema.read_text()) == json_schema()
    assert load_config(Path("new.yaml")) == load_config(name)


def test_a_copy_of_a_copy_has_one_line_for_editors() -> None:
    nnmnist("new", "a.yaml")
    nnmnist("new", "b.yaml", "--from", "a.yaml")
    assert Path("b.yaml").read_text() == Path("a.yaml").read_text()
    assert load_config(Path("b.yaml")) == load_config("mnist")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["new", "old.yaml"], 1, "old.yaml: already exists; use --force"),
        (["new", "x.txt"], 2, "x.txt: the file name must end in .yaml or .yml"),
        (["new", "x.yaml", "--from", "sofmax"], 2, "did you mean softmax?"),
        (["show", "nothing"], 2, "nothing: this file does not exist; the recipes are deep,"),
    ],
)
def test_what_cannot_be_copied(arguments: list[str], code: int, message: str) -> None:
    Path("old.yaml").write_text("seed: 1\n")
    result = CliRunner().invoke(cli, ["config", *arguments])
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert yaml.safe_load(Path("old.yaml").read_text()) == {"seed": 1}
    assert not Path("x.yaml").exists()
