"""The links of all Markdown files lead to something that exists; no page of the web is opened."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://github.com/nnmnist/nnmnist"
FOLDERS = ("docs", "examples", "benchmarks", "configs", "tests", ".github")
PAGES = sorted(
    [*ROOT.glob("*.md")]
    + [
        path
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.md")
        if "_build" not in path.parts
    ]
)
NAMES = [path.relative_to(ROOT).as_posix() for path in PAGES]


def without_blocks(text):
    return re.sub(r"^(`{3,})[^\n]*\n.*?^\1`*$", "", text, flags=re.MULTILINE | re.DOTALL)


def without_code(text):
    return re.sub(r"(`+)(?!`).+?\1", "", without_blocks(text), flags=re.DOTALL)


def links(text):
    return re.findall(r"\]\(\s*<?([^)\s>]+)", without_code(text))


def anchors(path):
    """The anchors of the headings of a file and of the files that it includes, as on GitHub."""
    text = path.read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", without_blocks(text), flags=re.MULTILINE)
    slugs = [re.sub(r"[^\w\- ]", "", each.strip().lower()).replace(" ", "-") for each in headings]
    before = [slugs[:k].count(slug) for k, slug in enumerate(slugs)]
    found = {f"{slug}-{n}" if n else slug for slug, n in zip(slugs, before, strict=True)}
    included = re.findall(r"^```\{include\} (\S+)$", text, flags=re.MULTILINE)
    return found.union(*(anchors(path.parent / name) for name in included))


def fault(page, link):
    """What is wrong with a link; None if nothing is, or if it leads elsewhere."""
    within = re.match(rf"{REPOSITORY}/(?:blob|raw|tree)/main/", link)
    if re.match(r"https?:|mailto:", link) and not within:
        return f"{link}: write it with /blob/main/" if link.startswith(f"{REPOSITORY}/") else None
    target, _, anchor = link[within.end() if within else 0 :].partition("#")
    path = (ROOT if within else page.parent) / target if target else page
    if not path.exists():
        return f"{link}: no such file"
    if anchor and anchor not in anchors(path):
        return f"{link}: no such heading"
    return None


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_to_a_file_and_a_heading(name):
    page = ROOT / name
    faults = [fault(page, link) for link in links(page.read_text(encoding="utf-8"))]
    assert list(filter(None, faults)) == []


def test_the_pages_and_their_links_are_found():
    assert {"README.md", "docs/index.md", "benchmarks/README.md", "tests/README.md"} <= {*NAMES}
    assert len(links((ROOT / "README.md").read_text(encoding="utf-8"))) > 10


@pytest.mark.parametrize(
    ("link", "problem"),
    [
        ("CHANGELOG.md", None),
        ("CHANGELOG.md#fixed", None),
        ("CHANGELOG.md#mended", "no such heading"),
        ("CHANGES.md", "no such file"),
        (f"{REPOSITORY}/blob/main/docs/index.md", None),
        (f"{REPOSITORY}/blob/main/docs/home.md", "no such file"),
        ("https://example.org/anything", None),
    ],
)
def test_wrong_links_are_noticed(link, problem):
    assert links(f"see [it]({link}), not `[this](code)`") == [link]
    found = fault(ROOT / "README.md", link)
    assert found is None if problem is None else problem in found


def test_the_readme_is_short_and_right_on_a_package_index():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert [link for link in links(text) if not link.startswith("https://")] == []


@pytest.mark.parametrize("name", NAMES)
def test_formulas_are_between_dollars(name):
    text = without_code((ROOT / name).read_text(encoding="utf-8"))
    prose = re.sub(r"\$\$.+?\$\$|\$.+?\$", "", text, flags=re.DOTALL)
    assert re.findall(r"\\[a-z(\[]+|```math", prose) == []
