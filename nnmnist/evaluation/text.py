"""Numbers as short text, for tables, pages and messages."""

from __future__ import annotations

import math


def number_text(value: float, width: int = 11) -> str:
    """A number with four decimals, or in e-notation if that is longer than `width` characters.

    Args:
        value: the number; where it is inf or nan, the text is "not finite".
        width: number of characters, at least 8.
    """
    if not math.isfinite(value):
        return "not finite"
    forms = (".4f", ".4e", ".3e", ".2e", ".1e", ".0e")
    return next(text for form in forms if len(text := format(value, form)) <= width)


def counted(n: float, noun: str) -> str:
    """A number and a noun in singular or plural: 1 epoch, 2,000 epochs, 0 classes."""
    plural = noun + ("es" if noun.endswith("s") else "s")
    return f"{n:,} {noun if n == 1 else plural}"
