import gzip
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nnmnist.cli.commands.data import data
from nnmnist.data import cache, mnist
from nnmnist.data.download import Published
from nnmnist.data.readers import idx
from nnmnist.errors import ConfigError, DataError, DataUnavailable

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = mnist.FILES
PICTURES = np.zeros((3, 4, 6), np.uint8)
PICTURES[:, 1:, 2] = 255
PICTURES[1, 0, 4] = 128
ARRAYS = {
    TRAIN_IMAGES: PICTURES,
    TRAIN_LABELS: np.array([1, 0, 1], np.uint8),
    TEST_IMAGES: PICTURES[:2],
    TEST_LABELS: np.array([1, 0], np.uint8),
}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    published = {
        name: Published(len(idx.encode(array)), idx.sha256(array)) for name, array in ARRAYS.items()
    }
    monkeypatch.setattr(mnist, "FILES", published)
    monkeypatch.setattr(cache, "directory", lambda: tmp_path / "cache")
    monkeypatch.setenv("NNMNIST_OFFLINE", "1")
    monkeypatch.delenv("NNMNIST_DATA_DIR", raising=False)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name, array in ARRAYS.items():
        (folder / f"{name}.gz").write_bytes(gzip.compress(idx.encode(array)))
    return folder


def run(*arguments, **environment):
    return CliRunner(env=environment).invoke(data, [*map(str, arguments)], catch_exceptions=False)


def test_download_prints_the_folder(folder):
    result = run("download", "--data-dir", folder.parent)
    assert result.stdout == f"{folder}: 3 training and 2 test images, verified\n"
    assert result.stderr == ""


def test_download_without_network_says_what_to_do():
    with pytest.raises(DataUnavailable, match=r"and put them, with or without \.gz, into"):
        run("download")


def test_info_shows_identity_counts_and_digits(folder):
    lines = run("info", "--data-dir", folder.parent, COLUMNS="80").stdout.splitlines()
    assert lines[:2] == ["name      mnist", f"folder    {folder}"]
    assert f"sha256    {TRAIN_LABELS}  {idx.sha256(ARRAYS[TRAIN_LABELS])}" in lines
    assert lines[6:] == [
        "images    4 x 6 pixels",
        "prepare   digit",
        "",
        "class     train      test",
        "    0         1         1",
        "    1         2         1",
        "total         3         2",
        "",
        "  ▄ ▀     ▄",
        "  █       █",
    ]


@pytest.mark.parametrize(
    ("columns", "lines"),
    [("14", ["  ▄ ▀     ▄", "  █       █"]), ("13", ["  ▄ ▀", "  █"]), ("3", [" ▄▀"])],
)
def test_as_many_digits_are_drawn_as_fit_into_the_terminal(folder, columns, lines):
    result = run("info", "--data", folder, COLUMNS=columns)
    assert result.stdout.splitlines()[14:] == lines


def test_info_as_json_is_one_object(folder):
    record = json.loads(run("info", "--data", folder, "--json").stdout)
    assert record == {
        "data": "mnist",
        "identity": {
            "name": "mnist",
            "folder": str(folder),
            "sha256": {name: idx.sha256(array) for name, array in ARRAYS.items()},
        },
        "image_shape": [4, 6],
        "prepare": {"mode": "as_is", "shape": [4, 6], "background": 0},
        "classes": ["0", "1"],
        "train": {"n": 3, "counts": {"0": 1, "1": 2}},
        "test": {"n": 2, "counts": {"0": 1, "1": 1}},
    }


def test_info_downloads_nothing(monkeypatch):
    monkeypatch.setenv("NNMNIST_OFFLINE", "0")
    with pytest.raises(
        DataError, match=r"MNIST is not in .*mnist; `nnmnist data download` downloads it"
    ):
        run("info")


def test_info_of_unknown_data_lists_what_is_known():
    with pytest.raises(
        DataError,
        match=r"--data emnist: .*emnist does not exist, and the sources are curve, .*synthetic",
    ):
        run("info", "--data", "emnist")


@pytest.fixture
def at_most_three_columns(monkeypatch):
    monkeypatch.setattr("nnmnist.cli.pictures.COLUMNS", 3)


@pytest.mark.usefixtures("at_most_three_columns")
def test_a_sheet_has_a_row_for_each_class(folder):
    assert run("show", "--data-dir", folder.parent).stdout == "digits.png\n"
    with Image.open("digits.png") as file:
        picture = np.asarray(file)
    blank = np.zeros((4, 6), np.uint8)
    sheet = np.block([[PICTURES[1], blank, blank], [PICTURES[0], PICTURES[2], blank]])
    np.testing.assert_array_equal(picture, 255 - np.kron(sheet, np.ones((2, 2), np.uint8)))


@pytest.mark.usefixtures("at_most_three_columns")
def test_a_row_of_distorted_digits_starts_with_the_original(folder):
    for distort in (["--distort"], ["--distort", "{alpha: 0}"], ["--distort", "{shift: 0}"]):
        run("show", "--data-dir", folder.parent, "-o", "sheet.png", "--force", *distort)
        with Image.open("sheet.png") as file:
            rows = (255 - np.asarray(file))[::2, ::2].reshape(2, 4, 3, 6)
        for row, original in zip(rows, PICTURES[[1, 0]], strict=True):
            np.testing.assert_array_equal(row[:, 0], original)
            assert 0 < np.abs(row[:, 1] - row[:, 2].astype(float)).max() < 256


def test_a_row_with_a_distortion_of_zero_repeats_the_digit(folder):
    nothing = "{rotation: 0, shear: 0, scale: 0, shift: 0, alpha: 0}"
    run("show", "--data-dir", folder.parent, "--distort", nothing)
    with Image.open("digits.png") as file:
        row = 255 - np.asarray(file)[:8:2, ::2]
    np.testing.assert_array_equal(row, np.tile(PICTURES[1], 16))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (["--distort", "{alph: 3}"], ConfigError, r"--distort \{alph: 3\}: .*did you mean alpha\?"),
        (
            ["--distort", "3"],
            ConfigError,
            r"--distort 3: data.distort: expected true or false or a mapping",
        ),
        (["--data", "rings"], DataError, "--data rings: its inputs are not images"),
    ],
)
def test_data_that_cannot_be_shown(arguments, error, message):
    with pytest.raises(error, match=message):
        run("show", *arguments)


@pytest.mark.usefixtures("at_most_three_columns")
def test_an_existing_file_is_overwritten_only_with_force(folder):
    Path("mine.png").write_text("precious")
    arguments = "show", "--data-dir", folder.parent, "-o", "mine.png"
    result = run(*arguments)
    assert result.exit_code == 1
    assert (
        result.stderr
        == "Error: mine.png: already exists; use --force to overwrite, or name another file\n"
    )
    assert Path("mine.png").read_text() == "precious"
    assert run(*arguments, "--force").exit_code == 0
    assert Path("mine.png").read_bytes().startswith(b"\x89PNG")


def test_a_sheet_is_a_png():
    result = run("show", "-o", "sheet.jpg")
    assert result.exit_code == 2
    assert "sheet.jpg: the file name must end in .png" in result.stderr
