import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nnmnist import checkpoint
from nnmnist.cli.app import cli
from nnmnist.cli.terminal import render
from nnmnist.data import synthetic
from nnmnist.data.readers import idx
from nnmnist.evaluation.predictor import NormalizedNetwork
from nnmnist.images import prepare
from nnmnist.images.normalize import normalize
from nnmnist.images.segment import segment
from nnmnist.model.network import Network


def nnmnist(*arguments, **settings):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments], **settings)


@pytest.fixture
def trained(tiny_run):
    return str(tiny_run("run") / "best.npz")


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
        json.loads(line)
        for line in nnmnist("predict", trained, *pictures, "--json").stdout.splitlines()
    ]
    assert [record["file"] for record in records] == pictures
    assert [record["prediction"] for record in records] == [0, 1, 2]
    for record in records:
        assert record.keys() == {"file", "prediction", "probability", "top"}
        assert record["top"][0] == {
            "label": record["prediction"],
            "probability": record["probability"],
        }
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
    result = nnmnist("predict", trained, pictures[0], "no.png", "gone.png", pictures[1])
    assert result.exit_code == 1
    assert len(result.stdout.splitlines()) == 2
    errors = result.stderr.splitlines()
    assert errors[0].startswith("Error: no.png: cannot be read as an image")
    assert "gone.png: cannot be read: No such file" in errors[1]


@pytest.mark.parametrize(
    ("indices", "message"),
    [
        ("x", "expected indices such as 7"),
        ("5-2", "5-2 runs backwards; try 2-5"),
        ("60", "the indices of the test set are 0 to 59"),
        ("1-", "expected indices"),
        ("", "expected indices"),
        ("-3", "expected indices"),
    ],
)
def test_bad_indices(trained, indices, message):
    result = nnmnist("predict", trained, f"--test={indices}")
    assert result.exit_code == 2
    assert f"--test {indices}: {message}" in result.stderr


def test_neither_or_both_of_images_and_test(trained):
    assert nnmnist("predict", trained).exit_code == 2
    assert nnmnist("predict", trained, "x.png", "--test", "1").exit_code == 2


def test_an_empty_folder(trained):
    Path("empty").mkdir()
    result = nnmnist("predict", trained, "empty")
    assert result.exit_code == 1
    assert "no image in this folder" in result.stderr


def test_a_network_whose_inputs_are_not_images():
    data = "data={name: rings, validation: 100}"
    assert nnmnist("train", "-c", "plain", "--set", data, "-o", "points").exit_code == 0
    file = Path("points/best.npz")
    assert nnmnist("predict", file, "x.png").stderr == (
        f"Error: {file}: takes 2 numbers, not images; `nnmnist evaluate` tests it on its data\n"
    )
    assert nnmnist("export", file, "-o", "page.html").stderr == (
        f"Error: {file}: a page needs a network that reads images, but this one takes 2 numbers\n"
    )
    assert nnmnist("report", "points").exit_code == 0


def test_a_network_that_does_not_state_what_it_takes():
    checkpoint.save("plain.npz", Network((784, 3)), ["red", "green", "blue"])
    error = nnmnist("predict", "plain.npz", "x.png").stderr
    assert "does not state the shape of its images; save it with {'image_shape'" in error
    checkpoint.save("values.npz", Network((4, 1)), [], {"image_shape": [2, 2]})
    assert "is a regression, and predict" in nnmnist("predict", "values.npz", "x.png").stderr


def test_one_logistic_unit_has_two_classes():
    network = Network((4, 1), output="logistic")
    network.theta[:] = [0, 0, 0, 0, 1]
    checkpoint.save("two.npz", network, ["no", "yes"], {"image_shape": [2, 2]})
    picture = io.BytesIO()
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(picture, "PNG")
    record = json.loads(
        nnmnist("predict", "two.npz", "-", "--json", input=picture.getvalue()).stdout
    )
    assert record["prediction"] == "yes"
    assert record["probability"] == pytest.approx(1 / (1 + np.exp(-1)))
    assert record["top"][1]["label"] == "no"


@pytest.fixture
def reader():
    """A network for 28x28 images: each digit gets the class with the nearest mean image."""
    labels = np.repeat(np.arange(10, dtype=np.uint8), 60)
    images = synthetic.render(labels, np.random.default_rng(0)).reshape(10, 60, 784) / 255
    means = images.mean(axis=1)
    network = Network((784, 10))
    network.parameters()["W1"][:] = 2 * means
    network.parameters()["b1"][:] = -(means**2).sum(axis=1)
    checkpoint.save("reader.npz", network, list("0123456789"), {"image_shape": [28, 28]})
    return "reader.npz"


