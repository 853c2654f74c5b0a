"""A run as one HTML page that contains all it shows: no script, no link, nothing to download.

A new section is one function from a `Subject` to HTML, which is empty if it does not apply, and one
line in `SECTIONS`, below the header.
"""

from __future__ import annotations

from dataclasses import replace
from html import escape
from pathlib import Path
from string import Template

import numpy as np

from nnmnist.config.loading import dump_config
from nnmnist.evaluation.calibration import calibration
from nnmnist.evaluation.classes import class_scores
from nnmnist.evaluation.text import counted, number_text
from nnmnist.report import charts
from nnmnist.report.pictures import Sheet, signed
from nnmnist.report.subject import Subject
from nnmnist.runs.facts import data_sizes
from nnmnist.types import Array

MOST_UNITS = 64  # of the first layer


def page(subject: Subject) -> str:
    """The HTML of the report."""
    template = Template(Path(__file__).with_name("page.html").read_text("utf-8"))
    sections = "\n".join(filter(None, (section(subject) for section in SECTIONS)))
    body = f"{_summary(subject)}\n<main>\n{sections}\n</main>"
    return template.substitute(title=escape(subject.name), body=body)


def _section(title: str, *parts: str) -> str:
    name = title.lower().replace(" ", "-")
    head = f"<section aria-labelledby={name}>\n<h2 id={name}>{title}</h2>\n"
    return head + "\n".join(parts) + "\n</section>"


def _table(rows: dict[str, str]) -> str:
    lines = [f"<tr><th scope=row>{escape(key)}<td>{escape(value)}" for key, value in rows.items()]
    return "<table class=facts>\n" + "\n".join(lines) + "\n</table>"


def _seconds(seconds: float) -> str:
    return f"{seconds:,.1f} s" if seconds >= 1 else f"{seconds:.2g} s"


def _summary(subject: Subject) -> str:
    result, network = subject.result, subject.best.network
    tiles = [("cost, mean of <i>L<sub>i</sub></i>", number_text(result.cost))]
    if result.accuracy is not None and result.interval is not None:
        low, high = result.interval
        wrong = f"{result.n - result.correct:,} of {result.n:,} wrong"
        interval = f"95&nbsp;% interval {low:.2%} to {high:.2%}"
        text = f"accuracy<br><small>{wrong}; {interval}</small>"
        tiles.insert(0, (text, f"{result.accuracy:.2%}"))
    if result.r2 is not None:
        tiles.insert(0, ("<i>R</i><sup>2</sup>", number_text(result.r2)))
    tiles.append(("parameters", f"{network.theta.size:,}"))
    tiles.append(("training time", _seconds(subject.progress.seconds)))
    lines = [f"<li><b>{value}</b> {label}" for label, value in tiles]
    shape = "-".join(map(str, network.sizes))
    said = (
        f"{shape}, {network.activation_name}, {network.output_name}"
        if len(network.sizes) > 2
        else shape
    )
    data = f"{subject.data_title}, {subject.split} split, {counted(result.n, 'example')}"
    best = f"the best epoch, {subject.progress.best.epoch} of {subject.progress.epoch}"
    return (
        f"<header>\n<h1>{escape(subject.name)}</h1>\n"
        f"<p>{escape(said)}: {best}, evaluated on {escape(data)}\n"
        "<ul class=tiles>\n" + "\n".join(lines) + "\n</ul>\n</header>"
    )


def _curves(subject: Subject) -> str:
    history = subject.history
    if subject.split != "test":  # a user who chose another split should not see it
        splits = {name: series for name, series in history.splits.items() if name != "test"}
        history = replace(history, splits=splits)
    names = {"test": "test, at the best epoch"}
    legend = "".join(f"<li class={split}>{names.get(split, split)}" for split in history.splits)
    note = (
        "<p>The class weights count in the training cost alone: do not compare it with the others."
    )
    return _section(
        "Curves",
        note if subject.progress.config.training.class_weights else "",
        f"<ul class=legend>{legend}</ul>",
        f"<div class=pair>{charts.curves(history)}</div>",
    )


