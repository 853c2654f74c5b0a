"""The commands of the README, the tutorial and the guides work as printed, one after another.

They are typed into interactive shells, whose rules differ from those of scripts: zsh takes no
comments there, for example. Shells differ only in what they make of a line. So the commands run in
bash, and zsh has to call the programs with the same words.
"""

import os
import re
import shutil
import subprocess
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from nnmnist.data import synthetic

ROOT = Path(__file__).parents[2]
REAL_DATA = os.environ.get("NNMNIST_DATA_DIR")  # before a fixture removes it
PAGES = ("README.md", "docs/tutorial/first-session.md")
SHELLS = {
    "bash": ("bash", "--norc", "--noprofile", "--noediting", "-i"),
    "zsh": ("zsh", "-f", "-i", "-o", "no_prompt_sp", "-o", "no_prompt_cr"),
}
real_shell = pytest.mark.parametrize("shell", ["bash", pytest.param("zsh", marks=pytest.mark.slow)])
# What the commands find outside of .venv: as on a fresh Debian, neither python nor pip.
PROGRAMS = ("make", "python3", "sh", "uname")


def sessions(page):
    """The commands of a page in order, each with the output that is printed below it."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = []
    for block in re.findall(r"^```console\n(.+?)^```", text, flags=re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output))
    return found


@pytest.fixture
def installed(tmp_path):
    """A copy of the repository in which `make` finds nnmnist installed, without the network."""
    folder = tmp_path / "nnmnist"
    folder.mkdir()
    for name in ("Makefile", "configs", "examples", "nnmnist", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    environment = folder / ".venv"
    venv.create(environment, symlinks=True)
    packages = sysconfig.get_path("purelib", vars={"base": environment})
    Path(packages, "all.pth").write_text(f"{folder}\n{sysconfig.get_path('purelib')}\n")
    program = environment / "bin" / "nnmnist"
    program.write_text(f"#!{environment}/bin/python\nfrom nnmnist.__main__ import main\n\nmain()\n")
    program.chmod(0o755)
    (environment / "installed").touch()
    return folder


@pytest.fixture
def programs(tmp_path):
    """A folder with the few programs that the commands may use."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in PROGRAMS:
        (folder / name).symlink_to(shutil.which(name))
    return folder


