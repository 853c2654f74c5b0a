import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nnmnist.cli.app import cli
from nnmnist.cli.chart import HEIGHT, MARKS, PLAIN, WIDTH, chart
from nnmnist.runs.history import History, Series


def nnmnist(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def falling(n):
    """A training whose cost falls on a straight line from 2 to 1, and a test above it at the end."""
    epochs = np.arange(1.0, n + 1)
    none = np.full(n, np.nan)
    training = Series(epochs, np.linspace(2, 1, n), none)
    return History(
        "mine", {"training": training, "test": Series(epochs[-1:], np.array([1.5]), none[:1])}
    )


@pytest.mark.parametrize(
    ("encoding", "marks"), [("utf-8", MARKS), ("ascii", PLAIN), ("latin-1", PLAIN)]
)
def test_the_curve_falls_from_the_first_corner_to_the_last(encoding, marks):
    text = chart(falling(WIDTH), encoding)
    text.encode(encoding)
    header, *rows = text.splitlines()
    assert header.startswith("cost of mine:")
    assert max(map(len, text.splitlines())) < 80
    plot = [row[11:].ljust(WIDTH) for row in rows[:HEIGHT]]
    mark = marks["training"]
    tops = [
        next(i for i, row in enumerate(plot) if row[column] == mark)
        for column in range(1, WIDTH - 1)
    ]
    assert tops == sorted(tops)
    assert (tops[0], tops[-1]) == (0, HEIGHT - 1)
    assert [row.index(marks["test"]) for row in plot if marks["test"] in row] == [WIDTH - 1]
    assert rows[0].split("|")[0].strip() == "2.0000"
    assert rows[HEIGHT - 1].split("|")[0].strip() == "1.0000"
    assert rows[-1].split() == ["0", "epoch", str(WIDTH)]


def test_a_single_epoch_and_a_constant_cost():
    point = Series(np.array([1.0]), np.array([0.5]), np.array([np.nan]))
    assert PLAIN["training"] in chart(History("x", {"training": point}), "ascii").splitlines()[1]


def test_train_shows_it_on_stderr(tiny_config):
    result = nnmnist("train", "-c", tiny_config, "-o", "run", "--chart", "--json", "-q")
    assert json.loads(result.stdout)["run"] == "run"
    assert result.stderr.startswith("cost of run:")
    assert result.stderr.rstrip().endswith("4")
    assert nnmnist("train", "-c", tiny_config, "-q").stderr == ""


def test_evaluate_shows_the_curves_of_its_checkpoints(tiny_config):
    for name in ("one", "two"):
        nnmnist("train", "-c", tiny_config, "-o", name)
    plain = nnmnist("evaluate", "one/best.npz", "two/best.npz", "--json")
    result = nnmnist("evaluate", "one/best.npz", "two/best.npz", "--json", "--chart")
    assert result.stdout == plain.stdout
    assert "cost of one:" in result.stderr
    assert "cost of two:" in result.stderr
    Path("two/best.npz").rename("alone.npz")
    result = nnmnist("evaluate", "alone.npz", "--chart")
    assert result.exit_code == 1
    assert "no curve to draw" in result.stderr
    assert result.stdout == ""
