"""What is the same for all forms: classes, preparation, parts, and whole trainings."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nnmnist.cli.app import cli
from nnmnist.data import own, synthetic
from nnmnist.data.examples import Interface
from nnmnist.images.preparation import DIGIT, Preparation

from .readers.support import (
    IMAGES,
    LABELS,
    all_examples,
    error_of,
    members,
    png,
    write_files,
    write_npz,
)

AS_IS = Preparation("as_is", (8, 8), 0)


def nnmnist(*arguments):
    return CliRunner().invoke(cli, list(map(str, arguments)))


@pytest.fixture
def data(tmp_path):
    return write_npz(tmp_path / "data.npz", images=IMAGES, labels=LABELS)


def test_names_of_the_classes(data):
    assert own.load(data, classes=["a", "b", "c"]).classes == ("a", "b", "c")
    source, other = own.load(data), own.load(data, classes=["2", "0", "1"])
    assert other.classes == ("2", "0", "1")
    for a, b in zip(all_examples(source), all_examples(other), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("classes", "fault"),
    [
        (["a", "b"], "names 2 classes, but {data} has 3: 0, 1, 2"),
        (["a", "b", "b"], "a, b, b: two classes have the same name"),
    ],
)
def test_names_that_do_not_fit(data, classes, fault):
    assert error_of(data, classes=classes) == "data.classes: " + fault.format(data=data)


def test_a_network_keeps_its_classes_and_preparation(data):
    preparation = Preparation("as_is", (8, 8), None)
    network = Interface(preparation, ("9", "2", "1", "0"))
    source = own.load(data, network=network)
    assert (source.classes, source.preparation) == (network.classes, preparation)
    np.testing.assert_array_equal(source.test[1], 3 - LABELS)
    np.testing.assert_array_equal(source.test[0], IMAGES.reshape(60, 64))
    message = error_of(data, network=Interface(AS_IS, ("0", "1")))
    assert message == f"{data}: the network does not know the class 2; its classes are 0, 1"


def light_on_dark(n=30, side=8):
    images = np.zeros((n, side, side), np.uint8)
    images[:, 2:6, 2:6] = np.random.default_rng(0).integers(100, 256, (n, 4, 4))
    return images


@pytest.mark.parametrize("pack", ["npz", "folder"])
def test_a_network_reads_pictures_with_the_other_background(tmp_path, pack):
    images, labels = light_on_dark(), np.arange(30) % 3
    if pack == "npz":
        path = write_npz(tmp_path / "data.npz", images=255 - images, labels=labels)
    else:
        path = write_files(tmp_path / "data", members(["0", "1", "2"], 255 - images, labels))
    source = own.load(path, network=Interface(AS_IS, ("0", "1", "2")))
    right = {row.tobytes() for row in images.reshape(30, 64)}
    assert {row.tobytes() for row in source.test[0]} == right


@pytest.mark.parametrize("pack", ["npz", "folder"])
def test_training_pictures_as_they_are_stay_so_whatever_their_background(tmp_path, pack):
    images, labels = light_on_dark(150), np.arange(150) % 3
    images[7] = 255 - images[7]
    if pack == "npz":
        path = write_npz(tmp_path / "data.npz", images=images, labels=labels)
    else:
        path = write_files(tmp_path / "data", members(["0", "1", "2"], images, labels))
    source = own.load(path)
    assert source.preparation == AS_IS
    found = {row.tobytes() for part in (source.train, source.test) for row in part[0]}
    assert found == {row.tobytes() for row in images.reshape(150, 64)}


@pytest.fixture(scope="module")
def digits():
    source = synthetic.load(0, n_train=90, n_test=10)
    return source.train[0].reshape(-1, 28, 28), source.train[1]


CHOICES = {
    "digits of MNIST": (lambda x: x, DIGIT),
    "at another place": (lambda x: np.roll(x, 4, 1), Preparation("as_is", (28, 28), 0)),
    "dark on light": (lambda x: 255 - x, Preparation("as_is", (28, 28), 255)),
    "of another size": (lambda x: x[:, :, 2:26], Preparation("as_is", (28, 24), 0)),
    "large": (lambda x: x.repeat(3, 1).repeat(3, 2), DIGIT),
}


@pytest.mark.parametrize(("change", "chosen"), CHOICES.values(), ids=CHOICES)
@pytest.mark.parametrize("pack", ["npz", "folder"])
def test_the_automatic_preparation(tmp_path, digits, change, chosen, pack):
    images, labels = change(digits[0]), digits[1]
    if pack == "npz":
        path = write_npz(tmp_path / "data.npz", images=images, labels=labels)
    else:
        path = write_files(tmp_path / "data", members(list("0123456789"), images, labels))
    source = own.load(path)
    assert source.preparation == chosen
    assert source.train[0].shape[1] == np.prod(chosen.shape)


def test_pictures_of_several_sizes_are_digits_or_resized(tmp_path, digits):
    files = members(list("0123456789"), *digits)
    files |= {"7/large.png": png(np.asarray(Image.fromarray(digits[0][0]).resize((90, 80))))}
    folder = write_files(tmp_path / "data", files)
    assert own.load(folder).preparation == DIGIT
    assert own.load(folder, prepare="resize").preparation == Preparation("resize", (28, 28), 0)
    assert "as_is needs pictures of one size" in error_of(folder, prepare="as_is")


def test_the_training_part_decides(tmp_path, digits):
    """Also where the test part comes first in the alphabet."""
    names = list("0123456789")
    files = {f"test/{k}": v for k, v in members(names, 255 - digits[0], digits[1]).items()}
    files |= {f"train/{k}": v for k, v in members(names, *digits).items()}
    assert own.load(write_files(tmp_path / "data", files)).preparation == DIGIT


def test_a_path_of_several_lines_gives_an_error_of_one(tmp_path):
    folder = tmp_path / "two\nlines"
    folder.mkdir()
    assert "two\\nlines" in error_of(folder)


def trained(*arguments):
    result = nnmnist("train", *arguments, "--threads", "1", "--epochs", "30", "-q", "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def fonts(tmp_path):
    """A folder of three classes with 20 pictures each: bars and a cross that fill 28x28 pixels."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 60, (60, 28, 28)).astype(np.uint8)
    places = rng.integers(11, 14, 60)
    for image, label, place in zip(images, LABELS, places, strict=True):
        if label != 1:
            image[place : place + 4] = 250
        if label != 0:
            image[:, place : place + 4] = 250
    return write_files(tmp_path / "fonts", members(["minus", "bar", "plus"], images))


