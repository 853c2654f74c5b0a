"""The kinds of figures that `nnmnist plot` draws, each from the directories of one or more runs.

A new kind is one function and one line in `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from nnmnist import checkpoint
from nnmnist.checkpoint import Checkpoint
from nnmnist.data.examples import Splits
from nnmnist.data.sources import Notify, silent
from nnmnist.errors import DataError, PlotError
from nnmnist.evaluation.evaluate import evaluate, most_confident_mistakes, probabilities
from nnmnist.plots import sweep
from nnmnist.plots.boundary import boundary, require_plane
from nnmnist.plots.confusion import confusion
from nnmnist.plots.curves import curves
from nnmnist.plots.fit import fit, require_line
from nnmnist.plots.mistakes import MOST_MISTAKES, caption, mistakes
from nnmnist.plots.predictions import predictions, require_values
from nnmnist.plots.weights import weights
from nnmnist.runs import history, metrics, table
from nnmnist.runs.data import load_splits
from nnmnist.runs.entry import RunData, read_all, read_data
from nnmnist.runs.facts import data_facts, is_same_data
from nnmnist.runs.history import History
from nnmnist.runs.summary import Scores, score

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Subject:
    """A run to draw, or a folder of runs. Each part is read when a figure needs it.

    Args:
        directory: of the run, or of the runs.
        name: what legends call the run.
        data_dir: where to look for data first (`--data-dir`).
        keys: of a folder, the keys of the config to draw the score against.
        notify: receives notices for the user, one line each.
    """

    def __init__(
        self,
        directory: Path,
        name: str,
        data_dir: Path | None = None,
        keys: Sequence[str] = (),
        notify: Notify = silent,
    ) -> None:
        self.directory, self.name, self.data_dir = directory, name, data_dir
        self.keys, self.notify = keys, notify

    @cached_property
    def history(self) -> History:
        """The curves of the run. Raises DataError if the directory is not one of a run."""
        is_run = (self.directory / "metrics.csv").exists()
        if not is_run and any(self.directory.glob("*/config.yaml")):
            raise DataError(
                f"{self.directory}: is a folder of runs; draw it with --kind sweep, "
                "or name the runs in it"
            )
        return history.read(self.directory, self.name)

    @cached_property
    def data(self) -> RunData | None:
        """The data that the run was trained on; None before its first epoch is complete."""
        return read_data(self.directory)

    @cached_property
    def best(self) -> Checkpoint:
        """The checkpoint of the best epoch."""
        return checkpoint.load(self.directory / "best.npz")

    @cached_property
    def splits(self) -> Splits:
        """The data that the run was trained on."""
        return load_splits(
            self.directory / "best.npz", self.best, self.data_dir, notify=self.notify
        )


def make_subjects(
    directories: Sequence[Path],
    data_dir: Path | None = None,
    keys: Sequence[str] = (),
    notify: Notify = silent,
) -> list[Subject]:
    """The runs in some directories, called by the last part of each path if these differ."""
    names = [directory.resolve().name for directory in directories]
    if len(set(names)) < len(names):
        names = [str(directory) for directory in directories]
    return [
        Subject(directory, name, data_dir, keys, notify)
        for directory, name in zip(directories, names, strict=True)
    ]


def draw(subjects: Sequence[Subject], kind: str | None = None) -> Iterator[tuple[str, Figure]]:
    """The figure of one kind, or of every kind that applies, each with the name of its kind.

    Raises:
        PlotError: the kind does not apply to the runs.
        NnmnistError: a run or its data cannot be read.
    """
    if kind is not None:
        yield kind, KINDS[kind](subjects)
        return
    for name, figure_of in KINDS.items():
        try:
            figure = figure_of(subjects)
        except PlotError:
            continue
        yield name, figure


def _curves(runs: Sequence[Subject]) -> Figure:
    histories = [run.history for run in runs]
    in_iterations = all(metrics.read(run.directory / metrics.CURVE) for run in runs)
    if in_iterations:
        histories = [history.read(run.directory, run.name, in_iterations) for run in runs]
    first = runs[0]
    for run in runs[1:]:
        _require_same_data(run.directory, run.data, first.directory, first.data)
    return curves(histories, "iteration" if in_iterations else "epoch")


def _require_same_data(
    path: Path, data: RunData | None, first_path: Path, first: RunData | None
) -> None:
    if data and first and data.id != first.id:
        raise PlotError(
            f"{path}: was trained on {data.title}, but {first_path} on {first.title}; draw runs on "
            "different data one by one"
        )


def _weights(runs: Sequence[Subject]) -> Figure:
    run = _only(runs)
    shape = run.best.document.get("image_shape")
    if shape is None:
        raise PlotError(
            f"{run.directory}: weights are drawn as images, but the inputs of this network are "
            "not images"
        )
    W = run.best.network.W
    names = run.best.classes if len(W) == 1 and len(W[0]) == len(run.best.classes) else ()
    return weights(W[0], tuple(shape), names)


def _confusion(runs: Sequence[Subject]) -> Figure:
    run = _only(runs)
    if not run.best.classes:
        raise PlotError(f"{run.directory}: is a regression, which has no confusion matrix")
    matrix = evaluate(run.best.network, run.splits.test).confusion
    assert matrix is not None
    return confusion(matrix, run.best.classes)


def _mistakes(runs: Sequence[Subject]) -> Figure:
    run = _only(runs)
    test, classes = run.splits.test, run.best.classes
    if not classes or test.image_shape is None:
        raise PlotError(
            f"{run.directory}: mistakes are drawn for classified images, and its data has none"
        )
    p = probabilities(run.best.network, test)
    wrong = most_confident_mistakes(p, test.y)
    if not len(wrong):
        raise PlotError(f"{run.directory}: makes no mistakes on the test set")
    shown = wrong[:MOST_MISTAKES]
    captions = [caption(test.rows[i], classes[test.y[i]], classes[p[i].argmax()]) for i in shown]
    images = test.inputs[test.rows[shown]].reshape(-1, *test.image_shape)
    return mistakes(images, captions, len(wrong))


def _boundary(runs: Sequence[Subject]) -> Figure:
    run = _only(runs)
    # before the data is read
    require_plane(run.best.network, run.best.classes)
    return boundary(run.best.network, run.splits.train, run.best.classes)


def _fit(runs: Sequence[Subject]) -> Figure:
    first = runs[0]
    for run in runs:
        # before the data is read
        require_line(run.best.network)
        if not is_same_data(data_facts(run.splits), data_facts(first.splits)):
            raise PlotError(
                f"{run.directory}: was trained on other data than {first.directory}; "
                "draw them one by one"
            )
    return fit({run.name: run.best.network for run in runs}, first.splits.train)


def _predictions(runs: Sequence[Subject]) -> Figure:
    run = _only(runs)
    require_values(run.best.network, len(run.best.classes))
    return predictions(run.best.network, run.splits.test)


def _sweep(runs: Sequence[Subject]) -> Figure:
    folder = _only(runs)
    entries = read_all(folder.directory)[0]
    finished = [entry for entry in entries if entry.state == "done" and entry.validation]
    if len(finished) < 2:
        raise PlotError(
            f"{folder.directory}: a sweep is a folder with two or more finished runs that have "
            "validation scores; name such a folder"
        )
    for entry in finished[1:]:
        _require_same_data(entry.path, entry.data, finished[0].path, finished[0].data)
    swept = [key for key in table.changed(finished) if key != "seed"]
    keys = _chosen_keys(folder, table.config_keys(finished)) or swept
    if not keys:
        raise PlotError(f"{folder.directory}: its runs differ in no key; train some that do")
    if len(keys) > 2:
        raise PlotError(
            f"{folder.directory}: its runs differ in {len(swept)} keys ({', '.join(swept)}); "
            "choose one or two of them with --key"
        )
    name, points = "", []
    for row in table.group_by_seed(finished):
        assert row.validation is not None
        name, value, sd = _axis_score(row.validation)
        points.append(sweep.Point(tuple(row.settings.get(key) for key in keys), value, sd))
    return sweep.sweep(keys, points, f"validation {name}", complete=set(swept) <= set(keys))


def _chosen_keys(folder: Subject, keys: Sequence[str]) -> list[str]:
    """The dotted keys that the user chose. Runs that differ in the seed alone are one point."""
    known = [key for key in keys if key != "seed"]
    return [table.resolve_key(name, known, [], f"--key {name}") for name in folder.keys]


def _axis_score(scores: Scores) -> tuple[str, float, float]:
    """The label, value and deviation of the score on an axis where more is better."""
    name, value = score(scores)
    sd = scores["sd"] or 0.0
    if name == "accuracy":
        return "accuracy (%)", 100 * value, 100 * sd
    if name == "r2":
        return "$R^2$", value, sd
    return "cost, negative", -value, sd


def _only(runs: Sequence[Subject]) -> Subject:
    if len(runs) > 1:
        raise PlotError(
            "only curves and fit draw several runs into one figure; draw the other kinds run by run"
        )
    return runs[0]


# kind -> the figure of one run or several; raises PlotError if the kind does not apply
KINDS: dict[str, Callable[[Sequence[Subject]], Figure]] = {
    "curves": _curves,
    "weights": _weights,
    "confusion": _confusion,
    "mistakes": _mistakes,
    "boundary": _boundary,
    "fit": _fit,
    "predictions": _predictions,
    "sweep": _sweep,
}
