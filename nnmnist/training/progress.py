"""The progress bar of `fit`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from nnmnist.training.descent import OnProgress


@contextmanager
def progress_bar(epochs: int, on_progress: OnProgress | None = None) -> Iterator[OnProgress]:
    """A context with what shows each step of a training in a bar, on stderr or in a notebook.

    Args:
        epochs: number of epochs of the training.
        on_progress: is called after each step, too.
    """
    with warnings.catch_warnings():
        # In a notebook without ipywidgets, the bar is text.
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm

    with tqdm(unit=" step") as bar:

        def show(step: int, steps: int, cost: float, accuracy: float | None) -> None:
            if bar.total is None:
                bar.reset(epochs * steps)
            score = "" if accuracy is None else f", accuracy {accuracy:.2%}"
            bar.set_postfix_str(f"cost {cost:.4f}{score}", refresh=False)
            bar.update()
            if on_progress:
                on_progress(step, steps, cost, accuracy)

        yield show
