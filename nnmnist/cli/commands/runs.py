"""`nnmnist runs`: the table of all runs below a folder, and the path of the best."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import click

from nnmnist.cli.options import json_option, notice
from nnmnist.config.yaml import compose
from nnmnist.errors import ConfigError, DataError, printable
from nnmnist.runs import table
from nnmnist.runs.table import Entry, Figures, Row

# columns by which rows are sorted beside the keys of configs: of accuracies the best first, else
# the least
SORTS: dict[str, Any] = {
    "run": lambda row: row.name,
    "epochs": lambda row: row.epochs,
    "validation": lambda row: table.rank(row.validation),
    "test": lambda row: table.rank(row.test),
    "seconds": lambda row: row.seconds,
    "state": lambda row: row.runs[0].state,
}


@click.command()
@click.argument("words", nargs=-1, metavar="[best] [DIR]")
@click.option(
    "--sort",
    "by",
    default="validation",
    show_default=True,
    metavar="KEY",
    help=f"{', '.join(SORTS)}, or a key of the configs, such as learning_rate.",
)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    help="Only runs of this state, or with this value of a key: state=done, hidden=[64]",
)
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Print comma-separated values.")
def runs(
    words: tuple[str, ...], by: str, filters: tuple[str, ...], as_json: bool, as_csv: bool
) -> None:
    """List runs with what they reached, or name the best.

    They are those at or below DIR (default: runs), shown with the keys in which they differ. Runs
    that differ in their seeds alone make one row: means, and the standard deviation of the
    accuracy. A run is running, done, failed, or stopped, to be gone on with by --resume.

    `nnmnist runs best DIR` prints one path: that of the finished run with the highest validation
    accuracy.
    """
    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two forms of the same; give one of them")
    name_best = words[:1] == ("best",)
    if name_best and (as_json or as_csv):
        raise click.UsageError("best prints one path; leave out --json and --csv")
    folder = Path(*words[name_best:] or ["runs"])
    if len(words) > name_best + 1:
        raise click.UsageError(f"one folder, please: {' '.join(words)}")
    if not folder.is_dir():
        raise click.UsageError(f"{folder}: no such folder; give the one that holds the runs")
    entries, problems = table.read_all(folder)
    for problem in problems:
        notice(f"left out: {problem}")
    if not entries:
        raise DataError(
            f"{folder}: holds no runs; give the folder in which `nnmnist train` made them"
        )
    chosen = select(entries, filters)
    if name_best:
        best = table.best(chosen)
        if best is None:
            raise DataError(f"{folder}: no finished run with a validation accuracy")
        click.echo(best.path)
        return
    rows = ordered(table.group_by_seed(chosen), by, keys_of(entries))
    form = as_records if as_json else as_csv_text if as_csv else as_table
    click.echo(form(rows, table.changed(chosen)), nl=False)


def keys_of(entries: Iterable[Entry]) -> list[str]:
    """Every key that a config of these has."""
    return list(dict.fromkeys(key for entry in entries for key in entry.settings))


def resolve(name: str, keys: Sequence[str], others: Iterable[str], flag: str) -> str:
    """The one of `others`, or the dotted key, that a user means by `name`, which may be a key's last part.

    Raises ConfigError where it is none, or several.
    """
    if name in (*others, *keys):
        return name
    meant = [key for key in keys if key.rpartition(".")[2] == name]
    if len(meant) == 1:
        return meant[0]
    near = meant or get_close_matches(
        name, [*others, *keys, *(key.rpartition(".")[2] for key in keys)], n=1
    )
    hint = (
        f"did you mean {' or '.join(near)}?" if near else f"there are {', '.join([*others, *keys])}"
    )
    raise ConfigError(f"{flag}: unknown key; {hint}")


def select(entries: Sequence[Entry], filters: Iterable[str]) -> list[Entry]:
    """The runs that pass all filters, KEY=VALUE each. Raises ConfigError."""
    chosen = list(entries)
    for text in filters:
        flag = f"--filter {text}"
        name, equals, wanted = text.partition("=")
        if not equals:
            raise ConfigError(f"{flag}: expected KEY=VALUE, such as state=done or hidden=[64]")
        key = resolve(name.strip(), keys_of(entries), ["state"], flag)
        if key == "state":
            if wanted not in table.STATES:
                raise ConfigError(f"{flag}: a run is {', '.join(table.STATES)}")
            chosen = [entry for entry in chosen if entry.state == wanted]
            continue
        document = compose(wanted, flag, numbered=False)
        if document.tree is None or document.faults:
            raise ConfigError("\n".join(map(str, document.faults)))
        value = document.tree.plain()
        chosen = [entry for entry in chosen if entry.settings.get(key) == value]
    return chosen


def ordered(rows: Iterable[Row], by: str, keys: Sequence[str]) -> list[Row]:
    """The rows by one column; equal ones stay in the order of their names. Raises ConfigError."""
    key = resolve(by, keys, SORTS, f"--sort {by}")

    def value(row: Row) -> tuple[bool, float, str]:
        found = row.runs[0].settings.get(key)
        number = float(found) if isinstance(found, (int, float)) else None
        return (number is None, number or 0.0, json.dumps(found))

    return sorted(rows, key=SORTS.get(key, value))


def as_records(rows: Iterable[Row], changed: Sequence[str]) -> str:
    """JSON: an object a row."""
    return "".join(json.dumps(_record(row, changed)) + "\n" for row in rows)


def as_csv_text(rows: Iterable[Row], changed: Sequence[str]) -> str:
    """The same with a column a key."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    figures = ("cost", "accuracy", "r2", "sd")
    splits = ("validation", "test")
    told = [key for key in changed if key != "seed"]
    writer.writerow(
        ["run", "state", "reason", "seeds", *told, "epochs", "seconds",
         *(f"{split}_{name}" for split in splits for name in figures)]
    )  # fmt: skip
    for row in rows:
        record = _record(row, changed)
        settings = [_word(record["settings"].get(key)) for key in told]
        reached = [(record[split] or {}).get(name) for split in splits for name in figures]
        seeds = " ".join(map(str, row.seeds))
        writer.writerow(
            [
                row.name,
                record["state"],
                record["reason"],
                seeds,
                *settings,
                row.epochs,
                row.seconds,
                *reached,
            ]
        )
    return out.getvalue()


