"""`nnmnist report`: a run as one HTML page."""

from __future__ import annotations

from pathlib import Path

import click

from nnmnist import checkpoint
from nnmnist.cli.loading import load_examples
from nnmnist.cli.options import (
    PathType,
    data_dir_option,
    require_output,
    run_argument,
    split_option,
    with_examples,
)
from nnmnist.cli.terminal import echo_path
from nnmnist.cli.waiting import waiting_for
from nnmnist.files import write_atomic
from nnmnist.report.page import page
from nnmnist.report.subject import Subject
from nnmnist.runs import history
from nnmnist.runs.resume import read_progress


@click.command(
    epilog=with_examples(
        "nnmnist report runs/a",
        "nnmnist report runs/a --split validation -o page.html",
        environment=True,
    )
)
@run_argument("run", "RUN")
@click.option(
    "-o",
    "--output",
    type=PathType(dir_okay=False),
    metavar="FILE",
    help="Where to write the page.  [default: RUN/report.html]",
)
@split_option
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
@data_dir_option
def report(run: Path, output: Path | None, split: str, force: bool, data_dir: Path | None) -> None:
    """Write an HTML report: curves, mistakes, weights, calibration.

    RUN is a run directory, or a checkpoint in it. The report is one file for any browser and loads
    nothing from elsewhere.
    """
    output = output or run / "report.html"
    require_output(output, [".html"], force)
    curves = history.read(run)
    best, last = run / "best.npz", run / "last.npz"
    trained, progress = checkpoint.load(best), read_progress(checkpoint.load(last), last)
    splits, _ = load_examples(best, trained, split, None, data_dir)
    with waiting_for(f"writing {output}"):
        html = page(Subject(curves.name, trained, progress, curves, splits, split))
        write_atomic(output, html.encode("utf-8", "backslashreplace"))
    echo_path(output)
