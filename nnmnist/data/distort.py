"""Distortions of a minibatch: fresh random affine maps and elastic fields, as records without convolutions used them.

Simard, Steinkraus, Platt, Best practices for convolutional neural networks, 2003; Ciresan, Meier, Gambardella,
Schmidhuber, Deep big simple neural nets excel on handwritten digit recognition, 2010. A pixel p of a distorted
image shows what the original has at

    A (p - c) + c - t + alpha (u(p), v(p)),

with c the image's centre, A a rotation, shear and scaling, t a shift, and u and v uniform noise smoothed by a
Gaussian. All of it is linear in what is drawn: the sources of all pixels are one matrix product.
"""

from __future__ import annotations

import numpy as np

from nnmnist.data.examples import PIXEL
from nnmnist.types import Array

# images warped at once: their arrays stay in the processor's cache from one operation to the next
BLOCK = 64
# of a matrix product: one so small is done by the thread that asks, without OpenBLAS's others
ROWS = 8
FRACTION_BITS = 8
UNIT = 1 << FRACTION_BITS  # sources are whole numbers of 1/256 pixel
SCALE = PIXEL / np.float32(UNIT**2)  # from interpolated bytes, UNIT^2 times too great, to [0, 1]
FAINT = 0.02  # of the greatest singular value of a smoothing: less is lost
TWELFTH = np.float32(1 / 12)
UPRIGHT = (1, 7)  # labels of which one tilted is taken for the other: half the tilt


class Distortion:
    """Distorts images of one shape; holds its working memory, and so serves one thread at a time.

    The keywords are those of `data.distort` in a config; rotation to shift bound uniform draws.

    Args:
        image_shape: (rows, columns) of an image.
        rotation, shear: degrees. Labels 1 and 7 get half of them.
        scale: of the width and of the height, as a fraction.
        shift: pixels, along each axis.
        alpha: what the smoothed noise is multiplied by, pixels.
        sigma: the standard deviation of the Gaussian that smooths it, pixels.
        sharpen: whether about half of the blur of the interpolation is removed.
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
        self.basis = _basis(image_shape, sigma)  # (3 + k, pixels)
        self._work = _Work(image_shape, *self.basis.shape)

    def __call__(self, images: Array, labels: Array, rng: np.random.Generator, out: Array) -> Array:
        """Fill `out` (n, pixels) float32 with images distorted as `rng` draws, in [0, 1], and return it.

        Args:
            images: (n, rows * columns) uint8, 0 the background.
            labels: (n,) their classes.
        """
        return self.warp(images, self.sample(labels, rng), out)

    def sample(self, labels: Array, rng: np.random.Generator) -> Array:
        """Random maps (2, n, 3 + k): how far right of, and below, the centre each pixel's source lies, in `basis`."""
        n = len(labels)
        turn, lean, wide, high, right, down = rng.uniform(-1, 1, (6, n))
        tilt = np.radians(np.where(np.isin(labels, UPRIGHT), 0.5, 1.0))
        angle, slope = self.rotation * tilt * turn, np.tan(self.shear * tilt * lean)
        cos, sin = np.cos(angle), np.sin(angle)
        width, height = 1 + self.scale * wide, 1 + self.scale * high
        maps = np.empty((2, n, len(self.basis)), np.float32)
        maps[:, :, 0] = -self.shift * np.stack([right, down])
        maps[:, :, 1] = np.stack([cos, sin]) / width
        maps[:, :, 2] = np.stack([cos * slope - sin, sin * slope + cos]) / height
        noise = np.float32(self.alpha / 3**0.5)  # noise uniform in +-1 has the variance 1/3
        maps[:, :, 3:] = noise * rng.standard_normal((2, n, len(self.basis) - 3), dtype=np.float32)
        return maps

    def warp(self, images: Array, maps: Array, out: Array) -> Array:
        """Fill `out` (n, pixels) float32 with the images that `maps` see, bilinearly, and sharpened if so set.

        A part of a batch, with its part of the maps, comes out as it does in the whole.
        """
        for start in range(0, len(images), BLOCK):
            part = slice(start, start + BLOCK)
            self._warp(images[part], maps[:, part], out[part])
        return out

    def _warp(self, images: Array, maps: Array, out: Array) -> None:
        """`warp` of one block, in whole numbers: both halves of a word are interpolated at once."""
        work, n = self._work, len(images)
        pairs = work.pair(images)
        fraction, index = work.locate(maps, self.basis)
        left = np.take(pairs, index, out=work.left[:n], mode="clip")
        right = np.take(pairs[1:], index, out=work.right[:n], mode="clip")
        upper = _between(left, right, fraction[0])
        lower = np.right_shift(upper, 16, out=right)
        upper &= 0xFFFF
        np.copyto(out, _between(upper, lower, fraction[1]).view(np.int32), casting="unsafe")
        out *= SCALE
        if self.sharpen:
            work.sharpen(out)


