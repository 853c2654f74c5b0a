"""Photo-like pictures of digits: dark ink on lit paper, turned, off-centre, noisy, compressed, by any pen."""

import io

import numpy as np
from PIL import Image, ImageFilter


def photo(digit, rng):
    """A grey picture (rows, columns) uint8, 3 to 12 times as large, of `digit` (28, 28) uint8, white on black."""
    scale = rng.uniform(3, 12)
    size = int(28 * scale)
    ink = Image.fromarray(digit).resize((size, size), Image.Resampling.BICUBIC)
    ink = ink.rotate(rng.uniform(-10, 10), Image.Resampling.BICUBIC)
    reach = 2 * max(1, int(scale / 4)) + 1
    pen = rng.choice(["thin", "as it is", "thick"])
    if pen != "as it is":
        ink = ink.filter(ImageFilter.MaxFilter(reach) if pen == "thick" else ImageFilter.MinFilter(reach))
    rows, columns = (int(size * rng.uniform(1.1, 2)) for _ in range(2))
    cover = np.zeros((rows, columns))
    top, left = rng.integers(0, rows - size + 1), rng.integers(0, columns - size + 1)
    cover[top : top + size, left : left + size] = np.asarray(ink) / 255
    y, x = np.meshgrid(np.linspace(-0.5, 0.5, rows), np.linspace(-0.5, 0.5, columns), indexing="ij")
    paper = rng.uniform(150, 240) + rng.uniform(-50, 50) * x + rng.uniform(-50, 50) * y
    picture = paper * (1 - cover) + np.minimum(rng.uniform(20, 80), paper) * cover
    picture += rng.normal(0, rng.uniform(1, 8), picture.shape)
    if rng.random() < 0.2:  # the edge of a table
        picture[:, : max(2, columns // 30)] = 60
    compressed = io.BytesIO()
    quality = int(rng.integers(50, 95))
    Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8)).save(compressed, "JPEG", quality=quality)
    return np.asarray(Image.open(compressed))
