"""The built pages: complete, without warnings, and readable from disk without a network."""

import json
import re
import subprocess
import sys
from html import unescape
from pathlib import Path

import click
import pytest
from axe_playwright_python.base import AXE_SCRIPT
from click.testing import CliRunner

import nnmnist
from nnmnist.cli.app import cli
from nnmnist.config.loading import json_schema, recipes
from nnmnist.config.messages import choices_of_keys
from nnmnist.config.schema import kinds
from nnmnist.sweep.plan import SweepFile

# The tests are one package only to pytest.
from ..cli.test_help import COMMANDS  # noqa: TID252
from ..test_accessible import SCREENS, assert_axe_finds_nothing  # noqa: TID252

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="session")
def built(made_once):
    """The folder of the pages. Their code cells are not run: `make docs` does this."""

    def build(folder):
        options = ["--quiet", "--nitpicky", "--fail-on-warning", "--keep-going"]
        options += ["-D", "nb_execution_mode=off"]
        result = subprocess.run(
            [sys.executable, "-m", "sphinx", *options, str(DOCS), str(folder)],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert (result.returncode, result.stderr) == (0, "")

    return made_once("docs", build)


def page(built, name):
    return (built / f"{name}.html").read_text(encoding="utf-8")


def test_every_command_and_option_is_in_the_reference(built):
    text = page(built, "reference/cli")
    for words, command in COMMANDS.items():
        name = "-".join(["nnmnist", *words])
        assert f'id="{name}"' in text
        for option in command.params:
            for flag in option.opts if isinstance(option, click.Option) else []:
                assert f'id="cmdoption-{name}-{flag.strip("-")}"' in text


def test_every_key_of_a_config_is_in_the_reference_with_its_meaning(built):
    text = page(built, "reference/config")
    keys = choices_of_keys(json_schema())
    assert set(re.findall(r'id="confval-([\w.]+)"', text)) == {*keys, "data.distort"}
    meaning = json_schema()["properties"]["training"]["properties"]["warmup"]["description"]
    assert meaning in unescape(text)


def test_every_public_name_is_in_the_reference(built):
    text = page(built, "reference/python")
    for name in nnmnist.__all__:
        assert f'id="nnmnist.{name}"' in text


def test_every_key_of_a_sweep_file_and_every_recipe_is_in_the_reference():
    text = (DOCS / "reference" / "sweep-file.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)` \|", text, flags=re.MULTILINE)) == {*kinds(SweepFile)}
    text = (DOCS / "reference" / "recipes.md").read_text(encoding="utf-8")
    for name in recipes():
        assert "/" in name or f"\n| `{name}` |" in text


def test_every_key_of_the_json_output_is_in_the_reference(tiny_config):
    text = (DOCS / "reference" / "output.md").read_text(encoding="utf-8")
    for command in (
        f"train {tiny_config} -q -o runs/a", f"train {tiny_config} -q --seeds 0,1 -o runs/b",
        "runs", "evaluate runs/a --errors 1", "compare runs/a runs/b/seed-1",
        "predict runs/a --test 0", "data info rings",
    ):  # fmt: skip
        result = CliRunner().invoke(cli, [*command.split(), "--json"])
        assert result.exit_code == 0, result.output
        for key in json.loads(result.stdout.splitlines()[0]):
            assert f"`{key}`" in text, command


def test_formulas_are_drawn_without_scripts(built):
    formulas = re.findall(r"<math.+?</math>", page(built, "explanation/formulas"), flags=re.DOTALL)
    assert len(formulas) > 30
    assert [formula for formula in formulas if "\\" in formula] == []


def test_nothing_is_loaded_from_elsewhere(built):
    for path in built.rglob("*.html"):
        text = path.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|link)[^>]+(?:src|href)="([^"]+)"', text)
        assert [link for link in loaded if "//" in link] == []


def test_the_search_works_from_disk(built, browser):
    tab = browser.new_page()
    requests, errors = [], []
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("pageerror", lambda error: errors.append(error))
    tab.goto((built / "index.html").as_uri())
    tab.get_by_placeholder("Search").first.fill("momentum")
    tab.keyboard.press("Enter")
    tab.get_by_role("link", name="training.momentum").click()
    assert tab.url.endswith("reference/config.html#confval-training.momentum")
    assert {url.partition(":")[0] for url in requests} == {"file"}
    assert errors == []
    tab.close()


@pytest.mark.parametrize(
    "page", ["index", "tutorial/first-session", "reference/cli", "lecture/training", "search"]
)
def test_axe_finds_nothing(built, browser, page):
    tab = browser.new_page(reduced_motion="reduce")
    tab.goto((built / f"{page}.html").as_uri())
    tab.evaluate(f"() => {{ {AXE_SCRIPT}; }}")
    # All pages have the same theme: its colours on the two other screens are checked once.
    two = {(390, "dark"): {}, (1280, "light"): {}}
    assert_axe_finds_nothing(tab, screens=SCREENS if page == "index" else two)
    tab.close()
