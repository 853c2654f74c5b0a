"""How long the exported page takes for one movement of the pen, from the drawing to the answer on
it:

python benchmarks/page.py CHECKPOINT
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "export"))
from page import DESKTOP, PHONE, THREE, Page

from nnmnist import checkpoint
from nnmnist.export import html

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


def main() -> None:
    (path,) = sys.argv[1:]
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        file = Path(folder) / "digits.html"
        file.write_bytes(html.encode(checkpoint.load(Path(path))))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for name, device in (("desktop", DESKTOP), ("phone", PHONE)):
            page = Page(browser, file, **device)
            page.draw(THREE)
            print(
                f"| {name}, the digit 3 on the paper | median, ms | 90 of 100 within, ms "
                f"|\n|---|---|---|"
            )
            for part, script in PARTS.items():
                took = page.run(MEASURE, [script, TIMES])
                median, tenth = statistics.median(took), statistics.quantiles(took, n=10)[8]
                print(f"| {part} | {median:.1f} | {tenth:.1f} |")
            print()
        browser.close()


if __name__ == "__main__":
    main()
