""" "Was it right?" on the page: labelling drawings by mouse, finger and keys, the strip of drawings
below, and the zip file.
"""

import io
import json
import urllib.parse
import zipfile
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from playwright.sync_api import expect

from nnmnist.cli.app import cli
from nnmnist.errors import ExportError
from nnmnist.export.html import encode
from nnmnist.images import prepare

from .conftest import network_of
from .page import DESKTOP, FOUR, ONE, PHONE, SEVEN, THREE, Page

FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt"]
LONG = "a name that is longer than anybody would think, and" + "without" * 10
NO_STORAGE = """Object.defineProperty(window, "localStorage", {
  get() { throw new DOMException("denied", "SecurityError"); },
});"""


def pixels_of(file):
    """The pixels (rows, columns) of an 8-bit grey PNG."""
    with Image.open(io.BytesIO(file), formats=["PNG"]) as image:
        assert image.mode == "L"
        return np.asarray(image)


def png(pixels):
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def page_of(opened, tmp_path):
    """A function that opens the page of a network of random weights with these facts."""

    def open_page(classes, device=DESKTOP, **facts):
        path = tmp_path / "page.html"
        sizes = (784, 12, len(classes))
        path.write_bytes(encode(network_of("relu", "softmax", sizes, classes=classes, **facts)))
        return opened(path, **device)

    return open_page


def test_a_key_a_click_and_enter_label_a_drawing(opened):
    page = opened()
    expect(page.page.get_by_role("button", name="7", exact=True)).to_be_disabled()
    page.draw(THREE)
    page.page.keyboard.press("3")
    page.says("outcome", "Saved as 3 (1 drawing)")
    page.shown()
    assert not any(page.seen())
    page.draw(ONE)
    page.page.get_by_role("button", name="7", exact=True).click()
    page.says("outcome", "Saved as 7 (2 drawings)")
    page.draw(SEVEN)
    answer = page.page.locator("#answer").inner_text()
    page.page.keyboard.press("Enter")
    page.says("outcome", f"Saved as {answer} (3 drawings)")
    assert page.labels() == ["3", "7", answer]
    expect(page.page.locator("#outcome")).to_have_role("status")
    page.says("answer", "")
    expect(page.page.get_by_role("button", name="7", exact=True)).to_be_disabled()


def test_a_finger_labels_a_drawing(opened):
    page = opened(**PHONE)
    page.draw(ONE)
    button = page.page.get_by_role("button", name="1", exact=True)
    button.tap()
    page.says("outcome", "Saved as 1 (1 drawing)")
    page.draw(SEVEN)
    buttons = page.page.locator("#choices button").all()
    assert len({button.bounding_box()["y"] for button in buttons}) == 1  # one row
    assert button.bounding_box()["height"] >= 44


def test_an_empty_paper_and_a_blank_picture_cannot_be_labelled(opened):
    page = opened()
    page.page.keyboard.press("3")
    page.page.keyboard.press("Enter")
    page.put(png(np.full((50, 60), 255, np.uint8)), "paste")
    page.says("message", "no ink found: nothing stands out from the background")
    page.page.keyboard.press("3")
    page.page.keyboard.press("Enter")
    page.shown()
    expect(page.page.get_by_role("button", name="3", exact=True)).to_be_disabled()
    assert page.labels() == []


def test_the_zip_holds_what_the_network_saw_and_what_predict_makes_of_the_originals(
    opened, trained
):
    page = opened()
    seen = []
    for strokes, key in ((THREE, "3"), (ONE, "7"), (FOUR, "4"), (SEVEN, "7")):
        page.draw(strokes)
        seen.append(np.array(page.seen()).reshape(28, 28))
        page.page.keyboard.press(key)
    files, name = page.download()
    assert name == "my_digits.zip"
    paths = ["3/0001.png", "7/0002.png", "4/0003.png", "7/0004.png"]
    assert sorted(files) == sorted([*paths, *(f".originals/{path}" for path in paths)])
    for path, image in zip(paths, seen, strict=True):
        assert (pixels_of(files[path]) == image).all()
    originals = [Path(path.replace("/", "-")) for path in paths]
    for path, original in zip(paths, originals, strict=True):
        original.write_bytes(files[f".originals/{path}"])
        assert pixels_of(files[f".originals/{path}"]).shape == (140, 140)
    arguments = ["predict", trained, *map(str, originals), "--save-prepared", "prepared"]
    assert CliRunner().invoke(cli, arguments).exit_code == 0
    prepared = sorted(Path("prepared").iterdir())
    assert len(prepared) == 4
    for file, path in zip(
        prepared, sorted(paths, key=lambda path: path.replace("/", "-")), strict=True
    ):
        assert (pixels_of(file.read_bytes()) == pixels_of(files[path])).all()


