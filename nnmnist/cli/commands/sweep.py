"""`nnmnist sweep`: many runs over a space of configs, several at once, on one machine or more."""

from __future__ import annotations

import json
import os
from importlib.util import find_spec
from pathlib import Path

import click

from nnmnist.cli.options import data_dir_option, json_option, notice
from nnmnist.errors import MissingLibrary, NnmnistError

LOOK = 0.5  # seconds between two looks at the trials


@click.command()
@click.argument("file", type=click.Path(path_type=Path), metavar="SWEEP.yaml")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1, max=1024),
    metavar="N",
    help="Runs at once, one thread each.  [default: one a core]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the runs go.  [default: runs/<sweep>]",
)
@click.option(
    "--storage",
    metavar="URL",
    help="Keep the trials in postgresql://..., for several machines.  [default: in the output]",
)
@data_dir_option
@json_option
@click.option("-q", "--quiet", is_flag=True, help="No progress, only results and errors.")
def sweep(
    file: Path,
    jobs: int | None,
    output: Path | None,
    storage: str | None,
    data_dir: Path | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Train over a space of configs, several runs at once.

    The same command goes on where it was stopped.
    """
    _require_optuna()
    from nnmnist.cli.trials import Progress, ranked, table
    from nnmnist.sweep import plan, pool, worker

    wanted = plan.load(file)
    folder = output or Path("runs") / wanted.name
    progress, faults = Progress(wanted, quiet), list[Exception]()
    store = pool.open_store(wanted, folder, storage, progress.tell)
    progress.show(store.trials())
    left = store.left()
    try:
        if left:
            # once, for all
            worker.load(wanted.base.data, wanted.base.seed, data_dir, progress.tell)
            with pool.Pool(
                min(jobs or _cores(), left), wanted, folder, storage, data_dir
            ) as workers:
                while workers.wait(LOOK):
                    progress.show(store.trials())
                    left = store.left()
                    faults += (found := workers.faults())
                    if workers.alive():  # else the last of them is the error
                        for fault in found:
                            progress.tell(f"{fault}; the others go on")
                faults += workers.faults()
    except (KeyboardInterrupt, SystemExit):
        progress.close()
        notice(
            f"stopped with {left} of {wanted.trials} trials left; the same command goes on with them"
        )
        raise
    progress.close()
    records = ranked(wanted, store.trials())
    if as_json:
        for record in records:
            click.echo(json.dumps(record))
    else:
        click.echo(table(wanted, records))
    if left := store.left():
        notice(f"{left} of {wanted.trials} trials are left; the same command goes on with them")
        raise faults[-1] if faults else NnmnistError("all workers have ended early")
    if failed := sum(record["state"] == "failed" for record in records):
        raise NnmnistError(f"{failed} of {wanted.trials} trials failed")


def _require_optuna() -> None:
    if find_spec("optuna") is None:
        raise MissingLibrary(
            "sweeps need Optuna, which is not installed: pip install 'nnmnist[sweep]'"
        )


def _cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
