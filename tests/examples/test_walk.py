"""The lecture's page: what it names exists, and walk.py updates the output of its commands."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nnmnist.cli.app import cli
from nnmnist.config.loading import find_config

LECTURE = Path(__file__).parents[2] / "examples" / "lecture"
README = (LECTURE / "README.md").read_text(encoding="utf-8")
PICTURES = LECTURE / "pictures"

posix = pytest.mark.skipif(os.name != "posix", reason="the commands on the page need a POSIX shell")


def load(name):
    """A script of the lecture, as a module."""
    spec = importlib.util.spec_from_file_location(name, LECTURE / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def commands():
    return [body for _, body in load("walk").BLOCK.findall(README)]


def test_it_has_twelve_sections_in_order_each_with_a_command():
    sections = re.split(r"^## (\d+)\. ", README, flags=re.MULTILINE)[1:]
    assert sections[::2] == [str(k) for k in range(1, 13)]
    assert all(load("walk").BLOCK.search(section) for section in sections[1::2])


def test_it_names_exactly_the_recipes_and_scripts_that_exist():
    text = "\n".join(commands())
    recipes = set()
    for name in re.findall(r"-c (lecture/\S+)", text):
        for each in [name.replace("$k", k) for k in "123"] if "$k" in name else [name]:
            assert find_config(each).is_file()
            recipes.add(find_config(each).stem)
    scripts = set(re.findall(r"python examples/lecture/(\w+)\.py", text))
    assert scripts | {"walk"} == {path.stem for path in LECTURE.glob("*.py")}
    sources = "".join(path.read_text(encoding="utf-8") for path in LECTURE.glob("*.py"))
    unnamed = {path.stem for path in find_config("lecture/line").parent.glob("*.yaml")} - recipes
    assert {name for name in unnamed if name.removesuffix("_exact") not in sources} == set()


def test_it_shows_exactly_the_pictures_that_exist_and_they_are_small():
    shown = re.findall(r"!\[[^\]]+\]\(pictures/(\w+\.png)\)", README)
    assert sorted(shown) == sorted(path.name for path in PICTURES.iterdir())
    assert sum(path.stat().st_size for path in PICTURES.iterdir()) < 90e3 * len(shown)
    drawn = re.findall(r"pictures/(\w+\.png)", "\n".join(commands()))
    drawn += [
        f"{name}.png" for name in re.findall(r"draw\.py (.+)", README) for name in name.split()
    ]
    assert sorted(drawn) == sorted(shown)


@posix
def test_walk_updates_the_output_of_commands(tmp_path):
    text = (
        "# T\n```sh\necho 1 > a\n```\n```console\n$ cat a\nold\nold\n$ echo two\n```\n"
        "```yaml\na: 1\n```\n```console\n$ true\n```\n"
    )
    expected = text.replace("old\nold\n", "1\n").replace("echo two\n", "echo two\ntwo\n")
    assert load("walk").walk(text, tmp_path) == expected
    assert load("walk").walk(expected, tmp_path) == expected


@posix
def test_walk_stops_at_a_command_that_fails(tmp_path):
    for block in ("```sh\nfalse\ntouch after\n```", "```console\n$ false\n$ touch after\n```"):
        with pytest.raises(subprocess.CalledProcessError):
            load("walk").walk(block, tmp_path)
    assert list(tmp_path.glob("after")) == []


def script(name, *arguments):
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.run(
        [sys.executable, str(LECTURE / f"{name}.py"), *arguments],
        capture_output=True,
        text=True,
        env=env,
        check=True,
    )


def test_generalization_with_smaller_settings(tiny):
    settings = [
        f"data.path={tiny}",
        "data.fallback=null",
        "data.validation=0",
        "training.epochs=8",
        "training.batch_size=30",
    ]
    arguments = [part for setting in settings for part in ("--set", setting)]
    result = script("generalization", "--every", "10", "-o", "both.svg", *arguments)
    tables = result.stdout.rstrip().split("\n\n")
    assert [table.splitlines()[0].split(" on ")[0] for table in tables] == [
        "softmax regression",
        "deep network",
    ]
    for table in tables:
        iteration, training, test, gap, *accuracies = table.splitlines()[-1].split()
        assert iteration == "80"  # 300 examples are 10 steps per epoch
        assert float(test) - float(training) == pytest.approx(float(gap), abs=1.01e-4)
        assert all(text.endswith("%") for text in accuracies)
    assert Path("both.svg").read_text().startswith("<?xml")


def test_drawings(monkeypatch, tmp_path, tiny_config):
    """Each picture is drawn; the slow one with fewer epochs, and the hand-in of other runs."""
    for k in (1, 2, 3):
        words = ["train", "-c", str(tiny_config), "-o", f"runs/hand_in_{k}", "-q"]
        assert CliRunner().invoke(cli, words).exit_code == 0
    monkeypatch.syspath_prepend(LECTURE)
    draw = load("draw")
    monkeypatch.setattr(draw, "PICTURES", tmp_path)
    short = draw.efficiency.TRAINING.model_copy(update={"epochs": 2})
    monkeypatch.setattr(draw.efficiency, "TRAINING", short)
    monkeypatch.setattr(sys, "argv", ["draw.py", *draw.DRAWINGS])
    draw.main()
    for name in draw.DRAWINGS:
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
