"""`nnmnist plot`: figures of runs, written as PNG, SVG or PDF."""

from __future__ import annotations

from pathlib import Path

import click

from nnmnist.cli.options import (
    PathType,
    data_dir_option,
    require_output,
    run_argument,
    with_examples,
)
from nnmnist.cli.terminal import echo_path, notice
from nnmnist.cli.waiting import waiting_for
from nnmnist.plots.kinds import KINDS, draw, make_subjects
from nnmnist.plots.style import FORMATS, save


@click.command(
    epilog=with_examples(
        'nnmnist plot "$(nnmnist runs best)"',
        "nnmnist plot runs/a runs/b --kind curves -o curves.pdf",
        environment=True,
    )
)
@run_argument("runs", "RUN...", nargs=-1, required=True)
@click.option(
    "--kind",
    type=click.Choice(list(KINDS)),
    help="Which figure to draw.  [default: all that apply; curves with -o]",
)
@click.option(
    "--key",
    "keys",
    multiple=True,
    help="With --kind sweep: the key to draw the score against. Give one or two.",
)
@click.option(
    "-o",
    "--output",
    type=PathType(dir_okay=False),
    metavar="FILE",
    help="Where to write one figure, as .png, .svg or .pdf.  [default: RUN/KIND.png]",
)
@data_dir_option
def plot(
    runs: tuple[Path, ...],
    kind: str | None,
    keys: tuple[str, ...],
    output: Path | None,
    data_dir: Path | None,
) -> None:
    """Draw runs: curves, weights, confusion, mistakes, sweeps, more.

    Each RUN is a run directory, or a checkpoint in it. The curves or fits of several runs go into
    one figure, in the directory of the first run unless -o names a file. An existing figure is
    overwritten.

    With --kind sweep, RUN is a folder of runs. The figure shows the validation score against one or
    two of the keys in which the runs differ.
    """
    if keys and kind != "sweep":
        raise click.UsageError("--key needs --kind sweep")
    if output is not None:
        require_output(output, FORMATS, force=True)
        kind = kind or "curves"
    suffix = f"-{len(runs)}-runs" if len(runs) > 1 else ""
    with waiting_for("drawing"):
        for name, figure in draw(make_subjects(runs, data_dir, keys, notice), kind):
            path = output or runs[0] / f"{name}{suffix}.png"
            save(figure, path)
            echo_path(path)
