"""The picture of a 7 is what its script draws, and small."""

import runpy
from pathlib import Path

import numpy as np
from PIL import Image

PICTURES = Path(__file__).parents[2] / "examples" / "pictures"


def test_the_picture_is_drawn_by_its_script(tmp_path):
    runpy.run_path(str(PICTURES / "draw.py"))["main"](tmp_path)
    drawn, shipped = (
        np.asarray(Image.open(folder / "seven.jpg"), dtype=float) for folder in (tmp_path, PICTURES)
    )
    assert shipped.shape == (480, 360, 3)
    assert abs(drawn - shipped).mean() < 2  # versions of Pillow write JPEG differently
    assert (PICTURES / "seven.jpg").stat().st_size < 30_000
