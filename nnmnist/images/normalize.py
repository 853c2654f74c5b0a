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

from nnmnist.types import Array

# standard deviations of the ink after normalization, as fractions of width and height
WIDTH, HEIGHT = 3.6 / 28, 5.3 / 28
# the largest factors of width and height; the smallest ones are their inverses
MAX_STRETCH_X, MAX_STRETCH_Y = 1.6, 1.5
MIN_VARIANCE = 0.1  # pixels^2: smaller variances count as this
CHUNK = 100  # images that are processed together: so many stay in the processor's cache


def normalize(images: Array, image_shape: tuple[int, int]) -> Array:
    """Normalize images to the same slant, width and height.

    Args:
        images: (n, rows * columns) uint8 or float; bright pixels are ink.
        image_shape: (rows, columns).

    Returns:
        An array of the same shape and type; bytes are rounded.
    """
    out = np.empty_like(images)
    rows, columns = image_shape
    padded = np.zeros((CHUNK, rows + 2, columns + 2), np.float32)
    for start in range(0, len(images), CHUNK):
        part = images[start : start + CHUNK]
        x, y = _sources(part.astype(np.float64), image_shape)
        padded[: len(part), 1:-1, 1:-1] = part.reshape(-1, *image_shape)
        lines = _interpolate(padded[: len(part)], y)  # (n, rows, columns + 2)
        pixels = _interpolate(lines.reshape(-1, columns + 2), x.reshape(-1, columns))
        if images.dtype == np.uint8:
            np.rint(pixels, out=pixels)
        out[start : start + CHUNK] = pixels.reshape(part.shape)
    return out


def _sources(images: Array, image_shape: tuple[int, int]) -> tuple[Array, Array]:
    """The source of each pixel: columns (n, rows, columns), and rows (n, rows).

    Rows stay horizontal. The sums are in float64: sums over bytes are then exact, whatever their
    order.
    """
    rows, columns = image_shape
    y, x = np.mgrid[:rows, :columns].astype(np.float64).reshape(2, -1)
    powers = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    mass, *sums = (images @ powers).T
    m_x, m_y, m_xx, m_xy, m_yy = np.stack(sums) / np.maximum(mass, np.finfo(float).tiny)
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


def _interpolate(values: Array, position: Array) -> Array:
    """Interpolate m sequences of n values, with a zero before and after, at k positions, linearly.

    Args:
        values: (m, n + 2, ...).
        position: (m, k), counted from the first value after the zero; this array is changed.
    """
    m, padded = values.shape[:2]
    position += 1
    np.maximum(position, 0, out=position)
    np.minimum(position, padded - 1, out=position)
    first = np.minimum(position.astype(np.int32), padded - 2)
    position -= first
    fraction = position.reshape(position.shape + (1,) * (values.ndim - 2))
    flat = values.reshape(m * padded, *values.shape[2:])
    first += np.arange(m, dtype=np.int32)[:, None] * padded
    low = flat.take(first, axis=0, mode="clip")
    high = flat[1:].take(first, axis=0, mode="clip")
    high -= low
    high *= fraction
    low += high
    return low