def test_the_zip_holds_pixels_before_the_network_normalizes_them(page_of):
    page = page_of([str(k) for k in range(10)])
    page.run("() => { network.normalize = true; }")
    page.draw(FOUR)
    seen = np.array(page.seen()).reshape(28, 28)
    page.page.keyboard.press("4")
    files, _ = page.download()
    assert (pixels_of(files["4/0001.png"]) == seen).all()
    assert (prepare.prepare(pixels_of(files[".originals/4/0001.png"])) == seen).all()


def test_a_picture_is_labelled_with_all_its_pixels(opened, digits):
    photo = np.random.default_rng(0).integers(0, 60, (300, 200)).astype(np.uint8)
    photo[10:290, 2:198] = 255 - np.kron(digits[0], np.ones((10, 7), np.uint8))
    page = opened()
    page.put(png(photo), "drop")
    page.page.get_by_role("button", name="3", exact=True).click()
    files, _ = page.download()
    assert (pixels_of(files[".originals/3/0001.png"]) == photo).all()
    assert (pixels_of(files["3/0001.png"]) == prepare.prepare(photo)).all()


def test_png_files_keep_every_pixel(opened):
    """Noise, all lengths of runs, all grey values, the smallest and a blank picture."""
    rng = np.random.default_rng(0)
    pictures = [
        rng.integers(0, 256, (37, 53)),
        np.repeat(np.arange(600) % 256, np.arange(600) % 270 + 1)[None],
        np.arange(256)[None],
        np.zeros((1, 1)),
        np.full((64, 300), 255),
    ]
    page = opened()
    for pixels in pictures:
        rows, columns = pixels.shape
        # As text: Playwright takes 10 ms for 784 numbers.
        script = (
            "([rows, columns, pixels]) => JSON.stringify("
            "[...png({ rows, columns, pixels: Uint8Array.from(JSON.parse(pixels)) })])"
        )
        file = page.run(script, [rows, columns, json.dumps(pixels.reshape(-1).tolist())])
        assert (pixels_of(bytes(json.loads(file))) == pixels).all()


def test_drawings_are_removed_and_put_back(opened):
    page = opened()
    for strokes, key in ((THREE, "3"), (ONE, "1"), (SEVEN, "7")):
        page.draw(strokes)
        page.page.keyboard.press(key)
    page.page.get_by_role("button", name="Remove drawing 2, saved as 1").click()
    page.says("outcome", "Removed 1 drawing")
    assert page.labels() == ["3", "7"]
    page.page.get_by_role("button", name="Put back 1 drawing").click()
    assert page.labels() == ["3", "1", "7"]
    page.page.get_by_role("button", name="Remove all").click()
    page.says("outcome", "Removed 3 drawings")
    assert page.labels() == []
    expect(page.page.get_by_role("button", name="Download")).to_be_disabled()
    page.page.get_by_role("button", name="Put back 3 drawings").click()
    page.says("outcome", "Put back (3 drawings)")
    page.page.get_by_role("button", name="Remove drawing 3, saved as 7").click()
    page.draw(FOUR)
    page.page.keyboard.press("4")
    files, _ = page.download()
    assert [path for path in files if path[0] != "."] == ["3/0001.png", "1/0002.png", "4/0004.png"]


def test_undo_takes_a_label_back(opened):
    page = opened()
    page.draw(ONE)
    first = page.seen()
    page.page.keyboard.press("7")
    page.draw(THREE)
    page.page.keyboard.press("3")
    page.page.keyboard.press("Control+z")
    page.says("outcome", "Taken back (1 drawing)")
    page.says("answer", "3")
    assert page.labels() == ["7"]
    for _ in range(2):
        page.page.get_by_role("button", name="Undo").click()
    page.says("outcome", "Taken back (0 drawings)")
    page.says("answer", "1")
    assert page.seen() == first
    page.page.keyboard.press("1")
    assert page.labels() == ["1"]


def test_drawings_survive_a_reload(opened):
    page = opened(new_tab=True)
    dialogs = []
    page.page.on("dialog", lambda dialog: (dialogs.append(dialog.type), dialog.accept()))
    for strokes, key in ((THREE, "3"), (ONE, "1"), (SEVEN, "7")):
        page.draw(strokes)
        page.page.keyboard.press(key)
    before, _ = page.download()
    page.page.get_by_role("button", name="Remove drawing 3, saved as 7").click()
    page.page.reload()
    assert page.labels() == ["3", "1"]
    page.says("lasting", "This browser keeps them until you remove them.")
    page.draw(FOUR)
    page.page.keyboard.press("4")
    after, _ = page.download()
    assert {path: before[path] for path in before if "/7/" not in f"/{path}"} == {
        path: after[path] for path in after if "/4/" not in f"/{path}"
    }
    assert "4/0004.png" in list(after)  # the number of a removed drawing is not used again
    assert dialogs == []


