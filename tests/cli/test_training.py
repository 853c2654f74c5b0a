import json
from pathlib import Path
from statistics import mean, stdev

import click
import pytest
from click.testing import CliRunner

from nnmnist.cli.app import cli
from nnmnist.cli.training import parse_seeds
from nnmnist.runs.run import Run


def nnmnist(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def train(*arguments):
    return nnmnist("train", "-c", "tiny.yaml", *arguments)


pytestmark = pytest.mark.usefixtures("tiny_config")


def test_each_seed_is_an_ordinary_run():
    record = json.loads(train("--seeds", "0-1", "-o", "all", "--json").stdout)
    single = json.loads(train("--seed", "1", "-o", "single", "--json").stdout)
    assert record["seeds"] == [0, 1]
    assert [run["run"] for run in record["runs"]] == ["all/seed-0", "all/seed-1"]
    assert record["runs"][1]["test"] == single["test"]
    assert json.loads(Path("all/seed-1/summary.json").read_text()) == record["runs"][1]
    assert train("--resume", "all/seed-1", "--set", "seed=1").exit_code == 0


def test_mean_deviation_and_ensemble():
    record = json.loads(train("--seeds", "0,2,5", "-o", "all", "--json", "-q").stdout)
    for split in ("validation", "test"):
        for name in ("accuracy", "cost"):
            values = [run[split][name] for run in record["runs"]]
            expected = {"mean": mean(values), "deviation": stdev(values)}
            assert record[split][name] == pytest.approx(expected)
    members = [run["checkpoint"] for run in record["runs"]]
    together = json.loads(nnmnist("evaluate", *members, "--json").stdout)
    assert record["ensemble"] == {name: together[name] for name in ("accuracy", "cost")}


def test_the_text_for_people():
    lines = train("--seeds", "0-1", "-q").stdout.splitlines()
    assert lines[0] == "seeds        0, 1"
    assert lines[1].startswith("validation   accuracy ")
    assert lines[2].startswith("test         accuracy ")
    assert "% (standard deviation " in lines[2]
    assert lines[3].startswith("ensemble     test accuracy ")
    assert lines[5].startswith("checkpoint   runs/tiny-")
    assert lines[5].endswith("/seed-0/best.npz")


def test_one_seed_has_no_deviation():
    result = train("--seeds", "3", "-o", "all", "--json")
    assert json.loads(result.stdout)["test"]["accuracy"]["deviation"] is None
    assert "deviation" not in train("--seeds", "3", "-o", "all").stdout


def test_a_regression_reports_r2():
    result = nnmnist("train", "-c", "lecture/line", "--seeds", "0-1", "-o", "lines", "--json")
    record = json.loads(result.stdout)
    assert record["ensemble"].keys() == record["test"].keys() == {"cost", "r2"}
    assert record["ensemble"]["r2"] > 0.9


def test_seeds_resume_where_they_were_stopped(monkeypatch):
    distorted = ["--seeds", "0-2", "--set", "data.distort=true", "-o"]
    whole = json.loads(train(*distorted, "whole", "--json").stdout)
    train_epochs, started = Run.train, []

    def train_until_stopped(self, *arguments):
        started.append(self.directory.name)
        for epoch in train_epochs(self, *arguments):
            yield epoch
            if started == ["seed-0", "seed-1"] and epoch.number == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(Run, "train", train_until_stopped)
    result = train(*distorted, "all")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-2].endswith("--resume all/seed-1")
    assert (
        result.stderr.splitlines()[-1]
        == "to resume all seeds: the same command again, with --output all"
    )
    again = json.loads(train(*distorted, "all", "--json").stdout)
    assert started == ["seed-0", "seed-1", "seed-1", "seed-2"]
    for part in ("validation", "test", "ensemble"):
        assert again[part] == whole[part]


def test_seeds_can_be_added():
    train("--seeds", "0", "-o", "all")
    result = train("--seeds", "0-1", "-o", "all")
    assert "all/seed-0: already finished" in result.stderr
    assert result.stdout.splitlines()[0] == "seeds        0, 1"


def test_runs_of_different_data_are_not_averaged():
    """One run was trained on the fallback, the other on the data itself."""
    train("--seeds", "0", "-o", "all")
    summary = Path("all/seed-0/summary.json")
    summary.write_text(
        json.dumps({**json.loads(summary.read_text()), "data": "synthetic", "data_id": "0"})
    )
    result = train("--seeds", "0-1", "-o", "all", "-q")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: all: its runs were trained on different data (")


def test_another_config_is_refused_and_may_be_forced():
    train("--seeds", "0", "-o", "all")
    result = train("--seeds", "0", "-o", "all", "--set", "model.hidden=[9]")
    assert result.exit_code == 2
    assert "model.hidden: [8] before, [9] now" in result.stderr
    assert train("--seeds", "0", "-o", "all", "--set", "model.hidden=[9]", "--force").exit_code == 0


@pytest.mark.parametrize(
    ("text", "seeds"), [("4", [4]), ("0-2", [0, 1, 2]), ("7, 0-1,3", [7, 0, 1, 3])]
)
def test_seeds_are_single_numbers_or_ranges(text, seeds):
    assert parse_seeds(text) == seeds


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1-", "2-1", "1,1", "0-3,2", "0-1000", "1.5", "0-99999999999999"]
)
def test_other_texts_are_refused(text):
    with pytest.raises(click.UsageError, match=f"--seeds {text}: "):
        parse_seeds(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "1"], "remove --seed"),
        (["--set", " seed = 3"], "remove --set seed"),
        (["--resume", "run"], "remove --seed, --resume"),
        (["--dry-run"], "and --dry-run"),
        (["--seeds", "4294967296"], "--seeds 4294967296: seed: expected a whole number"),
        (["--set", "model.hidden=x"], "--set model.hidden=x: model.hidden: expected a list"),
    ],
)
def test_bad_usage_is_exit_2_and_writes_nothing(arguments, message):
    result = train("--seeds", "0-1", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not Path("runs").exists()


def test_missing_data_leaves_no_directory():
    result = train("--seeds", "0-1", "--set", "data.path=nowhere")
    assert result.exit_code == 1
    assert "nowhere" in result.stderr
    assert list(Path("runs").iterdir()) == []
