import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nnmnist.cli.app import cli


def export(*arguments):
    return CliRunner().invoke(cli, ["export", *map(str, arguments)])


@pytest.fixture
def trained(tiny_run):
    """A network for images of 6 rows and 5 columns."""
    return tiny_run("run") / "best.npz"


@pytest.mark.parametrize(
    ("file", "start"),
    [("digits.onnx", b"\x08\x08"), ("DIGITS.ONNX", b"\x08\x08"), ("d.safetensors", b"")],
)
def test_the_suffix_names_the_format(trained, file, start):
    result = export(trained, "-o", file)
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{file}\n", "")
    assert Path(file).read_bytes().startswith(start)


def test_an_existing_file_is_overwritten_only_with_force(trained):
    Path("mine.onnx").write_text("precious")
    result = export(trained, "-o", "mine.onnx")
    assert result.exit_code == 1
    assert (
        result.stderr
        == "Error: mine.onnx: already exists; use --force to overwrite, or name another file\n"
    )
    assert Path("mine.onnx").read_text() == "precious"
    assert export(trained, "-o", "mine.onnx", "--force").exit_code == 0
    assert Path("mine.onnx").stat().st_size > 1000


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (
            ["run/best.npz", "-o", "x.pdf"],
            2,
            "x.pdf: the file name must end in .html, .onnx or .safetensors",
        ),
        (
            ["run/best.npz", "-o", "onnx"],
            2,
            "onnx: the file name must end in .html, .onnx or .safetensors",
        ),
        (
            ["run/best.npz", "-o", "x.html"],
            1,
            "run/best.npz: a page needs images of 28x28, but this network reads 5x6",
        ),
        (["run/best.npz", "-o", "nowhere/x.onnx"], 1, "directory; create the folder first, or"),
        (["run/best.npz", "-o", "run"], 2, "'run' is a directory"),
        (["run/best.npz"], 2, "Missing option '-o'"),
        (["none.npz", "-o", "x.onnx"], 1, "none.npz: does not exist"),
        (["run/config.yaml", "-o", "x.onnx"], 1, "run/config.yaml: not a checkpoint"),
    ],
)
def test_bad_input_is_one_clear_line(trained, arguments, code, message):
    result = export(*arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""
    assert not [path for path in Path().rglob("*") if path.suffix in (".onnx", ".html", ".tmp")]


@pytest.mark.parametrize(("library", "name"), [("onnx", "ONNX"), ("safetensors", "this format")])
def test_a_missing_library_is_named(trained, monkeypatch, library, name):
    for module in [module for module in sys.modules if module.partition(".")[0] == library]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, library, None)
    result = export(trained, "-o", f"x.{library}")
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {name} needs the library {library}: pip install 'nnmnist[{library}]'\n"
    )
