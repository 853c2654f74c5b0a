"""Random distortions of a minibatch: affine maps and elastic fields.

Simard, Steinkraus, Platt, Best practices for convolutional neural networks, 2003; Ciresan, Meier,
Gambardella, Schmidhuber, Deep big simple neural nets excel on handwritten digit recognition, 2010.
The pixel p of a distorted image shows what the original shows at

    A (p - c) + c - t + alpha (u(p), v(p)),

where c is the centre of the image, A a rotation, shear and scaling, t a shift, and u and v uniform
noise that a Gaussian has smoothed. This is linear in the random numbers: one matrix product gives
the source positions of all pixels.
"""

from __future__ import annotations

import numpy as np

from nnmnist.data.examples import PIXEL
from nnmnist.errors import DataError
from nnmnist.types import Array

# images that are warped together: so many stay in the processor's cache
BLOCK = 64
# rows of a matrix product; OpenBLAS computes such a small one in the calling thread, without others
ROWS = 8
# Source positions are integers, in 1/256 pixel.
FRACTION_BITS = 8
UNIT = 1 << FRACTION_BITS
SCALE = PIXEL / np.float32(UNIT**2)  # interpolated bytes times UNIT^2 -> [0, 1]
NEGLIGIBLE = 0.02  # smaller singular values, relative to the largest, are left out
TWELFTH = np.float32(1 / 12)
HALF_TILT = (1, 7)  # labels that look like each other when tilted


class Distortion:
    """Distorts images of one shape. It owns its working memory: use it in one thread at a time.

    The keywords are those of `data.distort` in a config. Rotation, shear, scale and shift are
    sampled uniformly between minus and plus the value.

    Args:
        image_shape: (rows, columns) of an image.
        rotation, shear: degrees; the labels 1 and 7 get half of them.
        scale: fraction of the width and of the height.
        shift: pixels, along each axis.
        alpha: factor of the smoothed noise, in pixels.
        sigma: standard deviation of the Gaussian that smooths the noise, in pixels.
        sharpen: whether to remove about half of the blur of the interpolation.

    Raises:
        DataError: the images are so large that the memory does not suffice.
    """

    def __init__(
        self,
        image_shape: tuple[int, int],
        *,
        rotation: float,
        shear: float,
        scale: float,
        shift: float,
        alpha: float,
        sigma: float,
        sharpen: bool,
    ) -> None:
        self.rotation, self.shear, self.scale, self.shift = rotation, shear, scale, shift
        self.alpha, self.sharpen = alpha, sharpen
        try:
            self.basis = _basis(image_shape, sigma)  # (3 + k, pixels)
            self._buffers = _Buffers(image_shape, *self.basis.shape)
        except MemoryError as error:
            raise DataError(
                f"data.distort: out of memory for images of {image_shape[1]}x{image_shape[0]} "
                f"pixels ({error}); use smaller images, raise data.distort.sigma, or remove "
                "data.distort"
            ) from None

    def __call__(self, images: Array, labels: Array, rng: np.random.Generator, out: Array) -> Array:
        """Fill `out` (n, pixels) float32 with distorted images in [0, 1], and return it.

        Args:
            images: (n, rows * columns) uint8; 0 is the background.
            labels: (n,) their classes.
            rng: samples the distortions.
            out: (n, rows * columns) float32.
        """
        return self.warp(images, self.sample(labels, rng), out)

    def sample(self, labels: Array, rng: np.random.Generator) -> Array:
        """Random maps (2, n, 3 + k): x and y of each pixel's source from the centre, in `basis`."""
        n = len(labels)
        rotation, shear, scale_x, scale_y, shift_x, shift_y = rng.uniform(-1, 1, (6, n))
        tilt = np.radians(np.where(np.isin(labels, HALF_TILT), 0.5, 1.0))
        angle, slope = self.rotation * tilt * rotation, np.tan(self.shear * tilt * shear)
        cos, sin = np.cos(angle), np.sin(angle)
        width, height = 1 + self.scale * scale_x, 1 + self.scale * scale_y
        maps = np.empty((2, n, len(self.basis)), np.float32)
        maps[:, :, 0] = -self.shift * np.stack([shift_x, shift_y])
        maps[:, :, 1] = np.stack([cos, sin]) / width
        maps[:, :, 2] = np.stack([cos * slope - sin, sin * slope + cos]) / height
        noise = np.float32(self.alpha / 3**0.5)  # uniform noise in [-1, 1] has the variance 1/3
        maps[:, :, 3:] = noise * rng.standard_normal((2, n, len(self.basis) - 3), dtype=np.float32)
        return maps

    def warp(self, images: Array, maps: Array, out: Array) -> Array:
        """Fill `out` (n, pixels) float32 with the images under these maps, interpolated bilinearly.

        Part of a batch, with its part of the maps, gives the same pixels as the whole batch.
        """
        for start in range(0, len(images), BLOCK):
            part = slice(start, start + BLOCK)
            self._warp(images[part], maps[:, part], out[part])
        return out

    def _warp(self, images: Array, maps: Array, out: Array) -> None:
        """`warp` of one block, in integers: one operation interpolates both halves of a word."""
        buffers, n = self._buffers, len(images)
        pairs = buffers.pair(images)
        fraction, index = buffers.locate(maps, self.basis)
        left = np.take(pairs, index, out=buffers.left[:n], mode="clip")
        right = np.take(pairs[1:], index, out=buffers.right[:n], mode="clip")
        upper = _interpolate(left, right, fraction[0])
        lower = np.right_shift(upper, 16, out=right)
        upper &= 0xFFFF
        np.copyto(out, _interpolate(upper, lower, fraction[1]).view(np.int32), casting="unsafe")
        out *= SCALE
        if self.sharpen:
            buffers.sharpen(out)


