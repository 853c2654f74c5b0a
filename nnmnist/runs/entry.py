"""One run in a folder of runs: its config, its data, its state and its results so far."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from nnmnist import checkpoint
from nnmnist.config.loading import flatten, parse_config
from nnmnist.config.schema import Config
from nnmnist.config.yaml import MAX_SIZE, parse_dumped
from nnmnist.errors import CheckpointError, ConfigError, DataError, printable
from nnmnist.files import read_regular
from nnmnist.runs import lock, metrics, summary
from nnmnist.runs.directory import FAILURE
from nnmnist.runs.facts import data_id, data_title, replaced_data
from nnmnist.runs.summary import Scores, Summary, rank

STATES = ("running", "done", "failed", "stopped")


class RunData(NamedTuple):
    """The data of a run."""

    name: str
    id: str  # runs with the same id may be compared
    replaced: str | None = None  # the source that it replaced as `data.fallback`

    @property
    def title(self) -> str:
        """The name, and what the data replaced."""
        return data_title(self.name, self.replaced)


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
    data: RunData | None  # None before the first epoch is complete
    reason: str = ""  # why it failed
    is_chance: bool = False  # whether it is no better than a guess


def read_all(folder: Path) -> tuple[list[Entry], list[str]]:
    """Every run in `folder` and its subfolders, sorted by path, and one error per damaged run."""
    entries, problems = [], []
    for directory in find(folder):
        try:
            entries.append(read(directory, folder))
        except (ConfigError, DataError, CheckpointError) as error:
            problems.append(str(error))
        except OSError as error:
            problems.append(f"{directory}: cannot be read: {error.strerror}")
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
        CheckpointError, ConfigError, DataError: a file of the run is damaged.
        OSError: a file cannot be read.
    """
    name = directory.relative_to(folder).as_posix()
    name = directory.resolve().name if name == "." else name
    config = _read_config(directory / "config.yaml")
    with suppress(FileNotFoundError):
        return _finished(name, directory, config, summary.read(directory))
    state, reason = _read_state(directory)
    if state != "running":
        # The process may have finished the run since the first look.
        with suppress(FileNotFoundError):
            return _finished(name, directory, config, summary.read(directory))
    rows = metrics.read(directory / metrics.FILE)
    return Entry(
        name,
        directory,
        _settings(config),
        state,
        epochs=len(rows),
        seconds=sum(row["seconds"] or 0.0 for row in rows),
        validation=_best_epoch(rows),
        test=None,
        data=_read_data(directory, config),
        reason=reason,
    )


def read_data(directory: Path) -> RunData | None:
    """The data of the run in `directory`; None before its first epoch is complete.

    Raises:
        CheckpointError, ConfigError, DataError, OSError: as `read`.
    """
    return _read_data(directory, _read_config(directory / "config.yaml"))


def _finished(name: str, directory: Path, config: Config, found: Summary) -> Entry:
    data: RunData | None
    if found.data_id is not None:
        data = RunData(found.data, found.data_id, found.replaced_data)
    else:
        data = _read_data(directory, config)
    return Entry(
        name,
        directory,
        _settings(config),
        "done",
        found.epochs,
        found.seconds,
        found.validation,
        found.test,
        data,
        is_chance=bool(found.chance),
    )


def _read_data(directory: Path, config: Config) -> RunData | None:
    """The data that the last checkpoint of a run names."""
    path = directory / "last.npz"
    if not path.exists():
        return None
    facts = checkpoint.read_document(path).get("data")
    if not isinstance(facts, dict) or not isinstance(name := facts.get("name"), str):
        raise CheckpointError(f"{path}: does not say what data it was trained on; train again")
    return RunData(name, data_id(facts), replaced_data(config.data, name))


def _settings(config: Config) -> dict[str, Any]:
    return flatten(config.as_json())


def _read_config(file: Path) -> Config:
    text = read_regular(file, MAX_SIZE).decode("utf-8", errors="replace")
    # The fast way, for text that this program wrote.
    with suppress(ValueError):
        return Config.from_json(parse_dumped(text))
    return parse_config(text, printable(str(file), 1000))  # its errors name the line


def _read_state(directory: Path) -> tuple[str, str]:
    """The state of a run that is not finished, and why it failed."""
    if lock.is_locked(directory):
        return "running", ""
    try:
        reason = read_regular(directory / FAILURE, summary.MAX_SIZE)
    except FileNotFoundError:
        return "stopped", ""
    return "failed", reason.decode("utf-8", errors="replace").strip()


def _best_epoch(rows: Iterable[Mapping[str, float | None]]) -> Scores | None:
    """The validation scores of the best epoch."""
    scores: list[Scores] = [
        {"cost": row["validation_cost"], "accuracy": row["validation_accuracy"]} for row in rows
    ]
    return min((each for each in scores if each["cost"] is not None), key=rank, default=None)
