"""What `pip install nnmnist` installs, and what the source distribution has."""

import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from hatchling import build

from nnmnist import __version__

ROOT = Path(__file__).parents[1]
NAME = f"nnmnist-{__version__}"
# Data, checkpoints and leftovers.
LEFT_OUT = (".pyc", ".orig", ".npz", ".whl", ".gz", "-ubyte")


@pytest.fixture
def at_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def test_the_wheel_has_the_package_its_recipes_and_its_metadata(at_root, tmp_path):
    with zipfile.ZipFile(tmp_path / build.build_wheel(str(tmp_path))) as wheel:
        names = set(wheel.namelist())
        metadata = message_from_bytes(wheel.read(f"{NAME}.dist-info/METADATA"))
    package = [path for path in ROOT.glob("nnmnist/**/*") if path.is_file()]
    recipes = [path for path in ROOT.glob("configs/**/*") if path.is_file()]
    expected = {path.relative_to(ROOT).as_posix() for path in package if path.suffix != ".pyc"}
    expected |= {f"nnmnist/{path.relative_to(ROOT).as_posix()}" for path in recipes}
    assert {"nnmnist/py.typed", "nnmnist/configs/mnist.yaml"} <= expected
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert [name for name in names if name.endswith(LEFT_OUT)] == []
    assert f"{NAME}.dist-info/licenses/LICENSE" in names
    assert metadata["License-Expression"] == "MIT"
    urls = dict(line.split(", ") for line in metadata.get_all("Project-URL"))
    assert urls.keys() == {"Homepage", "Repository", "Documentation", "Changelog", "Issues"}
    assert all(url.startswith("https://github.com/nnmnist/nnmnist") for url in urls.values())


def test_the_source_distribution_has_sources_alone(at_root, tmp_path):
    with tarfile.open(tmp_path / build.build_sdist(str(tmp_path))) as archive:
        names = {name.removeprefix(f"{NAME}/") for name in archive.getnames()}
    top = {name.partition("/")[0] for name in names}
    assert top == {
        "nnmnist", "configs", "tests", "examples", "benchmarks", "docs", "Makefile", "CHANGELOG.md",
        "SECURITY.md", "LICENSE", "README.md", "pyproject.toml", ".gitignore", "PKG-INFO",
    }  # fmt: skip
    assert {"examples/notebook.ipynb", "examples/lecture/one_page.py"} <= names
    assert [name for name in names if name.endswith(LEFT_OUT)] == []
