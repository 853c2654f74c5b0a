"""`nnmnist runs`: a table of the runs in a folder, and the path of the best one."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import click

from nnmnist.cli.layout import columns, fit, shorten
from nnmnist.cli.options import complete_files, json_option, with_examples
from nnmnist.cli.terminal import align, csv_text, echo, echo_json, echo_path, notice
from nnmnist.cli.waiting import waiting_for
from nnmnist.errors import DataError, printable
from nnmnist.runs import table
from nnmnist.runs.entry import Entry, read_all
from nnmnist.runs.summary import Scores, score
from nnmnist.runs.table import Row


@click.command(
    epilog=with_examples(
        "nnmnist runs --sort test --filter hidden=[64]",
        'nnmnist evaluate "$(nnmnist runs best)"',
    )
)
@click.argument("words", nargs=-1, metavar="[best] [DIR]", shell_complete=complete_files)
@click.option(
    "--sort",
    "by",
    default="validation",
    show_default=True,
    metavar="KEY",
    help=f"Sort by {', '.join(table.SORTS)}, or a key of the config, such as learning_rate.",
)
@click.option(
    "--filter",
    "filters",
    multiple=True,
    metavar="KEY=VALUE",
    help="Show only runs with this state, data or value of a key: state=done, data=mnist, "
    "hidden=[64]. May be repeated.",
)
@json_option
@click.option(
    "--csv",
    "as_csv",
    is_flag=True,
    help="Print comma-separated values. A text that could be a formula starts with a quote.",
)
def runs(
    words: tuple[str, ...], by: str, filters: tuple[str, ...], as_json: bool, as_csv: bool
) -> None:
    """List runs and their results, or name the best run.

    The table shows all runs in DIR (default: runs) and its subfolders, with the keys in which they
    differ. Runs that differ only in their seeds share one row, with means and the standard
    deviation of the score. Runs on different data are never averaged or ranked together. A run is
    running, done, failed, or stopped; `nnmnist train --resume` continues a stopped run.

    `nnmnist runs best DIR` prints one path: the finished run with the best validation score.
    """
    name_best, folder = _parse_words(words)
    if as_json and as_csv:
        raise click.UsageError("--json and --csv are two formats; choose one")
    if name_best and (as_json or as_csv):
        raise click.UsageError("best prints one path; remove --json and --csv")
    entries = _read(folder)
    chosen = table.select(entries, filters)
    if name_best:
        best = table.best(chosen)
        if best is None:
            raise DataError(f"{folder}: no finished run has a validation score")
        echo_path(best.path)
        return
    rows = table.sort_rows(table.group_by_seed(chosen), by, table.config_keys(entries))
    changed = table.changed(chosen)
    if as_json:
        for row in rows:
            echo_json(row.record(changed))
    elif as_csv:
        echo(ascsv_text(rows, changed))
    else:
        _print_table(rows, changed, table.data_titles(entries))


def _parse_words(words: Sequence[str]) -> tuple[bool, Path]:
    """Whether to name the best run, and the folder."""
    name_best = bool(words) and words[0] == "best"
    folders = (words[1:] if name_best else words) or ["runs"]
    if len(folders) > 1:
        raise click.UsageError(f"expected one folder, found {len(folders)}: {' '.join(folders)}")
    folder = Path(folders[0])
    if not folder.is_dir():
        raise click.UsageError(f"{folder}: no such folder; name the folder that holds the runs")
    return name_best, folder


def _read(folder: Path) -> list[Entry]:
    """The runs of a folder, with a notice for each damaged one. Raises DataError without runs."""
    with waiting_for(f"reading {folder}"):
        entries, problems = read_all(folder)
    for problem in problems:
        notice(f"skipped a damaged run: {problem}")
    if not entries:
        raise DataError(f"{folder}: no runs found; name the folder that `nnmnist train` wrote to")
    return entries


def ascsv_text(rows: Sequence[Row], changed: Sequence[str]) -> str:
    """Comma-separated values, with a column per key and per score."""
    keys = [key for key in changed if key != "seed"]
    parts = list(product(("validation", "test"), ("cost", "accuracy", "r2", "sd")))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    heads = [f"{split}_{name}" for split, name in parts]
    facts = ["run", "state", "reason", "data", "data_id", "replaced_data", "seeds"]
    writer.writerow([*facts, *keys, "epochs", "seconds", *heads])
    for row in rows:
        record = row.record(changed)
        settings = [_csv_value(record["settings"].get(key)) for key in keys]
        scores = [(record[split] or {}).get(name) for split, name in parts]
        texts = [csv_text(record[fact] or "") for fact in facts[:-1]]
        seeds = " ".join(map(str, row.seeds))
        writer.writerow([*texts, seeds, *settings, row.epochs, row.seconds, *scores])
    return out.getvalue().removesuffix("\n")


def _csv_value(value: Any) -> str:
    return csv_text(value) if isinstance(value, str) else json.dumps(value)


def _print_table(rows: Sequence[Row], changed: Sequence[str], titles: Mapping[str, str]) -> None:
    """Print the table; on a terminal, the part of it for which there is room."""
    cells, keys = as_cells(rows, changed, titles)
    if width := columns():
        cells, left_out = fit(cells, width, ["seconds", *reversed(keys), "epochs", "test", "data"])
        if left_out:
            names = shorten(", ".join(left_out), width - 30)
            notice(f"not shown: {names}; --csv shows all")
    echo(align(cells, left=(0, -1)))


def as_cells(
    rows: Sequence[Row], changed: Sequence[str], titles: Mapping[str, str]
) -> tuple[list[list[str]], list[str]]:
    """The cells of a table for people; and the heads of its keys, the most important first.

    Args:
        rows: the rows.
        changed: the dotted keys in which the runs differ.
        titles: the title of each data set, by its id.
    """
    # The column of the epochs shows this key too.
    keys = [key for key in changed if key != "training.epochs"]
    # Data has a column where it differs, or where it is not what the config asks for.
    found = {row.data for row in rows if row.data}
    with_data = len({data.id for data in found}) > 1 or any(data.replaced for data in found)
    if with_data:
        keys = [key for key in keys if key not in ("data.name", "data.path")]
    heads = ["data"] if with_data else []
    key_heads = _heads(keys)
    lines = [["run", *heads, *key_heads, "epochs", "validation", "test", "seconds", "state"]]
    for row in rows:
        note = row.reason or ("no better than a guess" if row.is_chance else "")
        state = f"{row.state}: {note}" if note else row.state
        data = [titles[row.data.id] if row.data else "-"] if with_data else []
        lines.append(
            [
                row.name,
                *data,
                *(_cell(row, key) for key in keys),
                _epochs(row),
                _score(row.validation),
                _score(row.test),
                f"{row.seconds:.1f}",
                printable(state),
            ]
        )
    order = sorted(range(len(keys)), key=lambda i: keys[i].startswith("data."))
    return lines, [key_heads[i] for i in order]


def _heads(keys: Sequence[str]) -> list[str]:
    """The last part of each key, or all of it where the last part names two columns."""
    short = [key.rpartition(".")[2] for key in keys]
    return [
        name if short.count(name) == 1 and name not in table.SORTS else key
        for name, key in zip(short, keys, strict=True)
    ]


def _cell(row: Row, key: str) -> str:
    if key == "seed":
        return _seeds(row.seeds)
    value = row.settings.get(key)
    return f"{value:g}" if isinstance(value, float) else _text_of(value)


def _text_of(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _seeds(seeds: Sequence[int]) -> str:
    """0-4 for five seeds in a row, else each of them."""
    first, last = seeds[0], seeds[-1]
    if len(seeds) > 2 and list(seeds) == list(range(first, last + 1)):
        return f"{first}-{last}"
    return ",".join(map(str, seeds))


def _epochs(row: Row) -> str:
    """How many epochs are done, and until the run is done also how many there are."""
    if row.state == "done":
        return f"{row.epochs:g}"
    return f"{row.epochs:g} of {row.settings['training.epochs']}"


def _score(scores: Scores | None) -> str:
    if scores is None:
        return "-"
    name, value = score(scores)
    sd = scores["sd"]
    if name == "accuracy":
        return f"{value:.2%}" + ("" if sd is None else f" ± {100 * sd:.2f}")
    text = f"R^2 {value:.4f}" if name == "r2" else f"cost {value:.4g}"
    return text + ("" if sd is None else f" ± {sd:.2g}")