def typed(shell, commands, folder, programs):
    """The exit code and the output of each command, in one interactive shell."""
    name, *options = SHELLS[shell]
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    # The first output has what bash says when it starts without a terminal.
    lines = "".join(f"{command}\nprintf '\\n@ %s\\n' $?\n" for command in ["true", *commands])
    environment = {
        "PATH": str(programs), "HOME": str(folder), "XDG_CACHE_HOME": str(folder / "cache"),
        "PS1": "", "VIRTUAL_ENV_DISABLE_PROMPT": "1", "COLUMNS": "100", "LANG": "C.UTF-8",
        "NNMNIST_OFFLINE": "1",
        **({"NNMNIST_DATA_DIR": REAL_DATA} if REAL_DATA else {}),
    }  # fmt: skip
    found = subprocess.run(
        [shutil.which(name), *options],
        input=lines, text=True, cwd=folder, env=environment, timeout=600,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    parts = re.split(r"\n@ (\d+)\n", found.stdout)
    return list(zip(map(int, parts[1::2]), parts[0::2], strict=False))[1:]


def pattern_of(printed):
    """A pattern for an output that differs from the printed one in numbers and times only.

    A printed line of three dots stands for any lines.
    """
    lines = (words_of(line) for line in printed.splitlines() if line.strip())
    return "".join("(?:.*\n)*?" if line == "#" else f"{re.escape(line)}\n" for line in lines)


def words_of(line):
    return re.sub(r"[\d.,%]+(e-\d+)?", "#", " ".join(line.split()))


@pytest.mark.parametrize("page", PAGES)
@real_shell
def test_every_command_works_after_the_one_before(shell, page, installed, programs):
    session = sessions(page)
    found = typed(shell, [command for command, _ in session], installed, programs)
    assert len(found) == len(session) >= 6
    for (command, printed), (code, output) in zip(session, found, strict=True):
        assert code == 0, f"{command}: {output}"
        if REAL_DATA:
            lines = "".join(f"{words_of(line)}\n" for line in output.splitlines() if line.strip())
            assert re.fullmatch(pattern_of(printed), lines), f"{command}: {output}"


# What a reader has before the commands of the how-to guides, besides the data below.
BEFORE = [
    ". .venv/bin/activate",
    "nnmnist train my.yaml -q --epochs 1 -o runs/mine",
    "nnmnist train my.yaml -q --epochs 1 -o runs/a",
    "nnmnist train my.yaml -q --epochs 1 --seed 1 -o runs/b",
]
# These need a network, a database, or the runs of the sweep whose output is printed.
LEFT_OUT = ("pip install", "data download", "--data-dir data", "mirror.example", "postgresql:",
            "runs/grid", "nnmnist compare runs/mnist/best.npz")  # fmt: skip


def how_to_commands():
    """The commands of all how-to guides, without repetitions, which would meet finished runs.

    Those that speak of the best run come first, as long as all runs have the same data.
    """
    found = {}
    pages = {page: page.read_text("utf-8") for page in sorted((ROOT / "docs/how-to").glob("*.md"))}
    for page, text in sorted(pages.items(), key=lambda item: "runs best" not in item[1]):
        for block in re.findall(r"^```sh\n(.+?)^```", text, flags=re.MULTILINE | re.DOTALL):
            found |= dict.fromkeys(block.splitlines())
        found |= {command: None for command, _ in sessions(page.relative_to(ROOT))}
    return [command for command in found if not any(part in command for part in LEFT_OUT)]


def write_data(folder):
    """The pictures, files, config and sweep that the how-to guides speak of."""
    digits = np.arange(40, dtype=np.uint8) % 10
    pixels = synthetic.render(digits, np.random.default_rng(0))
    images = [Image.fromarray(255 - row.reshape(28, 28)) for row in pixels]
    for name, classes in (("letters", "abc"), ("my_pictures", "0123456789")):
        for n, (digit, image) in enumerate(zip(digits, images, strict=True)):
            path = folder / name / classes[digit % len(classes)] / f"{n}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            image.save(path)
    shutil.make_archive(str(folder / "my_digits"), "zip", folder / "my_pictures")
    page = Image.new("L", (400, 100), 255)
    for n, image in enumerate(images[:5]):
        page.paste(image.resize((56, 56)), (20 + 75 * n, 20))
    page.save(folder / "page.png")
    kaggle = folder / "digit-recognizer"
    kaggle.mkdir()
    names = ",".join(f"pixel{n}" for n in range(784))
    rows = [",".join(map(str, row)) for row in pixels.tolist()]
    labelled = [f"{digit},{row}" for digit, row in zip(digits, rows, strict=True)]
    (kaggle / "train.csv").write_text("\n".join([f"label,{names}", *labelled]))
    (kaggle / "test.csv").write_text("\n".join([names, *rows]))
    # Small networks and few examples: the guides train this config about twenty times, and the
    # default recipe five times.
    (folder / "configs").unlink()
    shutil.copytree(ROOT / "configs", folder / "configs")
    (folder / "configs/mnist.yaml").write_text(
        "data: {validation: 5000, generated: 0.01, no_digits: 0.01, fallback: synthetic}\n"
        "model: {hidden: [32], output: softmax_or_none}\ntraining: {epochs: 1}\n"
    )
    (folder / "my.yaml").write_text(
        "data: {validation: 55000, fallback: synthetic}\nmodel: {hidden: [32]}\n"
        "training: {epochs: 2}\n"
    )
    (folder / "search.yaml").write_text(
        "config: my.yaml\nset: {training.epochs: 1}\nspace: {training.momentum: [0.5, 0.9]}\n"
    )


@real_shell
def test_every_command_of_the_guides_works(shell, installed, programs):
    write_data(installed)
    commands = [*BEFORE, *how_to_commands()]
    found = typed(shell, commands, installed, programs)
    assert len(found) == len(commands) > 25
    failed = {command: out for command, (code, out) in zip(commands, found, strict=True) if code}
    assert failed == {}


# Writes down the words of a call, one a line, and answers "nnmnist runs best".
STAND_IN = """#!/bin/sh
printf '%s\\n' "${0##*/}" "$@" '' >> "$HOME/calls"
case "$*" in "runs best") echo runs/the-best.npz ;; esac
"""


def calls(shell, commands, folder, programs):
    """The words with which a shell calls nnmnist and make, which do nothing here."""
    for program in (folder / ".venv" / "bin" / "nnmnist", programs / "make"):
        program.unlink()
        program.write_text(STAND_IN)
        program.chmod(0o755)
    assert typed(shell, commands, folder, programs) == [(0, "")] * len(commands)
    words = (folder / "calls").read_text(encoding="utf-8")
    (folder / "calls").unlink()
    return words.split("\n\n")


@pytest.mark.parametrize("page", [*PAGES, "the guides"])
def test_the_programs_get_the_same_words_from_both_shells(page, installed, programs):
    if page in PAGES:
        commands = [command for command, _ in sessions(page)]
    else:
        commands = [*BEFORE, *how_to_commands()]
    bash, zsh = (calls(shell, commands, installed, programs) for shell in SHELLS)
    assert zsh == bash
    assert len(bash) >= len(commands)  # activate calls nothing, and some commands call twice


@pytest.mark.parametrize("shell", SHELLS)
def test_a_command_that_fails_is_noticed(shell, tmp_path, programs):
    commands = ["python --version", "echo [1", "nnmnist --set a=[] # comment"]
    codes = [code for code, _ in typed(shell, commands, tmp_path, programs)]
    assert codes == [127, {"bash": 0, "zsh": 1}[shell], {"bash": 127, "zsh": 1}[shell]]
