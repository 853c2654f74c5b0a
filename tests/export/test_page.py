"""What a person meets on the page: drawing by mouse, finger and keys, pasting, dropping, undoing,
reading.
"""

import io
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from playwright.sync_api import expect

from nnmnist.cli.app import cli
from nnmnist.data.examples import scale
from nnmnist.export.html import encode
from nnmnist.images.prepare import thickness

from .conftest import network_of
from .page import DESKTOP, ONE, PHONE, SEVEN, THREE, resized


def picture(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module")
def eight(reader, digits):
    """The first test image that the network reads as an 8."""
    p = reader.network.predict(scale(digits[:500].reshape(500, -1)))
    return digits[p.argmax(axis=1).tolist().index(8)]


def test_an_empty_paper_says_nothing(opened):
    page = opened()
    page.says("answer", "")
    assert page.shares() == [""] * 10
    assert not any(page.seen())
    expect(page.page.get_by_role("button", name="Undo")).to_be_disabled()
    expect(page.page.get_by_role("button", name="Clear")).to_be_disabled()


@pytest.mark.parametrize(
    ("device", "strokes", "digit"),
    [(DESKTOP, ONE, "1"), (DESKTOP, THREE, "3"), (PHONE, SEVEN, "7")],
    ids=["desktop-1", "desktop-3", "phone-7"],
)
def test_a_drawn_digit_is_read(opened, device, strokes, digit):
    page = opened(**device)
    page.draw(strokes)
    page.says("answer", digit)
    page.says("spoken", re.compile(rf"Reads {digit}, \d+\.\d\s%; then \d, \d+\.\d\s%"))
    # what the digits lack is the probability of no digit
    assert 95 <= sum(float(share.split()[0]) for share in page.shares()) <= 100.5
    assert max(page.seen()) == 255


def test_a_finger_draws(opened):
    """And the page does not scroll under it."""
    page = opened(**PHONE)
    touch = page.page.context.new_cdp_session(page.page)
    box = page.page.locator("#paper").bounding_box()
    x = box["x"] + box["width"] / 2
    at = [{"x": x, "y": box["y"] + y * box["height"]} for y in np.linspace(0.15, 0.85, 9)]
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": at[:1]})
    for point in at[1:]:
        touch.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [point]})
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.says("answer", "1")
    assert page.run("() => scrollY") == 0


def test_the_answer_lives_while_the_pen_moves(opened):
    page = opened()
    box = page.page.locator("#paper").bounding_box()
    mouse = page.page.mouse
    mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.15 * box["height"])
    mouse.down()
    mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.85 * box["height"], steps=5)
    page.says("answer", "1")
    page.says("spoken", "")  # it is spoken when the stroke is done
    mouse.up()
    page.says("spoken", re.compile("Reads 1"))


def test_undo_and_clear(opened):
    page = opened()
    page.draw(ONE)
    first = page.seen()
    page.draw([[(0.2, 0.2), (0.8, 0.2)]])
    assert page.seen() != first
    page.page.get_by_role("button", name="Undo").click()
    page.shown()
    assert page.seen() == first
    page.page.get_by_role("button", name="Clear").click()
    page.says("answer", "")
    page.says("spoken", "The paper is empty")
    page.page.keyboard.press("Control+z")
    page.says("answer", "1")
    assert page.seen() == first
    page.page.keyboard.press("Control+z")
    page.says("answer", "")
    expect(page.page.get_by_role("button", name="Undo")).to_be_disabled()


def test_the_keyboard_alone(opened):
    """From the top: Tab to the paper, the pen up along the middle and down again, Space lifting and
    setting it.
    """
    page = opened()
    keys = page.page.keyboard
    keys.press("Tab")
    expect(page.page.get_by_role("application", name="Paper to draw on")).to_be_focused()
    for _ in range(10):
        keys.press("ArrowUp")
    keys.press("Space")
    for _ in range(20):
        keys.press("ArrowDown")
    keys.press("Space")
    page.says("answer", "1")
    page.says("spoken", re.compile("Reads 1"))
    keys.press("Delete")
    page.says("answer", "")
    keys.press("Tab")
    expect(page.page.get_by_role("button", name="Undo")).to_be_focused()
    keys.press("Enter")
    page.says("answer", "1")


def test_space_held_sets_the_pen_once(opened):
    page = opened()
    keys = page.page.keyboard
    keys.press("Tab")
    for _ in range(10):
        keys.press("ArrowUp")
    for _ in range(4):
        keys.down("Space")  # from the second on, as the keyboard repeats it
    keys.up("Space")
    for _ in range(20):
        keys.press("ArrowDown")
    keys.press("Space")
    page.says("answer", "1")
    page.page.get_by_role("button", name="Undo").click()
    page.says("answer", "")


@pytest.mark.parametrize("size", [0.12, 0.3, 0.95])
def test_a_digit_has_mnists_lines_however_large_it_is_drawn(opened, size):
    page = opened()
    page.draw(resized(THREE, 0.7))
    usual = np.array(page.seen())
    assert line_width(usual) == pytest.approx(2.4, abs=0.2)
    page.page.get_by_role("button", name="Clear").click()
    page.draw(resized(THREE, size))
    page.says("answer", "3")
    assert line_width(page.seen()) == pytest.approx(2.4, abs=0.2)
    assert abs(np.array(page.seen()) - usual).mean() < 8


