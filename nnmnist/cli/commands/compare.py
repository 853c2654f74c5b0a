"""`nnmnist compare`: two networks on the same examples."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np

from nnmnist import checkpoint
from nnmnist.checkpoint import Checkpoint
from nnmnist.cli.commands.evaluate import (
    examples_of,
    load_splits,
    of_other_shapes,
    other_data_option,
    split_option,
)
from nnmnist.cli.options import data_dir_option, json_option
from nnmnist.data.examples import Splits
from nnmnist.errors import CheckpointError
from nnmnist.evaluation.comparison import Comparison
from nnmnist.evaluation.comparison import compare as compare_answers
from nnmnist.evaluation.evaluate import probabilities


@click.command()
@click.argument("a", type=click.Path(path_type=Path), metavar="A")
@click.argument("b", type=click.Path(path_type=Path), metavar="B")
@split_option
@other_data_option
@data_dir_option
@json_option
def compare(
    a: Path, b: Path, split: str, other: str | None, data_dir: Path | None, as_json: bool
) -> None:
    """Tell whether one trained network is better than another.

    The checkpoints A and B answer the same examples, those of A's data unless --data names others.
    McNemar's exact test then says how often two equally good networks would differ as much.
    """
    paths, members = (a, b), (checkpoint.load(a), checkpoint.load(b))
    require_comparable(paths, members)
    splits = load_splits(a, members[0], other, data_dir)
    examples = examples_of(splits, split, a, other)
    if split != "test":
        if other is None:
            own: list[Splits | None] = [splits, load_splits(b, members[1], None, data_dir)]
        else:
            own = [load_own(*pair, splits, data_dir) for pair in zip(paths, members, strict=True)]
        require_fair(b, splits, own, split)
    answers = [probabilities(member.network, examples).argmax(axis=1) for member in members]
    found = compare_answers(answers[0], answers[1], examples.y)
    if as_json:
        record = {
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
        click.echo(json.dumps(record))
    else:
        click.echo(as_text(found, paths, f"{splits.name}, {split} split"))


def require_comparable(paths: tuple[Path, Path], members: tuple[Checkpoint, Checkpoint]) -> None:
    """Both tell the same classes apart, from the same inputs."""
    a, b = members
    for path, member in zip(paths, members, strict=True):
        if not member.classes:
            raise CheckpointError(
                f"{path}: is a regression, and only right and wrong classes are compared"
            )
    if (a.classes, a.network.sizes[0]) != (b.classes, b.network.sizes[0]) or of_other_shapes(
        *members
    ):
        raise CheckpointError(
            f"{paths[1]}: has other inputs or classes than {paths[0]}; they do not compare"
        )


def load_own(
    path: Path, member: Checkpoint, splits: Splits, data_dir: Path | None
) -> Splits | None:
    """The data that a checkpoint says it was trained on, if its files are those of `splits`, wherever they lie."""
    same = member.document.get("data", {}).get("sha256") == splits.identity["sha256"]
    return load_splits(path, member, None, data_dir) if same else None


def require_fair(path: Path, splits: Splits, own: Sequence[Splits | None], split: str) -> None:
    """A and B, the checkpoint `path`, have learnt from equally many of the examples; `own` is what they learnt from."""
    rows, sha256 = getattr(splits, split).rows, splits.identity["sha256"]
    learnt = [
        int(np.isin(rows, of.train.rows).sum()) if of and of.identity["sha256"] == sha256 else 0
        for of in own
    ]
    if learnt[0] != learnt[1]:
        raise CheckpointError(
            f"{path}: was trained on {learnt[1]:,} of these {len(rows):,} examples and the other network on "
            f"{learnt[0]:,}, which is not fair; compare them with --split test"
        )


def as_text(found: Comparison, paths: tuple[Path, Path], data: str) -> str:
    """The figures, the table, the test and what it means."""
    lines = [f"data   {data}, {found.n:,} examples"]
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
    """Whether the difference means anything, in plain words."""
    alone = found.only_a + found.only_b
    if not alone:
        return "No difference: both are right on the same examples."
    chance = f"{found.p:.2%}" if found.p >= 1e-4 else "less than 0.01%"
    meaning = f"{found.better} is better" if found.better else "this may well be chance"
    return (
        f"Of the {alone:,} examples that only one of them gets right, A has {found.only_a:,} and B {found.only_b:,}.\n"
        f"Two equally good networks would differ at least as much in {chance} of such comparisons: {meaning}."
    )
