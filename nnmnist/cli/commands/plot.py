"""`nnmnist plot`: pictures of runs, written as PNG or SVG."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nnmnist import checkpoint
from nnmnist.checkpoint import Checkpoint
from nnmnist.cli.commands.evaluate import load_splits
from nnmnist.cli.commands.runs import keys_of, resolve
from nnmnist.cli.options import data_dir_option, require_output
from nnmnist.data.examples import Splits
from nnmnist.errors import DataError, PlotError
from nnmnist.evaluation.evaluate import evaluate, most_confident_mistakes, probabilities
from nnmnist.plots import sweep
from nnmnist.plots.boundary import boundary, require_plane
from nnmnist.plots.confusion import confusion
from nnmnist.plots.curves import curves
from nnmnist.plots.fit import fit, require_line
from nnmnist.plots.mistakes import MOST_MISTAKES, mistakes
from nnmnist.plots.style import FORMATS, save
from nnmnist.plots.weights import weights
from nnmnist.runs import history, table
from nnmnist.runs.history import History
from nnmnist.runs.table import Figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Subject:
    """A run to draw, or a folder of runs; each part of it is read when a picture needs it."""

    def __init__(
        self, directory: Path, name: str, data_dir: Path | None, keys: Sequence[str] = ()
    ) -> None:
        self.directory = directory
        self.name = name
        self.data_dir = data_dir
        self.keys = keys

    @cached_property
    def history(self) -> History:
        if not (self.directory / "metrics.csv").exists() and any(
            self.directory.glob("*/config.yaml")
        ):
            raise DataError(
                f"{self.directory}: is a folder of runs; draw it by --kind sweep, or name runs in it"
            )
        return history.read(self.directory, self.name)

    @cached_property
    def best(self) -> Checkpoint:
        return checkpoint.load(self.directory / "best.npz")

    @cached_property
    def splits(self) -> Splits:
        return load_splits(self.directory / "best.npz", self.best, None, self.data_dir)


def _curves(runs: Sequence[Subject]) -> Figure:
    return curves([run.history for run in runs])


def _weights(runs: Sequence[Subject]) -> Figure:
    run = _only(runs)
    shape = run.best.document.get("image_shape")
    if shape is None:
        raise PlotError(
            f"{run.directory}: weights are drawn as images, and its inputs are no pictures"
        )
    W = run.best.network.W
    names = run.best.classes if len(W) == 1 and len(W[0]) == len(run.best.classes) else ()
    return weights(W[0], tuple(shape), names)


def _confusion(runs: Sequence[Subject]) -> Figure:
    run = _only(runs)
    if not run.best.classes:
        raise PlotError(f"{run.directory}: a regression confuses no classes")
    matrix = evaluate(run.best.network, run.splits.test).confusion
    assert matrix is not None
    return confusion(matrix, run.best.classes)


def _mistakes(runs: Sequence[Subject]) -> Figure:
    run = _only(runs)
    test, classes = run.splits.test, run.best.classes
    if not classes or test.image_shape is None:
        raise PlotError(
            f"{run.directory}: mistakes are drawn of pictures that are told apart, and its data has none"
        )
    p = probabilities(run.best.network, test)
    wrong = most_confident_mistakes(p, test.y)
    if not len(wrong):
        raise PlotError(f"{run.directory}: it gets nothing wrong")
    shown = wrong[:MOST_MISTAKES]
    captions = [
        f"{test.rows[i]}\n{classes[test.y[i]]}, read as {classes[p[i].argmax()]}" for i in shown
    ]
    return mistakes(
        test.inputs[test.rows[shown]].reshape(-1, *test.image_shape), captions, len(wrong)
    )


def _boundary(runs: Sequence[Subject]) -> Figure:
    run = _only(runs)
    require_plane(run.best.network, run.best.classes)  # before its data is looked for
    return boundary(run.best.network, run.splits.train, run.best.classes)


def _fit(runs: Sequence[Subject]) -> Figure:
    first = runs[0]
    for run in runs:
        require_line(run.best.network)  # before its data is looked for
        if run.splits.identity != first.splits.identity:
            raise PlotError(
                f"{run.directory}: was trained on other data than {first.directory}; draw them apart"
            )
    return fit({run.name: run.best.network for run in runs}, first.splits.train)


def _sweep(runs: Sequence[Subject]) -> Figure:
    folder = _only(runs)
    entries = table.read_all(folder.directory)[0]
    finished = [entry for entry in entries if entry.state == "done" and entry.validation]
    if len(finished) < 2:
        raise PlotError(
            f"{folder.directory}: a sweep is a folder of finished runs, with validation; give one"
        )
    known = [key for key in keys_of(finished) if key != "seed"]  # runs that differ in it are folded
    swept = [key for key in table.changed(finished) if key != "seed"]
    keys = [resolve(name, known, [], f"--key {name}") for name in folder.keys] or swept
    if not keys:
        raise PlotError(f"{folder.directory}: its runs differ in no key; train some that do")
    if len(keys) > 2:
        raise PlotError(
            f"{folder.directory}: its runs differ in {len(swept)} keys ({', '.join(swept)}); "
            "choose one or two of them by --key"
        )
    rows = [(row, row.validation) for row in table.group_by_seed(finished)]
    points = [
        (tuple(row.settings.get(key) for key in keys), *_scored(figures))
        for row, figures in rows
        if figures
    ]
    kinds = {kind for _, kind, _, _ in points}
    if len(kinds) > 1:
        raise PlotError(f"{folder.directory}: holds runs of classes and of values; draw them apart")
    return sweep.sweep(
        keys, [sweep.Point(values, score, sd) for values, _, score, sd in points],
        f"validation {kinds.pop()}", complete=set(swept) <= set(keys),
    )  # fmt: skip


def _scored(figures: Figures) -> tuple[str, float, float]:
    """What the score is called, itself, and its deviation; the more the better."""
    name, value = table.score(figures)
    sd = figures["sd"] or 0.0
    return {
        "accuracy": ("accuracy (%)", 100 * value, 100 * sd),
        "r2": ("$R^2$", value, sd),
        "cost": ("cost, negative", -value, sd),
    }[name]


def _only(runs: Sequence[Subject]) -> Subject:
    if len(runs) > 1:
        raise PlotError(
            "of several runs, curves and fit make one picture; draw the other kinds run by run"
        )
    return runs[0]


# kind -> its picture of one run or several; it raises PlotError where it does not apply
KINDS: dict[str, Callable[[Sequence[Subject]], Figure]] = {
    "curves": _curves,
    "weights": _weights,
    "confusion": _confusion,
    "mistakes": _mistakes,
    "boundary": _boundary,
    "fit": _fit,
    "sweep": _sweep,
}


@click.command()
@click.argument(
    "runs",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    metavar="RUN...",
)
@click.option(
    "--kind",
    type=click.Choice(list(KINDS)),
    help="What to draw.  [default: all that apply; curves with -o]",
)
@click.option(
    "--key", "keys", multiple=True, help="Of a sweep: what to draw accuracy against; once or twice."
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write one picture, .png or .svg.  [default: RUN/KIND.png]",
)
@data_dir_option
def plot(
    runs: tuple[Path, ...],
    kind: str | None,
    keys: tuple[str, ...],
    output: Path | None,
    data_dir: Path | None,
) -> None:
    """Draw runs: curves, weights, confusion, mistakes, sweeps, more.

    Several runs are overlaid in one picture, which goes to the first of them unless -o says where.
    A picture that is there already is drawn anew. A sweep shows validation accuracy against one or
    two of the keys in which the runs in a folder differ.
    """
    if keys and kind != "sweep":
        raise click.UsageError("--key belongs to --kind sweep")
    if output is not None:
        require_output(output, FORMATS, force=True)
    names = [run.resolve().name for run in runs]
    if len(set(names)) < len(runs):
        names = [str(run) for run in runs]
    subjects = [Subject(run, name, data_dir, keys) for run, name in zip(runs, names, strict=True)]
    overlaid = f"-{len(runs)}-runs" if len(runs) > 1 else ""
    wanted = kind or (output and "curves")
    for each in [wanted] if wanted else KINDS:
        try:
            figure = KINDS[each](subjects)
        except PlotError:
            if wanted:
                raise
            continue  # this kind does not apply
        path = output or runs[0] / f"{each}{overlaid}.png"
        save(figure, path)
        click.echo(path)
