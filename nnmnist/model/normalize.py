"""Pictures brought to one slant, width and height, as far as the moments of their ink tell these.

Casey, Moment normalization of handprinted characters, 1970. With (m_x, m_y) the ink's centre, s_xx, s_xy and s_yy its
variances, and a = s_xy / s_yy how far it leans to the side for each pixel down, the pixel that lies (x, y) from the
centre of the result shows what the picture has at

    (m_x + x / k_x + a y / k_y,  m_y + y / k_y).

k_x and k_y, which are bounded (a 1 stays slender), stretch it to deviations about as MNIST's digits have them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

WIDTH, HEIGHT = 3.6 / 28, 5.3 / 28  # deviations of the ink, of the picture's width and height
WIDER, TALLER = 1.6, 1.5  # at the most, and as much narrower and lower
THIN = 0.1  # pixels^2: no variance is taken for less
CHUNK = 500  # pictures at once


def normalize(images: Array, image_shape: tuple[int, int]) -> Array:
    """Images (n, rows * columns) normalized, in the same type: bytes stay bytes, rounded; what is bright is ink."""
    out = np.empty_like(images)
    for start in range(0, len(images), CHUNK):
        part = images[start : start + CHUNK]
        x, y = _sources(part.astype(np.float64), image_shape)
        lines = _between(part.reshape(-1, *image_shape).astype(np.float32), y[:, :, None], axis=1)
        pixels = _between(lines, x, axis=2).reshape(part.shape)
        out[start : start + CHUNK] = np.rint(pixels) if images.dtype == np.uint8 else pixels
    return out


def _sources(images: Array, image_shape: tuple[int, int]) -> tuple[Array, Array]:
    """Where in its image each pixel comes from: columns (n, rows, columns), and rows (n, rows), which lie level.

    The sums are in float64, in which those over bytes are exact, whatever the order in which they are made.
    """
    rows, columns = image_shape
    y, x = (side.reshape(-1) for side in np.mgrid[:rows, :columns].astype(np.float64))
    mass = np.maximum(images.sum(axis=1), np.finfo(float).tiny)
    m_x, m_y, m_xx, m_xy, m_yy = (images @ np.stack([x, y, x * x, x * y, y * y], axis=1)).T / mass
    s_xx, s_xy, s_yy = m_xx - m_x**2, m_xy - m_x * m_y, np.maximum(m_yy - m_y**2, THIN)
    lean = s_xy / s_yy
    deviation = np.sqrt(np.maximum(s_xx - lean * s_xy, THIN))  # across, once it stands upright
    k_x = np.clip(WIDTH * columns / deviation, 1 / WIDER, WIDER)[:, None]
    k_y = np.clip(HEIGHT * rows / np.sqrt(s_yy), 1 / TALLER, TALLER)[:, None]
    down = (np.arange(rows) - rows // 2) / k_y  # MNIST's centre of mass lies on pixel (14, 14)
    across = (np.arange(columns) - columns // 2) / k_x
    leaning = m_x[:, None] + lean[:, None] * down
    return leaning[:, :, None] + across[:, None, :], m_y[:, None] + down


def _between(values: Array, position: Array, axis: int) -> Array:
    """Values at positions along an axis, interpolated linearly, with zeros around them."""
    n = values.shape[axis]
    padded = np.pad(values, [(1, 1) if each == axis else (0, 0) for each in range(values.ndim)])
    position = np.clip(position + 1, 0, n + 1).astype(np.float32)
    first = np.minimum(position.astype(np.intp), n)
    low, high = (np.take_along_axis(padded, first + k, axis) for k in (0, 1))
    return low + (position - first.astype(np.float32)) * (high - low)
