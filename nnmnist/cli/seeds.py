"""Several seeds of one config: a run for each, mean and standard deviation, and the ensemble of their networks."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import click

from nnmnist import checkpoint
from nnmnist.cli.options import notice
from nnmnist.cli.training import RunOptions, train_and_report
from nnmnist.config.loading import DEFAULT_RECIPE, Override, find_config, load_config
from nnmnist.data.examples import Splits
from nnmnist.errors import DataError
from nnmnist.evaluation.evaluate import evaluate
from nnmnist.runs.directory import is_unstarted, new_directory
from nnmnist.training.setup import load_data

MOST = 1000  # seeds
NAMES = {"accuracy": "accuracy", "r2": "R^2", "cost": "cost"}


def train_seeds(
    text: str,
    file: str | None,
    overrides: Sequence[str | Override],
    output: Path | None,
    options: RunOptions,
) -> dict[str, Any]:
    """Train a run for each seed that `text` names, in `output`/seed-N or in a new directory, and report on them.

    Those that are there already are gone on with, and left as they are where they were finished.
    """
    path = find_config(file or DEFAULT_RECIPE)
    settings = {
        seed: load_config(path, [*overrides, Override("seed", str(seed), f"--seeds {text}")])
        for seed in parse(text)
    }
    folder = output or new_directory(Path("runs"), f"{path.stem}-{time.strftime('%Y%m%d-%H%M%S')}")
    summaries = []
    try:
        for seed, wanted in settings.items():
            home = folder / f"seed-{seed}"
            begun = not (options.force or is_unstarted(home))
            summaries.append(
                train_and_report(wanted, home.name, home if begun else None, home, options)[0]
            )
    except (KeyboardInterrupt, SystemExit, OSError):
        without = ", without --force" if options.force else ""
        notice(f"or with all seeds: the same command again, with --output {folder}{without}")
        raise
    finally:
        if output is None and not any(folder.iterdir()):
            folder.rmdir()  # not a single run could begin
    if len(learnt := sorted({summary["data"] for summary in summaries})) > 1:
        raise DataError(
            f"{folder}: its runs have learnt from different data ({', '.join(learnt)}), as data.fallback allows; "
            "train them all anew by --force, or set data.fallback to null"
        )
    first = next(iter(settings.values()))
    splits = load_data(first.data, first.seed, options.data_dir, notice)
    return {"seeds": list(settings), **report(summaries, splits), "runs": summaries}


def parse(text: str) -> list[int]:
    """`0-3,7` as [0, 1, 2, 3, 7].

    Raises:
        click.UsageError: it is something else, or names a seed twice.
    """
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise click.UsageError(f"--seeds {text}: expected seeds such as 0-6 or 0,2,5")
        low, high = int(first), int(last or first)
        if high < low or high - low >= MOST:
            raise click.UsageError(f"--seeds {text}: {part.strip()} must rise, by less than {MOST}")
        seeds.extend(range(low, high + 1))
    if len(set(seeds)) < len(seeds):
        raise click.UsageError(f"--seeds {text}: names a seed twice")
    return seeds


def report(summaries: Sequence[dict[str, Any]], splits: Splits) -> dict[str, Any]:
    """What finished runs came to, and their ensemble, which the test set of `splits` alone can judge.

    Each seed sets other examples aside for validation: those of one network are what the others
    have learnt from.
    """
    networks = [checkpoint.load(Path(summary["checkpoint"])).network for summary in summaries]
    together = evaluate(networks, splits.test)
    return {
        "validation": spread([summary["validation"] for summary in summaries]),
        "test": spread([summary["test"] for summary in summaries]),
        "ensemble": {
            name: value for name in NAMES if (value := getattr(together, name)) is not None
        },
        "seconds": round(sum(summary["seconds"] for summary in summaries), 3),
    }


def spread(
    figures: Sequence[dict[str, float | None] | None],
) -> dict[str, dict[str, float | None]] | None:
    """Mean and standard deviation (over n - 1; None of one run) of each figure; None where runs have none."""
    known = [each for each in figures if each]
    found: dict[str, dict[str, float | None]] = {}
    for name in NAMES:
        values = [value for each in known if (value := each.get(name)) is not None]
        if values and len(values) == len(figures):
            found[name] = {
                "mean": fmean(values),
                "deviation": stdev(values) if len(values) > 1 else None,
            }
    return found or None


def as_text(record: dict[str, Any]) -> str:
    """The report for people."""
    lines = [f"seeds        {', '.join(map(str, record['seeds']))}"]
    for split in ("validation", "test"):
        if figures := record[split]:
            lines.append(
                f"{split:<12} {', '.join(_spread(name, **each) for name, each in figures.items())}"
            )
    together = ", ".join(
        f"{NAMES[name]} {_number(name, value)}" for name, value in record["ensemble"].items()
    )
    lines.append(f"ensemble     test {together}")
    lines.append(f"training     {record['seconds']:.1f} s")
    return "\n".join([*lines, *(f"checkpoint   {run['checkpoint']}" for run in record["runs"])])


def _spread(name: str, mean: float, deviation: float | None) -> str:
    spread = "" if deviation is None else f" (standard deviation {_number(name, deviation)})"
    return f"{NAMES[name]} {_number(name, mean)}{spread}"


def _number(name: str, value: float) -> str:
    return f"{value:.2%}" if name == "accuracy" else f"{value:.4f}"
