"""Draw seven.jpg: a 7 in pencil on a sheet of paper, with the light from the left.

Nothing of it comes from a data set: python examples/pictures/draw.py
"""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

HERE = Path(__file__).parent
WIDTH, HEIGHT = 360, 480
# Two movements of the pencil, as corners of curves: x and y from 0 to 1.
STROKES = [
    [(0.28, 0.27), (0.40, 0.24), (0.58, 0.25), (0.70, 0.22), (0.66, 0.33),
     (0.56, 0.48), (0.50, 0.62), (0.46, 0.78)],
    [(0.42, 0.51), (0.53, 0.49), (0.66, 0.50)],
]  # fmt: skip


def curve(corners: list[tuple[float, float]], n: int = 400) -> np.ndarray:
    """Points (n, 2) on a smooth line near the corners."""
    corner = np.arange(len(corners))
    points = np.column_stack(
        [
            np.interp(np.linspace(0, corner[-1], n), corner, values)
            for values in zip(*corners, strict=True)
        ]
    )
    window = np.ones(41) / 41
    padded = np.pad(points, ((20, 20), (0, 0)), mode="edge")
    return np.column_stack([np.convolve(column, window, mode="valid") for column in padded.T])


def pencil(rng: np.random.Generator) -> np.ndarray:
    """How dark the pencil makes each point of the sheet, (HEIGHT, WIDTH) from 0 to 1."""
    sheet = Image.new("L", (WIDTH, HEIGHT))
    pen = ImageDraw.Draw(sheet)
    for stroke in STROKES:
        points = curve(stroke) * (WIDTH, HEIGHT)
        pressure = 4.5 + np.sin(np.linspace(0, 5, len(points)))
        for (x, y), r in zip(points + rng.normal(0, 0.35, points.shape), pressure, strict=True):
            pen.ellipse((x - r, y - r, x + r, y + r), fill=255)
    line = np.asarray(sheet.filter(ImageFilter.GaussianBlur(1.1))) / 255
    # The grain of the paper takes graphite on its hills only.
    grain = rng.normal(size=(HEIGHT, WIDTH))
    return line * np.clip(0.72 + 0.16 * grain, 0.25, 0.95)


def main(folder: Path = HERE) -> None:
    """Write seven.jpg into the folder."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH] / WIDTH
    light = 1 - 0.28 * x - 0.10 * y + rng.normal(0, 0.008, x.shape)
    paper = light[..., None] * np.array([236, 231, 218])
    graphite = np.array([62, 62, 70])
    dark = pencil(rng)[..., None]
    picture = Image.fromarray(np.clip(paper * (1 - dark) + graphite * dark, 0, 255).astype("uint8"))
    picture.save(folder / "seven.jpg", quality=80)


if __name__ == "__main__":
    main()
