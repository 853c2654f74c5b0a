"""The table of the runs in a folder: filters, groups and order."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from statistics import fmean, stdev
from typing import Any

from nnmnist.config.yaml import compose
from nnmnist.errors import ConfigError
from nnmnist.runs.entry import STATES, Entry, RunData
from nnmnist.runs.summary import Scores, rank, score


@dataclass(frozen=True)
class Row:
    """One run, or several of the same data and state that differ only in their seeds."""

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
    def data(self) -> RunData | None:
        """The data that all runs have; None before the first epoch is complete."""
        return self.runs[0].data

    @property
    def is_chance(self) -> bool:
        """Whether a run is no better than a guess of the largest class."""
        return any(run.is_chance for run in self.runs)

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
            "data": self.data.name if self.data else None,
            "data_id": self.data.id if self.data else None,
            "replaced_data": self.data.replaced if self.data else None,
            "chance": self.is_chance,
            "seeds": self.seeds,
            "settings": {key: self.settings[key] for key in keys if key in self.settings},
            "epochs": self.epochs,
            "seconds": self.seconds,
            "validation": self.validation,
            "test": self.test,
        }


def mean_and_deviation(values: Sequence[float | None]) -> tuple[float, float | None] | None:
    """The mean and the sample standard deviation (n - 1) of some runs; None if a value is missing.

    One value has no deviation: it is None.
    """
    present = [value for value in values if value is not None]
    if not present or len(present) < len(values):
        return None
    return fmean(present), stdev(present) if len(present) > 1 else None


# Selecting, grouping and sorting.


def config_keys(entries: Iterable[Entry]) -> list[str]:
    """The dotted keys of the configs of all runs."""
    return list(dict.fromkeys(key for entry in entries for key in entry.settings))


def data_titles(entries: Iterable[Entry]) -> dict[str, str]:
    """The id of each data set -> its name; where two share a name, followed by # and the id."""
    titles = {entry.data.id: entry.data.title for entry in entries if entry.data}
    names = list(titles.values())
    return {
        id: title if names.count(title) == 1 else f"{title}#{id[:6]}"
        for id, title in titles.items()
    }


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
    """The runs that pass all filters KEY=VALUE: KEY is `state`, `data` or a key of the config.

    The value of `data` is a title of `data_titles`, or the name of the data.

    Raises:
        ConfigError: a filter has another form, or names an unknown key or state.
    """
    chosen = list(entries)
    keys, titles = config_keys(entries), data_titles(entries)
    for text in filters:
        key, value = _parse_filter(text, keys)
        if key == "state":
            chosen = [entry for entry in chosen if entry.state == value]
        elif key == "data":
            chosen = [
                entry
                for entry in chosen
                if entry.data and value in (entry.data.name, titles[entry.data.id])
            ]
        else:
            chosen = [entry for entry in chosen if entry.settings.get(key) == value]
    return chosen


def _parse_filter(text: str, keys: Sequence[str]) -> tuple[str, Any]:
    flag = f"--filter {text}"
    name, equals, value = text.partition("=")
    if not equals:
        raise ConfigError(f"{flag}: expected KEY=VALUE, such as state=done or hidden=[64]")
    key = resolve_key(name.strip(), keys, ["state", "data"], flag)
    if key == "data":
        return key, value
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

    Runs on different data are not grouped. If a group has two runs of the same seed, the second one
    gets a row of its own.
    """
    groups: dict[tuple[Any, ...], list[Entry]] = defaultdict(list)
    repeats: dict[tuple[Any, ...], int] = defaultdict(int)
    for entry in entries:
        rest = json.dumps({key: value for key, value in entry.settings.items() if key != "seed"})
        group = rest, entry.state, entry.data and entry.data.id
        same = group, entry.settings["seed"]
        groups[group, repeats[same]].append(entry)
        repeats[same] += 1
    return [Row(group) for group in groups.values()]


# Columns to sort by, beside the keys of the configs: the best score first, else the smallest value.
SORTS: dict[str, Any] = {
    "run": lambda row: row.name,
    "data": lambda row: (row.data is None, row.data or ()),
    "epochs": lambda row: row.epochs,
    "validation": lambda row: rank(row.validation),
    "test": lambda row: rank(row.test),
    "seconds": lambda row: row.seconds,
    "state": lambda row: row.state,
}


def sort_rows(rows: Iterable[Row], by: str, keys: Sequence[str]) -> list[Row]:
    """The rows sorted by a column or a key of the config; equal rows keep their order.

    Scores are compared only within the same data: the rows of each data set stand together.

    Raises:
        ConfigError: there is no such column or key.
    """
    key = resolve_key(by, keys, SORTS, f"--sort {by}")

    def value(row: Row) -> tuple[bool, float, str]:
        found = row.runs[0].settings.get(key)
        number = float(found) if isinstance(found, (int, float)) else None
        return (number is None, number or 0.0, json.dumps(found))

    ordered = sorted(rows, key=SORTS.get(key, value))
    return sorted(ordered, key=SORTS["data"]) if key in ("validation", "test") else ordered


def best(entries: Iterable[Entry]) -> Entry | None:
    """The finished run with the best validation score; None if no run has one.

    Raises:
        ConfigError: the runs were trained on different data.
    """
    finished = [entry for entry in entries if entry.state == "done" and entry.validation]
    titles = data_titles(finished)
    if len(titles) > 1:
        choices = " or ".join(f"--filter 'data={title}'" for title in sorted(titles.values()))
        raise ConfigError(f"best: the runs were trained on different data; choose with {choices}")
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