def test_three_classes_of_twenty_pictures(fonts):
    summary = trained("--set", f"data.path={fonts}", "-o", "run")
    assert summary["test"]["accuracy"] == 1
    result = nnmnist("predict", "run/best.npz", str(fonts / "minus"), "-o", "out.csv")
    assert result.exit_code == 0
    assert set(Path("out.csv").read_text().splitlines()[1:]) == {
        f"{fonts}/minus/{n:04}.png,minus" for n in range(0, 60, 3)
    }


def test_a_network_reads_its_own_pictures_in_any_size_and_light(fonts):
    trained("--set", f"data.path={fonts}", "-o", "run")
    for name, change in {
        "same": lambda image: image,
        "inverted": lambda image: 255 - image,
        "large": lambda image: image.repeat(10, 0).repeat(10, 1),
        "large and inverted": lambda image: 255 - image.repeat(10, 0).repeat(10, 1),
    }.items():
        for file in sorted(fonts.rglob("*.png")):
            image = change(np.asarray(Image.open(file)))
            write_files(Path(name), {f"{file.parent.name}/{file.name}": png(image)})
        result = nnmnist("evaluate", "run/best.npz", "--data", name, "--json")
        assert json.loads(result.stdout)["accuracy"] == 1, name


def test_paths_are_relative_to_the_config_and_runs_work_from_anywhere(fonts, monkeypatch):
    project = fonts.parent / "project"
    project.mkdir()
    fonts.rename(project / "fonts")
    (project / "mine.yaml").write_text("data: {path: fonts}\nmodel: {hidden: []}\n")
    trained("-c", str(project / "mine.yaml"), "-o", "run")
    run = Path("run").absolute()
    assert f"path: {project / 'fonts'}\n" in (run / "config.yaml").read_text()
    monkeypatch.chdir("/")
    for command in (["evaluate", f"{run}/best.npz"], ["report", str(run)]):
        assert nnmnist(*command).exit_code == 0
    more = nnmnist("train", "--resume", str(run), "--epochs", "31", "-q")
    assert more.exit_code == 0, more.output
    monkeypatch.chdir(project)
    assert nnmnist("train", "--dry-run", "--set", "data.path=fonts").exit_code == 0
    monkeypatch.setenv("HOME", str(project))
    assert nnmnist("train", "--dry-run", "--set", "data.path=~/fonts").exit_code == 0
    lost = nnmnist("train", "--dry-run", "--set", "data.path=../nowhere")
    assert lost.exit_code == 1
    assert lost.stderr.startswith(f"Error: {project.parent / 'nowhere'}: does not exist; expected ")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_command_on_data_of_no_form_ends_in_one_line(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (str(tmp_path / "pipe"), "/dev/zero", "x" * 5000):
        result = nnmnist("data", "info", path)
        assert result.exit_code == 1
        assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("writeable", [True, False])
def test_rows_are_separated_with_or_without_a_copy(writeable):
    inputs = np.arange(5000 * 3, dtype=np.int64).reshape(5000, 3)
    inputs.flags.writeable = writeable
    is_test = np.random.default_rng(0).random(5000) < 0.3
    expected = inputs[~is_test], inputs[is_test]
    train, test = own._separate(inputs, is_test)
    np.testing.assert_array_equal(train, expected[0])
    np.testing.assert_array_equal(test, expected[1])
    assert np.shares_memory(train, inputs) == writeable
