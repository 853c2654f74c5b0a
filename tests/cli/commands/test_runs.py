import csv
import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import process_time

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from nnmnist import checkpoint
from nnmnist.cli.app import cli
from nnmnist.config.loading import dump_config, load_config


def nnmnist(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def runs(*arguments):
    return nnmnist("runs", *arguments)


def rows(*arguments):
    """The cells of the table by column."""
    result = runs(*arguments)
    assert result.exit_code == 0, result.output
    header, *lines = [
        line.split() for line in result.stdout.replace(" ± ", "±").replace(" of ", "/").splitlines()
    ]
    return [dict(zip(header, line, strict=False)) for line in lines]


@pytest.fixture
def swept(tiny_run):
    """A grid of two rates and two widths, two more seeds of one of them, and a run that failed."""

    def train(name, *changes, code=0):
        sets = [word for change in changes for word in ("--set", change)]
        tiny_run(f"runs/{name}", "--epochs", "2", *sets, code=code)

    for rate in (0.001, 0.05):
        for width in (4, 8):
            train(
                f"rate-{rate}-width-{width}",
                f"training.learning_rate={rate}",
                f"model.hidden=[{width}]",
            )
    for seed in (1, 2):
        train(f"rate-0.05-width-8-seed-{seed}", f"seed={seed}")
    train("broken", "training.learning_rate=1e30", code=1)


def test_the_table_shows_what_differs_and_the_best_first(swept):
    lines = runs().stdout.splitlines()
    assert lines[0].split() == [
        "run", "seed", "hidden", "learning_rate", "epochs", "validation", "test", "seconds", "state"
    ]  # fmt: skip
    found = rows()
    assert len(found) == 5
    accuracies = [float(row["validation"].partition("%")[0]) for row in found[:4]]
    assert accuracies == sorted(accuracies, reverse=True)
    (seeds,) = [row for row in found if row["seed"] == "0-2"]
    assert seeds["run"] == "rate-0.05-width-8*"
    assert "±" in seeds["validation"]
    assert "±" in seeds["test"]
    assert found[-1]["run"] == "broken"
    assert (found[-1]["epochs"], found[-1]["test"], found[-1]["state"]) == ("0/2", "-", "failed:")
    assert "the cost is no longer finite" in lines[-1]


def test_json_is_a_line_a_row_with_the_keys_that_differ(swept):
    result = runs("--json")
    records = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(records) == 5
    seeds = next(record for record in records if len(record["seeds"]) > 1)
    assert seeds["settings"] == {"model.hidden": [8], "training.learning_rate": 0.05}
    assert seeds["seeds"] == [0, 1, 2]
    assert len(seeds["paths"]) == 3
    figures = [
        json.loads((Path(path) / "summary.json").read_text())["test"] for path in seeds["paths"]
    ]
    assert seeds["test"]["accuracy"] == pytest.approx(sum(each["accuracy"] for each in figures) / 3)
    assert records[-1]["state"] == "failed"
    assert records[-1]["reason"].startswith("the cost is no longer finite in epoch 1")
    assert (records[-1]["test"], records[-1]["epochs"]) == (None, 0)
    assert result.stderr == ""


def test_csv_has_the_same_rows(swept):
    found = list(csv.DictReader(io.StringIO(runs("--csv").stdout)))
    records = [json.loads(line) for line in runs("--json").stdout.splitlines()]
    for row, record in zip(found, records, strict=True):
        assert row["run"] == record["run"]
        assert row["model.hidden"] == json.dumps(record["settings"]["model.hidden"])
        assert row["seeds"].split() == list(map(str, record["seeds"]))
        assert row["test_accuracy"] == (
            "" if record["test"] is None else str(record["test"]["accuracy"])
        )


@pytest.mark.parametrize(
    ("by", "column", "expected"),
    [
        ("learning_rate", "learning_rate", ["0.001", "0.001", "0.05", "0.05", "1e+30"]),
        ("training.learning_rate", "learning_rate", ["0.001", "0.001", "0.05", "0.05", "1e+30"]),
        ("state", "state", ["done"] * 4 + ["failed"]),
        ("run", "run", ["broken", "rate-0.001-width-4", "rate-0.001-width-8", "rate-0.05-width-4",
                        "rate-0.05-width-8*"]),
    ],
)  # fmt: skip
def test_sort(swept, by, column, expected):
    # A state may be followed by a reason.
    assert [row[column].rstrip(":") for row in rows("--sort", by)] == expected


def test_sorted_by_test_accuracy_the_best_come_first(swept):
    found = [
        float(row["test"].partition("%")[0])
        for row in rows("--sort", "test", "--filter", "state=done")
    ]
    assert found == sorted(found, reverse=True)
    seconds = [float(row["seconds"]) for row in rows("--sort", "seconds")]
    assert seconds == sorted(seconds)


@pytest.mark.parametrize(
    ("filters", "count"),
    [
        (["state=done"], 4),
        (["state=failed"], 1),
        (["state=running"], 0),
        (["hidden=[4]"], 2),
        (["model.hidden=[4]", "learning_rate=5e-2"], 1),
        (["seed=1"], 1),
        (["activation=relu"], 5),
        (["patience=null", "learning_rate=7"], 0),
    ],
)
def test_filter(swept, filters, count):
    arguments = [word for text in filters for word in ("--filter", text)]
    assert len(rows(*arguments)) == count


def test_best_prints_one_path(swept):
    result = runs("best", "runs")
    best = Path(result.stdout.strip())
    assert result.stdout == f"{best}\n"
    accuracy = checkpoint.load(best / "best.npz").document["metrics"]["validation"]["accuracy"]
    for file in Path("runs").rglob("best.npz"):
        assert checkpoint.load(file).document["metrics"]["validation"]["accuracy"] <= accuracy
    assert runs("best").stdout == result.stdout
    narrow = runs("best", "runs", "--filter", "hidden=[4]").stdout
    assert narrow in ("runs/rate-0.001-width-4\n", "runs/rate-0.05-width-4\n")
    assert nnmnist("evaluate", best / "best.npz").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 2, "nowhere: no such folder; name the folder that holds the runs"),
        (["best", "nowhere"], 2, "nowhere: no such folder"),
        (["a", "b"], 2, "expected one folder, found 2: a b"),
        (["best", "a", "b"], 2, "expected one folder, found 2"),
        (["empty"], 1, "empty: no runs found; name the folder that `nnmnist train` wrote to"),
        (["best", "--filter", "state=failed"], 1, "runs: no finished run"),
        (
            ["--sort", "lerning_rate"],
            2,
            "--sort lerning_rate: unknown key; did you mean learning_rate?",
        ),
        (["--filter", "learning_rate"], 2, "expected KEY=VALUE, such as state=done"),
        (["--filter", "state=lost"], 2, "the states are running, done, failed, stopped"),
        (["--filter", "stat=done"], 2, "did you mean state?"),
        (["--filter", "xyzzy=done"], 2, "unknown key; the keys are state, data, seed, data.name"),
        (["--filter", "hidden=[4"], 2, "--filter hidden=[4: not valid YAML"),
        (["--json", "--csv"], 2, "choose one"),
        (["best", "--json"], 2, "remove --json and --csv"),
    ],
)
def test_bad_input_is_one_clear_line(swept, arguments, code, message):
    Path("empty").mkdir()
    result = runs(*arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert result.stdout == ""
    assert result.stderr.splitlines()[-1].startswith("Error: ")


def test_a_damaged_run_is_skipped_with_a_notice(swept):
    Path("runs/rate-0.05-width-4/summary.json").write_text("{")
    result = runs()
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 1 + 4
    assert result.stderr.startswith("skipped a damaged run: ")
    assert result.stderr.count("\n") == 1


def test_a_regression_is_listed_with_r2():
    nnmnist("train", "-c", "lecture/line", "-q", "--set", "data.validation=20")
    (row,) = [json.loads(line) for line in runs("--json").stdout.splitlines()]
    assert row["validation"]["accuracy"] is None
    assert f"R^2 {row['validation']['r2']:.4f}" in runs().stdout


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such locks and signals")
@pytest.mark.parametrize(
    "number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=["KILL", "INT", "TERM"]
)
def test_a_run_is_running_until_its_process_ends_and_no_other_process_may_train_it(
    tiny_config, number
):
    train = ["train", "--epochs", "100000"]
    process = subprocess.Popen(
        [sys.executable, "-m", "nnmnist", *train, "-c", tiny_config, "-o", "runs/one"],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with process:
        for line in process.stderr:
            if line.split()[0] == "3":
                break
        assert [row["state"] for row in rows()] == ["running"]
        for again in (["--resume", "runs/one"], ["-c", tiny_config, "-o", "runs/one", "--force"]):
            result = nnmnist("train", *again, "-q")
            assert result.exit_code == 1
            assert result.stderr == (
                "Error: runs/one: another process is training this run; "
                "wait for it, or stop it first\n"
            )
        assert process.poll() is None
        process.send_signal(number)
        process.communicate()
    (row,) = rows()
    assert row["state"] == "stopped"
    assert row["epochs"].endswith("/100000")
    assert (
        nnmnist("train", "--resume", "runs/one", "--epochs", checkpoint_epoch() + 1).exit_code == 0
    )
    assert [row["state"] for row in rows()] == ["done"]


def checkpoint_epoch():
    return checkpoint.load("runs/one/last.npz").document["epoch"]


def copy_of_run(run, settings, number):
    """The config and summary of a finished run, with a learning rate and a seed of its own."""
    directory = Path(f"runs/run-{number}")
    directory.mkdir(parents=True)
    training = replace(settings.training, learning_rate=0.01 * (1 + number // 5))
    own = replace(settings, seed=number % 5, training=training)
    (directory / "config.yaml").write_text("# numpy: 2\n" + dump_config(own))
    (directory / "summary.json").write_bytes((run / "summary.json").read_bytes())
    return directory / "config.yaml"


def cpu_time(function):
    """The shortest of three measurements, in seconds of this process alone."""
    times = []
    for _ in range(3):
        started = process_time()
        function()
        times.append(process_time() - started)
    return min(times)


def test_listing_many_runs_takes_a_fraction_of_loading_their_configs(tiny_config):
    """A list of many runs appears at once, because their configs are read by a faster path."""
    nnmnist("train", "-c", tiny_config, "-q", "-o", "first")
    settings = load_config(tiny_config)
    files = [copy_of_run(Path("first"), settings, number) for number in range(100)]
    result = runs()
    assert len(result.stdout.splitlines()) == 1 + 20  # five seeds are one row
    listing = cpu_time(runs) / len(files)
    loading = cpu_time(lambda: [load_config(file) for file in files[:50]]) / 50
    assert listing < loading / 2


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@A1"])
def test_no_text_of_csv_is_a_formula(tiny_config, name):
    for rate in ("0.1", "0.2"):
        folder = Path("all", f"{name} {rate}")
        arguments = ["-c", tiny_config, "--set", f"training.learning_rate={rate}", "--epochs", "1"]
        assert nnmnist("train", *arguments, "-o", folder).exit_code == 0
    (folder / "summary.json").unlink()
    (folder / "failure.txt").write_text("@SUM(1)")
    found = list(csv.DictReader(io.StringIO(runs("all", "--csv").stdout)))
    assert {row["run"] for row in found} == {f"'{name} 0.1", f"'{name} 0.2"}
    assert {row["reason"] for row in found} == {"", "'@SUM(1)"}
    assert {row["training.learning_rate"] for row in found} == {"0.1", "0.2"}


@pytest.mark.parametrize("width", [60, 80, 120])
def test_the_table_fits_the_terminal_and_a_pipe_gets_everything(on_terminal, tiny_config, width):
    for name, settings in (("softmax", ["model.hidden=[]", "training.optimizer=adam"]), ("b", [])):
        options = [option for setting in settings for option in ("--set", setting)]
        output = f"runs/a-long-name-of-an-experiment/of-a-certain-kind/{name}"
        assert nnmnist("train", "-c", tiny_config, *options, "-o", output, "-q").exit_code == 0
    whole = nnmnist("runs").stdout.splitlines()
    assert "of-a-certain-kind/softmax" in "".join(whole)
    assert max(map(len, whole)) > 100
    # On a slow machine, a notice of the start comes before, and is erased.
    lines = on_terminal("runs", columns=width).replace("\x1b[K", "").splitlines()
    assert max(map(len, lines)) <= width
    heads = next(line for line in lines if line.startswith("run "))
    assert "validation" in heads
    assert "state" in heads
    shown = heads.split()
    left_out = [head for head in whole[0].split() if head not in shown]
    assert bool(left_out) == any(line.startswith("not shown: ") for line in lines)