def page(*lines):
    """A page of digits, dark on light, five times as large as MNIST's."""
    rng = np.random.default_rng(27)
    rows = []
    for line in lines:
        drawn = synthetic.render(np.array(list(line), np.uint8), rng).reshape(-1, 28, 28)
        rows.append(np.hstack([*drawn, *[np.zeros((28, 28), np.uint8)] * (6 - len(line))]))
    return Image.fromarray(255 - np.kron(np.pad(np.vstack(rows), 6), np.ones((5, 5), np.uint8)))


def test_many_reads_line_by_line(reader):
    page("0170", "67").save("page.png")
    result = nnmnist("predict", reader, "page.png", "--many")
    heads = [line for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert heads == ["page.png, line 1: 0170", "page.png, line 2: 67"]
    assert len(result.stdout.splitlines()) == 2 + 6
    record = json.loads(
        nnmnist("predict", reader, "page.png", "--many", "--json", "--top", "2").stdout
    )
    assert record.keys() == {"file", "lines"}
    assert [line["text"] for line in record["lines"]] == ["0170", "67"]
    digit = record["lines"][1]["digits"][0]
    assert digit.keys() == {"box", "prediction", "probability", "top"}
    assert digit["prediction"] == 6
    assert len(digit["top"]) == 2
    left, top, width, height = digit["box"]
    assert 30 <= left < left + width <= 170
    assert 170 <= top < top + height <= 310


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_page_is_read_where_the_network_is_surest(quarters):
    """Here of six L: the network is sure of class 7 only where they are upright."""
    letter = np.zeros((28, 28), np.uint8)
    letter[4:24, 8:12] = letter[20:24, 8:22] = 255
    shape = prepare.prepare(letter).reshape(-1) / 255
    network = Network((784, 10))
    network.parameters()["W1"][7] = 40 * shape / (shape @ shape)
    network.parameters()["b1"][7] = -30
    checkpoint.save("l.npz", network, list("0123456789"), {"image_shape": [28, 28]})
    sheet = 255 - np.kron(np.tile(letter, (2, 3)), np.ones((4, 4), np.uint8))
    upright = Image.fromarray(np.pad(sheet, 20, constant_values=255))
    upright.save("upright.png")
    upright.rotate(-90 * quarters, expand=True).save("page.png")
    result = nnmnist("predict", "l.npz", "upright.png", "page.png", "--many", "--json")
    expected, found = [json.loads(line)["lines"] for line in result.stdout.splitlines()]
    assert [line["text"] for line in found] == ["777", "777"]
    assert found == expected
    assert result.stderr.splitlines() == [
        f"page.png: turned to the left by {90 * quarters} degrees, where the network is surest"
    ]


def test_several_digits_without_many(reader):
    """One line says how many; a picture of one digit has none."""
    page("2024").save("page.png")
    page("4").crop((0, 0, 200, 200)).save("four.png")
    result = nnmnist("predict", reader, "page.png", "four.png", "--json")
    assert [json.loads(line)["file"] for line in result.stdout.splitlines()] == [
        "page.png",
        "four.png",
    ]
    notice = "page.png: shows 4 digits; `nnmnist predict --many` reads them"
    assert result.stderr.splitlines() == [notice]


def test_annotate_draws_on_the_picture(reader):
    page("25").save("page.png")
    result = nnmnist("predict", reader, "page.png", "--many", "--annotate", "out.png")
    assert result.exit_code == 0
    before, after = (
        np.asarray(Image.open(name).convert("RGB")).astype(int) for name in ("page.png", "out.png")
    )
    assert before.shape == after.shape
    drawn = np.argwhere(np.ptp(after, axis=2) > 50)  # colour
    boxes = [
        d["box"]
        for d in json.loads(nnmnist("predict", reader, "page.png", "--many", "--json").stdout)[
            "lines"
        ][0]["digits"]
    ]
    assert np.abs(drawn[:, 1].max() - (boxes[1][0] + boxes[1][2])) < 8
    content = Path("out.png").read_bytes()
    again = nnmnist("predict", reader, "page.png", "--many", "--annotate", "out.png")
    assert (again.exit_code, again.stdout) == (1, "")
    assert "out.png: already exists; use --force to overwrite" in again.stderr
    forced = nnmnist(
        "predict",
        reader,
        "page.png",
        "--many",
        "--annotate",
        "out.png",
        "--force",
        "--min-probability",
        "1",
    )
    assert forced.exit_code == 0
    assert Path("out.png").read_bytes() != content  # question marks, in another colour


def test_annotate_shows_a_transparent_picture_on_white(reader):
    ink = np.asarray(page("25"))
    # black, and nothing around it
    Image.fromarray(np.dstack([0 * ink] * 3 + [255 - ink])).save("clear.png")
    Image.fromarray(ink.astype(np.uint16) * 257).save("deep.png")
    page("25").save("page.png")
    for name in ("clear", "deep", "page"):
        result = nnmnist(
            "predict", reader, f"{name}.png", "--many", "--annotate", f"{name}-out.png"
        )
        assert result.exit_code == 0
    outs = [
        np.asarray(Image.open(f"{name}-out.png")).astype(int) for name in ("clear", "deep", "page")
    ]
    assert np.abs(outs[0] - outs[2]).max() <= 1
    assert (outs[1] == outs[2]).all()


def test_below_the_minimum_probability_is_a_question_mark(reader):
    page("3").save("three.png")
    arguments = "predict", reader, "three.png", "--min-probability", "0.999999"
    assert nnmnist(*arguments).stdout.startswith("three.png: ?   ")
    record = json.loads(nnmnist(*arguments, "--json").stdout)
    assert record["prediction"] is None
    assert 0 < record["probability"] < 0.999999
    assert record["top"][0]["probability"] == record["probability"]
    assert "line 1: ?" in nnmnist(*arguments, "--many").stdout
    assert json.loads(nnmnist(*arguments, "--many", "--json").stdout)["lines"][0]["text"] == "?"
    assert nnmnist("predict", reader, "three.png", "--min-probability", "1.5").exit_code == 2


def test_a_probability_below_a_half_is_a_question_mark(reader):
    """JSON keeps the best guess for a picture of one digit, unless a probability is asked for."""
    model = checkpoint.load(Path(reader))
    model.network.theta *= 0.03
    checkpoint.save("unsure.npz", model.network, model.classes, {"image_shape": [28, 28]})
    page("3").save("three.png")
    record = json.loads(nnmnist("predict", "unsure.npz", "three.png", "--json").stdout)
    guess = record["top"][0]["label"]
    assert record["prediction"] == guess
    assert record["probability"] < 0.5
    assert nnmnist("predict", "unsure.npz", "three.png").stdout.startswith(
        f"three.png: ?   {guess}"
    )
    assert "line 1: ?" in nnmnist("predict", "unsure.npz", "three.png", "--many").stdout
    accepted = "predict", "unsure.npz", "three.png", "--min-probability", "0"
    assert nnmnist(*accepted).stdout.startswith(f"three.png: {guess}   {guess}")
    assert f"line 1: {guess}" in nnmnist(*accepted, "--many").stdout
    nnmnist("predict", "unsure.npz", "three.png", "-o", "labels.csv")
    assert Path("labels.csv").read_text() == f"ImageId,Label\nthree.png,{guess}\n"


@pytest.mark.parametrize("times", [0.5, 2.9, 3.1])
def test_a_digit_is_three_times_as_probable_as_none_of_the_classes(reader, times):
    known = checkpoint.load(Path(reader)).network
    page("3").save("three.png")
    network = Network((784, 11), output="softmax_or_none")
    network.W[0][:10], network.b[0][:10] = known.W[0], known.b[0]

    def predicted(*options):
        checkpoint.save("new.npz", network, list("0123456789"), {"image_shape": [28, 28]})
        return nnmnist("predict", "new.npz", "three.png", *options).stdout

    record = json.loads(predicted("--json"))
    network.b[0][10] = np.log(record["probability"] / record["none"] / times)
    record = json.loads(predicted("--json"))
    guess = record["top"][0]["label"]
    assert record["prediction"] == guess
    assert record["probability"] / record["none"] == pytest.approx(times, rel=1e-3)
    assert predicted().startswith(f"three.png: {guess if times > 3 else '?'}   {guess} ")
    assert predicted("--min-probability", "0").startswith(f"three.png: {guess}   {guess} ")
    [[digit]] = [line["digits"] for line in json.loads(predicted("--many", "--json"))["lines"]]
    is_digit = digit["probability"] >= 3 * digit["none"]
    assert digit["prediction"] == (digit["top"][0]["label"] if is_digit else None)


def test_many_splits_digits_that_touch_each_other(reader):
    drawn = synthetic.render(np.array([7, 3], np.uint8), np.random.default_rng(29))
    one, other = (each[:, each.max(axis=0) > 60] for each in drawn.reshape(2, 28, 28))
    shared = np.maximum(one[:, -1:], other[:, :1])
    ink = np.pad(np.hstack([one[:, :-1], shared, other[:, 1:]]), 20)
    picture = 255 - np.kron(ink, np.ones((5, 5), np.uint8))
    Image.fromarray(picture).save("touching.png")
    assert [len(line) for line in segment(picture)] == [1]
    [line] = json.loads(nnmnist("predict", reader, "touching.png", "--many", "--json").stdout)[
        "lines"
    ]
    assert len(line["digits"]) == 2


def test_a_blank_picture_is_no_digit(reader):
    Image.new("L", (300, 200), 250).save("blank.png")
    page("8").save("eight.png")
    for options in ([], ["--many"]):
        result = nnmnist("predict", reader, "blank.png", "eight.png", *options)
        assert result.exit_code == 1
        assert (
            result.stderr
            == "Error: blank.png: no ink found: nothing stands out from the background\n"
        )
        assert result.stdout.startswith("eight.png")


def test_save_prepared_saves_what_the_network_takes(reader):
    page("4").save("four.png")
    page("12", "7").save("many.png")
    Path("other").mkdir()
    page("5").save("other/four.png")
    assert nnmnist("predict", reader, "four.png", "other", "--save-prepared", "seen").exit_code == 0
    assert sorted(file.name for file in Path("seen").iterdir()) == ["four-2.png", "four.png"]
    first = nnmnist("predict", reader, "four.png", "--json").stdout
    saved = nnmnist("predict", reader, "seen/four.png", "--json").stdout  # used as it is
    assert json.loads(saved)["top"] == json.loads(first)["top"]
    again = nnmnist("predict", reader, "four.png", "--save-prepared", "seen")
    assert again.exit_code == 1
    assert "already exists; use --force to overwrite" in again.stderr
    assert (
        nnmnist("predict", reader, "four.png", "--save-prepared", "seen", "--force").exit_code == 0
    )
    nnmnist("predict", reader, "many.png", "--many", "--save-prepared", "places")
    assert sorted(file.name for file in Path("places").iterdir()) == [
        "many-1-1.png",
        "many-1-2.png",
        "many-2-1.png",
    ]


def test_show_draws_what_the_first_layer_sees(pictures):
    slanted = np.zeros((28, 28), np.uint8)
    for row in range(4, 24):
        slanted[row, 19 - row // 2 : 23 - row // 2] = 255
    Image.fromarray(slanted).save("slanted.png")
    network = Network((784, 2))
    for name, each in (("plain", network), ("normal", NormalizedNetwork(network, (28, 28)))):
        checkpoint.save(f"{name}.npz", each, ["a", "b"], {"image_shape": [28, 28]})
    upright = normalize(slanted.reshape(1, -1), (28, 28)).reshape(28, 28)
    for name, expected in (("plain", slanted), ("normal", upright)):
        result = nnmnist("predict", f"{name}.npz", "slanted.png", "--show", "--save-prepared", name)
        assert result.stdout.partition("\n")[2] == render(expected, "utf-8") + "\n"
        saved = np.array(Image.open(f"{name}/slanted.png"))
        np.testing.assert_array_equal(saved, slanted)


def test_show_draws_every_digit_of_a_page(reader):
    page("07").save("page.png")
    plain = nnmnist("predict", reader, "page.png", "--many").stdout.splitlines()
    assert (
        len(nnmnist("predict", reader, "page.png", "--many", "--show").stdout.splitlines())
        == len(plain) + 2 * 14
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ["--many", "--test", "1"],
        ["--annotate", "x.png", "a.png"],
        ["--many", "--annotate", "x.png", "a.png", "b.png"],
        ["--many", "--annotate", "x.png", "."],
        ["--many"],
    ],
)
def test_options_that_exclude_each_other(reader, arguments):
    result = nnmnist("predict", reader, *arguments)
    assert result.exit_code == 2
    assert "Usage" in result.stderr


def test_many_needs_a_network_for_digits_like_those_of_mnist(trained, pictures):
    result = nnmnist("predict", trained, pictures[0], "--many")
    assert result.exit_code == 1
    assert "was trained with data.prepare: as_is; --many needs a network" in result.stderr


@pytest.mark.parametrize("p", ["nan", "-nan", "inf", "-inf", "-0.1", "1.1"])
def test_a_min_probability_that_is_none(trained, pictures, p):
    result = nnmnist("predict", trained, *pictures, "--min-probability", p)
    assert result.exit_code == 2
    assert "is not in the range 0<=x<=1" in result.stderr
    assert result.stdout == ""


def test_scores_of_a_squared_error_are_no_probabilities(tiny_config, pictures):
    settings = ["--set", "model={output: linear, hidden: []}"]
    assert nnmnist("train", "-c", tiny_config, *settings, "-o", "linear").exit_code == 0
    result = nnmnist("predict", "linear/best.npz", *pictures, "--min-probability", "0")
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {Path('linear/best.npz')}: its output is linear with a squared error, whose "
        "scores are no probabilities; remove --min-probability\n"
    )
    network = Network((30, 3), output="linear")
    network.b[0][:] = [-0.2, -0.1, -0.3]
    checkpoint.save("negative.npz", network, ["a", "b", "c"], {"image_shape": [6, 5]})
    lines = nnmnist("predict", "negative.npz", *pictures).stdout.splitlines()
    assert [line.split(": ")[1].split()[0] for line in lines] == ["b", "b", "b"]
