"""The runs below a folder: what each was told to do, how far it has come, and what it reached."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from nnmnist.config.loading import load_config
from nnmnist.config.yaml import undump
from nnmnist.runs import lock, metrics
from nnmnist.config.schema import Config
from nnmnist.errors import ConfigError, DataError
from nnmnist.runs.directory import FAILURE

STATES = ("running", "done", "failed", "stopped")

# cost, accuracy (None for regression) and, for regression, perhaps r2
Figures = dict[str, float | None]


@dataclass(frozen=True)
class Entry:
    """One run."""

    name: str  # its path below the folder
    path: Path
    settings: dict[str, Any]  # the value of each dotted key of its config
    state: str  # one of STATES
    epochs: int  # done so far
    seconds: float  # of training so far
    validation: Figures | None  # of the best epoch so far
    test: Figures | None
    reason: str = ""  # why it failed


@dataclass(frozen=True)
class Row:
    """Runs of one state that differ in their seeds alone, or one run."""

    runs: Sequence[Entry]

    @property
    def name(self) -> str:
        """The run's, or what the names of the runs have in common around a star."""
        names = [run.name for run in self.runs]
        if len(names) == 1:
            return names[0]
        start = _common(names)
        end = _common([name[len(start) :][::-1] for name in names])[::-1]
        return f"{start}*{end}"

    @property
    def settings(self) -> dict[str, Any]:
        """What the runs were told alike: all keys but the seed."""
        return {key: value for key, value in self.runs[0].settings.items() if key != "seed"}

    @property
    def seeds(self) -> list[int]:
        return sorted(run.settings["seed"] for run in self.runs)

    @property
    def epochs(self) -> float:
        """The mean."""
        mean = fmean(run.epochs for run in self.runs)
        return int(mean) if mean.is_integer() else mean

    @property
    def seconds(self) -> float:
        """The mean."""
        return fmean(run.seconds for run in self.runs)

    @property
    def validation(self) -> Figures | None:
        """The means, and as `sd` the sample standard deviation of the score; None for one run."""
        return _mean([run.validation for run in self.runs])

    @property
    def test(self) -> Figures | None:
        """As `validation`."""
        return _mean([run.test for run in self.runs])


def score(figures: Figures) -> tuple[str, float]:
    """What tells how good a network is, and its value: accuracy, else R^2, else the cost."""
    for name in ("accuracy", "r2", "cost"):
        value = figures.get(name)
        if value is not None:
            return name, value
    raise ValueError("no figures")


def rank(figures: Figures | None) -> tuple[float, float, float]:
    """A key for sorting that puts the better first and what has no figures last."""
    if figures is None:
        return (1, 0.0, 0.0)
    name, value = score(figures)
    return (0, value if name == "cost" else -value, figures["cost"] or 0.0)


def read_all(folder: Path) -> tuple[list[Entry], list[str]]:
    """Every run at or below `folder`, in the order of their paths, and what is wrong with those that are damaged."""
    entries, problems = [], []
    for directory in find(folder):
        try:
            entries.append(read(directory, folder))
        except (ConfigError, DataError, OSError) as error:
            problems.append(str(error))
    return entries, problems


def find(folder: Path) -> Iterator[Path]:
    """The directories at or below `folder` that hold a config as runs do; hidden ones are passed by."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if "config.yaml" in files:
            yield Path(root)


def read(directory: Path, folder: Path) -> Entry:
    """The run in `directory`, named by its place below `folder`.

    Raises:
        ConfigError, DataError: what it wrote is damaged. OSError: it cannot be read.
    """
    name = directory.relative_to(folder).as_posix()
    name = directory.resolve().name if name == "." else name
    settings = dict(_flat(_config(directory / "config.yaml").model_dump(mode="json")))
    summary = directory / "summary.json"
    with suppress(FileNotFoundError):
        return Entry(name, directory, settings, "done", *_results(summary, summary.read_bytes()))
    state, reason = _state(directory)
    if state != "running":
        with suppress(FileNotFoundError):  # it may have been finished just now
            return Entry(
                name, directory, settings, "done", *_results(summary, summary.read_bytes())
            )
    rows = metrics.read(directory / "metrics.csv")
    seconds = sum(row["seconds"] or 0.0 for row in rows)
    return Entry(name, directory, settings, state, len(rows), seconds, _best(rows), None, reason)


def group_by_seed(entries: Iterable[Entry]) -> list[Row]:
    """Rows of the runs that differ in their seeds alone; of two with the same seed each is in a row of its own."""
    groups: dict[tuple[str, str, int], list[Entry]] = defaultdict(list)
    seen: dict[str, int] = defaultdict(int)
    for entry in entries:
        rest = json.dumps({key: value for key, value in entry.settings.items() if key != "seed"})
        alike = f"{rest} {entry.settings['seed']} {entry.state}"
        groups[rest, entry.state, seen[alike]].append(entry)
        seen[alike] += 1
    return [Row(group) for group in groups.values()]


def changed(entries: Sequence[Entry]) -> list[str]:
    """The keys in which the runs differ, in the order of the config."""
    keys = dict.fromkeys(key for entry in entries for key in entry.settings)
    return [
        key for key in keys if len({json.dumps(entry.settings.get(key)) for entry in entries}) > 1
    ]


def best(entries: Iterable[Entry]) -> Entry | None:
    """The finished run that is best on its validation examples."""
    judged = [entry for entry in entries if entry.state == "done" and entry.validation]
    return min(judged, key=lambda entry: rank(entry.validation), default=None)


def _common(texts: Sequence[str]) -> str:
    """What all begin with."""
    return os.path.commonprefix(texts)  # noqa: RUF071 - of texts, not of paths


def _config(file: Path) -> Config:
    text = file.read_text(encoding="utf-8", errors="replace")
    with suppress(ValueError):
        return Config.model_validate(undump(text))
    return load_config(file)  # which tells what is wrong


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _results(file: Path, content: bytes) -> tuple[int, float, Figures | None, Figures | None]:
    """Epochs, seconds, validation and test of a summary."""
    try:
        found = json.loads(content)
        figures = [found[split] and {**found[split]} for split in ("validation", "test")]
        for each in filter(None, figures):
            score(each)
        return int(found["epochs"]), float(found["seconds"]), figures[0], figures[1]
    except (ValueError, KeyError, TypeError):
        raise DataError(
            f"{file}: is not what `nnmnist train` writes; remove it, or train again"
        ) from None


def _state(directory: Path) -> tuple[str, str]:
    """Of a run that is not finished: its state, and why it failed."""
    if lock.is_locked(directory):
        return "running", ""
    try:
        return "failed", (directory / FAILURE).read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return "stopped", ""


def _best(rows: Sequence[dict[str, float | None]]) -> Figures | None:
    """The validation figures of the best epoch."""
    figures = [
        {"cost": row["validation_cost"], "accuracy": row["validation_accuracy"]} for row in rows
    ]
    return min((each for each in figures if each["cost"] is not None), key=rank, default=None)


def _mean(figures: Sequence[Figures | None]) -> Figures | None:
    """The means of those that all have, and the standard deviation of the score."""
    present = [each for each in figures if each]
    if not present or len(present) < len(figures):
        return None
    mean: Figures = {}
    for name in present[0]:
        values = [value for each in present if (value := each.get(name)) is not None]
        mean[name] = fmean(values) if len(values) == len(present) else None
    name, _ = score(present[0])
    values = [score(each)[1] for each in present]
    return {**mean, "sd": stdev(values) if len(values) > 1 else None}
