"""The page and Python, on the same pictures: the same pixels, the same predictions."""

import io
import json
import re

import numpy as np
import pytest
from PIL import Image

from nnmnist.data.examples import scale
from nnmnist.export.html import encode
from nnmnist.images import prepare, reading
from nnmnist.images.preparation import Preparation

from ..images.photos import closely_cut, faint_on_dark_rules, framed, photo  # noqa: TID252
from .conftest import KINDS, network_of
from .page import FOUR, ONE, SEVEN, THREE


def encoded(pixels, kind="PNG", **options):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def in_python(reader, files):
    """(n, 784) pixels and (n, 10) probabilities, as `predict` finds them."""
    pixels = np.stack([reading.read(io.BytesIO(file), "test") for file in files])
    return pixels, reader.network.predict(scale(pixels))


def on_page(page, files):
    pixels, p = zip(*page.read(files), strict=True)
    return np.array(pixels), np.array(p)


@pytest.mark.parametrize("n", [300, pytest.param(1000, marks=pytest.mark.slow)])
def test_test_images(reader, digits, opened, n):
    """As PNG files, through decoding and preparation: the same bytes, the same digits, 1e-4 in
    probability.
    """
    files = [encoded(digit) for digit in digits[:n]]
    pixels, p = on_page(opened(), files)
    assert (pixels.reshape(-1, 28, 28) == digits[:n]).all()
    ours = reader.network.predict(scale(digits[:n].reshape(n, -1)))
    assert (p.argmax(axis=1) == ours.argmax(axis=1)).all()
    assert p == pytest.approx(ours, abs=1e-4)


@pytest.mark.parametrize("n", [12, pytest.param(200, marks=pytest.mark.slow)])
def test_photos(reader, digits, opened, n):
    """Of any size, light and pen, on ruled paper and beside tables: the same pixels to the bit."""
    rng = np.random.default_rng(0)
    page = opened()
    for digit in digits[:n]:
        file = encoded(photo(digit, rng))
        ours, ours_p = in_python(reader, [file])
        pixels, p = on_page(page, [file])
        assert (pixels == ours).all()
        assert p == pytest.approx(ours_p, abs=1e-4)


@pytest.mark.parametrize("ink", [150, 190])
def test_faint_writing_on_darkly_ruled_paper(reader, digits, opened, ink):
    files = [encoded(faint_on_dark_rules(digit, ink)) for digit in digits[:5]]
    ours, _ = in_python(reader, files)
    pixels, _ = on_page(opened(), files)
    assert (pixels == ours).all()


