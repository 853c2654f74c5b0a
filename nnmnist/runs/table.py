"""The table of the runs in a folder: configs, states and results; filters, groups and order."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from nnmnist.config.loading import flatten, load_config
from nnmnist.config.schema import Config
from nnmnist.config.yaml import compose, parse_dumped
from nnmnist.errors import ConfigError, DataError
from nnmnist.runs import lock, metrics
from nnmnist.runs.directory import FAILURE

STATES = ("running", "done", "failed", "stopped")

# cost, accuracy (None for regression), for regression perhaps r2, and for a row sd
Scores = dict[str, float | None]


@dataclass(frozen=True)
class Entry:
    """One run."""

    name: str  # its path relative to the folder
    path: Path
    settings: dict[str, Any]  # dotted key of the config -> value
    state: str  # one of STATES
    epochs: int  # epochs that are done
    seconds: float  # seconds of training so far
    validation: Scores | None  # of the best epoch so far
    test: Scores | None
    reason: str = ""  # why it failed


@dataclass(frozen=True)
class Row:
    """One run, or several of the same state that differ only in their seeds."""

    runs: Sequence[Entry]

    @property
    def name(self) -> str:
        """The name of the run; of several, what their names share, with a star for the rest."""
        names = [run.name for run in self.runs]
        if len(names) == 1:
            return names[0]
        start = _common_start(names)
        end = _common_start([name[len(start) :][::-1] for name in names])[::-1]
        return f"{start}*{end}"

    @property
    def state(self) -> str:
        """The state that all runs have."""
        return self.runs[0].state

    @property
    def reason(self) -> str:
        """Why the first run failed."""
        return self.runs[0].reason

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that all runs share: all but the seed."""
        return {key: value for key, value in self.runs[0].settings.items() if key != "seed"}

    @property
    def seeds(self) -> list[int]:
        """The seeds of the runs, in order."""
        return sorted(run.settings["seed"] for run in self.runs)

    @property
    def epochs(self) -> float:
        """The mean number of epochs that are done."""
        mean = fmean(run.epochs for run in self.runs)
        return int(mean) if mean.is_integer() else mean

    @property
    def seconds(self) -> float:
        """The mean time of training."""
        return fmean(run.seconds for run in self.runs)

    @property
    def validation(self) -> Scores | None:
        """The means, and as `sd` the standard deviation of the score; None if a run has none."""
        return _mean_scores([run.validation for run in self.runs])

    @property
    def test(self) -> Scores | None:
        """As `validation`."""
        return _mean_scores([run.test for run in self.runs])

    def record(self, keys: Sequence[str]) -> dict[str, Any]:
        """The JSON of the row; of the settings only those in `keys`."""
        return {
            "run": self.name,
            "paths": [str(run.path) for run in self.runs],
            "state": self.state,
            "reason": self.reason,
            "seeds": self.seeds,
            "settings": {key: self.settings[key] for key in keys if key in self.settings},
            "epochs": self.epochs,
            "seconds": self.seconds,
            "validation": self.validation,
            "test": self.test,
        }


def score(scores: Scores) -> tuple[str, float]:
    """The name and value of the score that runs are compared by: accuracy, else R^2, else cost."""
    for name in ("accuracy", "r2", "cost"):
        value = scores.get(name)
        if value is not None:
            return name, value
    raise ValueError("no score")


def rank(scores: Scores | None) -> tuple[float, float, float]:
    """A key for sorting: the best first, runs without scores last."""
    if scores is None:
        return (1, 0.0, 0.0)
    name, value = score(scores)
    return (0, value if name == "cost" else -value, scores["cost"] or 0.0)


def mean_and_deviation(values: Sequence[float | None]) -> tuple[float, float | None] | None:
    """The mean and the sample standard deviation (n - 1) of some runs; None if a value is missing.

    One value has no deviation: it is None.
    """
    present = [value for value in values if value is not None]
    if not present or len(present) < len(values):
        return None
    return fmean(present), stdev(present) if len(present) > 1 else None


# Reading.


