"""`nnmnist compare`: two networks on the same examples."""

from __future__ import annotations

from pathlib import Path

import click

from nnmnist import checkpoint
from nnmnist.cli.loading import data_named, load_examples
from nnmnist.cli.options import (
    checkpoint_argument,
    data_dir_option,
    json_option,
    other_data_option,
    split_option,
    with_examples,
)
from nnmnist.cli.terminal import echo, echo_json, notice
from nnmnist.cli.waiting import waiting_for
from nnmnist.evaluation.comparison import Comparison
from nnmnist.evaluation.comparison import compare as compare_predictions
from nnmnist.evaluation.evaluate import probabilities
from nnmnist.evaluation.text import counted
from nnmnist.runs.data import require_comparable, require_fair_split


@click.command(
    epilog=with_examples(
        "nnmnist compare runs/a runs/b",
        "nnmnist compare runs/a/best.npz runs/b/last.npz --split validation",
        environment=True,
    )
)
@checkpoint_argument("a", "A")
@checkpoint_argument("b", "B")
@split_option
@other_data_option
@data_dir_option
@json_option
def compare(
    a: Path, b: Path, split: str, other: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Test whether one trained network is better than another.

    The checkpoints or runs A and B classify the same examples: those of A's data, unless --data
    names other data. McNemar's exact test gives the probability that two equally good networks
    differ at least as much.
    """
    paths, checkpoints = (a, b), (checkpoint.load(a), checkpoint.load(b))
    require_comparable(paths, checkpoints)
    splits, examples = load_examples(a, checkpoints[0], split, other, data_dir)
    with waiting_for("comparing"):
        if split != "test":
            wanted = None if other is None else data_named(other)
            require_fair_split(paths, checkpoints, splits, split, data_dir, wanted, notice)
        predictions = [probabilities(each.network, examples).argmax(axis=1) for each in checkpoints]
    found = compare_predictions(predictions[0], predictions[1], examples.y)
    if as_json:
        echo_json(as_record(found, paths, split))
    else:
        echo(as_text(found, paths, f"{splits.name}, {split} split"))


def as_record(found: Comparison, paths: tuple[Path, Path], split: str) -> dict[str, object]:
    """The JSON of a comparison."""
    return {
        "checkpoints": [str(path) for path in paths],
        "split": split,
        "n": found.n,
        "accuracy": found.accuracy,
        "right": {
            "both": found.both,
            "only_a": found.only_a,
            "only_b": found.only_b,
            "neither": found.neither,
        },
        "p": found.p,
        "better": found.better,
    }


def as_text(found: Comparison, paths: tuple[Path, Path], data: str) -> str:
    """The accuracies, the counts, the test, and what it means."""
    lines = [f"data   {data}, {counted(found.n, 'example')}"]
    for name, path, accuracy in zip("AB", paths, found.accuracy, strict=True):
        lines.append(f"{name}      {accuracy:7.2%} right   {path}")
    lines += [
        "",
        f"{'':7}{'B right':>10}{'B wrong':>10}",
        f"A right{found.both:10,}{found.only_a:10,}",
        f"A wrong{found.only_b:10,}{found.neither:10,}",
        "",
        f"McNemar's exact test: p {f'= {found.p:.2g}' if found.p else '< 1e-300'}",
        verdict(found),
    ]
    return "\n".join(lines)


def verdict(found: Comparison) -> str:
    """Whether the difference is significant, in plain words."""
    n = found.only_a + found.only_b
    if not n:
        return "No difference: both are right on the same examples."
    chance = f"{found.p:.2%}" if found.p >= 1e-4 else "less than 0.01%"
    meaning = f"{found.better} is better" if found.better else "this may well be chance"
    return (
        f"Of the {counted(n, 'example')} that only one of them gets right, A has {found.only_a:,} "
        f"and B {found.only_b:,}.\n"
        f"Two equally good networks would differ at least as much in {chance} of such comparisons: "
        f"{meaning}."
    )
