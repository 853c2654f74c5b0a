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


def cells(path, shape, n_rows):
    """The images on a sheet: [row][column] of arrays of a shape. White cells are left out."""
    with Image.open(path) as file:
        picture = np.asarray(file)
    scale = -(-56 // shape[0])
    height, width = scale * shape[0] + 3, scale * shape[1] + 3
    left = picture.shape[1] - 10 * width
    rows = []
    for row in range(n_rows):
        places = [(row * height + 3, left + column * width) for column in range(10)]
        found = [picture[y : y + height - 3 : scale, x : x + width - 3 : scale] for y, x in places]
        rows.append([cell for cell in found if not (cell == 225).all()])
    return rows, picture[:, :left]


def test_a_sheet_has_a_row_for_each_class(folder):
    assert run("show", "--data-dir", folder.parent).stdout == "digits.png\n"
    (zeros, ones), names = cells("digits.png", (4, 6), 2)
    np.testing.assert_array_equal(zeros, 255 - PICTURES[[1]])
    np.testing.assert_array_equal(ones, 255 - PICTURES[[0, 2]])
    for half in np.array_split(names, 2):
        assert half.min() < 60  # the name of the class


def test_a_row_of_distorted_digits_starts_with_the_original(folder):
    for distort in (["--distort"], ["--distort", "{alpha: 0}"], ["--distort", "{shift: 0}"]):
        run("show", "--data-dir", folder.parent, "-o", "sheet.png", "--force", *distort)
        for row, original in zip(cells("sheet.png", (4, 6), 2)[0], PICTURES[[1, 0]], strict=True):
            assert len(row) == 10
            np.testing.assert_array_equal(row[0], 255 - original)
            assert 0 < np.abs(row[1] - row[2].astype(float)).max() < 256


def test_a_row_with_a_distortion_of_zero_repeats_the_digit(folder):
    nothing = "{rotation: 0, shear: 0, scale: 0, shift: 0, alpha: 0}"
    run("show", "--data-dir", folder.parent, "--distort", nothing)
    row = cells("digits.png", (4, 6), 2)[0][0]
    np.testing.assert_array_equal(row, [255 - PICTURES[1]] * 10)


@pytest.mark.parametrize(("n", "blocks", "height"), [(2, 1, 121), (24, 1, 1419), (62, 3, 1242)])
def test_many_classes_stand_side_by_side(n, blocks, height):
    images = np.random.default_rng(0).integers(0, 256, (2 * n, 28, 28)).astype(np.uint8)
    np.savez("many.npz", images=images, labels=np.arange(2 * n) % n)
    run("show", "many.npz", "-o", "many.png")
    with Image.open("many.png") as file:
        assert (file.width // 590, file.height) == (blocks, height)


def test_names_on_a_sheet_are_short_and_dark_on_light_stays_so():
    images = np.full((40, 28, 28), 255, np.uint8)
    images[:, 9:19, 9:19] = np.random.default_rng(0).integers(0, 100, (40, 10, 10))
    labels = np.array(["x" * 5000, "日本"])[np.arange(40) % 2]
    np.savez("names.npz", images=images, labels=labels)
    run("show", "names.npz", "-o", "names.png")
    rows, names = cells("names.png", (28, 28), 2)
    assert names.shape[1] < 300
    for cell in rows[0]:
        assert (images == cell).all(axis=(1, 2)).any()


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