def _basis(image_shape: tuple[int, int], sigma: float) -> Array:
    """(3 + k, pixels) float32: 1, x and y from the centre, and the fields of which smoothed noise is made.

    Noise N smoothed along rows and columns is S N R^T. With S = U s V^T and R = Q r P^T its singular values, it is
    (U s) (V^T N P) (Q r)^T, where V^T N P is noise again, of the same variance, and all but normal. A smoothing
    has few singular values that are not faint: what remains are outer products of the columns of U s and Q r.
    """
    rows, columns = image_shape
    y, x = np.mgrid[:rows, :columns].reshape(2, -1)
    affine = np.stack([np.ones(rows * columns), x - (columns - 1) / 2, y - (rows - 1) / 2])
    fields = np.kron(_smoothing(rows, sigma), _smoothing(columns, sigma)).T
    return np.concatenate([affine, fields]).astype(np.float32)


def _smoothing(n: int, sigma: float) -> Array:
    """U s (n, r) of the convolution with a Gaussian over n pixels that have zeros around them."""
    distance = np.subtract.outer(np.arange(n), np.arange(n))
    gaussian = np.exp(-0.5 * (distance / sigma) ** 2) / (sigma * (2 * np.pi) ** 0.5)
    u, s, _ = np.linalg.svd(gaussian)
    kept = s > FAINT * s[0]
    return u[:, kept] * s[kept]


class _Work:
    """The arrays of a warp of up to BLOCK images, allocated once."""

    def __init__(self, image_shape: tuple[int, int], n_basis: int, pixels: int) -> None:
        self.image_shape = rows, columns = image_shape
        # A row and a column of zeros before each image are also those behind the image and the row before it.
        self.padded = np.zeros((BLOCK + 1, rows + 1, columns + 1), np.uint32)
        self.pairs = np.zeros(self.padded.size, np.uint32)
        # of each image
        self.first = np.arange(BLOCK, dtype=np.int32)[:, None] * ((rows + 1) * (columns + 1))
        self.maps = np.zeros((2, BLOCK // ROWS, ROWS, n_basis), np.float32)
        self.source = np.empty((2, BLOCK // ROWS, ROWS, pixels), np.float32)
        self.position = np.empty((2, BLOCK, pixels), np.int32)
        self.fraction = np.empty((2, BLOCK, pixels), np.uint32)
        self.index = np.empty((BLOCK, pixels), np.intp)
        self.left = np.empty((BLOCK, pixels), np.uint32)
        self.right = np.empty((BLOCK, pixels), np.uint32)

    def pair(self, images: Array) -> Array:
        """Each pixel of the padded images with, 16 bits above it, the pixel below it."""
        rows, columns = self.image_shape
        self.padded[: len(images), 1:, 1:] = images.reshape(-1, rows, columns)
        pixels = self.padded.ravel()
        below = pixels[columns + 1 :]
        pairs = self.pairs[: below.size]
        np.left_shift(below, 16, out=pairs)
        pairs += pixels[: below.size]
        return pairs

    def locate(self, maps: Array, basis: Array) -> tuple[Array, Array]:
        """Where the maps (2, n, 3 + k) find each pixel: between its neighbours (2, n, pixels), and their index."""
        rows, columns = self.image_shape
        n = maps.shape[1]
        self.maps.reshape(2, BLOCK, -1)[:, :n] = maps
        source = np.matmul(self.maps, basis, out=self.source).reshape(2, BLOCK, -1)[:, :n]
        source *= UNIT
        for along, size in zip(source, (columns, rows), strict=True):
            # from the zeros before the image; 0.5 rounds the cast
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
        """Take from images (n, pixels) in [0, 1] about half of the blur that interpolation has given them.

        Linear interpolation at the fraction f between two pixels blurs by the variance f (1 - f), of which the mean
        is 1/6: the kernel (1, 10, 1) / 12. Its inverse, to first order, is (-1, 14, -1) / 12, along columns and rows.
        """
        image, half, part = (
            array[: len(images)].reshape(-1, *self.image_shape)
            for array in (images, self.left.view(np.float32), self.right.view(np.float32))
        )
        along = (array.swapaxes(1, 2) for array in (half, image, part))
        for before, after, twelfth in ((image, half, part), along):
            np.multiply(before, TWELFTH, out=twelfth)
            np.add(twelfth, twelfth, out=after)
            after += before
            after[:, 1:] -= twelfth[:, :-1]
            after[:, :-1] -= twelfth[:, 1:]
        np.clip(images, 0, 1, out=images)


def _between(a: Array, b: Array, weight: Array) -> Array:
    """256 a + (b - a) weight, in place of `a`; spoils `b`. Modulo 2^32, which keeps the halves of a word apart."""
    b -= a
    b *= weight
    a *= UNIT
    a += b
    return a