def _confusion(subject: Subject) -> str:
    if subject.result.confusion is None:
        return ""
    matrix, pictured = subject.result.confusion, bool(subject.splits.image_shape)
    mistakes = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    most = max(1, int(mistakes.max()))
    head = "".join(f"<th scope=col>{escape(name)}" for name in subject.classes)
    lines = [f"<tr><td>{head}"]
    for i, name in enumerate(subject.classes):
        cells = []
        for k, count in enumerate(matrix[i].tolist()):
            text = f"<a href=#c{i}-{k}>{count}</a>" if count and pictured else str(count or "")
            look = (
                " class=right" if i == k else f" style=--share:{count / most:.2f}" if count else ""
            )
            cells.append(f"<td{look}>{text}")
        lines.append(f"<tr><th scope=row>{escape(name)}{''.join(cells)}")
    said = "Rows are the true classes, columns the predicted classes."
    if not pictured:
        return _section("Confusion", f"<p>{said}", _scrolling("confusion", lines, len(matrix) + 1))
    return _section(
        "Confusion",
        f"<p>{said} Select a count to see its images.",
        _scrolling("confusion", lines, len(matrix) + 1),
        subject.sheet.style(),
        *(_cell(subject, pair, indices) for pair, indices in subject.cells.items()),
    )


def _scrolling(name: str, lines: list[str], columns: int) -> str:
    table = f"<table class={name} style=--columns:{columns}>\n" + "\n".join(lines) + "\n</table>"
    return f"<div class=wide tabindex=0>{table}</div>"


def _cell(subject: Subject, pair: tuple[int, int], indices: Array) -> str:
    """The images of one cell of the confusion matrix, visible when it is selected."""
    assert subject.result.confusion is not None
    (true, said), n = pair, int(subject.result.confusion[pair])
    a, b = escape(subject.classes[true]), escape(subject.classes[said])
    what = f"{a}, read correctly" if true == said else f"{a}, read as {b}"
    order = "least" if true == said else "most"
    part = f"the {len(indices)} {order} confident of " if len(indices) < n else ""
    figures = "".join(
        _figure(subject, i, f"<b>{subject.probability_text(i, said)}</b>") for i in indices.tolist()
    )
    head = f"<div class=cell id=c{true}-{said}><h3>{what}: {part}{n:,}</h3>"
    return f"{head}\n<div class=grid>{figures}</div></div>"


def _figure(subject: Subject, i: int, caption: str) -> str:
    """Example i, with its index in the test or training set."""
    label, said = (
        subject.classes[int(subject.examples.y[i])],
        subject.classes[int(subject.predicted[i])],
    )
    index = int(subject.examples.rows[i])
    alt = escape(f"{index}: is {label}, read as {said}", quote=True)
    picture = subject.sheet.picture(i, alt) if subject.splits.image_shape else ""
    return f"<figure>{picture}<figcaption>{caption} <small>{index}</small></figcaption></figure>"


def _mistakes(subject: Subject) -> str:
    if subject.result.confusion is None:
        return ""
    shown = subject.shown_mistakes.tolist()
    if not shown:
        return _section("Most confident mistakes", "<p>There are no mistakes.")
    figures = []
    for i in shown:
        label, said = int(subject.examples.y[i]), int(subject.predicted[i])
        answer = f"<b>{escape(subject.classes[said])}</b> at {subject.probability_text(i, said)}"
        truth = (
            f"is <b>{escape(subject.classes[label])}</b>, at {subject.probability_text(i, label)}"
        )
        figures.append(_figure(subject, i, f"{answer}<br>{truth}"))
    of = "test" if subject.split == "test" else "training"
    note = (
        "The predicted class with its probability, the true class with its probability, and the "
        f"index in the {of} set."
    )
    return _section(
        "Most confident mistakes", f"<p>{note}", f'<div class="grid large">{"".join(figures)}</div>'
    )


def _scores(subject: Subject) -> str:
    if subject.result.confusion is None:
        return ""
    scores = class_scores(subject.result.confusion)
    heads = ("class", "precision", "recall", "F<sub>1</sub>", "examples")
    lines = ["<tr>" + "".join(f"<th scope=col>{head}" for head in heads)]
    for name, *values, support in zip(subject.classes, *scores, strict=True):
        cells = "".join(f"<td>{value:.2%}" for value in values)
        lines.append(f"<tr><th scope=row>{escape(name)}{cells}<td>{support:,}")
    for name, means in (("macro average", scores.macro), ("weighted average", scores.weighted)):
        cells = "".join(f"<td>{value:.2%}" for value in means.values())
        lines.append(f"<tr class=mean><th scope=row>{name}{cells}<td>{subject.result.n:,}")
    note = (
        "Precision is the part of the predictions of a class that is right, 0 for a class that is "
        "never predicted. Recall is the part of the examples of a class that is found. "
        "<i>F</i><sub>1</sub> is the harmonic mean of both. In the weighted average, a class "
        "counts with the number of its examples."
    )
    table = _scrolling("classes", lines, len(heads))
    return _section("Scores of each class", f"<p>{note}", table)