def _record(row: Row, changed: Sequence[str]) -> dict[str, Any]:
    return {
        "run": row.name,
        "paths": [str(run.path) for run in row.runs],
        "state": row.runs[0].state,
        "reason": row.runs[0].reason,
        "seeds": row.seeds,
        "settings": {key: row.settings[key] for key in changed if key in row.settings},
        "epochs": row.epochs,
        "seconds": row.seconds,
        "validation": row.validation,
        "test": row.test,
    }


def as_table(rows: Iterable[Row], changed: Sequence[str]) -> str:
    """The same for people."""
    keys = [key for key in changed if key != "training.epochs"]  # which the epochs done tell
    short = [key.rpartition(".")[2] for key in keys]
    names = [
        name if short.count(name) == 1 and name not in SORTS else key
        for name, key in zip(short, keys, strict=True)
    ]
    lines = [["run", *names, "epochs", "validation", "test", "seconds", "state"]]
    for row in rows:
        cells = [
            _seeds(row.seeds) if key == "seed" else _short(row.settings.get(key)) for key in keys
        ]
        first = row.runs[0]
        state = f"{first.state}: {first.reason}" if first.reason else first.state
        lines.append(
            [row.name, *cells, _epochs(row), _score(row.validation), _score(row.test), f"{row.seconds:.1f}",
             printable(state)]
        )  # fmt: skip
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "".join(
        "  ".join(
            cell.ljust(width) if i in (0, len(widths) - 1) else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip() + "\n"
        for line in lines
    )  # fmt: skip


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else _word(value)


def _word(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _seeds(seeds: Sequence[int]) -> str:
    """0-4 for five in a row, else each."""
    first, last = seeds[0], seeds[-1]
    if len(seeds) > 2 and list(seeds) == list(range(first, last + 1)):
        return f"{first}-{last}"
    return ",".join(map(str, seeds))


def _epochs(row: Row) -> str:
    """How many are done, and of how many where that is not the end."""
    planned = row.settings["training.epochs"]
    return f"{row.epochs:g}" if row.runs[0].state == "done" else f"{row.epochs:g} of {planned}"


def _score(figures: Figures | None) -> str:
    if figures is None:
        return "-"
    name, value = table.score(figures)
    sd = figures["sd"]
    if name == "accuracy":
        return f"{value:.2%}" + ("" if sd is None else f" ± {100 * sd:.2f}")
    text = f"R^2 {value:.4f}" if name == "r2" else f"cost {value:.4g}"
    return text + ("" if sd is None else f" ± {sd:.2g}")
