"""Photo-like pictures of digits: dark ink on lit paper, turned, off-centre, noisy, compressed, by
any pen.
"""

import io

import numpy as np
from PIL import Image, ImageFilter


def photo(digit, rng):
    """A grey picture (rows, columns) uint8, 3 to 40 times as large, of `digit` (28, 28) uint8,
    white on black.

    A third of the sheets is ruled, and a third lies at the edge of a table.
    """
    scale = np.exp(rng.uniform(np.log(3), np.log(40)))
    angle = rng.uniform(-10, 10)  # degrees; of the sheet, with all that is on it
    ink = written(digit, scale, angle, pens(scale, rng))
    size = len(ink)
    rows, columns = (int(size * rng.uniform(1.1, 2)) for _ in range(2))
    cover = np.zeros((rows, columns))
    top, left = rng.integers(0, rows - size + 1), rng.integers(0, columns - size + 1)
    cover[top : top + size, left : left + size] = ink
    if rng.random() < 1 / 3:
        cover = np.maximum(cover, rng.uniform(0.1, 0.8) * rules(cover.shape, scale, angle, rng))
    picture = lit(cover, rng)
    if rng.random() < 1 / 3:
        margins = [top, left, rows - size - top, columns - size - left]
        picture = beside_a_table(picture, angle, margins, scale, rng)
    return taken(picture, rng)


def faint_on_dark_rules(digit, ink):
    """A grey picture (200, 260) uint8 of `digit` in ink of that grey value, on paper ruled nearly
    black.
    """
    cover = np.kron(np.pad(digit, ((11, 11), (18, 19))), np.ones((4, 4))) / 255
    picture = (240 - (240 - ink) * cover).astype(np.uint8)
    picture[np.arange(len(picture)) % 36 < 4] = 10
    return picture


def framed(digit, rng):
    """A grey picture (rows, columns) uint8 of `digit` in the cell of a form, whose lines go on past
    the cell and are up to 10 pixels thick.
    """
    cover = np.kron(np.pad(digit, 12), np.ones((5, 5))) / 255
    for side in range(4):
        turned = np.rot90(cover, side)
        first = rng.integers(8, 40)
        turned[first : first + rng.integers(3, 11)] = 1
    return (245 - 225 * cover).astype(np.uint8)


def closely_cut(digit, size):
    """White on black, without any margin; its longer side has `size` pixels."""
    left, top, right, bottom = _box(digit > 0)
    cut = digit[top:bottom, left:right]
    shape = [round(side * size / max(cut.shape)) for side in reversed(cut.shape)]
    return np.asarray(Image.fromarray(cut).resize(shape, Image.Resampling.BICUBIC))


def page(lines, rng):
    """A grey picture of `lines` of digits, each (28, 28) uint8, 3 to 6 times as large, and their
    true boxes.

    They stand a stroke or more apart on a sheet that is turned by up to 5 degrees; else as for
    `photo`. A box is (left, top, right, bottom), the ends not in it.
    """
    scale, angle = rng.uniform(3, 6), rng.uniform(-5, 5)
    pen = pens(scale, rng)
    inks = [[_cut(written(digit, scale, 0, pen)) for digit in line] for line in lines]
    gaps = [scale * rng.uniform(3, 9, len(line)) for line in inks]
    widths = [
        sum(ink.shape[1] for ink in line) + sum(gap) for line, gap in zip(inks, gaps, strict=True)
    ]
    margin, spacing = int(20 * scale), scale * rng.uniform(27, 40)
    cover = np.zeros((int(2 * margin + spacing * len(lines)), int(3 * margin + max(widths))))
    owner = np.zeros(cover.shape, np.uint8)  # 1, 2, ... where a digit is
    for number, (line, gap) in enumerate(zip(inks, gaps, strict=True)):
        left = margin + rng.uniform(0, margin)
        for ink, space in zip(line, gap, strict=True):
            middle = margin + (number + 0.5) * spacing + scale * rng.uniform(-2, 2)
            here = int(middle - ink.shape[0] / 2), int(left)
            place = tuple(slice(at, at + size) for at, size in zip(here, ink.shape, strict=True))
            cover[place] = np.maximum(cover[place], ink)
            owner[place][ink > 0.3] = owner.max() + 1
            left += ink.shape[1] + space
    cover = (
        np.asarray(Image.fromarray(np.uint8(255 * cover)).rotate(angle, Image.Resampling.BICUBIC))
        / 255
    )
    owner = np.asarray(Image.fromarray(owner).rotate(angle))
    if rng.random() < 1 / 3:
        cover = np.maximum(cover, rng.uniform(0.1, 0.8) * rules(cover.shape, scale, angle, rng))
    picture = lit(cover, rng)
    if rng.random() < 1 / 3:
        picture = beside_a_table(picture, angle, [6 * scale, 0, 0, 0], scale, rng)
    boxes = iter([_box(owner == number) for number in range(1, owner.max() + 1)])
    return taken(picture, rng), [[next(boxes) for _ in line] for line in lines]


