"""The shipped recipes and their schema."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from nnmnist.config.loading import json_schema, load_config

FOLDER = Path(__file__).parents[2] / "configs"
RECIPES = sorted(FOLDER.glob("*.yaml"))
RECORDS = sorted((FOLDER / "records").glob("*.yaml"))


def head_comment(path, schema):
    """Check that a recipe is valid and names its schema; return its comments."""
    load_config(path)
    first, *lines = path.read_text(encoding="utf-8").splitlines()
    assert first == f"# yaml-language-server: $schema={schema}"
    return " ".join(line for line in lines if line.startswith("#"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_valid_and_states_its_result(path):
    comment = head_comment(path, "schema.json")
    assert "Measured on the test set, seeds 0-4:" in comment
    assert "standard deviation" in comment


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_record_is_valid_and_states_its_result(path):
    assert "Measured on the test set" in head_comment(path, "../schema.json")
    table = (FOLDER / "records" / "README.md").read_text(encoding="utf-8")
    assert f"-c records/{path.stem}" in table


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_the_one_minute_record_has_at_most_one_percent_of_errors(seed, real_mnist, tmp_path):
    command = [
        "train",
        "-c",
        "records/one-minute",
        "--seed",
        seed,
        "-o",
        tmp_path / "run",
        "--json",
        "-q",
    ]
    out = subprocess.run(
        [sys.executable, "-m", "nnmnist", *map(str, command)], check=True, capture_output=True
    )
    assert json.loads(out.stdout)["test"]["accuracy"] >= 0.99


def test_the_shipped_schema_is_up_to_date():
    assert json.loads((FOLDER / "schema.json").read_text(encoding="utf-8")) == json_schema()