def _errors(subject: Subject) -> str:
    matrix = subject.result.confusion
    if matrix is None:
        return ""
    mistakes = matrix * (1 - np.eye(len(matrix), dtype=matrix.dtype))
    totals, wrong, false = matrix.sum(axis=1), mistakes.sum(axis=1), mistakes.sum(axis=0)
    errors = wrong / np.maximum(totals, 1)
    worst = float(errors.max()) or 1.0
    lines = [
        "<tr><th scope=col>class<th scope=col>examples<th scope=col>misread<th scope=col>error<td>"
        "<th scope=col>most often as<th scope=col>others read as this"
    ]
    for k, name in enumerate(subject.classes):
        often = int(mistakes[k].argmax())
        taken = (
            f"{escape(subject.classes[often])} <small>({mistakes[k, often]})</small>"
            if wrong[k]
            else ""
        )
        lines.append(
            f"<tr><th scope=row>{escape(name)}<td>{totals[k]:,}<td>{wrong[k]:,}"
            f"<td>{errors[k]:.2%}<td class=bar style=--share:{errors[k] / worst:.3f}>"
            f"<td class=name>{taken}<td>{false[k]:,}"
        )
    return _section("Errors of each class", _scrolling("classes", lines, 7))


def _calibration(subject: Subject) -> str:
    accuracy, interval = subject.result.accuracy, subject.result.interval
    if accuracy is None or interval is None or not subject.best.network.output.is_probability:
        return ""
    found = calibration(subject.p, subject.examples.y)
    confidence = float(subject.p.max(axis=1).mean(dtype=np.float64))
    lean = "overconfident" if confidence > accuracy else "underconfident"
    if interval[0] <= confidence <= interval[1]:
        lean = f"well calibrated, within the precision of {subject.result.n:,} predictions"
    text = (
        f"<p>The mean confidence of the network is {confidence:.2%}, and {accuracy:.2%} of its "
        f"predictions are correct: it is {lean}. The expected calibration error, which is the mean "
        "distance of the points from the dashed line, weighted by their numbers of predictions, is "
        f"<b>{found.error:.2%}</b>. Bars are 95&nbsp;% intervals. The strip below counts the "
        "predictions on a logarithmic scale."
    )
    return _section("Calibration", text, f"<div class=single>{charts.reliability(found)}</div>")


def _weights(subject: Subject) -> str:
    shape, network = subject.best.document.get("image_shape"), subject.best.network
    if shape is None:
        return ""
    W = network.W[0][:MOST_UNITS]
    sheet = Sheet("unit", signed(W.reshape(-1, *shape)), np.arange(len(W)))
    named = len(network.W) == 1 and len(W) == len(subject.classes)
    names = subject.classes if named else [str(i + 1) for i in range(len(W))]
    figures = "".join(
        f"<figure>{sheet.picture(i, f'weights of {escape(name)}')}"
        f"<figcaption>{escape(name)}</figcaption></figure>"
        for i, name in enumerate(names)
    )
    part = (
        f" The first {len(W)} of {len(network.W[0])} units." if len(W) < len(network.W[0]) else ""
    )
    note = (
        "Ink on <b class=for>red</b> pixels increases the value of a unit, ink on "
        f"<b class=against>blue</b> pixels decreases it.{part}"
    )
    return _section(
        "Weights of the first layer",
        f"<p>{note}",
        sheet.style(),
        f"<div class=grid>{figures}</div>",
    )


def _origin(subject: Subject) -> str:
    progress = subject.progress
    per_epoch = _seconds(progress.seconds / progress.epoch)
    facts = {
        "training": f"{_seconds(progress.seconds)}, {per_epoch} per epoch",
        "data": f"{subject.data_title}: {data_sizes(subject.splits)}",
        **{key.replace("_", " "): str(value) for key, value in progress.versions.items()},
    }
    text = escape(dump_config(progress.config))
    return (
        _section("Time and machine", _table(facts))
        + "\n"
        + _section("Config", f"<pre tabindex=0>{text}</pre>")
    )


SECTIONS = (
    _curves, _confusion, _mistakes, _scores, _errors, _calibration, _weights, _origin,
)  # fmt: skip
