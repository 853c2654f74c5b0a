"""`nnmnist.predict`: the same as the command `predict`, from Python."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, ImageDraw

import nnmnist
from nnmnist.cli.app import cli
from nnmnist.errors import CheckpointError, DataError
from nnmnist.model.network import Network


def photo(side=200):
    """A dark seven on light, uneven paper, in colour."""
    light = np.linspace(180, 250, side)
    image = Image.fromarray(np.broadcast_to(light, (side, side)).astype(np.uint8)).convert("RGB")
    lines = np.array([(60, 50), (140, 50), (90, 160)]) * side / 200
    ImageDraw.Draw(image).line(list(map(tuple, lines)), (20, 30, 90), round(side / 15))
    return image


@pytest.fixture
def network():
    """A checkpoint of a network for images in the format of MNIST, with random weights."""
    network = Network((784, 12, 10))
    network.theta[:] = np.random.default_rng(1).normal(0, 0.2, network.theta.size)
    nnmnist.save("net.npz", network, list("0123456789"), {"image_shape": [28, 28]})
    return Path("net.npz")


def command(*images, checkpoint="net.npz"):
    """What `nnmnist predict --json` prints for an image, and the image that the network takes."""
    arguments = ["predict", checkpoint, *images, "--json", "--top", "10", "--save-prepared", "seen"]
    result = CliRunner().invoke(cli, list(map(str, [*arguments, "--force"])))
    assert result.exit_code == 0, result.stderr
    [prepared] = Path("seen").glob("*.png")
    return json.loads(result.stdout), np.asarray(Image.open(prepared))


def assert_same(found, record, image):
    assert found.label == record["prediction"]
    assert found.probability == record["probability"]
    expected = [(entry["label"], entry["probability"]) for entry in record["top"]]
    assert list(found.probabilities.items()) == expected
    assert np.array_equal(found.image, image)


def test_a_path_an_image_and_an_array_give_what_the_command_gives(network):
    photo().save("seven.png")
    expected = command("seven.png")
    pixels = np.asarray(photo())
    for picture in ("seven.png", Path("seven.png"), photo(), Image.open("seven.png"), pixels):
        assert_same(nnmnist.predict(network, picture), *expected)
    assert_same(nnmnist.predict(network, pixels.tolist()), *expected)
    assert_same(nnmnist.predict(nnmnist.load(network), pixels / 255), *expected)


def test_a_large_jpeg_that_is_turned(network):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    photo(2000).save("seven.jpg", exif=exif)
    assert_same(nnmnist.predict(network, "seven.jpg"), *command("seven.jpg"))
    turned = nnmnist.predict(network, Image.open("seven.jpg")).image
    assert np.corrcoef(turned.flat, command("seven.jpg")[1].flat)[0, 1] > 0.9


def test_a_run_directory_and_the_preparation_of_its_data(tiny, tiny_config):
    """Its pictures of 6 x 5 pixels are taken as they are."""
    CliRunner().invoke(cli, ["train", "-c", str(tiny_config), "-o", "run", "-q"])
    image = nnmnist.load_data(nnmnist.load_config(tiny_config).data).test.inputs[1].reshape(6, 5)
    Image.fromarray(image).save("one.png")
    expected = command("one.png", checkpoint="run")
    assert expected[0]["prediction"] == 1
    assert np.array_equal(expected[1], image)
    assert_same(nnmnist.predict("run", image), *expected)
    assert_same(nnmnist.predict(Path("run/best.npz"), "one.png"), *expected)


def test_a_picture_in_memory_stays_as_it_is(network):
    exif = Image.Exif()
    exif[0x0112] = 3
    photo().save("turned.png", exif=exif)
    picture = Image.open("turned.png")
    before = np.asarray(picture).copy()
    nnmnist.predict(network, picture)
    assert picture.getexif()[0x0112] == 3
    assert np.array_equal(picture, before)


def test_several_digits_give_a_warning(network):
    page = Image.new("L", (400, 200), 255)
    page.paste(photo().convert("L").point(lambda v: 255 if v > 100 else v), (0, 0))
    page.paste(page.crop((0, 0, 200, 200)), (200, 0))
    with pytest.warns(UserWarning, match="^picture: shows 2 digits; `nnmnist predict --many`"):
        nnmnist.predict(network, page)


def test_a_notebook_shows_the_image_and_the_best_classes(network):
    found = nnmnist.predict(network, photo())
    text = found._repr_html_()
    assert text.count("<img ") == 1
    assert "data:image/png;base64," in text
    for label, p in list(found.probabilities.items())[:3]:
        assert f"{label} &ensp; {p:.4f}" in text
    assert repr(found) == f"Prediction(label={found.label}, probability={found.probability!r})"
    named = replace(found, label="<b>", probabilities={"<b>": 1.0})
    assert "<b>&ensp;" not in named._repr_html_()
    assert "&lt;b&gt; &ensp; 1.0000" in named._repr_html_()


@pytest.mark.parametrize(
    ("picture", "error", "message"),
    [
        (np.zeros(784, np.uint8), ValueError, r"picture has the shape \(784,\); expected \(rows, "),
        (np.zeros((5, 5, 2)), ValueError, r"picture has the shape \(5, 5, 2\); expected \(rows, "),
        (np.zeros((0, 5)), ValueError, r"picture has the shape \(0, 5\); expected \(rows, "),
        (5, ValueError, r"picture has the shape \(\); expected \(rows, "),
        (None, ValueError, r"picture has the shape \(\); expected \(rows, "),
        (np.array([["a"]]), ValueError, "picture has the data type <U1; expected numbers"),
        (np.full((5, 5), 1.5), ValueError, "values from 1.5 to 1.5; expected integers from 0 to"),
        (np.full((5, 5), np.nan), ValueError, "picture has values from nan to nan; expected"),
        (np.full((5, 5), 256), ValueError, "picture has values from 256 to 256; expected"),
        (np.full((5, 5), -1), ValueError, "picture has values from -1 to -1; expected"),
        (np.zeros((30, 30)), DataError, "picture: no ink found"),
        (Image.new("F", (9, 9)), DataError, "picture: cannot be read as an image"),
        ("none.png", DataError, "none.png: cannot be read: No such file or directory"),
    ],
)
def test_a_picture_of_another_kind(network, picture, error, message):
    with pytest.raises(error, match=message):
        nnmnist.predict(network, picture)


def test_a_checkpoint_of_another_kind(network):
    expected = "checkpoint has the type Network; expected a path, or what nnmnist.load returns"
    with pytest.raises(TypeError, match=expected):
        nnmnist.predict(nnmnist.load(network).network, photo())
    nnmnist.save("values.npz", Network((784, 1), output="linear"), [], {"image_shape": [28, 28]})
    with pytest.raises(CheckpointError, match=r"^values\.npz: is a regression"):
        nnmnist.predict("values.npz", photo())
    nnmnist.save("shapeless.npz", Network((784, 10)), list("0123456789"))
    with pytest.raises(CheckpointError, match="does not state the shape of its images"):
        nnmnist.predict(nnmnist.load("shapeless.npz"), photo())
