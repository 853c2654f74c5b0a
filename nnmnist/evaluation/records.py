"""What networks predict, as the records that `--json` prints."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from nnmnist.data.examples import Examples, scale
from nnmnist.evaluation.classes import class_scores
from nnmnist.evaluation.evaluate import Evaluation, most_confident_mistakes, probabilities
from nnmnist.model.network import Network
from nnmnist.types import Array

MAX_DIGITS = 18  # of a class that is called by a number
# A picture may show no digit where the best class is not so many times as probable as none of the
# classes. benchmarks/no_digits.py measures what becomes ? of digits and of everything else.
LEAST_RATIO = 3


def class_label(name: str) -> int | str:
    """The name of a class, as a number if it is one."""
    return int(name) if name.isdecimal() and len(name) <= MAX_DIGITS else name


def evaluation_record(result: Evaluation, classes: Sequence[str]) -> dict[str, Any]:
    """The figures of an evaluation; `r2` only for values.

    A cost or R^2 that is not finite is None: JSON has no such numbers.
    """
    record: dict[str, Any] = {
        "n": result.n,
        "cost": _finite(result.cost),
        "accuracy": result.accuracy,
        **({} if result.r2 is None else {"r2": _finite(result.r2)}),
        "interval": result.interval,
        "confusion": None,
        "classes": None,
        "macro": None,
        "weighted": None,
    }
    if result.confusion is not None:
        scores = class_scores(result.confusion)
        figures = scores._asdict()
        record["confusion"] = result.confusion.tolist()
        record["classes"] = [
            {"class": class_label(name), **{key: each[k].item() for key, each in figures.items()}}
            for k, name in enumerate(classes)
        ]
        record["macro"], record["weighted"] = scores.macro, scores.weighted
    return record


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def mistake_records(
    networks: Sequence[Network], examples: Examples, classes: Sequence[str], n: int
) -> list[dict[str, Any]]:
    """A record of each of the `n` most confident mistakes, with its index in the data set."""
    p = probabilities(networks, examples)
    labels = [class_label(name) for name in classes]
    return [
        {
            "index": int(examples.rows[i]),
            "label": labels[examples.y[i]],
            "prediction": labels[p[i].argmax()],
            "probability": float(p[i].max()),
            "probabilities": dict(zip(map(str, labels), p[i].tolist(), strict=True)),
        }
        for i in most_confident_mistakes(p, examples.y)[:n].tolist()
    ]


def prediction_record(
    network: Network,
    pixels: Array,
    classes: Sequence[str],
    top: int,
    min_probability: float | None = None,
) -> dict[str, Any]:
    """A record of the prediction for one image.

    Args:
        network: a classifier of images.
        pixels: (n_inputs,) uint8.
        classes: the name of each label.
        top: number of classes to list, the most probable first.
        min_probability: below it, the prediction is None; None accepts every prediction.

    Returns:
        The prediction, its probability, that of none of the classes if the network has an output
        for it, and the best classes.
    """
    p = network.output.predict(network.logits(scale(pixels[None])))
    p, none = network.output.class_probabilities(p)[:, 0], p[-1, 0]
    order = np.argsort(-p, kind="stable")[:top]
    ranked = [{"label": class_label(classes[k]), "probability": float(p[k])} for k in order]
    is_accepted = min_probability is None or p[order[0]] >= min_probability
    return {
        "prediction": ranked[0]["label"] if is_accepted else None,
        "probability": float(p[order[0]]),
        **({"none": float(none)} if network.output.has_none else {}),
        "top": ranked,
    }


def reject_unlikely(lines: Sequence[Sequence[dict[str, Any]]]) -> None:
    """Set the predictions of pictures to None where they may be no digits.

    A 7 among digits needs less certainty than one among letters. If k of n other pictures are
    digits, one more is a digit with the probability (k + 1) / (n + 2), by Laplace's rule of
    succession. That of the whole page counts as one more picture in the line, in place of the 1.

    Args:
        lines: the records of `prediction_record` for each line of a page, for networks whose
            outputs are probabilities.
    """
    certainties = [[_certainty(record) for record in line] for line in lines]
    n_page = sum(map(len, lines)) - 1  # others on the page
    k_page = sum(certainty >= 1 for line in certainties for certainty in line)
    for line, certainty in zip(lines, certainties, strict=True):
        k_line = sum(each >= 1 for each in certainty)
        for record, own in zip(line, certainty, strict=True):
            page = (k_page - (own >= 1) + 1) / (n_page + 2)
            digits = k_line - (own >= 1) + page
            if digits / (len(line) - digits) * own < 1:
                record["prediction"] = None


def _certainty(record: dict[str, Any]) -> float:
    """How certain it is that a picture shows a digit; below 1, it may show none.

    Networks without an output for none of the classes are certain from 1 on if the best class is
    more probable than all others together.
    """
    p = record["probability"]
    other = LEAST_RATIO * record["none"] if "none" in record else 1 - p
    return float(p / other) if other else math.inf
