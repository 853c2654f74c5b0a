"""Normalizes images of digits to the same slant, width and height, by the moments of their ink.

Casey, Moment normalization of handprinted characters, 1970. (m_x, m_y) is the centre of the ink,
s_xx, s_xy and s_yy are its variances, and a = s_xy / s_yy is the slant: pixels to the side per
pixel down. The pixel at (x, y) from the centre of the result shows what the image shows at

    (m_x + x / k_x + a y / k_y,  m_y + y / k_y).

k_x and k_y stretch the digit to the mean standard deviations of MNIST's digits, within limits: a 1
stays narrow.
"""

from __future__ import annotations

import numpy as np

from nnmnist.training.threads import in_threads
from nnmnist.types import Array

# standard deviations of the ink after normalization, as fractions of width and height
WIDTH, HEIGHT = 3.6 / 28, 5.3 / 28
# the largest factors of width and height; the smallest ones are their inverses
MAX_STRETCH_X, MAX_STRETCH_Y = 1.6, 1.5
MIN_VARIANCE = 0.1  # pixels^2: smaller variances count as this
CHUNK = 200  # images that are processed together: so many stay in the processor's cache
PART = 4000  # images that one thread takes at once: fewer are not shared by threads


def normalize(images: Array, image_shape: tuple[int, int], threads: int = 1) -> Array:
    """Normalize images to the same slant, width and height.

    Args:
        images: (n, rows * columns) uint8 or float; bright pixels are ink.
        image_shape: (rows, columns).
        threads: how many threads share many images.

    Returns:
        An array of the same shape and type; bytes are rounded.
    """
    out = np.empty_like(images)

    def fill(start: int) -> None:
        part = slice(start, start + PART)
        _fill(out[part], images[part], image_shape)

    in_threads(fill, range(0, len(images), PART), threads)
    return out


def _fill(out: Array, images: Array, image_shape: tuple[int, int]) -> None:
    """Write the normalized images to `out`."""
    rows, columns = image_shape
    size = min(CHUNK, len(images))
    padded = np.zeros((size, rows + 3, columns + 3), np.float32)
    down = _Interpolation(size, rows, columns + 3)
    across = _Interpolation(size * rows, columns)
    for start in range(0, len(images), CHUNK):
        part = images[start : start + CHUNK]
        n = len(part)
        x, y = _sources(part, image_shape)
        padded[:n, 1:-2, 1:-2] = part.reshape(-1, *image_shape)
        lines = down(padded[:n], y)  # (n, rows, columns + 3)
        pixels = across(lines.reshape(-1, columns + 3), x.reshape(-1, columns))
        if images.dtype == np.uint8:
            np.rint(pixels, out=pixels)
        out[start : start + n] = pixels.reshape(part.shape)


def _sources(images: Array, image_shape: tuple[int, int]) -> tuple[Array, Array]:
    """The source of each pixel: columns (n, rows, columns), and rows (n, rows).

    Rows stay horizontal.
    """
    rows, columns = image_shape
    (mass, m_y, m_yy), (m_x, m_xy), m_xx = _moments(images, image_shape)
    mass = np.maximum(mass, np.finfo(float).tiny)
    m_x, m_y, m_xx, m_xy, m_yy = m_x / mass, m_y / mass, m_xx / mass, m_xy / mass, m_yy / mass
    s_xx, s_xy, s_yy = m_xx - m_x**2, m_xy - m_x * m_y, np.maximum(m_yy - m_y**2, MIN_VARIANCE)
    slant = s_xy / s_yy
    # the horizontal deviation without the slant
    deviation = np.sqrt(np.maximum(s_xx - slant * s_xy, MIN_VARIANCE))
    k_x = np.clip(WIDTH * columns / deviation, 1 / MAX_STRETCH_X, MAX_STRETCH_X)[:, None]
    k_y = np.clip(HEIGHT * rows / np.sqrt(s_yy), 1 / MAX_STRETCH_Y, MAX_STRETCH_Y)[:, None]
    # The centre of mass moves to pixel (14, 14) of 28x28, as in MNIST.
    down = (np.arange(rows) - rows // 2) / k_y
    across = (np.arange(columns) - columns // 2) / k_x
    middle = m_x[:, None] + slant[:, None] * down
    x_source = middle.astype(np.float32)[:, :, None] + across.astype(np.float32)[:, None, :]
    return x_source, (m_y[:, None] + down).astype(np.float32)


def _moments(images: Array, image_shape: tuple[int, int]) -> tuple[Array, Array, Array]:
    """Sums over the ink of 1, y, y^2 (3, n), of x, xy (2, n) and of x^2 (n,).

    Sums over bytes are exact, whatever their order: those over a row in float32, because they are
    below 2^24 for up to 58 columns, and the others in float64.
    """
    rows, columns = image_shape
    is_exact = images.dtype == np.uint8 and 255 * columns**3 / 3 < 2**24
    dtype = np.dtype(np.float32 if is_exact else np.float64)
    x, y = np.arange(columns), np.arange(rows)
    powers_of_x = np.stack([x**0, x, x**2], axis=1).astype(dtype)
    of_rows = images.reshape(-1, columns).astype(dtype) @ powers_of_x
    of_rows = of_rows.reshape(-1, rows, 3).astype(np.float64)
    powers = np.stack([y**0, y, y**2]).astype(np.float64)
    return (
        powers @ of_rows[:, :, 0].T,
        powers[:2] @ of_rows[:, :, 1].T,
        of_rows[:, :, 2].sum(axis=1),
    )


class _Interpolation:
    """Interpolates up to m sequences of n values at n positions, linearly; outside is zero.

    It reuses its memory: the system takes as long to provide new memory as the arithmetic takes.

    Args:
        m, n: number of sequences, and of values in each.
        width: the number of numbers that each value consists of, if there are several.
    """

    def __init__(self, m: int, n: int, *width: int) -> None:
        self.starts = np.repeat(np.arange(m) * (n + 3), n).reshape(m, n)
        self.index, self.whole = np.empty_like(self.starts), np.empty((m, n), np.float32)
        self.low, self.high = np.empty((2, m, n, *width), np.float32)

    def __call__(self, values: Array, position: Array) -> Array:
        """The values (m, n, ...) at the positions; valid until the next call.

        Args:
            values: (m, n + 3, ...), with a zero before and two after the n values.
            position: (m, n), counted from the first of the n values; this array is changed.
        """
        m, padded = values.shape[:2]
        index, whole = self.index[:m], self.whole[:m]
        low, high = self.low[:m], self.high[:m]
        position += 1
        np.clip(position, 0, padded - 2, out=position)
        np.floor(position, out=whole)
        position -= whole
        fraction = position.reshape(position.shape + (1,) * (values.ndim - 2))
        np.copyto(index, whole, casting="unsafe")
        index += self.starts[:m]
        flat = values.reshape(m * padded, *values.shape[2:])
        np.take(flat, index, axis=0, out=low, mode="clip")
        np.take(flat[1:], index, axis=0, out=high, mode="clip")
        high -= low
        high *= fraction
        low += high
        return low