def read_all(folder: Path) -> tuple[list[Entry], list[str]]:
    """Every run in `folder` and its subfolders, sorted by path, and one error per damaged run."""
    entries, problems = [], []
    for directory in find(folder):
        try:
            entries.append(read(directory, folder))
        except (ConfigError, DataError, OSError) as error:
            problems.append(str(error))
    return entries, problems


def find(folder: Path) -> Iterator[Path]:
    """The directories in `folder`, itself included, that hold a `config.yaml`; no hidden ones."""
    for root, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        if "config.yaml" in files:
            yield Path(root)


def read(directory: Path, folder: Path) -> Entry:
    """The run in `directory`, named by its path relative to `folder`.

    Raises:
        ConfigError, DataError: a file of the run is damaged.
        OSError: a file cannot be read.
    """
    name = directory.relative_to(folder).as_posix()
    name = directory.resolve().name if name == "." else name
    config = _read_config(directory / "config.yaml")
    settings = flatten(config.model_dump(mode="json"))
    with suppress(FileNotFoundError):
        return _finished(name, directory, settings)
    state, reason = _read_state(directory)
    if state != "running":
        # the process may have finished the run since the first look
        with suppress(FileNotFoundError):
            return _finished(name, directory, settings)
    rows = metrics.read(directory / "metrics.csv")
    seconds = sum(row["seconds"] or 0.0 for row in rows)
    best = _best_epoch(rows)
    return Entry(name, directory, settings, state, len(rows), seconds, best, None, reason)


def _finished(name: str, directory: Path, settings: dict[str, Any]) -> Entry:
    """A finished run. Raises FileNotFoundError without a summary, DataError if it is damaged."""
    file = directory / "summary.json"
    content = file.read_bytes()
    try:
        summary = json.loads(content)
        validation, test = (
            {**summary[split]} if summary[split] else None for split in ("validation", "test")
        )
        for scores in (validation, test):
            if scores:
                score(scores)
        epochs, seconds = int(summary["epochs"]), float(summary["seconds"])
    except (ValueError, KeyError, TypeError):
        raise DataError(
            f"{file}: `nnmnist train` did not write this; remove it, or train again"
        ) from None
    return Entry(name, directory, settings, "done", epochs, seconds, validation, test)


def _read_config(file: Path) -> Config:
    text = file.read_text(encoding="utf-8", errors="replace")
    # the fast way, for text that this program wrote
    with suppress(ValueError):
        return Config.model_validate(parse_dumped(text))
    return load_config(file)  # its errors name the line


def _read_state(directory: Path) -> tuple[str, str]:
    """The state of a run that is not finished, and why it failed."""
    if lock.is_locked(directory):
        return "running", ""
    try:
        return "failed", (directory / FAILURE).read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError:
        return "stopped", ""


def _best_epoch(rows: Iterable[Mapping[str, float | None]]) -> Scores | None:
    """The validation scores of the best epoch."""
    scores: list[Scores] = [
        {"cost": row["validation_cost"], "accuracy": row["validation_accuracy"]} for row in rows
    ]
    return min((each for each in scores if each["cost"] is not None), key=rank, default=None)


# Selecting, grouping and sorting.


def config_keys(entries: Iterable[Entry]) -> list[str]:
    """The dotted keys of the configs of all runs."""
    return list(dict.fromkeys(key for entry in entries for key in entry.settings))


def changed(entries: Sequence[Entry]) -> list[str]:
    """The dotted keys in which the runs differ, in the order of the config."""

    def differ(key: str) -> bool:
        return len({json.dumps(entry.settings.get(key)) for entry in entries}) > 1

    return [key for key in config_keys(entries) if differ(key)]


def resolve_key(name: str, keys: Sequence[str], others: Iterable[str], flag: str) -> str:
    """The dotted key that `name` means: all of it, or only its last part.

    Args:
        name: what the user wrote.
        keys: the dotted keys of the configs.
        others: other names that are allowed.
        flag: the option, for the error.

    Raises:
        ConfigError: no key is called so, or several are.
    """
    whole = [*others, *keys]
    if name in whole:
        return name
    matches = [key for key in keys if key.rpartition(".")[2] == name]
    if len(matches) == 1:
        return matches[0]
    short = [key.rpartition(".")[2] for key in keys]
    suggestions = matches or get_close_matches(name, [*whole, *short], n=1)
    if suggestions:
        raise ConfigError(f"{flag}: unknown key; did you mean {' or '.join(suggestions)}?")
    raise ConfigError(f"{flag}: unknown key; the keys are {', '.join(whole)}")


