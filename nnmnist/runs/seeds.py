"""Several seeds of one config: their mean results, and the ensemble of their networks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nnmnist import checkpoint
from nnmnist.data.examples import Splits
from nnmnist.errors import DataError
from nnmnist.evaluation.evaluate import evaluate_on_cores
from nnmnist.runs.summary import Scores
from nnmnist.runs.table import mean_and_deviation

SCORES = ("accuracy", "r2", "cost")


def require_same_data(folder: Path, summaries: Sequence[dict[str, Any]]) -> None:
    """Raise DataError if the runs in `folder` were trained on different data."""
    # Summaries of older versions have no digest of the data.
    key = "data_id" if all("data_id" in summary for summary in summaries) else "data"
    found = {summary[key]: summary["data"] for summary in summaries}
    if len(found) > 1:
        names = ", ".join(sorted(found.values()))
        raise DataError(
            f"{folder}: its runs were trained on different data ({names}), which "
            "data.fallback allows; train all again with --force, or set data.fallback to null"
        )


def report_seeds(summaries: Sequence[dict[str, Any]], splits: Splits) -> dict[str, Any]:
    """The results of finished runs that differ only in their seeds, and those of their ensemble.

    The ensemble is evaluated on the test set alone: each seed chooses its own validation examples,
    so that one network's validation examples are training examples of the others.

    Args:
        summaries: the `summary.json` of each run.
        splits: the data of the runs.
    """
    networks = [checkpoint.load(Path(summary["checkpoint"])).network for summary in summaries]
    result = evaluate_on_cores(networks, splits.test)
    ensemble = {name: getattr(result, name) for name in SCORES}
    return {
        "validation": summarize([summary["validation"] for summary in summaries]),
        "test": summarize([summary["test"] for summary in summaries]),
        "ensemble": {name: value for name, value in ensemble.items() if value is not None},
        "seconds": round(sum(summary["seconds"] for summary in summaries), 3),
    }


def summarize(scores: Sequence[Scores | None]) -> dict[str, dict[str, float | None]] | None:
    """The mean and standard deviation of each score that all runs have; None if there is none."""
    summary: dict[str, dict[str, float | None]] = {}
    for name in SCORES:
        found = mean_and_deviation([each.get(name) if each else None for each in scores])
        if found:
            summary[name] = {"mean": found[0], "deviation": found[1]}
    return summary or None
