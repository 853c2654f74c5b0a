"""`nnmnist report`: a run as one page of HTML."""

from __future__ import annotations

from pathlib import Path

import click

from nnmnist import checkpoint
from nnmnist.cli.commands.evaluate import examples_of, load_splits, split_option
from nnmnist.cli.options import data_dir_option, require_output
from nnmnist.files import write_atomic
from nnmnist.report.page import page
from nnmnist.report.subject import Subject
from nnmnist.runs import history
from nnmnist.runs.resume import read_progress


@click.command()
@click.argument("run", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="RUN")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Where to write the page.  [default: RUN/report.html]",
)
@split_option
@click.option("--force", is_flag=True, help="Write over an existing FILE.")
@data_dir_option
def report(run: Path, output: Path | None, split: str, force: bool, data_dir: Path | None) -> None:
    """Write a page about a run: curves, mistakes, weights, calibration.

    One HTML file that holds all it shows, for any browser; nothing in it is fetched from elsewhere.
    """
    output = output or run / "report.html"
    require_output(output, [".html"], force)
    curves = history.read(run)
    best, last = run / "best.npz", run / "last.npz"
    member, progress = checkpoint.load(best), read_progress(checkpoint.load(last), last)
    splits = load_splits(best, member, None, data_dir)
    examples_of(splits, split, best)
    write_atomic(
        output, page(Subject(curves.name, member, progress, curves, splits, split)).encode()
    )
    click.echo(output)
