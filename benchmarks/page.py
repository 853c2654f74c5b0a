"""How well the exported page reads drawings of every size, and how long one pen movement takes:

python benchmarks/page.py CHECKPOINT [DRAWINGS]

Each digit is drawn in the middle of the paper, in headless Chromium. DRAWINGS is a JSON file with
the key `drawings`: a list of {"label": 7, "strokes": [[[x, y], ...], ...]}, in any unit, y
downwards. Without it, the drawings are generated from the strokes of the synthetic digits.
"""

from __future__ import annotations

import json
import operator
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "export"))
from page import DESKTOP, PHONE, THREE, Page, resized

from nnmnist import checkpoint
from nnmnist.data.strokes import STYLES
from nnmnist.export import html

SIZES = (0.12, 0.3, 0.7, 0.95)  # longer side of a digit, as a share of the paper's
DRAWN = 30  # generated drawings of each digit
JITTER, SLANT, STRETCH = 2.0, 0.2, 0.15  # standard deviations; a digit is 100 high
TIMES = 200
PARTS = {
    "drawing to pixels": "marks()",
    "preparation": "inputOf(drawing, model.prepare)",
    "network": "predict(network, pixels)",
    "all that one movement of the pen asks for": "show()",
}
MEASURE = """([part, times]) => {
  const drawing = marks();
  const pixels = inputOf(drawing, model.prepare);
  const run = new Function("drawing", "pixels", `return ${part}`);
  return Array.from({ length: times }, () => {
    const start = performance.now();
    run(drawing, pixels);
    return performance.now() - start;
  });
}"""

# The strokes of drawings -> the class of each.
READ = """(drawings) => drawings.map((strokes) => {
  now = { strokes, bitmap: null };
  const { p } = read();
  return p ? model.classes[bestOf(p)] : null;
})"""


def generated() -> list[dict]:
    """Drawings in the styles of the synthetic digits, jittered, slanted and stretched."""
    rng = np.random.default_rng(0)
    drawings = []
    for label, styles in STYLES.items():
        for style in rng.choice(list(styles.values()), DRAWN):
            shape = np.array([[np.exp(rng.normal(0, STRETCH)), 0], [rng.normal(0, SLANT), 1]])
            strokes = [
                np.array([point.split(",") for point in stroke.split()], float)
                for stroke in style.split("/")
            ]
            strokes = [(s + rng.normal(0, JITTER, s.shape)) @ shape for s in strokes]
            drawings.append({"label": label, "strokes": strokes})
    return drawings


def print_accuracies(browser: Browser, file: Path, drawings: list[dict]) -> None:
    page = Page(browser, file, **DESKTOP)
    labels = [str(drawing["label"]) for drawing in drawings]
    print(f"| {len(drawings)} drawings, size | read right |\n|---|---|")
    for size in SIZES:
        read = page.run(READ, [resized(drawing["strokes"], size) for drawing in drawings])
        right = sum(map(operator.eq, read, labels)) / len(labels)
        print(f"| {size:.0%} of the paper | {right:.1%} |", flush=True)
    print()


def print_times(browser: Browser, file: Path) -> None:
    for name, device in (("desktop", DESKTOP), ("phone", PHONE)):
        page = Page(browser, file, **device)
        page.draw(THREE)
        print(f"| {name}, the digit 3 | median, ms | 90 of 100 within, ms |\n|---|---|---|")
        for part, script in PARTS.items():
            took = page.run(MEASURE, [script, TIMES])
            median, tenth = statistics.median(took), statistics.quantiles(took, n=10)[8]
            print(f"| {part} | {median:.1f} | {tenth:.1f} |")
        print()


def main() -> None:
    path, *files = map(Path, sys.argv[1:])
    drawings = json.loads(files[0].read_text("utf-8"))["drawings"] if files else generated()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "digits.html"
        file.write_bytes(html.encode(checkpoint.load(path)))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        print_times(browser, file)
        print_accuracies(browser, file, drawings)
        browser.close()


if __name__ == "__main__":
    main()
