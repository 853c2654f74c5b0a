import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from nnmnist.cli.app import cli
from nnmnist.cli.terminal import (
    ASCII_MARKS,
    CHART_HEIGHT,
    CHART_WIDTH,
    MARKS,
    align,
    chart,
    epoch_header,
    epoch_line,
    program_name,
    progress_line,
    render,
)
from nnmnist.evaluation.evaluate import Evaluation
from nnmnist.runs.history import History, Series
from nnmnist.training.fit import Epoch


def nnmnist(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def falling(n):
    """A training cost that falls from 2 to 1 in a straight line, and one test cost at the end."""
    epochs = np.arange(1.0, n + 1)
    none = np.full(n, np.nan)
    training = Series(epochs, np.linspace(2, 1, n), none)
    return History(
        "mine", {"training": training, "test": Series(epochs[-1:], np.array([1.5]), none[:1])}
    )


@pytest.mark.parametrize(
    ("encoding", "marks"), [("utf-8", MARKS), ("ascii", ASCII_MARKS), ("latin-1", ASCII_MARKS)]
)
def test_the_chart_falls_from_the_top_left_to_the_bottom_right(encoding, marks):
    text = chart(falling(CHART_WIDTH), encoding)
    text.encode(encoding)
    header, *rows = text.splitlines()
    assert header.startswith("cost of mine:")
    assert max(map(len, text.splitlines())) < 80
    plot = [row[11:].ljust(CHART_WIDTH) for row in rows[:CHART_HEIGHT]]
    mark = marks["training"]
    tops = [
        next(i for i, row in enumerate(plot) if row[column] == mark)
        for column in range(1, CHART_WIDTH - 1)
    ]
    assert tops == sorted(tops)
    assert (tops[0], tops[-1]) == (0, CHART_HEIGHT - 1)
    assert [row.index(marks["test"]) for row in plot if marks["test"] in row] == [CHART_WIDTH - 1]
    assert rows[0].split("|")[0].strip() == "2.0000"
    assert rows[CHART_HEIGHT - 1].split("|")[0].strip() == "1.0000"
    assert rows[-1].split() == ["0", "epoch", str(CHART_WIDTH)]


def test_a_single_epoch_and_a_constant_cost():
    point = Series(np.array([1.0]), np.array([0.5]), np.array([np.nan]))
    assert (
        ASCII_MARKS["training"] in chart(History("x", {"training": point}), "ascii").splitlines()[1]
    )


def test_train_draws_the_chart_on_stderr(tiny_config):
    result = nnmnist("train", "-c", tiny_config, "-o", "run", "--chart", "--json", "-q")
    assert json.loads(result.stdout)["run"] == "run"
    assert result.stderr.startswith("cost of run:")
    assert result.stderr.rstrip().endswith("4")
    assert nnmnist("train", "-c", tiny_config, "-q").stderr == ""


def test_evaluate_draws_a_chart_per_checkpoint(tiny_config):
    for name in ("one", "two"):
        nnmnist("train", "-c", tiny_config, "-o", name)
    plain = nnmnist("evaluate", "one/best.npz", "two/best.npz", "--json")
    result = nnmnist("evaluate", "one/best.npz", "two/best.npz", "--json", "--chart")
    assert result.stdout == plain.stdout
    assert "cost of one:" in result.stderr
    assert "cost of two:" in result.stderr
    Path("two/best.npz").rename("moved.npz")
    result = nnmnist("evaluate", "moved.npz", "--chart")
    assert result.exit_code == 1
    assert "has no curve" in result.stderr
    assert result.stdout == ""


def test_half_blocks_show_every_pixel():
    image = np.array([[255, 0, 128, 127], [255, 255, 0, 0], [0, 200, 0, 0]], np.uint8)
    assert render(image, "utf-8") == "█▄▀\n ▀"


def test_an_encoding_without_half_blocks_gets_shades():
    image = np.array([[255, 1, 0, 0], [255, 255, 26, 0]], np.uint8)
    assert render(image, "ascii") == "@+"
    assert render(image, "latin-1") == render(image, "no such encoding") == "@+"


def test_the_encoding_of_stdout_decides(monkeypatch):
    image = np.full((2, 1), 255, np.uint8)
    monkeypatch.setattr("sys.stdout", type("Stdout", (), {"encoding": "ascii"})())
    assert render(image) == "@"


@pytest.mark.parametrize(
    ("called", "found", "expected"),
    [
        ("/usr/bin/nnmnist", "/usr/bin/nnmnist", "nnmnist"),
        (".venv/bin/nnmnist", None, ".venv/bin/nnmnist"),
        ("nnmnist/__main__.py", None, "nnmnist"),
    ],
)
def test_the_program_name_can_be_typed(monkeypatch, called, found, expected):
    monkeypatch.setattr("sys.argv", [called])
    monkeypatch.setattr("shutil.which", lambda name: found)
    assert program_name() == expected


@pytest.mark.parametrize("cost", [0.5, 99999.5, 12345678901.2, 1e300, float("inf")])
@pytest.mark.parametrize("r2", [None, 0.99, -12345678901.2])
def test_the_table_of_epochs_is_aligned_for_every_cost(cost, r2):
    accuracy = 0.5 if r2 is None else None
    confusion = np.eye(2, dtype=int) if r2 is None else None
    validation = Evaluation(2, cost, confusion, r2)
    epochs = [
        Epoch(7, cost, accuracy, r2, each, None, 0.1, 0.5, 1234.5) for each in (validation, None)
    ]
    header, *lines = epoch_header(epochs[0]), *map(epoch_line, epochs)
    assert {len(line) for line in lines} == {len(header)}
    assert not any("inf" in word for line in lines for word in line.split())


def test_columns_are_aligned():
    rows = [["run", "epochs", "state"], ["a", "10", "done"], ["long", "5", ""]]
    assert align(rows, left=(0, -1)).splitlines() == [
        "run   epochs  state",
        "a         10  done",
        "long       5",
    ]


def test_the_bar_fills_the_line_and_leaves_room_for_its_texts():
    result, left = "cost 0.1234, accuracy 98.76%", "12 s left"
    lines = {
        width: progress_line("epoch 3 of 4", 0.5, result, left, width) for width in (40, 60, 80)
    }
    assert lines[80] == f"epoch 3 of 4  50% |{'█' * 8}{' ' * 9}| {result}, {left}"
    assert lines[60] == f"epoch 3 of 4  50% |{'█' * 5}{' ' * 5}| {result}"
    assert lines[40] == "epoch 3 of 4  50% cost 0.1234, accuracy"
    # The bar does not become shorter when the first results arrive.
    empty = progress_line("epoch 3 of 4", 0.0, "", "", 80)
    assert empty == f"epoch 3 of 4   0% |{' ' * 17}| "


@pytest.mark.parametrize("width", [60, 80])
def test_training_on_a_terminal(on_terminal, tiny_config, width):
    written = on_terminal("train", "-c", tiny_config, "-o", "run", columns=width)
    # what the user sees, one after the other: lines that stay end with a newline
    shown = written.replace("\r\n", "\n\r").replace("\x1b[K", "").split("\r")
    head = next(i for i, text in enumerate(shown) if text.startswith("epoch  train cost"))
    bars = [text for text in shown[:head] if text.startswith("epoch 1 of 4")]
    assert bars[0].startswith("epoch 1 of 4   0% | ")
    assert "| cost " in bars[-1]
    assert ", accuracy " in bars[-1]
    assert bars[-1].startswith("epoch 1 of 4 100% |███")
    assert all(len(text) < width for text in bars)
    assert ("examples/s" in shown[head]) == (width == 80)
    assert not [text for text in shown if "step" in text or "epoch 5" in text]


def test_the_chart_has_room_for_a_large_cost():
    steps, none = np.array([1.0, 2.0]), np.full(2, np.nan)
    series = Series(steps, np.array([12345678901.2, 1.5]), none)
    _, *rows = chart(History("mine", {"training": series}), "ascii").splitlines()
    assert rows[0].startswith("1.235e+10 |")
    assert rows[CHART_HEIGHT - 1].startswith("   1.5000 |")