def line_width(pixels):
    """The mean width of the lines in pixels, of an image (784,)."""
    image = Image.fromarray(np.array(pixels, np.uint8).reshape(28, 28))
    return thickness(np.asarray(image.resize((140, 140), Image.Resampling.LANCZOS)) > 127) / 5


def test_a_tap_beside_a_small_digit_changes_nothing(opened):
    page = opened()
    page.draw(resized(THREE, 0.2))
    first = page.seen()
    page.draw([[(0.9, 0.95)]])
    assert page.seen() == first


def test_a_dot_belongs_to_the_letter_below(opened, tmp_path):
    path = tmp_path / "letters.html"
    path.write_bytes(encode(network_of("relu", "softmax", (784, 2), classes=["i", "l"])))
    page = opened(path)
    page.draw([*resized(ONE, 0.2), [(0.5, 0.34)]])
    inked = np.flatnonzero(np.array(page.seen()).reshape(28, 28).any(axis=1))
    assert len(np.flatnonzero(np.diff(inked) > 1)) == 1  # a gap below the dot


@pytest.mark.parametrize("event", ["paste", "drop"])
def test_a_picture_is_pasted_or_dropped(opened, eight, event):
    page = opened()
    page.draw(SEVEN)
    page.put(picture(eight), event)
    page.says("spoken", re.compile("Reads 8"))
    assert page.seen() == eight.reshape(-1).tolist()
    page.draw(ONE)  # in place of the picture
    page.says("answer", "1")
    page.page.keyboard.press("Control+z")
    page.says("answer", "8")
    assert page.seen() == eight.reshape(-1).tolist()


def test_a_picture_is_opened(opened, eight):
    page = opened()
    with page.page.expect_file_chooser() as chooser:
        page.page.get_by_role("button", name="Open a picture").click()
    chooser.value.set_files({"name": "a.png", "mimeType": "image/png", "buffer": picture(eight)})
    page.says("spoken", re.compile("Reads 8"))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            b"not a picture",
            "picture.png: cannot be read as an image; give a PNG, JPEG, GIF, BMP or WebP",
        ),
        (b"", "there is no picture in it; give a PNG, JPEG, GIF, BMP or WebP"),
        (
            picture(np.full((50, 60), 255, np.uint8)),
            "no ink found: nothing stands out from the background",
        ),
    ],
    ids=["damaged", "text", "blank"],
)
def test_what_cannot_be_read_is_said(opened, data, message):
    page = opened()
    page.draw(ONE)
    page.put(data, "paste")
    page.says("message", message)
    page.says("spoken", message)
    page.draw(SEVEN)
    page.says("message", "")


@pytest.mark.parametrize(
    ("size", "scheme"),
    [((320, 568), "light"), ((390, 844), "dark"), ((844, 390), "light"), ((1280, 800), "dark")],
)
def test_it_fits_every_screen_in_light_and_dark(opened, size, scheme):
    width, height = size
    page = opened(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.draw(THREE)
    page.says("answer", "3")
    assert page.run("() => document.documentElement.scrollWidth") <= width
    ground, ink = page.run(
        "() => { const style = getComputedStyle(document.body); return [style.backgroundColor, "
        "style.color]; }"
    )
    assert contrast(ground, ink) > 7
    soft = page.run("() => getComputedStyle(document.querySelector('footer')).color")
    assert contrast(ground, soft) > 4.5
    assert (luminance(ground) < 0.5) == (scheme == "dark")


def luminance(colour):
    """Of `rgb(r, g, b)`, relative (WCAG 2)."""
    channels = np.array([int(number) for number in re.findall(r"\d+", colour)]) / 255
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


def test_the_command_writes_the_page(trained, html):
    result = CliRunner().invoke(cli, ["export", trained, "-o", "digits.html"])
    assert (result.exit_code, result.stdout) == (0, "digits.html\n")
    assert Path("digits.html").read_bytes() == html.read_bytes()


def test_the_page_is_small_and_refers_to_nothing(html):
    text = html.read_text("utf-8")
    assert html.stat().st_size <= 1_500_000
    assert "default-src 'none'" in text
    assert "{{" not in text
    assert re.findall(r"""(?:src|href|action)=["'](?!data:)""", text) == []
    assert re.findall(r"https?://(?!www\.w3\.org/2000/svg)", text) == []


def test_the_scores_of_a_squared_error_are_not_shown_as_probabilities(opened, tmp_path):
    path = tmp_path / "scores.html"
    path.write_bytes(encode(network_of("relu", "linear", (784, 10))))
    page = opened(path)
    page.draw(ONE)
    page.says("spoken", re.compile(r"Reads \d, \d+\.\d\d; then \d, -?\d+\.\d\d"))
    assert all(re.fullmatch(r"-?\d+\.\d\d", share) for share in page.shares()), page.shares()


def test_names_of_classes_are_only_text(opened, tmp_path):
    evil = [
        "</script><script>alert(1)</script>",
        "<img src=x onerror=alert(2)>",
        "{{script}}",
        "&amp;",
    ]
    path = tmp_path / "evil.html"
    path.write_bytes(encode(network_of("relu", "softmax", (784, 4), classes=evil)))
    page = opened(path)
    assert page.page.locator("#classes .name").all_inner_texts() == evil
    page.draw(ONE)
    assert page.page.locator("#answer").inner_text() in evil
