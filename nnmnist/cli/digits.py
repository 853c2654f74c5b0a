"""Digits in the terminal: their pictures, their names and what they are given."""

from __future__ import annotations

import sys

import numpy as np
from numpy.typing import NDArray

HALVES = " ▄▀█"  # bit 1: the upper half is inked, bit 0: the lower half
SHADES = " .:-=+*#%@"


def render(image: NDArray[np.uint8], encoding: str | None = None) -> str:
    """`image` (rows, columns), 0 the background, as text: two rows of pixels a line, one column a character.

    Half blocks show every pixel, inked from 128 on. Where `encoding` (by default that of stdout)
    lacks them, each character is one of ten shades of ASCII.
    """
    # (lines, 2, columns)
    pairs = np.pad(image, ((0, len(image) % 2), (0, 0))).reshape(-1, 2, image.shape[1])
    if can_show(HALVES, encoding or sys.stdout.encoding or "ascii"):
        upper, lower = pairs[:, 0] >= 128, pairs[:, 1] >= 128
        characters = np.array(list(HALVES))[2 * upper + lower]
    else:
        characters = np.array(list(SHADES))[(pairs.mean(axis=1) * len(SHADES) / 256).astype(int)]
    return "\n".join("".join(line).rstrip() for line in characters)


def weight(p: float, is_probability: bool) -> str:
    """What a network gives a class, in seven columns: a probability, or the score of a squared error."""
    return f"{p:7.2%}" if is_probability else f"{p:7.3f}"


def label(name: str) -> int | str:
    """The name of a class, as the number that it is for digits."""
    return int(name) if name.isdecimal() else name


def can_show(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return False
    return True
