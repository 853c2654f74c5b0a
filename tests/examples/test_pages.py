"""The lecture's pages: what they name exists, and their commands work in a shell as printed."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from nnmnist.cli.app import cli
from nnmnist.config.loading import find_config

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "examples" / "lecture"
PAGES = {
    path.stem: path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "docs" / "lecture").glob("*.md"))
    if path.stem != "index"
}
FAST = ["regression", "classification", "networks"]

posix = pytest.mark.skipif(os.name != "posix", reason="the commands need a POSIX shell")


def cells(text):
    """The code cells, without their options."""
    found = re.findall(r"^```\{code-cell\}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return [re.sub(r"\A---\n.*?^---\n|\A(:.*\n)+", "", cell, flags=re.M | re.S) for cell in found]


def commands(text):
    """The cells that a shell runs, without their first line."""
    return [cell.removeprefix("%%sh -e\n") for cell in cells(text) if cell.startswith("%%sh -e\n")]


def pictures(text):
    """The names of the pictures that the page shows."""
    return re.findall(r'^Image\("runs/lecture/(\w+)\.png"\)$', text, flags=re.MULTILINE)


def load(name):
    """A script of the lecture, as a module."""
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_index_names_all_pages_in_the_order_of_the_lecture():
    index = (ROOT / "docs" / "lecture" / "index.md").read_text(encoding="utf-8")
    order = re.findall(r"\]\((\w+)\.md\)", index)
    assert sorted(order) == sorted(PAGES)
    assert index.rstrip().endswith("\n".join([*order, "```"]))
    headings = re.findall(r"^##? (\d+)\. ", "".join(PAGES[name] for name in order), flags=re.M)
    assert headings == [str(k) for k in range(1, 13)]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_a_notebook_with_its_download(name):
    assert PAGES[name].startswith("---\nfile_format: mystnb\nkernelspec:\n")
    assert f"{{nb-download}}`{name}.ipynb`" in PAGES[name]


@pytest.mark.parametrize("name", PAGES)
def test_a_page_shows_the_pictures_that_it_draws_after_their_commands(name):
    drawn = []
    for cell in cells(PAGES[name]):
        drawn += re.findall(r"-o runs/lecture/(\w+)\.png", cell)
        drawn += re.findall(r"draw\.py (\w+)", cell)
        assert set(pictures(cell)) <= {*drawn}
    assert sorted(drawn) == sorted(pictures(PAGES[name]))
    assert PAGES[name].count('    alt: "') == len(drawn)


def test_the_pages_name_exactly_the_recipes_and_scripts_that_exist():
    text = "\n".join("\n".join(commands(page)) for page in PAGES.values())
    recipes = {find_config(name).stem for name in re.findall(r"-c (lecture/\S+)", text)}
    scripts = set(re.findall(r"python examples/lecture/(\w+)\.py", text))
    assert scripts == {path.stem for path in SCRIPTS.glob("*.py")}
    listed = re.findall(r"^\| `(\w+)\.py`", (SCRIPTS / "README.md").read_text("utf-8"), flags=re.M)
    assert sorted(listed) == sorted(scripts)
    sources = "".join(path.read_text(encoding="utf-8") for path in SCRIPTS.glob("*.py"))
    unnamed = {path.stem for path in find_config("lecture/line").parent.glob("*.yaml")} - recipes
    assert {name for name in unnamed if name.removesuffix("_exact") not in sources} == set()


PYTHON = """#!/bin/sh
exec "{python}" "$@"
"""
# Trainings end after two epochs here: test_lecture.py has the recipes trained in full, and
# `make docs` and `make test-slow` the commands of the pages.
NNMNIST = """#!/bin/sh
[ "$1" = train ] && set -- "$@" {more}
exec "{python}" -m nnmnist "$@"
"""


@posix
@pytest.mark.parametrize("more", ["--epochs 2", pytest.param("", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", FAST)
def test_the_commands_of_a_fast_page_work_as_printed(tmp_path, name, more):
    """In order, in a shell, and twice: the second time the runs exist."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    programs = tmp_path / "bin"
    programs.mkdir()
    for program, text in (("python", PYTHON), ("nnmnist", NNMNIST)):
        (programs / program).write_text(text.format(python=sys.executable, more=more))
        (programs / program).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
    }
    first, *rest = commands(PAGES[name])
    for command in (first, *rest, first):
        subprocess.run(["sh", "-e"], input=command, text=True, cwd=tmp_path, env=environment,
                       capture_output=True, check=True)  # fmt: skip
    for picture in pictures(PAGES[name]):
        path = tmp_path / "runs" / "lecture" / f"{picture}.png"
        assert path.read_bytes().startswith(b"\x89PNG")


def test_drawings(monkeypatch, tiny_config):
    """Each picture is drawn; trainings have fewer epochs, and the hand-in has other runs."""
    for k in (1, 2, 3):
        words = ["train", "-c", str(tiny_config), "-o", f"runs/lecture/hand_in_{k}", "-q"]
        assert CliRunner().invoke(cli, words).exit_code == 0
    monkeypatch.syspath_prepend(SCRIPTS)
    draw = load("draw")
    short = replace(draw.efficiency.TRAINING, epochs=2)
    monkeypatch.setattr(draw.efficiency, "TRAINING", short)
    monkeypatch.setattr(draw.gate, "trained_gate", lambda: draw.gate.gate(1.0))
    monkeypatch.setattr(sys, "argv", ["draw.py", *draw.DRAWINGS])
    draw.main()
    for name in draw.DRAWINGS:
        assert Path(f"runs/lecture/{name}.png").read_bytes().startswith(b"\x89PNG")
