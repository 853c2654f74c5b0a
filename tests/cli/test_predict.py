import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nnmnist import checkpoint
from nnmnist.cli import cli
from nnmnist.data import idx
from nnmnist.model.network import Network


def nnmnist(*arguments, **settings):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], **settings)


@pytest.fixture
def trained(tiny_config):
    return json.loads(nnmnist("train", "-c", tiny_config, "-o", "run", "--json").stdout)["checkpoint"]


@pytest.fixture
def pictures(tiny):
    """The first three test images as files of three formats, with their labels 0, 1, 2."""
    images = idx.read(tiny / "t10k-images-idx3-ubyte")[:3]
    Path("pictures").mkdir()
    names = ["pictures/a.png", "pictures/b.bmp", "pictures/c.pgm"]
    for name, pixels in zip(names, images, strict=True):
        Image.fromarray(pixels).save(name)
    return names


def test_json_is_a_line_an_image(trained, pictures):
    records = [
        json.loads(line) for line in nnmnist("predict", trained, *pictures, "--json").stdout.splitlines()
    ]
    assert [record["file"] for record in records] == pictures
    assert [record["prediction"] for record in records] == [0, 1, 2]
    for record in records:
        assert record.keys() == {"file", "prediction", "probability", "top"}
        assert record["top"][0] == {"label": record["prediction"], "probability": record["probability"]}
        assert sum(entry["probability"] for entry in record["top"]) == pytest.approx(1, abs=1e-5)


def test_a_folder_and_standard_input(trained, pictures):
    assert len(nnmnist("predict", trained, "pictures").stdout.splitlines()) == 3
    result = nnmnist("predict", trained, "-", input=Path(pictures[1]).read_bytes())
    assert result.stdout.startswith("-: 1 ")


def test_top(trained, pictures):
    record = json.loads(nnmnist("predict", trained, pictures[0], "--top", "1", "--json").stdout)
    assert len(record["top"]) == 1


def test_the_test_set_by_index(trained):
    lines = nnmnist("predict", trained, "--test", "0-2,5").stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == ["test[0]", "test[1]", "test[2]", "test[5]"]
    assert "(is 2" in lines[2]
    record = json.loads(nnmnist("predict", trained, "--test", "4", "--json").stdout)
    assert record["label"] == 1


def test_show_draws_the_picture(trained, pictures):
    plain = nnmnist("predict", trained, pictures[0]).stdout
    shown = nnmnist("predict", trained, pictures[0], "--show")
    assert len(shown.stdout.splitlines()) == len(plain.splitlines()) + 3  # six rows, two a line
    with_json = nnmnist("predict", trained, pictures[0], "--show", "--json")
    assert len(with_json.stdout.splitlines()) == 1


def test_a_bad_image_does_not_stop_the_others(trained, pictures):
    Path("no.png").write_text("hello")
    Image.fromarray(np.zeros((28, 28), np.uint8)).save("large.png")
    result = nnmnist("predict", trained, pictures[0], "no.png", "large.png", "gone.png", pictures[1])
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 2
    errors = result.stderr.splitlines()
    assert errors[0].startswith("Error: no.png: not an image")
    assert "large.png: is 28x28 pixels; the network takes 5x6" in errors[1]
    assert "gone.png: cannot be read: No such file" in errors[2]


@pytest.mark.parametrize("indices", ["x", "5-2", "60", "1-", "", "-3"])
def test_bad_indices(trained, indices):
    result = nnmnist("predict", trained, f"--test={indices}")
    assert result.exit_code == 2
    assert "expected indices" in result.stderr


def test_neither_or_both(trained):
    assert nnmnist("predict", trained).exit_code == 2
    assert nnmnist("predict", trained, "x.png", "--test", "1").exit_code == 2


def test_an_empty_folder(trained):
    Path("empty").mkdir()
    result = nnmnist("predict", trained, "empty")
    assert result.exit_code == 1
    assert "no image in this folder" in result.stderr


def test_a_network_that_reads_no_images():
    checkpoint.save("points.npz", Network((2, 3)), ["red", "green", "blue"])
    assert "does not classify images" in nnmnist("predict", "points.npz", "x.png").stderr


def test_one_logistic_unit_weighs_two_classes():
    network = Network((4, 1), output="logistic")
    network.theta[:] = [0, 0, 0, 0, 1]
    checkpoint.save("two.npz", network, ["no", "yes"], {"image_shape": [2, 2]})
    picture = io.BytesIO()
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(picture, "PNG")
    record = json.loads(nnmnist("predict", "two.npz", "-", "--json", input=picture.getvalue()).stdout)
    assert record["prediction"] == "yes"
    assert record["probability"] == pytest.approx(1 / (1 + np.exp(-1)))
    assert record["top"][1]["label"] == "no"
