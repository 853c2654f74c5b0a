"""Text for the terminal: results, notices, tables, progress, digits and the chart of the cost.

All text leaves the program through `echo` or `waiting.py`, so that no name from a file can control
the terminal.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from nnmnist.cli.layout import columns
from nnmnist.cli.waiting import no_temporary_line, show_temporarily
from nnmnist.errors import printable, printable_lines
from nnmnist.evaluation.text import number_text
from nnmnist.types import Array

if TYPE_CHECKING:
    from nnmnist.evaluation.evaluate import Evaluation
    from nnmnist.runs.history import History
    from nnmnist.training.descent import OnProgress
    from nnmnist.training.fit import Epoch

HALF_BLOCKS = " ▄▀█"  # bit 1: the upper half has ink, bit 0: the lower half
SHADES = " .:-=+*#%@"
CHART_WIDTH, CHART_HEIGHT = 60, 12  # characters
MARKS = {"training": "·", "validation": "█", "test": "★"}
ASCII_MARKS = {"training": ".", "validation": "#", "test": "*"}
UPDATE = 0.1  # seconds between two updates of the progress bar: they take longer than a small step
LEAST_BAR = 8  # characters; a narrower terminal gets no time beside the bar, then no bar
# Where the columns of `epoch_line` end; a narrow terminal gets fewer of them.
COLUMN_ENDS = (17, 27, 40, 50, 59, 68, 80)


def echo(text: str, err: bool = False) -> None:
    """Print text on stdout, or on stderr, with escapes for control characters."""
    with no_temporary_line():
        click.echo(printable_lines(text), err=err)


def echo_json(record: Any) -> None:
    """Print a record as one line of JSON, which has its own escapes."""
    with no_temporary_line():
        click.echo(json.dumps(record))


def echo_path(path: Path) -> None:
    """Print the path of a result; a program that reads it gets the very bytes of the name."""
    if sys.stdout.isatty():
        echo(str(path))
    else:
        with no_temporary_line():
            click.echo(os.fsencode(path))


def notice(line: str) -> None:
    """Print a line that is not a result, on stderr."""
    echo(line, err=True)


def program_name() -> str:
    """What to type to run this program again: its name, or its path if it is not on the PATH."""
    called = sys.argv[0]
    on_path = Path(called).stem != "nnmnist" or shutil.which("nnmnist") is not None
    return "nnmnist" if on_path else called


def can_show(text: str, encoding: str) -> bool:
    """Whether an encoding has all characters of `text`."""
    try:
        text.encode(encoding)
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def csv_text(text: str) -> str:
    """A text that no spreadsheet takes for a formula, as a single quote before it says."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def align(rows: Sequence[Sequence[str]], left: Collection[int]) -> str:
    """Rows of cells as aligned columns, two spaces apart; the columns in `left` start at the left.

    A negative number in `left` counts from the last column.
    """
    rows = [[printable(cell, None) for cell in row] for row in rows]
    n = len(rows[0])
    left = {column % n for column in left}
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        cells = [
            cell.ljust(width) if column in left else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def format_probability(p: float, is_probability: bool) -> str:
    """A probability, or the score of a squared error, in seven columns."""
    return f"{p:7.2%}" if is_probability else f"{p:7.3f}"


def render(image: Array, encoding: str | None = None) -> str:
    """An image as text, one character for two pixels, one above the other.

    Half blocks show every pixel, with ink from 128. An encoding without them gets ten shades of
    ASCII characters.

    Args:
        image: (rows, columns) uint8; 0 is the background.
        encoding: that of stdout if None.
    """
    # (lines, 2, columns)
    pairs = np.pad(image, ((0, len(image) % 2), (0, 0))).reshape(-1, 2, image.shape[1])
    if can_show(HALF_BLOCKS, encoding or sys.stdout.encoding or "ascii"):
        upper, lower = pairs[:, 0] >= 128, pairs[:, 1] >= 128
        characters = np.array(list(HALF_BLOCKS))[2 * upper + lower]
    else:
        characters = np.array(list(SHADES))[(pairs.mean(axis=1) * len(SHADES) / 256).astype(int)]
    return "\n".join("".join(line).rstrip() for line in characters)


def chart(history: History, encoding: str | None = None) -> str:
    """The cost against the epochs as text, one mark per split; later splits cover earlier ones.

    Args:
        history: the curves of a run.
        encoding: that of stderr if None.
    """
    all_marks = "".join(MARKS.values())
    marks = MARKS if can_show(all_marks, encoding or sys.stderr.encoding) else ASCII_MARKS
    costs = np.concatenate([series.cost for series in history.splits.values()])
    low, high = float(np.nanmin(costs)), float(np.nanmax(costs))
    last = max(float(series.steps[-1]) for series in history.splits.values())
    canvas = np.full((CHART_HEIGHT, CHART_WIDTH), " ")
    columns = np.arange(CHART_WIDTH)
    for split, (steps, cost, _) in history.splits.items():
        positions = np.rint(steps / last * (CHART_WIDTH - 1)).astype(int)
        inside = columns[(columns >= positions[0]) & (columns <= positions[-1])]
        y = np.interp(inside, positions, cost)
        row = np.rint((high - y) / ((high - low) or 1) * (CHART_HEIGHT - 1)).astype(int)
        canvas[row, inside] = marks[split]
    lines = [f"{'':9} |{''.join(row)}".rstrip() for row in canvas]
    lines[0] = f"{number_text(high, 9):>9}{lines[0][9:]}"
    lines[-1] = f"{number_text(low, 9):>9}{lines[-1][9:]}"
    legend = "   ".join(f"{marks[split]} {split}" for split in history.splits)
    title = f"cost of {history.name}:   {legend}"
    axis = f"{'':9} +{'-' * CHART_WIDTH}"
    axis_label = f"{'':11}0{'epoch':^{CHART_WIDTH - 8}}{last:>7g}"
    return "\n".join([title, *lines, axis, axis_label])


def epoch_header(epoch: Epoch) -> str:
    """The heads of the columns of `epoch_line`."""
    score = "accuracy" if epoch.r2 is None else "R^2"
    extra = "   extra" if epoch.extra else ""
    heads = f"epoch  train cost  {score:>8}  valid. cost  {score:>8}{extra}"
    return f"{heads}     rate  seconds  examples/s"


def epoch_line(epoch: Epoch) -> str:
    """The results of one epoch, aligned with `epoch_header`."""
    validation = epoch.validation
    extra = f"  {_score(epoch.extra):>6}" if epoch.extra else ""
    return (
        f"{epoch.number:5}  {_cost(epoch, 10):>10}  {_score(epoch):>8}"
        f"  {_cost(validation, 11):>11}  {_score(validation):>8}{extra}"
        f"  {epoch.learning_rate:7.2g}  {epoch.seconds:7.2f}  {epoch.examples_per_second:10,.0f}"
    )


def _cost(result: Epoch | Evaluation | None, width: int) -> str:
    return "-" if result is None else number_text(result.cost, width)


def _score(result: Epoch | Evaluation | None) -> str:
    if result is not None and result.accuracy is not None:
        return f"{result.accuracy:.2%}"
    return "-" if result is None or result.r2 is None else number_text(result.r2, 8)


def progress_line(title: str, part: float, result: str, left: str, width: int) -> str:
    """A bar between its title and the results so far, in fewer than `width` characters.

    Args:
        title: what is done.
        part: how much of it is done, from 0 to 1.
        result: what there is so far.
        left: the time that it will still take; left out if there is no room for it.
        width: that of the terminal.
    """
    title = f"{title} {part:4.0%} "
    mark = "█" if can_show("█", sys.stderr.encoding or "ascii") else "#"
    # The bar keeps its length while the texts change theirs.
    for text, space in ((f" {result}{left and ', '}{left}", 42), (f" {result}", 29)):
        room = width - 3 - len(title) - max(space, len(text))
        if room >= LEAST_BAR:
            return f"{title}|{mark * round(part * room):{room}}|{text}"
    return f"{title}{result}"[: width - 1]


class TrainingProgress:
    """A line per epoch, and on a terminal a bar with the cost and accuracy of the current epoch.

    Args:
        epochs: the number of epochs of the training.
        first: the number of the first epoch of this session.
    """

    def __init__(self, epochs: int, first: int = 1) -> None:
        self.epochs, self.number, self.first = epochs, first, first
        self.started = self.updated = 0.0
        self.on_progress: OnProgress | None = self._update if sys.stderr.isatty() else None

    def show(self, epoch: Epoch) -> None:
        """Print the line of an epoch that is done."""
        if epoch.number == self.first:
            self._print(epoch_header(epoch))
        self._print(epoch_line(epoch))
        self._start(epoch.number + 1)

    def _update(self, step: int, steps: int, cost: float, accuracy: float | None) -> None:
        now = time.monotonic()
        if now - self.updated < UPDATE and step < steps:
            return
        seconds = now - self.started
        left = f"{seconds * (steps - step) / step:.0f} s left" if seconds > 1 else ""
        score = "" if accuracy is None else f", accuracy {accuracy:.2%}"
        self._draw(step / steps, f"cost {number_text(cost)}{score}", left)

    def _start(self, number: int) -> None:
        """Show an empty bar for the next epoch."""
        self.number, self.started = number, time.monotonic()
        if self.on_progress and number <= self.epochs:
            self._draw(0.0)

    def _draw(self, part: float, result: str = "", left: str = "") -> None:
        self.updated = time.monotonic()
        title = f"epoch {self.number} of {self.epochs}"
        show_temporarily(progress_line(title, part, result, left, columns(err=True) or 80))

    def _print(self, text: str) -> None:
        if self.on_progress:
            width = columns(err=True) or 80
            text = text[: max([17, *(end for end in COLUMN_ENDS if end <= width)])]
        notice(text)

    def __enter__(self) -> TrainingProgress:
        self._start(self.first)
        return self

    def __exit__(self, *error: object) -> None:
        show_temporarily("")


class LiveText:
    """Some lines at the end of the terminal that are replaced by others; not shown elsewhere."""

    def __init__(self) -> None:
        self.is_shown = sys.stderr.isatty()
        self._height = 0

    def show(self, text: str) -> None:
        """Replace what is shown; what does not fit on the terminal is cut off."""
        self.clear()
        if self.is_shown:
            width, height = columns(err=True) or 80, shutil.get_terminal_size().lines
            lines = [line[: width - 1] for line in text.splitlines()[: height - 1]]
            notice("\n".join(lines))
            self._height = len(lines)

    def clear(self) -> None:
        """Remove what is shown."""
        if self._height:
            click.echo(f"\x1b[{self._height}A\x1b[J", err=True, nl=False)
        self._height = 0
