"""What the page of `nnmnist report` says, read by a parser, and what a browser makes of it."""

import base64
import io
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from nnmnist.cli.app import cli
from nnmnist.data import synthetic
from nnmnist.data.sources import SOURCES
from nnmnist.report import charts
from nnmnist.report.pictures import Sheet, signed

VOID = {"meta", "link", "br"}


def nnmnist(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def train(*arguments):
    result = nnmnist("train", *arguments)
    assert result.exit_code == 0, result.output


def report(run, *arguments):
    """The HTML of the report of a run."""
    result = nnmnist("report", run, "-o", "page.html", "--force", *arguments)
    assert result.exit_code == 0, result.output
    return Path("page.html").read_text("utf-8")


def words(html):
    """Its text without tags, in one line."""
    return " ".join(re.sub("<style>.*?</style>|<[^>]*>", " ", html, flags=re.S).split())


def section(html, title):
    """The HTML of one section; empty where there is none."""
    found = re.search(rf"<h2[^>]*>{title}</h2>(.*?)</section>", html, re.S)
    return found[1] if found else ""


class Links(HTMLParser):
    """Collects what the page refers to, and what it runs."""

    def __init__(self):
        super().__init__()
        self.targets, self.ids, self.scripts = [], set(), 0

    def handle_starttag(self, tag, attributes):
        named = dict(attributes)
        self.targets += [named[key] for key in ("href", "src", "action", "data") if key in named]
        self.ids.add(named.get("id"))
        self.scripts += tag == "script" or any(key.startswith("on") for key in named)


@pytest.fixture
def run(tiny_run):
    return tiny_run("run")


@pytest.fixture
def evaluation(run):
    return json.loads(nnmnist("evaluate", run / "best.npz", "--errors", "24", "--json").stdout)


def test_nothing_is_fetched_and_nothing_is_run(run):
    html = report(run)
    found = Links()
    found.feed(html)
    assert found.scripts == 0
    assert all(target == "data:," or target[1:] in found.ids for target in found.targets)
    assert len(found.targets) > 3
    assert set(re.findall(r"url\(([a-z]+:[a-z/]+)", html)) == {"data:image/png"}
    assert "default-src 'none'" in html
    assert "http:" not in html
    assert "https:" not in html


def test_the_figures_are_those_of_evaluate(run, evaluation):
    html = report(run)
    text = words(html)
    low, high = evaluation["interval"]
    wrong = round(evaluation["n"] * (1 - evaluation["accuracy"]))
    interval = f"95&nbsp;% interval {low:.2%} to {high:.2%}"
    assert f"{evaluation['accuracy']:.2%} accuracy {wrong} of 60 wrong; {interval}" in text
    assert f"{evaluation['cost']:.4f} cost" in text
    rows = re.findall(r"<tr><th scope=row>\d(.*)", section(html, "Confusion"))
    counts = [
        [int(count or 0) for count in re.findall(r"<td[^>]*>(?:<a[^>]*>)?(\d*)", row)]
        for row in rows
    ]
    assert counts == evaluation["confusion"]


def test_every_count_leads_to_its_pictures(run, evaluation):
    html = report(run)
    for (true, said), count in np.ndenumerate(np.array(evaluation["confusion"])):
        cell = re.search(rf"<div class=cell id=c{true}-{said}>(.*?)</div></div>", html, re.S)
        assert (f"href=#c{true}-{said}>{count}<" in html) == bool(cell) == bool(count)
        if cell:
            labels = re.findall(r'aria-label="(\d+): is (\d), read as (\d)"', cell[1])
            assert len(labels) == count == len({index for index, _, _ in labels})
            assert {(int(a), int(b)) for _, a, b in labels} == {(true, said)}
            assert all(int(index) % 3 == true for index, _, _ in labels)  # as the tiny data is made


def test_the_most_confident_mistakes_are_those_of_evaluate(run, evaluation):
    found = re.findall(r'aria-label="(\d+): is', section(report(run), "Most confident mistakes"))
    assert list(map(int, found)) == [error["index"] for error in evaluation["errors"]]


def test_the_pictures_are_the_examples(run, tiny):
    html = report(run)
    sheet = re.search(r"\.digit\{--across:(\d+);.*?base64,([^)]+)\)", html)
    across, image = int(sheet[1]), np.asarray(Image.open(io.BytesIO(base64.b64decode(sheet[2]))))
    pixels = np.frombuffer(
        (tiny / "t10k-images-idx3-ubyte").read_bytes(), np.uint8, offset=16
    ).reshape(-1, 6, 5)
    assert image.shape[1] == 5 * across
    places = re.findall(r'aria-label="(\d+): [^"]*" style=--x:(\d+);--y:(\d+)', html)
    assert len({index for index, _, _ in places}) == 60
    for index, x, y in places:
        window = image[6 * int(y) : 6 * int(y) + 6, 5 * int(x) : 5 * int(x) + 5]
        np.testing.assert_array_equal(window, pixels[int(index)])


def test_sections_of_a_run_on_images(run):
    html = report(run)
    titles = re.findall("<h2[^>]*>(.*)</h2>", html)
    assert titles == [
        "Curves", "Confusion", "Most confident mistakes", "Scores of each class",
        "Errors of each class", "Calibration", "Weights of the first layer", "Time and machine",
        "Config",
    ]  # fmt: skip
    assert section(html, "Weights of the first layer").count("role=img") == 8
    assert "numpy" in section(html, "Time and machine")
    assert "learning_rate: 0.05" in section(html, "Config")
    # four epochs, cost and accuracy
    assert section(html, "Curves").count("<circle class=training") == 8


def toy(name, output, *settings):
    train("-c", f"lecture/{name}", "-o", name, "--epochs", "2", *settings)
    return report(name)


def test_the_scores_of_each_class_are_those_of_evaluate(run, evaluation):
    rows = re.findall("<tr.*", section(report(run), "Scores of each class"))[1:]
    records = [*evaluation["classes"], evaluation["macro"], evaluation["weighted"]]
    for row, scores in zip(rows, records, strict=True):
        *values, support = words(row).split()[-4:]
        assert values == [f"{scores[name]:.2%}" for name in ("precision", "recall", "f1")]
        assert int(support) == scores.get("support", 60)
    assert words(rows[0]).split()[0] == "0"
    assert words(rows[-1]).startswith("weighted average")


def test_the_curves_say_that_class_weights_count_in_training_alone(run, tiny_config):
    note = "The class weights count in the training cost alone"
    assert note not in report(run)
    train("-c", tiny_config, "-o", "weighted", "--set", "training.class_weights=balanced")
    assert note in section(report("weighted"), "Curves")


def test_a_long_cost_is_in_e_notation():
    train("-c", "lecture/three_classes", "-o", "run", "--set", "training.learning_rate=1e12")
    summary = json.loads(Path("run/summary.json").read_text())
    assert summary["test"]["cost"] > 1e8
    assert f"{summary['test']['cost']:.4e} cost" in words(report("run"))


def test_points_in_the_plane_are_no_pictures():
    html = toy("three_classes", "softmax")
    assert "<a " not in html
    assert 'role=img aria-label="weights' not in html
    assert section(html, "Confusion")
    assert section(html, "Calibration")
    assert not section(html, "Weights of the first layer")


def test_two_classes_of_one_unit():
    html = toy("two_classes", "logistic")
    assert "2-1" in words(html)
    assert section(html, "Calibration")


def test_a_regression_has_no_classes():
    html = toy("line", "linear")
    assert re.findall("<h2[^>]*>(.*)</h2>", html) == ["Curves", "Time and machine", "Config"]
    assert "R 2" in words(html)


def test_a_squared_error_is_no_probability(tiny_config):
    train("-c", tiny_config, "-o", "run", "--set", "model.output=linear")
    html = report("run")
    assert not section(html, "Calibration")
    assert "%" not in words(section(html, "Most confident mistakes"))


def test_the_split_is_chosen(run):
    assert "validation split, 60 examples" in words(report(run, "--split", "validation"))
    assert "train split, 240 examples" in words(report(run, "--split", "train"))


def test_the_test_figure_is_shown_only_where_the_test_set_judges(run):
    assert section(report(run), "Curves").count("<circle class=test") == 2
    for split in ("validation", "train"):
        curves = section(report(run, "--split", split), "Curves")
        assert "test" not in curves
        assert "validation" in curves


def test_an_unfinished_run(run):
    (run / "summary.json").unlink()
    assert "test, at the best epoch" not in report(run)


def test_names_are_shown_as_they_are(tiny_config):
    name = "<b>run & 'co'"
    train("-c", tiny_config, "-o", name)
    html = report(name)
    assert "<b>run" not in html
    assert "&lt;b&gt;run &amp; &#x27;co&#x27;" in html


def test_ticks_are_round_and_few():
    rng = np.random.default_rng(0)
    for low, span in zip(rng.normal(0, 100, 500), 10 ** rng.uniform(-4, 4, 500), strict=True):
        found = charts.ticks(low, low + span)
        assert 2 <= len(found) <= 8
        assert low - 1e-6 * span <= found[0] < found[-1] <= low + span * (1 + 1e-6)
        step = found[1] - found[0]
        assert round(step / 10 ** np.floor(np.log10(step) + 1e-6), 6) in (1, 2, 5)


def test_ticks_of_what_is_almost_nothing():
    assert charts.ticks(0, 3e-20) == [0.0, 5e-21, 1e-20, 1.5e-20, 2e-20, 2.5e-20, 3e-20]


def test_weights_are_red_above_zero_and_blue_below():
    found = signed(np.array([[[1.0, -1.0], [0.0, 0.5]]]))[0]
    assert found[0, 0].tolist() == [213, 94, 0, 255]
    assert found[0, 1].tolist() == [0, 114, 178, 255]
    assert found[1, 0, 3] == 0
    assert 126 <= found[1, 1, 3] <= 129
    assert Sheet("unit", signed(np.zeros((3, 2, 2))), np.arange(3)).style()  # all weights zero


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [(1280, 800), (360, 740)])
def test_in_a_browser(run, browser, scheme, size):
    report(run)
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": size[0], "height": size[1]}
    )
    page, heard, fetched = context.new_page(), [], []
    page.on("console", lambda message: heard.append(message.text))
    page.on("pageerror", lambda error: heard.append(str(error)))
    page.on("request", lambda request: fetched.append(request.url))
    url = Path("page.html").resolve().as_uri()
    page.goto(url)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
        "rgb(255, 255, 255)" if scheme == "light" else "rgb(21, 23, 26)"
    )
    assert page.locator(".cell:visible").count() == 0
    page.click("a[href='#c1-1']")
    assert page.locator(".cell:visible").get_attribute("id") == "c1-1"
    page.locator(".confusion a").last.focus()
    page.keyboard.press("Enter")
    assert page.locator(".cell:visible").count() == 1
    assert page.locator(".cell:visible").get_attribute("id") == "c2-2"
    assert page.locator(".cell:visible .digit").first.bounding_box()["width"] > 30
    assert heard == []
    assert {
        address.partition("#")[0] for address in fetched if not address.startswith("data:")
    } == {url}
    context.close()


