from __future__ import annotations

import json
import subprocess
import sys

from click.testing import CliRunner

from nnmnist.cli.commands.config import config
from nnmnist.config.loading import json_schema


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
        "print(sorted({'numpy', 'pydantic', 'yaml'} & set(sys.modules)))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