def _box(mask):
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _cut(ink):
    left, top, right, bottom = _box(ink > 0.3)
    return ink[top:bottom, left:right]


def written(digit, scale, angle, pen):
    """The ink (size, size), 0 to 1, of a digit at `scale`, turned and with a thicker or thinner
    pen.
    """
    size = int(28 * scale)
    ink = Image.fromarray(digit).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(pen(ink.rotate(angle, Image.Resampling.BICUBIC))) / 255


def pens(scale, rng):
    """A pen, as what it does to a picture of MNIST's lines."""
    reach = 2 * max(1, int(scale / 4)) + 1
    filters = {"thin": ImageFilter.MinFilter, "thick": ImageFilter.MaxFilter}
    pen = rng.choice(["thin", "as it is", "thick"])
    return (lambda ink: ink.filter(filters[pen](reach))) if pen in filters else lambda ink: ink


def rules(shape, scale, angle, rng):
    """Lines of ruled paper (rows, columns), 0 to 1: 8 to 25 pixels of MNIST apart, up to half a
    pixel thick.
    """
    across = across_sheet(shape, angle)
    apart, thick = scale * rng.uniform(8, 25), max(1.0, scale * rng.uniform(0.1, 0.5))
    middle = (across + rng.uniform(0, apart)) % apart - apart / 2
    return np.clip(thick / 2 + 0.5 - np.abs(middle), 0, 1)


def across_sheet(shape, angle):
    """How far down a sheet, turned by `angle` degrees anticlockwise, each pixel lies."""
    y, x = np.indices(shape)
    return y * np.cos(np.radians(angle)) + x * np.sin(np.radians(angle))


def lit(cover, rng):
    """The brightness of a sheet with ink (rows, columns), 0 to 1, on it, lit from somewhere."""
    rows, columns = cover.shape
    y, x = np.meshgrid(np.linspace(-0.5, 0.5, rows), np.linspace(-0.5, 0.5, columns), indexing="ij")
    paper = rng.uniform(150, 240) + rng.uniform(-50, 50) * x + rng.uniform(-50, 50) * y
    return paper * (1 - cover) + np.minimum(rng.uniform(20, 80), paper) * cover


def beside_a_table(picture, angle, margins, scale, rng):
    """The sheet ends in the widest of the four margins (top, left, bottom, right), with a table
    beyond and a shadow.
    """
    side = int(np.argmax(margins))
    turned = np.rot90(picture, -side)  # that side on top
    across = across_sheet(turned.shape, angle)
    inside = margins[side] + 2 * scale  # of the 28 pixels of a digit the outer ones are empty
    depth = across[0].min() + rng.uniform(0.1, 1) * inside * np.cos(np.radians(angle))
    beyond = np.clip(depth - across, 0, 1)
    shadow = 1 - 0.3 * np.exp(-np.maximum(across - depth, 0) / (0.5 * scale))
    table = rng.uniform(20, 130)
    return np.rot90(turned * shadow * (1 - beyond) + table * beyond, side)


def taken(picture, rng):
    """The photo of it: noise and JPEG."""
    noisy = picture + rng.normal(0, rng.uniform(1, 8), picture.shape)
    compressed = io.BytesIO()
    quality = int(rng.integers(50, 95))
    Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).save(
        compressed, "JPEG", quality=quality
    )
    return np.asarray(Image.open(compressed))
