"""Training that shows its progress: one run, or one run per seed."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click

from nnmnist import checkpoint
from nnmnist.cli.options import parse_ranges
from nnmnist.cli.terminal import TrainingProgress, notice, program_name
from nnmnist.cli.waiting import waiting_for
from nnmnist.config.loading import DEFAULT_RECIPE, Override, find_config, load_config
from nnmnist.config.schema import Config, DataConfig
from nnmnist.data.examples import Interface, Splits
from nnmnist.evaluation.text import counted
from nnmnist.runs.directory import is_unstarted, new_directory
from nnmnist.runs.facts import data_sizes
from nnmnist.runs.run import Run, create_run, finished_summary, reopen_run
from nnmnist.training.setup import class_weights, load_data
from nnmnist.training.start import interface_of, with_model_of

MAX_SEEDS = 1000  # in one range


class RunOptions(NamedTuple):
    """The flags that apply to every run of a command."""

    force: bool  # overwrite what exists
    data_dir: Path | None
    threads: int | None
    quiet: bool


def train_and_report(
    wanted: Config, name: str, directory: Path | None, output: Path | None, options: RunOptions
) -> tuple[dict[str, Any], Splits | None]:
    """Resume the run in `directory`, or start a new one in `output`, and show its progress.

    Args:
        wanted: the config.
        name: what a new run directory is named after, if there is no `output`.
        directory: the run to resume; None for a new run.
        output: the directory of a new run.
        options: flags of the command.

    Returns:
        The summary of the run, and its data; None instead of data if the run was already finished.
    """
    wanted, interface = _start(wanted, directory)
    splits = _load(wanted, options, interface)
    class_weights(wanted.training, splits.train)  # a ConfigError comes before a run directory
    existing = directory or output
    if existing and not options.force and (summary := finished_summary(existing, wanted, splits)):
        if not options.quiet:
            notice(f"{existing}: already finished with this config and data; nothing to do")
        return summary, None
    if directory:
        run = reopen_run(directory, wanted)
        if options.threads is None:
            run.restore_threads()
    else:
        run = create_run(wanted, name, output, options.force)
    if not options.quiet:
        notice(f"{splits.name}: {data_sizes(splits)}; run {run.directory}")
    for key, (then, now) in run.changed_versions().items():
        notice(f"{key} changed from {then} to {now}: results may differ in the last bits")
    with _hint_when_stopped(lambda: _resume_hint(run, options)):
        _train(run, splits, options.quiet)
        with waiting_for("evaluating on the test examples", options.quiet):
            summary = run.finish(splits)
    if summary["chance"] and not options.quiet:
        notice(_chance_notice(wanted.data, splits))
    return summary, splits


def _load(wanted: Config, options: RunOptions, start: Interface | None = None) -> Splits:
    """The data of a config, as a network to start from reads it."""
    with waiting_for("loading data", options.quiet):
        shown = not options.quiet
        return load_data(
            wanted.data, wanted.seed, options.data_dir, notice, show_progress=shown, start=start
        )


def _chance_notice(settings: DataConfig, splits: Splits) -> str:
    """What to try after a training that was of no use."""
    command = "show" if splits.image_shape else "info"
    words = [program_name(), "data", command, str(settings.path or splits.name)]
    return (
        "no better than a guess of the largest class: change training.learning_rate, raise "
        f"training.epochs, or look at the data with: {shlex.join(words)}"
    )


def _start(wanted: Config, directory: Path | None) -> tuple[Config, Interface | None]:
    """The config with the model of its starting point, and how that reads pictures, if it has one.

    A run that is resumed reads pictures as its last checkpoint states.
    """
    path = wanted.training.start_from
    resumed = directory and directory / "last.npz"
    if path and (path.exists() or not (resumed and resumed.exists())):
        start = checkpoint.load(path)
        return with_model_of(wanted, start), interface_of(start)
    if resumed and resumed.exists():
        last = checkpoint.load(resumed)
        return wanted, interface_of(last) if last.document.get("prepare") else None
    return wanted, None


def _train(run: Run, splits: Splits, quiet: bool) -> None:
    """Train to the end and show each epoch."""
    if quiet:
        for _ in run.train(splits):
            pass
        return
    first = 1 + (run.progress.epoch if run.progress else 0)
    with TrainingProgress(run.config.training.epochs, first) as progress:
        for epoch in run.train(splits, progress.on_progress):
            progress.show(epoch)


@contextmanager
def _hint_when_stopped(hint: Callable[[], str]) -> Iterator[None]:
    """A context that prints a hint when a signal or a full disk ends it."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, OSError):
        notice(hint())
        raise


def _resume_hint(run: Run, options: RunOptions) -> str:
    """How many epochs are done, and the command that resumes the run."""
    words = [program_name(), "train", "--resume", str(run.directory)]
    if options.data_dir:
        words += ["--data-dir", str(options.data_dir)]
    if options.threads:
        words += ["--threads", str(options.threads)]
    epochs = counted(run.config.training.epochs, "epoch")
    return f"stopped after {run.epochs_done} of {epochs}; resume with: {shlex.join(words)}"


def parse_seeds(text: str) -> list[int]:
    """`0-3,7` as [0, 1, 2, 3, 7].

    Raises:
        click.UsageError: the text has another form, or names too many seeds or one seed twice.
    """
    seeds: list[int] = []
    for each in parse_ranges(text, "--seeds", "seeds such as 0-6 or 0,2,5"):
        if each.stop - each.start > MAX_SEEDS:
            raise click.UsageError(
                f"--seeds {text}: {each.start}-{each.stop - 1} names more than {MAX_SEEDS} seeds"
            )
        seeds.extend(each)
    if len(set(seeds)) < len(seeds):
        raise click.UsageError(f"--seeds {text}: names a seed twice")
    return seeds


def train_seeds(
    text: str,
    file: str | None,
    overrides: Sequence[str | Override],
    output: Path | None,
    options: RunOptions,
) -> dict[str, Any]:
    """Train one run per seed, in `output`/seed-N or a new directory, and report on all of them.

    A run that exists is resumed, and kept as it is if it is finished.

    Args:
        text: the seeds, as `--seeds` names them.
        file: the config file or recipe.
        overrides: changes to the config.
        output: the directory of the runs.
        options: flags of the command.

    Returns:
        The record that `--json` prints.
    """
    # Here, because one run alone needs neither this module nor the table of runs that it imports.
    from nnmnist.runs.seeds import report_seeds, require_same_data

    path = find_config(DEFAULT_RECIPE if file is None else file)
    configs = {
        seed: load_config(path, [*overrides, Override("seed", str(seed), f"--seeds {text}")])
        for seed in parse_seeds(text)
    }
    folder = output or new_directory(Path("runs"), f"{path.stem}-{time.strftime('%Y%m%d-%H%M%S')}")
    summaries = []
    without_force = ", without --force" if options.force else ""
    hint = f"to resume all seeds: the same command again, with --output {folder}{without_force}"
    try:
        for seed, wanted in configs.items():
            directory = folder / f"seed-{seed}"
            resume = not options.force and not is_unstarted(directory)
            with _hint_when_stopped(lambda: hint):
                summary, _ = train_and_report(
                    wanted, directory.name, directory if resume else None, directory, options
                )
            summaries.append(summary)
    finally:
        # no run could start
        if output is None and not any(folder.iterdir()):
            folder.rmdir()
    require_same_data(folder, summaries)
    first = next(iter(configs.values()))
    splits = _load(first, options)
    with waiting_for("evaluating the ensemble", options.quiet):
        found = report_seeds(summaries, splits)
    return {"seeds": list(configs), **found, "runs": summaries}
