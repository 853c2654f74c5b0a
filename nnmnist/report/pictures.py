"""Many small images as one PNG inside the page."""

from __future__ import annotations

import base64
import io

import numpy as np

from nnmnist.types import Array

RED, BLUE = np.array([[213, 94, 0], [0, 114, 178]], np.uint8)  # those of `plots`


class Sheet:
    """Images side by side in one PNG; each is shown through a window of its size.

    Args:
        name: the CSS class of the images.
        pixels: (n, rows, columns) grey or (n, rows, columns, 4) RGBA bytes.
        keys: (n,) the keys by which `picture` finds them.
    """

    def __init__(self, name: str, pixels: Array, keys: Array) -> None:
        self.name = name
        self.pixels = pixels
        self.across = max(1, int(np.ceil(len(pixels) ** 0.5)))
        self._place = {int(key): divmod(i, self.across) for i, key in enumerate(keys)}

    def picture(self, key: int, alt: str) -> str:
        """The HTML of one image; `alt` is HTML too."""
        y, x = self._place[key]
        return f'<i class={self.name} role=img aria-label="{alt}" style=--x:{x};--y:{y}></i>'

    def style(self) -> str:
        """The HTML with the PNG itself."""
        n, rows, columns, *channels = self.pixels.shape
        down = -(-n // self.across)
        canvas = np.zeros((down * self.across, *self.pixels.shape[1:]), np.uint8)
        canvas[:n] = self.pixels
        image = canvas.reshape(down, self.across, rows, columns, *channels).swapaxes(1, 2)
        data = base64.b64encode(
            _png(image.reshape(down * rows, self.across * columns, *channels))
        ).decode()
        return (
            f"<style>.{self.name}{{--across:{self.across};--aspect:{rows / columns:.4f};"
            f"background-image:url(data:image/png;base64,{data})}}</style>"
        )


def signed(values: Array) -> Array:
    """Values (n, rows, columns) as RGBA: red above zero, blue below, transparent near zero."""
    # otherwise a few extreme pixels would make all others pale
    limit = float(np.quantile(np.abs(values), 0.998)) or 1.0
    colour = np.where(values[..., None] > 0, RED, BLUE)
    alpha = np.clip(np.abs(values) / limit * 255, 0, 255).astype(np.uint8)
    return np.concatenate([colour, alpha[..., None]], axis=-1)


def _png(image: Array) -> bytes:
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", optimize=True)
    return file.getvalue()