def test_pages_of_other_networks_keep_other_drawings(page_of):
    page = page_of(["0", "1", "2", "3"])
    page.draw(THREE)
    page.page.keyboard.press("3")
    address = Path(urllib.parse.unquote(urllib.parse.urlparse(page.address).path))
    other = network_of("relu", "softmax", (784, 5, 4), classes=["3", "2", "1", "0"])
    address.write_bytes(encode(other))
    page.page.reload()
    assert page.labels() == []


def test_two_tabs_collect_together(browser, html):
    context = browser.new_context()
    one, other = Page(context, html), Page(context, html)
    one.page.bring_to_front()  # others have one frame per second
    one.draw(THREE)
    one.page.keyboard.press("3")
    expect(other.page.locator("#count")).to_have_text("1 drawing")
    other.page.bring_to_front()
    other.draw(ONE)
    other.page.keyboard.press("1")
    expect(one.page.locator("#count")).to_have_text("2 drawings")
    assert [path for path in one.download()[0] if path[0] != "."] == ["3/0001.png", "1/0002.png"]
    context.close()


def test_without_storage_the_page_warns_before_drawings_are_lost(opened):
    page = opened(new_tab=True)
    page.page.add_init_script(NO_STORAGE)
    page.page.reload()
    dialogs = []
    page.page.on("dialog", lambda dialog: (dialogs.append(dialog.type), dialog.accept()))
    page.draw(THREE)
    page.page.reload()
    assert dialogs == []  # a drawing without a label is not collected
    page.draw(THREE)
    page.page.keyboard.press("3")
    page.says(
        "lasting",
        "This browser cannot keep all of them: what you have not downloaded is lost when you close "
        "this page.",
    )
    page.download()
    page.draw(ONE)
    page.page.keyboard.press("1")
    page.page.reload()
    assert dialogs == ["beforeunload"]
    assert page.labels() == []
    page.draw(ONE)
    page.page.keyboard.press("1")
    page.download()
    page.page.reload()
    assert dialogs == ["beforeunload"]


def test_a_full_storage_keeps_the_drawings_in_the_page(opened):
    page = opened()
    page.run(
        "() => { for (let n = 2 ** 22; n >= 1; n /= 2) "
        "try { localStorage.setItem(`full ${n}`, 'x'.repeat(n)); } catch {} }"
    )
    page.draw(THREE)
    page.page.keyboard.press("3")
    assert page.labels() == ["3"]
    expect(page.page.locator("#lasting")).to_contain_text("cannot keep all of them")
    assert "3/0001.png" in page.download()[0]


def test_the_keyboard_alone_labels_and_downloads(opened):
    page = opened()
    keys = page.page.keyboard

    def draw_one():
        for key, times in (("ArrowUp", 20), ("ArrowDown", 4), ("Space", 1), ("ArrowDown", 20)):
            for _ in range(times):
                keys.press(key)
        keys.press("Space")
        page.says("answer", "1")

    keys.press("Tab")
    draw_one()
    keys.press("7")
    page.says("outcome", "Saved as 7 (1 drawing)")
    draw_one()
    keys.press("Enter")
    page.says("outcome", "Saved as 1 (2 drawings)")
    draw_one()
    for _ in range(4 + 4):  # Undo, Clear, Open a picture, then the classes 0 to 4
        keys.press("Tab")
    expect(page.page.get_by_role("button", name="4", exact=True)).to_be_focused()
    keys.press("Enter")
    page.says("outcome", "Saved as 4 (3 drawings)")
    expect(page.page.locator("#paper")).to_be_focused()
    page.shown()
    for _ in range(2):  # Undo and Open a picture; nothing can be cleared or labelled
        keys.press("Tab")
    keys.press("Tab")
    expect(page.page.get_by_role("button", name="Download")).to_be_focused()
    with page.page.expect_download() as download:
        keys.press("Enter")
    with zipfile.ZipFile(download.value.path()) as file:
        assert len(file.namelist()) == 6
    page.says("outcome", "my_digits.zip has 3 drawings")
    keys.press("Tab")
    keys.press("Tab")
    expect(page.page.get_by_role("button", name="Remove drawing 3, saved as 4")).to_be_focused()
    keys.press("Enter")
    expect(page.page.get_by_role("button", name="Put back 1 drawing")).to_be_focused()
    assert page.labels() == ["7", "1"]


