"""A line at the end of the terminal that says what takes so long, and disappears again.

This module imports nothing large: the line also explains slow imports.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, RLock, Thread

from nnmnist.cli.layout import columns
from nnmnist.errors import printable

FIRST, EVERY = 0.7, 1.0  # seconds until the line appears, and between two updates

_writing = RLock()
_shown = ""
_reasons: list[str] = []  # of the contexts that are open, the innermost last


def show_temporarily(text: str) -> None:
    """Replace the temporary line on stderr; an empty text removes it. Nothing without a terminal.

    The text has fewer characters than the terminal has columns. Whatever `nnmnist.cli.terminal`
    prints replaces it, too.
    """
    global _shown
    with _writing:
        if (text or _shown) and sys.stderr.isatty():
            sys.stderr.write(f"\r{printable(text, None)}\x1b[K")
            sys.stderr.flush()
        _shown = text


@contextmanager
def no_temporary_line() -> Iterator[None]:
    """A context in which no temporary line is written, so that others can write."""
    with _writing:
        show_temporarily("")
        yield


@contextmanager
def waiting_for(reason: str, quiet: bool = False) -> Iterator[None]:
    """A context that says soon what the user waits for, and how long already.

    It says nothing if it is `quiet`, or if stderr is no terminal.
    """
    if quiet or not sys.stderr.isatty():
        yield
        return
    _reasons.append(reason)
    try:
        if len(_reasons) > 1:
            yield
            return
        ended = Event()
        thread = Thread(target=_tick, args=(ended,), daemon=True)
        thread.start()
        try:
            yield
        finally:
            ended.set()
            thread.join()
    finally:
        _reasons.pop()


def _tick(ended: Event) -> None:
    started = time.monotonic()
    delay = FIRST
    while not ended.wait(delay):
        delay = EVERY
        reason, seconds = _reasons[-1], round(time.monotonic() - started)
        text = printable(f"{reason} ... {seconds} s", None)[: (columns(err=True) or 80) - 1]
        show_temporarily("" if _has_bar() else text)
    show_temporarily("")


def _has_bar() -> bool:
    """Whether a progress bar of tqdm is shown, or will be soon."""
    bars = getattr(sys.modules.get("tqdm"), "tqdm", None)
    return bool(bars and getattr(bars, "_instances", None))
