"""axe-core finds no accessibility problem on the pages that this project writes."""

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from click.testing import CliRunner

from nnmnist.cli.app import cli
from nnmnist.export.html import encode

from .export.conftest import network_of
from .export.page import SEVEN, SHOWN, THREE, Page

# The target size of WCAG 2.2 is checked, too, which axe-core leaves out by default. It need not
# tell where an element is, which takes a third of its time, nor describe what is right.
CHECK = """async (rules) => {
  const options = {
    rules: { "target-size": { enabled: true } }, selectors: false, resultTypes: ["violations"],
    ...rules,
  };
  const { violations } = await axe.run(options);
  return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}"""
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"], "rules": {}}
# Width and colours of a screen -> what is checked there: colours on each, and the rest once on a
# narrow and once on a wide screen.
SCREENS = {(390, "dark"): {}, (390, "light"): COLOURS, (1280, "dark"): COLOURS, (1280, "light"): {}}


def draw(page):
    page.draw(THREE)


def label(page):
    page.draw(THREE)
    page.page.locator("#choices button").first.click()
    page.draw(SEVEN)


def remove(page):
    page.page.get_by_role("button", name="Remove drawing 1").click()


def paste_what_is_no_picture(page):
    page.put(b"no picture", "paste")
    page.page.locator("#message:not(:empty)").wait_for()


def show_images_of_a_count(page):
    page.page.locator(".confusion a").first.click()


# File -> what a person does on the page; it is checked first and after each step.
PAGES = {
    "digits.html": [draw, label, remove, paste_what_is_no_picture],
    "words.html": [label],
    "report.html": [show_images_of_a_count],
}


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    """Where the pages are."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "digits.html").write_bytes(encode(network_of("relu", "softmax")))
    facts = {"classes": ["T-shirt/top", "Trouser", "Pullover"], "prepare": {"mode": "resize"}}
    words = network_of("relu", "softmax", (784, 12, 3), **facts)
    (folder / "words.html").write_bytes(encode(words))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))
        settings = [f"data.path={tiny}", "data.validation=60", "model.hidden=[8]"]
        words = [word for setting in settings for word in ("--set", setting)]
        train = ["train", *words, "--epochs", "2", "-o", str(folder / "run")]
        report = ["report", str(folder / "run"), "-o", str(folder / "report.html")]
        for command in (train, report):
            result = CliRunner().invoke(cli, command)
            assert result.exit_code == 0, result.output
    return folder


def assert_axe_finds_nothing(tab, moment=None, screens=SCREENS):
    """On a narrow and a wide screen, in light and dark; leaves `tab` as it was, 1280 wide."""
    for (width, scheme), rules in screens.items():
        tab.set_viewport_size({"width": width, "height": 844})
        tab.emulate_media(color_scheme=scheme)
        tab.evaluate(SHOWN)
        assert tab.evaluate(CHECK, rules) == [], (moment, width, scheme)
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("name", PAGES)
def test_axe_finds_nothing(browser, folder, name):
    page = Page(browser, folder / name, reduced_motion="reduce")
    page.run(f"{AXE_SCRIPT}; null")
    assert_axe_finds_nothing(page.page)
    for step in PAGES[name]:
        step(page)
        assert_axe_finds_nothing(page.page, step.__name__)
    page.page.close()