def test_pictures_of_the_networks_own_size(reader, digits, opened):
    """Grey paper, and none of the network's kind without ink."""
    grey = [encoded(150 - digit // 2) for digit in digits[:5]]
    blank = [encoded(np.full((28, 28), level, np.uint8)) for level in (0, 128, 199)]
    ours, _ = in_python(reader, grey)
    answers = opened().read([*grey, *blank])
    assert [pixels for pixels, _ in answers[:5]] == ours.tolist()
    assert all(isinstance(answer, prepare.NoInk) for answer in answers[5:])


def test_cells_and_close_cuts_and_other_layouts(reader, digits, opened):
    rng = np.random.default_rng(0)
    pictures = [framed(digit, rng) for digit in digits[:8]]
    pictures += [closely_cut(digit, size) for digit in digits[:8] for size in (12, 17, 300)]
    pictures += [255 - closely_cut(digit, 40) for digit in digits[:8]]
    pictures += [np.roll(digit, (2, -3), (0, 1)) for digit in digits[:8]]
    pictures += [digit // 2 for digit in digits[:8]]
    files = [encoded(picture) for picture in pictures]
    ours, _ = in_python(reader, files)
    pixels, _ = on_page(opened(), files)
    assert (pixels == ours).all()


def test_photos_as_jpeg(reader, digits, opened):
    """Browsers decode a JPEG, and Pillow a fraction of it, each in its own way: the answer is the
    same.
    """
    rng = np.random.default_rng(0)
    files = [encoded(photo(digit, rng), "JPEG", quality=90) for digit in digits[:6]]
    _, ours = in_python(reader, files)
    _, p = on_page(opened(), files)
    assert (p.argmax(axis=1) == ours.argmax(axis=1)).all()
    assert p == pytest.approx(ours, abs=0.02)


def test_inverted_and_coloured_and_transparent_pictures(reader, digits, opened):
    large = [np.kron(digit, np.ones((9, 7), np.uint8)) for digit in digits[:10]]
    inverted = [encoded(255 - picture) for picture in large]
    coloured = [
        encoded(np.stack([255 - picture // 2, 240 - picture // 3, 230 - picture], axis=-1))
        for picture in large
    ]
    clear = [encoded(np.stack([0 * picture] * 3 + [picture], axis=-1)) for picture in large]
    small = [encoded(np.asarray(Image.fromarray(digit).resize((11, 15)))) for digit in digits[:10]]
    files = [*inverted, *coloured, *clear, *small]
    ours, ours_p = in_python(reader, files)
    pixels, p = on_page(opened(), files)
    assert (pixels == ours).all()
    assert p == pytest.approx(ours_p, abs=1e-4)


@pytest.mark.parametrize("strokes", [ONE, THREE, FOUR, SEVEN])
def test_drawings(reader, opened, strokes):
    """What is drawn, and what Python makes of the same drawing."""
    page = opened()
    page.draw(strokes)
    drawing = np.array(page.run("() => [...marks().pixels]"), np.uint8).reshape(140, 140)
    ours = prepare.prepare(drawing).reshape(-1)
    assert page.seen() == ours.tolist()
    p = reader.network.predict(scale(ours[None]))[0]
    page.says("answer", str(p.argmax()))
    shares = [float(share.removesuffix(" %")) for share in page.shares()]
    np.testing.assert_allclose(shares, 100 * p, rtol=0, atol=0.05 + 0.01)  # a rounding, and 1e-4


# As text: Playwright takes 10 ms for 784 numbers.
PREDICT = """([model, inputs]) => {
  const read = readNetwork(JSON.parse(model));
  return JSON.parse(inputs).map((x) => predict(read, x));
}"""


def predicted_on(page, checkpoint, inputs):
    """The probabilities that a page computes with the network of another one."""
    return page.run(PREDICT, [model_in(encode(checkpoint)), json.dumps(inputs.tolist())])


def test_every_activation_and_output(digits, opened):
    page = opened()
    inputs = digits[:10].reshape(10, -1)
    for activation, output in KINDS:
        checkpoint = network_of(activation, output)
        p = predicted_on(page, checkpoint, inputs)
        ours = checkpoint.network.predict(scale(inputs))
        assert p == pytest.approx(ours, rel=1e-5, abs=1e-5), f"{activation}, {output}"


def test_a_network_that_normalizes_its_pictures(digits, opened):
    straight = network_of("relu", "softmax", normalized_shape=(28, 28))
    inputs = np.concatenate([digits[:200].reshape(-1, 784), np.zeros((1, 784), np.uint8)])
    p = predicted_on(opened(), straight, inputs)
    assert p == pytest.approx(straight.network.predict(scale(inputs)), abs=1e-5)
    assert (
        abs(np.array(p) - network_of("relu", "softmax").network.predict(scale(inputs))).max() > 0.1
    )


def model_in(html):
    """What a page holds of its network, as JSON."""
    found = re.search(rb'<script type="application/json" id="network">(.*?)</script>', html)
    return found[1].decode()


def test_a_single_unit_tells_two_classes_apart(digits, opened, tmp_path):
    two = network_of("relu", "logistic", (784, 5, 1))
    path = tmp_path / "two.html"
    path.write_bytes(encode(two))
    [[_, p]] = opened(path).read([encoded(digits[0])])
    [second] = two.network.predict(scale(digits[:1].reshape(1, -1)))[0]
    assert p == pytest.approx([1 - second, second], abs=1e-5)


@pytest.mark.parametrize("background", [0, 255, None])
def test_pictures_that_are_resized(digits, opened, tmp_path, background):
    """Of every size and shape, smaller and larger, light and dark: the same pixels to the bit."""
    facts = {"prepare": {"mode": "resize", "shape": [28, 28], "background": background}}
    path = tmp_path / "resize.html"
    path.write_bytes(encode(network_of("relu", "softmax", (784, 10), **facts)))
    rng = np.random.default_rng(0)
    sizes = [(28, 28), (28, 20), (40, 40), (41, 39), (1, 1), (300, 3), (3, 300), (27, 29), (13, 7)]
    sizes += [tuple(rng.integers(1, 400, 2)) for _ in range(12)]
    pictures = [rng.integers(0, 256, size).astype(np.uint8) for size in sizes]
    pictures += [digits[0], 255 - digits[0], photo(digits[1], rng)]
    pictures += [np.pad(digits[2], 9), 255 - np.pad(digits[3], 40)]
    preparation = Preparation("resize", (28, 28), background)
    ours = [preparation(picture).reshape(-1).tolist() for picture in pictures]
    assert [pixels for pixels, _ in opened(path).read(map(encoded, pictures))] == ours