def _basis(image_shape: tuple[int, int], sigma: float) -> Array:
    """(3 + k, pixels) float32: 1, x and y from the centre, and the fields that form smoothed noise.

    Noise N that is smoothed along rows and columns is S N R^T. With the singular value
    decompositions S = U s V^T and R = Q r P^T, this is (U s) (V^T N P) (Q r)^T. V^T N P is noise
    again, with the same variance and almost normal. A smoothing has few large singular values; the
    others are left out, and the outer products of the columns of U s and Q r remain.
    """
    rows, columns = image_shape
    y, x = np.mgrid[:rows, :columns].reshape(2, -1)
    affine = np.stack([np.ones(rows * columns), x - (columns - 1) / 2, y - (rows - 1) / 2])
    fields = np.kron(_smoothing(rows, sigma), _smoothing(columns, sigma)).T
    return np.concatenate([affine, fields]).astype(np.float32)


def _smoothing(n: int, sigma: float) -> Array:
    """U s (n, r) of the convolution of n pixels, with zeros around them, with a Gaussian."""
    distance = np.subtract.outer(np.arange(n), np.arange(n))
    gaussian = np.exp(-0.5 * (distance / sigma) ** 2) / (sigma * (2 * np.pi) ** 0.5)
    u, s, _ = np.linalg.svd(gaussian)
    kept = s > NEGLIGIBLE * s[0]
    return u[:, kept] * s[kept]


class _Buffers:
    """The arrays of a warp of up to BLOCK images, allocated once."""

    def __init__(self, image_shape: tuple[int, int], n_basis: int, pixels: int) -> None:
        self.image_shape = rows, columns = image_shape
        # The zeros before an image, and before a row, are also those behind the previous one.
        self.padded = np.zeros((BLOCK + 1, rows + 1, columns + 1), np.uint32)
        self.pairs = np.zeros(self.padded.size, np.uint32)
        # the index of the first pixel of each image
        self.first = np.arange(BLOCK, dtype=np.int32)[:, None] * ((rows + 1) * (columns + 1))
        self.maps = np.zeros((2, BLOCK // ROWS, ROWS, n_basis), np.float32)
        self.source = np.empty((2, BLOCK // ROWS, ROWS, pixels), np.float32)
        self.position = np.empty((2, BLOCK, pixels), np.int32)
        self.fraction = np.empty((2, BLOCK, pixels), np.uint32)
        self.index = np.empty((BLOCK, pixels), np.intp)
        self.left = np.empty((BLOCK, pixels), np.uint32)
        self.right = np.empty((BLOCK, pixels), np.uint32)

    def pair(self, images: Array) -> Array:
        """Each pixel of the padded images, with the pixel below it in the upper 16 bits."""
        rows, columns = self.image_shape
        self.padded[: len(images), 1:, 1:] = images.reshape(-1, rows, columns)
        pixels = self.padded.ravel()
        below = pixels[columns + 1 :]
        pairs = self.pairs[: below.size]
        np.left_shift(below, 16, out=pairs)
        pairs += pixels[: below.size]
        return pairs

    def locate(self, maps: Array, basis: Array) -> tuple[Array, Array]:
        """The source of each pixel: fractions (2, n, pixels) between neighbours, and an index."""
        rows, columns = self.image_shape
        n = maps.shape[1]
        self.maps.reshape(2, BLOCK, -1)[:, :n] = maps
        source = np.matmul(self.maps, basis, out=self.source).reshape(2, BLOCK, -1)[:, :n]
        source *= UNIT
        for along, size in zip(source, (columns, rows), strict=True):
            # 1 for the zeros before the image; 0.5 rounds the cast
            along += UNIT * ((size - 1) / 2 + 1) + 0.5
            np.maximum(along, 0, out=along)
            np.minimum(along, UNIT * (size + 1), out=along)
        position = self.position[:, :n]
        np.copyto(position, source, casting="unsafe")
        fraction = np.bitwise_and(position, UNIT - 1, out=self.fraction[:, :n], casting="unsafe")
        position >>= FRACTION_BITS
        position[1] *= columns + 1
        position[1] += self.first[:n]
        return fraction, np.add(position[0], position[1], out=self.index[:n])

    def sharpen(self, images: Array) -> None:
        """Remove about half of the blur of the interpolation from images (n, pixels) in [0, 1].

        Linear interpolation at the fraction f between two pixels blurs with the variance f (1 - f),
        whose mean is 1/6: the kernel (1, 10, 1) / 12. Its inverse, to first order, is (-1, 14, -1)
        / 12, applied along columns and rows.
        """
        n = len(images)
        image = images.reshape(-1, *self.image_shape)
        # The memory of `left` and `right` is free by now.
        sharp = self.left.view(np.float32)[:n].reshape(image.shape)
        twelfth = self.right.view(np.float32)[:n].reshape(image.shape)
        _sharpen_columns(image, sharp, twelfth)
        _sharpen_columns(sharp.swapaxes(1, 2), image.swapaxes(1, 2), twelfth.swapaxes(1, 2))
        np.clip(images, 0, 1, out=images)


def _sharpen_columns(images: Array, out: Array, twelfth: Array) -> None:
    """Fill `out` with images (n, rows, columns) times the kernel; `twelfth` is working memory."""
    np.multiply(images, TWELFTH, out=twelfth)
    np.add(twelfth, twelfth, out=out)
    out += images
    out[:, 1:] -= twelfth[:, :-1]
    out[:, :-1] -= twelfth[:, 1:]


def _interpolate(a: Array, b: Array, weight: Array) -> Array:
    """256 a + (b - a) weight, in the memory of `a`; changes `b`. Modulo 2^32, per half word."""
    b -= a
    b *= weight
    a *= UNIT
    a += b
    return a