def test_a_key_of_several_classes_chooses_among_them(page_of):
    page = page_of(FASHION)
    page.draw(ONE)
    page.page.keyboard.press("c")  # in lower case, too
    page.says("outcome", "Saved as Coat (1 drawing)")
    page.draw(ONE)
    for name in ("T-shirt/top", "Trouser", "T-shirt/top", "Trouser"):
        page.page.keyboard.press("t")
        expect(page.page.get_by_role("button", name=name, exact=True)).to_be_focused()
    page.page.keyboard.press("Enter")
    page.says("outcome", "Saved as Trouser (2 drawings)")
    assert page.labels() == ["Coat", "Trouser"]


def test_upper_and_lower_case_are_two_classes(page_of):
    page = page_of(["a", "A", "b"])
    for key in ("a", "A", "B"):
        page.draw(ONE)
        page.page.keyboard.press(key)
    assert page.labels() == ["a", "A", "b"]


def test_names_of_classes_become_names_of_folders(page_of):
    names = ["T-shirt/top", "..", "<b>&amp;", "100%", 'C:\\*?|"', "Grüße 你好", "end. ", ""]
    page = page_of(names)
    for k in range(len(names)):
        page.draw(ONE)
        page.page.locator("#choices button").nth(k).click()
    assert page.labels() == names
    files, name = page.download()
    assert name == "my_drawings.zip"
    folders = [path.removesuffix(f"/000{k + 1}.png") for k, path in enumerate(list(files)[::2])]
    assert folders == [
        "T-shirt%2Ftop", "%2E%2E", "%3Cb%3E&amp;", "100%25", "C%3A%5C%2A%3F%7C%22", "Grüße 你好",
        "end%2E%20", "%",
    ]  # fmt: skip
    assert [urllib.parse.unquote(folder) for folder in folders[:-1]] == names[:-1]


@pytest.mark.parametrize(
    ("device", "scheme"), [(DESKTOP, "light"), (PHONE, "dark")], ids=["desktop", "phone"]
)
def test_long_names_and_many_classes_fit(page_of, device, scheme):
    for classes in ([LONG, "<i>x</i>", "y"], [str(k) for k in range(62)], FASHION):
        page = page_of(classes, {**device, "color_scheme": scheme})
        page.draw(ONE)
        page.page.locator("#choices button").first.click()
        page.draw(SEVEN)
        width = device["viewport"]["width"]
        assert page.run("() => document.documentElement.scrollWidth") <= width
        outside = page.run(
            "() => [...document.querySelectorAll('button, .name, .share, #answer')].filter((each) "
            "=> each.scrollWidth > Math.ceil(each.getBoundingClientRect().width)"
            " && !each.hidden).map((each) => each.outerHTML)"
        )
        assert outside == []
        assert page.labels() == classes[:1]


@pytest.mark.parametrize("background", [0, 255])
@pytest.mark.parametrize("mode", ["as_is", "resize"])
def test_a_network_for_other_pictures_sees_the_drawing_as_it_is(page_of, mode, background):
    facts = {"prepare": {"mode": mode, "shape": [28, 28], "background": background}}
    page = page_of(FASHION, **facts)
    page.shown()
    assert set(page.seen()) == {background}
    corner = [[(0.05, 0.05), (0.3, 0.05)]]
    page.draw(corner)
    seen = np.array(page.seen()).reshape(28, 28)
    assert (seen[10:] == background).all()
    assert seen[1, 5] == 255 - background
    paper = page.run("() => getComputedStyle(document.getElementById('paper')).backgroundColor")
    assert paper == f"rgb({background}, {background}, {background})"
    page.page.keyboard.press("c")
    files, _ = page.download()
    original = pixels_of(files[".originals/Coat/0001.png"])
    assert (pixels_of(files["Coat/0001.png"]) == seen).all()
    assert (prepare.resize(original, (28, 28), background) == seen).all()
    blank = np.full((90, 50), 128, np.uint8)  # no ink is looked for
    page.put(png(blank), "paste")
    expect(page.page.get_by_role("button", name="Dress")).to_be_enabled()
    page.says("message", "")
    page.page.keyboard.press("d")
    page.says("outcome", "Saved as Dress (2 drawings)")


@pytest.mark.parametrize(
    "facts", [{"mode": "colour"}, {"mode": "resize", "background": 128}, {"mode": ["resize"]}]
)
def test_an_unknown_preparation_is_refused(facts):
    with pytest.raises(ExportError, match="a page cannot prepare pictures in the way of this"):
        encode(network_of("relu", "softmax", prepare={"shape": [28, 28], **facts}))


def test_the_policy_allows_nothing_but_the_pages_own_style_and_script(html):
    text = html.read_text("utf-8")
    policy = text.split('Content-Security-Policy" content="')[1].split('"')[0].split("; ")
    allowed = [directive for directive in policy if "'sha256-" not in directive]
    assert allowed == [
        "default-src 'none'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]
    assert [directive.split()[0] for directive in policy if directive not in allowed] == [
        "script-src", "style-src",
    ]  # fmt: skip