def select(entries: Sequence[Entry], filters: Iterable[str]) -> list[Entry]:
    """The runs that pass all filters KEY=VALUE, where KEY is `state` or a key of the config.

    Raises:
        ConfigError: a filter has another form, or names an unknown key or state.
    """
    chosen = list(entries)
    keys = config_keys(entries)
    for text in filters:
        key, value = _parse_filter(text, keys)
        if key == "state":
            chosen = [entry for entry in chosen if entry.state == value]
        else:
            chosen = [entry for entry in chosen if entry.settings.get(key) == value]
    return chosen


def _parse_filter(text: str, keys: Sequence[str]) -> tuple[str, Any]:
    flag = f"--filter {text}"
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"{flag}: expected KEY=VALUE, such as state=done or hidden=[64]")
    key = resolve_key(name.strip(), keys, ["state"], flag)
    if key == "state":
        if value not in STATES:
            raise ConfigError(f"{flag}: the states are {', '.join(STATES)}")
        return key, value
    document = compose(value, flag, numbered=False)
    if document.tree is None or document.faults:
        raise ConfigError("\n".join(map(str, document.faults)))
    return key, document.tree.plain()


def group_by_seed(entries: Iterable[Entry]) -> list[Row]:
    """One row per group of runs that differ only in their seeds.

    If a group has two runs of the same seed, the second one gets a row of its own.
    """
    groups: dict[tuple[str, str, int], list[Entry]] = defaultdict(list)
    repeats: dict[tuple[str, str, int], int] = defaultdict(int)
    for entry in entries:
        rest = json.dumps({key: value for key, value in entry.settings.items() if key != "seed"})
        same = (rest, entry.state, entry.settings["seed"])
        groups[rest, entry.state, repeats[same]].append(entry)
        repeats[same] += 1
    return [Row(group) for group in groups.values()]


# Columns to sort by, beside the keys of the configs: the best score first, else the smallest value.
SORTS: dict[str, Any] = {
    "run": lambda row: row.name,
    "epochs": lambda row: row.epochs,
    "validation": lambda row: rank(row.validation),
    "test": lambda row: rank(row.test),
    "seconds": lambda row: row.seconds,
    "state": lambda row: row.state,
}


def sort_rows(rows: Iterable[Row], by: str, keys: Sequence[str]) -> list[Row]:
    """The rows sorted by a column or a key of the config; equal rows keep their order.

    Raises:
        ConfigError: there is no such column or key.
    """
    key = resolve_key(by, keys, SORTS, f"--sort {by}")

    def value(row: Row) -> tuple[bool, float, str]:
        found = row.runs[0].settings.get(key)
        number = float(found) if isinstance(found, (int, float)) else None
        return (number is None, number or 0.0, json.dumps(found))

    return sorted(rows, key=SORTS.get(key, value))


def best(entries: Iterable[Entry]) -> Entry | None:
    """The finished run with the best validation score."""
    finished = [entry for entry in entries if entry.state == "done" and entry.validation]
    return min(finished, key=lambda entry: rank(entry.validation), default=None)


def _mean_scores(scores: Sequence[Scores | None]) -> Scores | None:
    """The mean of each score, and as `sd` the deviation of the one that runs are compared by."""
    present = [each for each in scores if each]
    if not present or len(present) < len(scores):
        return None
    mean: Scores = {}
    for name in present[0]:
        found = mean_and_deviation([each.get(name) for each in present])
        mean[name] = found[0] if found else None
    found = mean_and_deviation([score(each)[1] for each in present])
    return {**mean, "sd": found[1] if found else None}


def _common_start(texts: Sequence[str]) -> str:
    return os.path.commonprefix(texts)  # noqa: RUF071 - of texts, not of paths
