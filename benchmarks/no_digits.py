"""How many pictures of no digit, and of digits, `predict` answers with ?:

python benchmarks/no_digits.py CHECKPOINT...

The digits are MNIST's test images, and generated ones. Everything else is rendered by this script:
letters and symbols of DejaVu (part of matplotlib), strokes, scribbles and faces. The first line of
a checkpoint has the limit of `predict`, the others have the limits at which 1, 2 and 5 % of MNIST's
digits become ?.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from PIL import Image, ImageDraw, ImageFont

from nnmnist import checkpoint
from nnmnist.data import mnist, synthetic
from nnmnist.data.examples import scale
from nnmnist.evaluation.records import LEAST_RATIO
from nnmnist.images.prepare import prepare
from nnmnist.model.network import Network

# Without O, I, l, S, Z and others that are written like digits.
LETTERS = "ABCDEFGHJKMNPQRTUVWXYabdefhjkmnprtuwxy"
SYMBOLS = "#%&@?!+*=<>{}[]$~^"
FONTS = ("DejaVu Sans", "DejaVu Serif", "DejaVu Sans Mono")
STYLES = ("normal", "oblique")
DRAWN = 25  # of each kind
GENERATED = 5000
SHARES = (0.01, 0.02, 0.05)  # of digits that become ?
SIDE = 120  # pixels


def letters() -> Iterator[np.ndarray]:
    """Letters and symbols in black on white."""
    for family in FONTS:
        for style in STYLES:
            font = ImageFont.truetype(
                font_manager.findfont(font_manager.FontProperties(family=family, style=style)), 80
            )
            for text in LETTERS + SYMBOLS:
                picture = Image.new("L", (SIDE, SIDE), 255)
                ImageDraw.Draw(picture).text((SIDE / 2, SIDE / 2), text, 0, font, anchor="mm")
                yield np.asarray(picture)


def drawings(rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Scribbles, several strokes, zigzags, and faces, in black on white."""
    for _ in range(DRAWN):
        for points in (_scribble(rng), _zigzag(rng)):
            picture = Image.new("L", (SIDE, SIDE), 255)
            ImageDraw.Draw(picture).line(points, 0, int(rng.integers(4, 9)), "curve")
            yield np.asarray(picture)
        picture = Image.new("L", (SIDE, SIDE), 255)
        pen = ImageDraw.Draw(picture)
        for _ in range(rng.integers(3, 6)):
            pen.line(rng.uniform(15, 105, 4).tolist(), 0, int(rng.integers(4, 9)))
        yield np.asarray(picture)
        yield _face(rng)


def _scribble(rng: np.random.Generator) -> list[tuple[float, float]]:
    """A line that turns at random, from point to point."""
    at = np.cumsum(np.cumsum(rng.normal(0, 1, (60, 2)), axis=0), axis=0)
    at = (at - at.min(axis=0)) / np.ptp(at, axis=0).max() * 90 + 15
    return [tuple(point) for point in at.tolist()]


def _zigzag(rng: np.random.Generator) -> list[tuple[float, float]]:
    """A line that goes up and down three to five times."""
    x = np.linspace(15, 105, 2 * rng.integers(3, 6) + 1)
    y = np.where(np.arange(len(x)) % 2, 15, 105) + rng.normal(0, 8, len(x))
    return list(zip(x.tolist(), y.tolist(), strict=True))


def _face(rng: np.random.Generator) -> np.ndarray:
    picture = Image.new("L", (SIDE, SIDE), 255)
    pen = ImageDraw.Draw(picture)
    width = int(rng.integers(3, 7))
    left, right = rng.uniform(10, 25), rng.uniform(95, 110)
    pen.ellipse((left, 10, right, 110), outline=0, width=width)
    for x in (48, 72):
        pen.ellipse((x - 5, 40, x + 5, 50), fill=0)
    pen.arc((40, 50, 80, rng.uniform(80, 95)), 20, 160, fill=0, width=width)
    return np.asarray(picture)


def certainty(network: Network, x: np.ndarray) -> np.ndarray:
    """What `predict` compares with its limit: probabilities (n,), or multiples of that of none."""
    p = network.output.predict(network.logits(x))
    best: np.ndarray = network.output.class_probabilities(p).max(axis=0)
    return best / p[-1] if network.output.has_none else best


def main() -> None:
    others = [*letters(), *drawings(np.random.default_rng(1))]
    others = scale(np.stack([prepare(picture) for picture in others]).reshape(-1, 784))
    digits = scale(mnist.load().test[0])
    labels = np.arange(GENERATED) % 10
    generated = scale(synthetic.render(labels.astype(np.uint8), np.random.default_rng(1)))
    print(f"{len(others)} pictures of no digit")
    print("| checkpoint | limit | digits as ? | generated digits | no digits |")
    print("|---|---|---|---|---|")
    for path in sys.argv[1:]:
        network = checkpoint.load(Path(path)).network
        found = [certainty(network, x) for x in (digits, generated, others)]
        default = LEAST_RATIO if network.output.has_none else 0.5
        for least in (default, *np.quantile(found[0], SHARES)):
            rates = " | ".join(f"{np.mean(each < least):.1%}" for each in found)
            print(f"| {path} | {least:.3f} | {rates} |")


if __name__ == "__main__":
    main()
