"""Tables and lines that fit the terminal; a pipe or a file gets everything."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Sequence

LEAST_NAME, LEAST_STATE = 20, 10  # characters to which the first and last column may shrink


def columns(err: bool = False) -> int | None:
    """The width of the terminal that stdout, or stderr, writes to; None if it is no terminal."""
    stream = sys.stderr if err else sys.stdout
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def shorten(text: str, width: int) -> str:
    """`text` in `width` characters: a name loses its middle, a text of several words its end."""
    if len(text) <= width:
        return text
    if " " in text:
        return text[: width - 3] + "..."
    kept = width - 3
    return text[: kept // 2] + "..." + text[len(text) - (kept - kept // 2) :]


def fit(
    rows: Sequence[Sequence[str]], width: int, optional: Sequence[str]
) -> tuple[list[list[str]], list[str]]:
    """The cells of a table that is `align`ed in `width` characters, as far as that is possible.

    The last and then the first column become narrower. If that is not enough, columns are left out.

    Args:
        rows: the cells; the first row has the heads.
        width: in characters.
        optional: heads of columns that may be left out, the least important one first.

    Returns:
        The rows, and the heads of the columns that were left out.
    """
    table, left_out = [list(row) for row in rows], list[str]()

    def widths() -> list[int]:
        return [max(map(len, column)) for column in zip(*table, strict=True)]

    def excess(ends: Collection[int]) -> int:
        return sum(ends) + 2 * (len(ends) - 1) - width

    def least() -> list[int]:
        first, *others, last = widths()
        return [min(first, LEAST_NAME), *others, min(last, LEAST_STATE)]

    for head in optional:
        if excess(least()) <= 0:
            break
        if head in table[0]:
            place = table[0].index(head)
            left_out.append(head)
            for row in table:
                del row[place]
    for place in (-1, 0):
        size = max(least()[place], widths()[place] - max(0, excess(widths())))
        for row in table:
            row[place] = shorten(row[place], size)
    return table, left_out
