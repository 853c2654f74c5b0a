"""How much a network gains from a few examples of another hand, and what it forgets.

    NNMNIST_DATA_DIR=... python benchmarks/own_hand.py [SEEDS]

1. "Another hand" is MNIST test digits under one affine change: slanted, and flatter. Five of each
   class are for training, 500 others for testing. The network is the recipe plain, because
   normalization would undo the slant.
2. The same with the exported page in Chromium: strokes of the mouse in an odd hand, slanted by 40
   degrees, with a long serif at 1, a bar through 7 and a hook at 9. Five drawings of each digit are
   labelled and saved by the page, and 50 new drawings test the page before and after.

Needs Chromium and Playwright for the second part.
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

from nnmnist.data import mnist
from nnmnist.data.strokes import STYLES

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "export"))
from page import DESKTOP, Page

FEW, MANY = 5, 50  # examples of each class to learn from, and to test
DRAWN = 5  # drawings of each digit that test the page
# Points of a picture (x, y, 1) -> points of MNIST's picture: slanted by 39 degrees, and flatter.
AFFINE = (1, 0.8, -11.2, 0.0, 1.1, -1.4)
SLANT = np.tan(np.deg2rad(40))
# The strokes of the odd hand, as in nnmnist/data/strokes.py; other digits have a usual style.
HAND = {
    1: "5,45 50,0 50,0 50,100",
    7: "10,5 90,0 90,0 40,100 / 25,55 85,50",
    9: "85,20 55,0 20,15 25,45 60,50 85,20 85,20 80,90 55,105 25,92 35,78",
}
STYLE = {0: "ring", 2: "looped"}


def nnmnist(*words: object) -> str:
    command = [sys.executable, "-m", "nnmnist", *map(str, words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def errors(checkpoint: Path, data: str | Path) -> float:
    """The fraction of wrong predictions for the examples of `data`."""
    return 1 - float(
        json.loads(nnmnist("evaluate", checkpoint, "--data", data, "--json"))["accuracy"]
    )


def write_another_hand(folder: Path) -> tuple[Path, Path]:
    """Two folders of pictures per class: to learn from, and to test."""
    images, labels = mnist.load().test
    for label in range(10):
        rows = np.flatnonzero(labels == label)[-FEW - MANY :]
        for name, part in (("few", rows[:FEW]), ("many", rows[FEW:])):
            target = folder / name / str(label)
            target.mkdir(parents=True)
            for row in part:
                picture = Image.fromarray(images[row].reshape(28, 28))
                changed = picture.transform(
                    (28, 28), Image.Transform.AFFINE, AFFINE, Image.Resampling.BILINEAR
                )
                changed.save(target / f"{row}.png")
    return folder / "few", folder / "many"


def tune(base: Path, run: Path, *settings: str) -> Path:
    """Fine-tune a checkpoint; return that of the new run."""
    words = [word for setting in settings for word in ("--set", setting)]
    nnmnist("train", "--from", base, "-o", run, "-q", "--threads", 1, *words)
    return run / "best.npz"


def another_hand(folder: Path, seed: int) -> dict[str, tuple[float, float]]:
    """Errors on the other hand and on MNIST's test set: before, and after two ways of tuning."""
    few, many = write_another_hand(folder / "hand")
    base = folder / "base"
    nnmnist("train", "-c", "plain", "-o", base, "-q", "--threads", 1, "--seed", seed)
    checkpoints = {
        "before": base / "best.npz",
        "--from, on the few alone": tune(
            base / "best.npz", folder / "alone", f"data.path={few}", "data.validation=0",
            "training.learning_rate=0.02", "training.batch_size=10",
        ),
        "--from, with data.extra": tune(
            base / "best.npz", folder / "extra", f"data.extra=[{few}]"
        ),
    }  # fmt: skip
    return {name: (errors(path, many), errors(path, "mnist")) for name, path in checkpoints.items()}


def drawing(digit: int, rng: np.random.Generator) -> list[list[tuple[float, float]]]:
    """The strokes of one drawing, points from 0 to 1 on the paper."""
    styles = STYLES[digit]
    text = HAND.get(digit) or styles.get(STYLE.get(digit, ""), next(iter(styles.values())))
    strokes = []
    scale = rng.uniform(0.0042, 0.0052)
    for stroke in text.split("/"):
        points = np.array([point.split(",") for point in stroke.split()], float)
        points += rng.normal(0, 2, points.shape) - 50
        points[:, 0] -= SLANT * points[:, 1]
        strokes.append([tuple(point) for point in 0.5 + scale * points])
    return strokes


def drawings(seed: int, of_each: int) -> Iterator[tuple[int, Any]]:
    rng = np.random.default_rng(seed)
    for _ in range(of_each):
        for digit in range(10):
            yield digit, drawing(digit, rng)


def right_on_page(browser: Browser, page_file: Path) -> float:
    """The fraction of new drawings that a page reads right."""
    page = Page(browser, page_file, **DESKTOP)
    right = 0
    for digit, strokes in drawings(1, DRAWN):
        page.draw(strokes)
        right += page.page.locator("#answer").inner_text().strip() == str(digit)
        page.page.get_by_role("button", name="Clear").click()
    page.page.close()
    return right / (10 * DRAWN)


def teach(browser: Browser, page_file: Path, archive: Path) -> None:
    """Draw, label and save five drawings of each digit."""
    page = Page(browser, page_file, **DESKTOP)
    for digit, strokes in drawings(0, FEW):
        page.draw(strokes)
        page.page.keyboard.press(str(digit))
        page.shown()
    with page.page.expect_download() as download:
        page.page.get_by_role("button", name="Download").click()
    download.value.save_as(archive)
    page.page.close()


def circle(folder: Path, base: Path) -> tuple[float, float, float]:
    """What the page reads right before and after it was taught, and MNIST's test error after."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    before, after, archive = folder / "before.html", folder / "after.html", folder / "digits.zip"
    nnmnist("export", base, "-o", before)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        first = right_on_page(browser, before)
        teach(browser, before, archive)
        tuned = tune(base, folder / "mine", f"data.extra=[{archive}]")
        nnmnist("export", tuned, "-o", after)
        return first, right_on_page(browser, after), errors(tuned, "mnist")


def main() -> None:
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    rows: dict[str, list[tuple[float, float]]] = {}
    pages = []
    for seed in range(seeds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for key, values in another_hand(folder, seed).items():
                rows.setdefault(key, []).append(values)
            pages.append(circle(folder, folder / "base" / "best.npz"))
    print(f"| {seeds} seeds | error on the other hand | error on MNIST's test set |\n|---|---|---|")
    for key, values in rows.items():
        hand, test = (statistics.mean(column) for column in zip(*values, strict=True))
        print(f"| {key} | {hand:.1%} | {test:.2%} |")
    first, last, test = (statistics.mean(column) for column in zip(*pages, strict=True))
    print(
        f"\nThe page reads {first:.0%} of the drawings before and {last:.0%} after it was taught; "
    )
    print(f"the network's error on MNIST's test set is {test:.2%} then.")


if __name__ == "__main__":
    main()