def test_the_page_has_landmarks_with_names(run):
    html = report(run)
    body = html.partition("<body>")[2]
    parts = re.fullmatch(r"\s*<header>(.*)</header>\s*<main>(.*)</main>.*", body, re.S)
    header, main = parts.groups()
    assert "<h1>run</h1>" in header
    titles = dict(re.findall(r"<h2 id=([\w-]+)>([^<]+)</h2>", main))
    assert re.findall(r"<section aria-labelledby=([\w-]+)>", main) == list(titles)
    assert titles["errors-of-each-class"] == "Errors of each class"


def test_on_a_small_screen_no_table_is_cut(browser, monkeypatch):
    # ten classes, counts of four digits
    digits = synthetic.load(3, n_train=3000, n_test=9000)
    monkeypatch.setitem(SOURCES, "synthetic", lambda **_: digits)
    settings = ["--set", "data.name=synthetic", "--set", "data.validation=500"]
    train("-c", "softmax", *settings, "--epochs", "1", "-o", "run")
    report("run")
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(Path("page.html").resolve().as_uri())
    wide = page.locator(".wide")
    assert wide.count() == 3
    assert (
        wide.evaluate_all("all => all.map(each => each.scrollWidth - each.clientWidth)") == [0] * 3
    )
    page.close()


def test_what_is_a_background_is_printed(run, browser):
    report(run)
    page = browser.new_page()
    page.goto(Path("page.html").resolve().as_uri())
    page.emulate_media(media="print")
    for name in (".digit", ".unit", ".bar", ".confusion td"):
        shown = page.locator(name).first
        assert shown.evaluate("one => getComputedStyle(one).printColorAdjust") == "exact"
    pictures = page.pdf().count(b"/Subtype /Image")
    page.add_style_tag(content="* { print-color-adjust: economy !important }")
    assert pictures > page.pdf().count(b"/Subtype /Image")
    page.close()
