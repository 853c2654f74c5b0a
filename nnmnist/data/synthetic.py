"""Generated digits: pen strokes rendered in NumPy, the same for the same seed.

The steps for each digit, from a style of `strokes.STYLES`:

    _trace     the pen strokes as one hand would write them
    _bend      the same on bent paper
    _slope     the same with another width, slant and rotation
    _ink       the strokes as grey pixels
    _centre    the digit in a 28x28 image

The last two steps do what was done to MNIST's own digits, see images/prepare.py. A network that
trains on these digits reads MNIST because they vary as much as hands do, not because they look
nice: many of them are harder to read than real ones.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from nnmnist.data.examples import Source, Splits
from nnmnist.data.strokes import NO_DIGITS, RARE_STYLES, STYLES
from nnmnist.errors import DataError
from nnmnist.images.preparation import DIGIT
from nnmnist.images.prepare import BOX, SIDE
from nnmnist.randomness import generator
from nnmnist.training.threads import in_threads
from nnmnist.types import Array

SEGMENTS = 80  # straight pieces of a skeleton: with 64, wide digits of a thin pen have gaps
RARE = 0.5  # the fraction of the digits of `add_generated` that have a rare style, if there is one
PER_SCRIBBLE = 100  # pictures of no digit for each style of a scribble
CHUNK = 250  # digits that are rendered together: so many stay in the processor's cache

# How hands differ: standard deviations of normal distributions, unless the comment says otherwise.
# Lengths of a skeleton are in digit heights, angles in radians, the pen in pixels of the box.
JITTER = 0.03  # every control point
OVERSHOOT = 0.2  # how much longer a stroke is, in lengths of its last leg
SHIFT = 0.045  # every stroke as a whole
WAVES = 3  # sine waves that bend the paper
WAVE_HEIGHT = 0.063
WAVE_NUMBER = 0.55  # periods per digit
SLANT_MEAN, SLANT = 0.1, 0.25
ROTATION = 0.1
WIDTH = 0.24  # of its logarithm
RADIUS, RADIUS_MAX = 1.27, 3.0  # half the thickness of a line: median, maximum
RADIUS_SPREAD = 0.33  # of its logarithm
PRESSURE = 0.4  # of the logarithm of the radius along the line
PRESSURE_WAVES = 2.0  # periods per line
EDGE = 1.2  # pixels from full ink to none
NIB = 0.67  # standard deviation of the Gaussian that measures distances, see `_ink`


def load(seed: int, n_train: int = 60_000, n_test: int = 10_000) -> Source:
    """Generate a training and a test part with balanced classes, each with its own generator.

    Args:
        seed: seed of the random numbers.
        n_train, n_test: numbers of examples.

    Returns:
        A source of images (n, 784) uint8 and labels (n,) uint8. Its identity has a SHA-256 of both.
        It is the same for one version of NumPy on one kind of machine. On others a sine may be
        rounded in another way, so that a grey value differs by 1.
    """
    digest = hashlib.sha256()
    parts = []
    for part, n in enumerate((n_train, n_test)):
        rng = generator(seed, "synthetic", part)
        labels = rng.permutation(np.arange(n) % len(STYLES)).astype(np.uint8)
        parts.append((render(labels, rng), labels))
        for array in parts[-1]:
            digest.update(array.data)
    identity = {
        "name": "synthetic",
        "seed": seed,
        "n_train": n_train,
        "n_test": n_test,
        "sha256": digest.hexdigest(),
    }
    classes = tuple(str(digit) for digit in STYLES)
    return Source("synthetic", parts[0], parts[1], classes, DIGIT.shape, identity, DIGIT)


def add_generated(
    splits: Splits, share: float, no_digits: float = 0, seed: int = 0, threads: int = 1
) -> Splits:
    """The splits with generated digits, and pictures of no digit, added to the training part.

    Each digit is added equally often; a half of the ones, for example, in a style of `RARE_STYLES`.
    Of the pictures of no digit, three quarters are letters and signs, in the styles of `NO_DIGITS`,
    and the others are scribbles. Data that is not made of digits in the format of MNIST stays as it
    is. Data with more classes than the digits gets no letters: they may be its classes.

    Args:
        splits: the data.
        share: the fraction of the main data and the generated digits that the latter make up.
        no_digits: the fraction of the whole training part that the pictures of no digit make up.
        seed: seed of the random numbers.
        threads: how many threads share the work.
    """
    if splits.preparation != DIGIT or not {str(digit) for digit in STYLES} <= set(splits.classes):
        return splits
    main, added = splits.train, {}
    n = round(share / (1 - share) * len(main))
    if share:
        digits, images = _digits(n, generator(seed, "generated"), threads)
        labels = np.array([splits.classes.index(str(digit)) for digit in STYLES], np.uint8)
        added["generated"] = labels[digits], images
    if no_digits and len(splits.classes) == len(STYLES):
        n_others = round(no_digits / (1 - no_digits) * (len(main) + n))
        images = _no_digits(n_others, generator(seed, "no digits"), threads)
        added["no_digits"] = np.full(n_others, len(splits.classes), np.uint8), images
    if not added:
        return splits
    labels, images = map(np.concatenate, zip(*added.values(), strict=True))
    digests = {key: hashlib.sha256(drawn.data).hexdigest() for key, (_, drawn) in added.items()}
    return replace(
        splits,
        train=main.with_more(images, labels, len(main.inputs) + np.arange(len(images))),
        identity={**splits.identity, **digests},
        n_generated=splits.n_generated + len(images),
    )


def _digits(n: int, rng: np.random.Generator, threads: int) -> tuple[Array, Array]:
    """The digits (n,) uint8 of `add_generated`, and their images (n, 784) uint8."""
    digits = rng.permutation(np.arange(n) % len(STYLES)).astype(np.uint8)
    is_rare = np.isin(digits, list(RARE_STYLES)) & (rng.random(n) < RARE)
    rare = {len(STYLES) + digit: styles for digit, styles in RARE_STYLES.items()}
    return digits, render(digits + len(STYLES) * is_rare, rng, STYLES | rare, threads)


def _no_digits(n: int, rng: np.random.Generator, threads: int) -> Array:
    """The pictures of no digit (n, 784) uint8 of `add_generated`."""
    scribbles = [_scribble(rng) for _ in range(1 + n // PER_SCRIBBLE)]
    styles = {k: {"": style} for k, style in enumerate([*scribbles, *NO_DIGITS.values()])}
    chosen = np.arange(n // 4) % len(scribbles)
    others = len(scribbles) + np.arange(n - n // 4) % len(NO_DIGITS)
    return render(rng.permutation(np.concatenate([chosen, others])), rng, styles, threads)


def _scribble(rng: np.random.Generator) -> str:
    """One to five strokes in the form of the styles; many strokes have few points each."""
    n = rng.integers(1, 6)
    strokes = (rng.integers(0, 101, (rng.integers(2, 3 + 10 // n), 2)) for _ in range(n))
    return " / ".join(" ".join(f"{x},{y}" for x, y in stroke) for stroke in strokes)


def render(
    labels: Array,
    rng: np.random.Generator,
    styles: Mapping[int, Mapping[str, str]] = STYLES,
    threads: int = 1,
) -> Array:
    """Images (n, 784) uint8, white on black, of the digits `labels` (n,) uint8.

    Each style of a digit is equally likely.

    Args:
        labels: the digits.
        rng: the generator of the random numbers.
        styles: for each digit, its styles by name.
        threads: how many threads share the work; the images are the same with any number.

    Raises:
        DataError: a label is not a digit.
    """
    unknown = np.setdiff1d(labels, list(styles))
    if len(unknown):
        raise DataError(f"cannot generate the label {unknown[0]}: the synthetic digits are 0 to 9")
    n = len(labels)
    lines = np.empty((n, 2, SEGMENTS + 1), np.float32)
    down = np.empty((n, SEGMENTS), np.float32)
    choice = rng.random(n)
    for digit, texts in styles.items():
        skeletons = [_skeleton(text) for text in texts.values()]
        rows = np.flatnonzero(labels == digit)
        style = (choice[rows] * len(skeletons)).astype(np.intp)
        for number, skeleton in enumerate(skeletons):
            chosen = rows[style == number]
            lines[chosen], down[chosen] = _trace(skeleton, len(chosen), rng), skeleton.down
    images = np.empty((n, SIDE * SIDE), np.uint8)
    chunks = [slice(start, start + CHUNK) for start in range(0, n, CHUNK)]

    def draw(job: tuple[slice, np.random.Generator]) -> None:
        chunk, rng = job
        written = _slope(_bend(lines[chunk], rng), rng)
        images[chunk] = _centre(_ink(written, down[chunk], rng))

    rngs = rng.spawn(len(chunks))  # one each, so that the order of the threads changes nothing
    in_threads(draw, list(zip(chunks, rngs, strict=True)), threads)
    return images


@dataclass(frozen=True)
class _Skeleton:
    """A style as matrices: one product turns control points (n, 2, C) into lines."""

    points: Array  # (2, C) control points in digit heights, around the origin
    # (C, C) control points -> last leg of the stroke that ends in each; 0 if none ends
    legs: Array
    curve: Array  # (C, SEGMENTS + 1) control points -> nodes of the line
    strokes: Array  # (S, SEGMENTS + 1) which stroke a node belongs to, one-hot
    # (SEGMENTS,) 1 if the pen is down between two nodes, 0 if it is up
    down: Array


@cache
def _skeleton(style: str) -> _Skeleton:
    strokes = [_parse_stroke(stroke) for stroke in style.split("/")]
    points, index = np.unique(np.concatenate(strokes), axis=0, return_inverse=True)
    ends = np.cumsum([len(stroke) for stroke in strokes])
    # for each stroke, one-hot rows (points of the stroke, C) that select its points
    selections = np.split(np.eye(len(points))[index.ravel()], ends[:-1])
    legs = np.zeros((len(points), len(points)))
    for selection in selections:
        for end, before in ((selection[0], selection[1]), (selection[-1], selection[-2])):
            legs += np.outer(end - before, end)
    alongs = [_lengths(_samples(len(stroke))[1] @ stroke) for stroke in strokes]
    lengths = np.array([along[-1] for along in alongs])
    # Between two strokes the pen travels along one segment.
    stops = np.rint(np.cumsum(lengths) / lengths.sum() * (SEGMENTS + 1)).astype(int)
    # the number of nodes of each stroke
    counts = np.diff(stops, prepend=0)
    curve = np.concatenate(
        [
            _even_nodes(along, count, len(selection)) @ selection
            for along, count, selection in zip(alongs, counts, selections, strict=True)
        ]
    )
    owner = np.repeat(np.eye(len(strokes)), counts, axis=1)
    down = (owner[:, 1:] * owner[:, :-1]).sum(0)
    arrays = ((points.T - 50) / 100, legs, curve.T, owner, down)
    return _Skeleton(*(array.astype(np.float32) for array in arrays))


def _parse_stroke(text: str) -> Array:
    """The points (n, 2) of a stroke that is written "x,y x,y ..."."""
    return np.array([xy.split(",") for xy in text.split()], float)


def _spline(t: Array, n: int) -> Array:
    """The uniform quadratic B-spline of n points at t in [0, n], as weights (len(t), n).

    Point k is the middle of piece [k, k + 1]. At the distance d from there it has the weight
    3/4 - d^2 up to d = 1/2, and (3/2 - d)^2 / 2 up to d = 3/2. Both end points are doubled.
    """
    distance = np.abs(t[:, None] - np.arange(-0.5, n + 1))  # from the points -1 to n
    weights = np.maximum(1.5 - distance, 0) ** 2 / 2 - 1.5 * np.maximum(0.5 - distance, 0) ** 2
    weights[:, 1] += weights[:, 0]
    weights[:, -2] += weights[:, -1]
    return weights[:, 1:-1]


@cache
def _samples(n: int) -> tuple[Array, Array]:
    """Many parameters t (400,) along the spline of n points, and its weights (400, n) there."""
    t = np.linspace(0, n, 400)
    return t, _spline(t, n)


def _lengths(line: Array) -> Array:
    """The distance of each node of a line (m, 2) from its start, along the line: (m,)."""
    return np.append(0, np.cumsum(np.hypot(*np.diff(line, axis=0).T)))


def _even_nodes(along: Array, count: int, n: int) -> Array:
    """Spline weights (count, n) for nodes at equal distances along a stroke of n points.

    `along` (400,) is the length of the stroke up to each parameter of `_samples`.
    """
    t, _ = _samples(n)
    return _spline(np.interp(np.linspace(0, along[-1], count), along, t), n)


def _normal(rng: np.random.Generator, *shape: int) -> Array:
    return rng.standard_normal(shape, dtype=np.float32)


def _uniform(rng: np.random.Generator, *shape: int) -> Array:
    return rng.random(shape, dtype=np.float32)


def _trace(skeleton: _Skeleton, n: int, rng: np.random.Generator) -> Array:
    """The skeleton as n hands would write it: lines (n, 2, SEGMENTS + 1) of any size."""
    points = skeleton.points + JITTER * _normal(rng, n, *skeleton.points.shape)
    points += OVERSHOOT * _normal(rng, n, 1, len(skeleton.legs)) * (points @ skeleton.legs)
    shifts = SHIFT * _normal(rng, n, 2, len(skeleton.strokes))
    return points @ skeleton.curve + shifts @ skeleton.strokes


def _bend(lines: Array, rng: np.random.Generator) -> Array:
    """Bend the paper: p + sum_i a_i sin(2 pi k_i . p + phi_i), with random a_i, k_i and phi_i."""
    n = len(lines)
    wave_numbers = 2 * math.pi * WAVE_NUMBER * _normal(rng, n, WAVES, 2)
    phases = 2 * math.pi * _uniform(rng, n, WAVES, 1)
    return lines + WAVE_HEIGHT * _normal(rng, n, 2, WAVES) @ np.sin(wave_numbers @ lines + phases)


def _slope(lines: Array, rng: np.random.Generator) -> Array:
    """Lines with another width and slant, then turned: products with random 2 x 2 matrices."""
    n = len(lines)
    width = np.exp(WIDTH * _normal(rng, n))
    slant = SLANT_MEAN + SLANT * _normal(rng, n)
    angle = ROTATION * _normal(rng, n)
    cos, sin = np.cos(angle), np.sin(angle)
    matrices = np.array([[width * cos, -sin - slant * cos], [width * sin, cos - slant * sin]])
    return matrices.transpose(2, 0, 1) @ lines


def _ink(lines: Array, down: Array, rng: np.random.Generator) -> Array:
    """Grey values (n, BOX, BOX) uint8 of lines (n, 2, SEGMENTS + 1), inked where the pen is down.

    Each element ds of a line is a Gaussian dab of weight ds / (nib sqrt(2 pi)). Their sum is
    exp(-d^2 / 2 nib^2) at the distance d from the line, however dense the nodes are. So d needs no
    search: d = nib sqrt(-2 ln sum). A Gaussian is a product of one in x and one in y, which makes
    the sum a matrix product. A weight e^((r_k^2 - r^2) / 2 nib^2) moves the outline from the pen's
    radius r to r_k: this is the pressure at node k.
    """
    radius = np.minimum(RADIUS * np.exp(RADIUS_SPREAD * _normal(rng, len(lines), 1)), RADIUS_MAX)
    lines = _fit(lines, radius[..., None])
    dx, dy = np.diff(lines).transpose(1, 0, 2)
    pressed = np.minimum(radius * _pressure(len(lines), rng), RADIUS_MAX)  # (n, SEGMENTS)
    weight = down * np.hypot(dx, dy) / (NIB * math.sqrt(2 * math.pi))
    weight *= np.exp((pressed**2 - radius**2) / (2 * NIB**2))
    dabs = _dabs((lines[..., 1:] + lines[..., :-1]) / 2)
    x, y = dabs[:, 0], dabs[:, 1]
    y *= weight[:, None]
    total = y @ x.transpose(0, 2, 1)  # (n, BOX rows, BOX columns)
    distance = NIB * np.sqrt(np.maximum(-2 * np.log(np.maximum(total, 1e-30)), 0))
    return (255 * np.clip((radius[..., None] - distance) / EDGE + 0.5, 0, 1)).astype(np.uint8)


def _fit(lines: Array, radius: Array) -> Array:
    """Scale and move each line so that its ink just fills the box, in height or in width."""
    low, high = lines.min(2, keepdims=True), lines.max(2, keepdims=True)
    scale = (BOX - 2 * radius) / (high - low).max(1, keepdims=True)
    return (lines - (low + high) / 2) * scale + BOX / 2


def _pressure(n: int, rng: np.random.Generator) -> Array:
    """The pressure along the line: factors (n, SEGMENTS) of the radius, in one slow wave."""
    along = np.linspace(0, 1, SEGMENTS, dtype=np.float32)
    height, waves = PRESSURE * _normal(rng, n, 1), PRESSURE_WAVES * _normal(rng, n, 1)
    return np.exp(height * np.sin(2 * math.pi * (waves * along + _uniform(rng, n, 1))))


def _dabs(position: Array) -> Array:
    """Gaussians around positions (..., SEGMENTS) at an axis's pixels: (..., BOX, SEGMENTS)."""
    pixels = np.arange(BOX, dtype=np.float32)[:, None] + 0.5
    dabs = position[..., None, :] - pixels
    np.square(dabs, out=dabs)
    dabs *= -0.5 / NIB**2
    # Products of two stay above the denormal numbers, which are many times slower to multiply.
    np.maximum(dabs, -40, out=dabs)
    return np.exp(dabs, out=dabs)


def _centre(boxes: Array) -> Array:
    """Put each box (n, BOX, BOX) into a black image, its centre of mass on pixel (14, 14).

    Counted from 0, this is half a pixel right of and below the middle. MNIST's digits are centred
    there, to within half a pixel. Returns (n, 784) uint8.
    """
    reach = np.arange(BOX)
    rows, columns = (_offset(boxes.sum(axis, dtype=float)) + reach for axis in (2, 1))  # (n, BOX)
    images = np.zeros((len(boxes), SIDE, SIDE), np.uint8)
    images[np.arange(len(boxes))[:, None, None], rows[:, :, None], columns[:, None, :]] = boxes
    return images.reshape(len(boxes), SIDE * SIDE)


def _offset(ink: Array) -> Array:
    """Whole pixels (n, 1) that move the centre of the ink (n, BOX) to that of the image.

    The box stays within the borders.
    """
    centre = ink @ np.arange(BOX) / ink.sum(1)
    return np.clip(np.rint(SIDE // 2 - centre), 0, SIDE - BOX).astype(np.intp)[:, None]
