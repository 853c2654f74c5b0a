"""The shipped recipes and their schema."""

import json
from pathlib import Path

import pytest

from nnmnist import config

FOLDER = Path(__file__).parents[1] / "configs"
RECIPES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_sound_and_says_what_it_gave(path):
    config.load(path)
    first, *head = path.read_text(encoding="utf-8").splitlines()
    assert first == "# yaml-language-server: $schema=schema.json"
    said = " ".join(line for line in head if line.startswith("#"))
    assert "Measured on the test set, seeds 0-4:" in said
    assert "standard deviation" in said


def test_the_shipped_schema_is_the_one_that_is_printed():
    assert json.loads((FOLDER / "schema.json").read_text(encoding="utf-8")) == config.schema()


def test_the_readme_explains_every_key():
    readme = (FOLDER.parent / "README.md").read_text(encoding="utf-8")
    for section, schema in config.schema()["properties"].items():
        keys = [f"{section}.{key}" for key in schema["properties"]] if "properties" in schema else [section]
        for key in keys:
            assert f"\n| `{key}` | " in readme
