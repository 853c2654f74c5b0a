"""Pictures brought to one slant, width and height, as far as the moments of their ink tell these.

Casey, Moment normalization of handprinted characters, 1970. With (m_x, m_y) the ink's centre, s_xx, s_xy and s_yy its
variances, and a = s_xy / s_yy how far it leans to the side for each pixel down, the pixel that lies (x, y) from the
centre of the result shows what the picture has at

    (m_x + x / k_x + a y / k_y,  m_y + y / k_y).

k_x and k_y, which are bounded (a 1 stays slender), stretch it to deviations about as MNIST's digits have them.
"""

from __future__ import annotations

import numpy as np

from nnmnist.types import Array

WIDTH, HEIGHT = 3.6 / 28, 5.3 / 28  # deviations of the ink, of the picture's width and height
WIDER, TALLER = 1.6, 1.5  # at the most, and as much narrower and lower
THIN = 0.1  # pixels^2: no variance is taken for less
CHUNK = 100  # pictures at once: their arrays stay in the processor's cache


def normalize(images: Array, image_shape: tuple[int, int]) -> Array:
    """Images (n, rows * columns) normalized, in the same type: bytes stay bytes, rounded; what is bright is ink."""
    out = np.empty_like(images)
    rows, columns = image_shape
    padded = np.zeros((CHUNK, rows + 2, columns + 2), np.float32)
    for start in range(0, len(images), CHUNK):
        part = images[start : start + CHUNK]
        x, y = _sources(part.astype(np.float64), image_shape)
        padded[: len(part), 1:-1, 1:-1] = part.reshape(-1, *image_shape)
        lines = _between(padded[: len(part)], y)  # (n, rows, columns + 2)
        pixels = _between(lines.reshape(-1, columns + 2), x.reshape(-1, columns)).reshape(
            part.shape
        )
        out[start : start + CHUNK] = (
            np.rint(pixels, out=pixels) if images.dtype == np.uint8 else pixels
        )
    return out


def _sources(images: Array, image_shape: tuple[int, int]) -> tuple[Array, Array]:
    """Where in its image each pixel comes from: columns (n, rows, columns), and rows (n, rows), which lie level.

    The sums are in float64, in which those over bytes are exact, whatever the order in which they are made.
    """
    rows, columns = image_shape
    y, x = (side.reshape(-1) for side in np.mgrid[:rows, :columns].astype(np.float64))
    powers = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    mass, *sums = (images @ powers).T
    m_x, m_y, m_xx, m_xy, m_yy = np.stack(sums) / np.maximum(mass, np.finfo(float).tiny)
    s_xx, s_xy, s_yy = m_xx - m_x**2, m_xy - m_x * m_y, np.maximum(m_yy - m_y**2, THIN)
    lean = s_xy / s_yy
    deviation = np.sqrt(np.maximum(s_xx - lean * s_xy, THIN))  # across, once it stands upright
    k_x = np.clip(WIDTH * columns / deviation, 1 / WIDER, WIDER)[:, None]
    k_y = np.clip(HEIGHT * rows / np.sqrt(s_yy), 1 / TALLER, TALLER)[:, None]
    down = (np.arange(rows) - rows // 2) / k_y  # MNIST's centre of mass lies on pixel (14, 14)
    across = (np.arange(columns) - columns // 2) / k_x
    leaning = m_x[:, None] + lean[:, None] * down
    x_source = leaning.astype(np.float32)[:, :, None] + across.astype(np.float32)[:, None, :]
    return x_source, (m_y[:, None] + down).astype(np.float32)


def _between(values: Array, position: Array) -> Array:
    """Of each of m sequences of n values, with a zero before and behind, those at k positions, linearly interpolated.

    Args:
        values: (m, n + 2, ...). position: (m, k), counted from the first value behind the zero; spoilt.
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
    low, high = (each.take(first, axis=0, mode="clip") for each in (flat, flat[1:]))
    high -= low
    high *= fraction
    low += high
    return low
