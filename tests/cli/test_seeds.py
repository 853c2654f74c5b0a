import json
from pathlib import Path
from statistics import mean, stdev

import click
import pytest
from click.testing import CliRunner

from nnmnist.cli.app import cli
from nnmnist.cli.seeds import parse, spread
from nnmnist.runs.run import Run


def nnmnist(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def train(*arguments):
    return nnmnist("train", "-c", "tiny.yaml", *arguments)


pytestmark = pytest.mark.usefixtures("tiny_config")


def test_each_seed_is_an_ordinary_run():
    record = json.loads(train("--seeds", "0-1", "-o", "all", "--json").stdout)
    alone = json.loads(train("--seed", "1", "-o", "alone", "--json").stdout)
    assert record["seeds"] == [0, 1]
    assert [run["run"] for run in record["runs"]] == ["all/seed-0", "all/seed-1"]
    assert record["runs"][1]["test"] == alone["test"]
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


def test_for_people():
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


def test_of_regression_r2_is_told():
    result = nnmnist("train", "-c", "lecture/line", "--seeds", "0-1", "-o", "lines", "--json")
    record = json.loads(result.stdout)
    assert record["ensemble"].keys() == record["test"].keys() == {"cost", "r2"}
    assert record["ensemble"]["r2"] > 0.9


def test_it_goes_on_where_it_was_stopped(monkeypatch):
    distorted = ["--seeds", "0-2", "--set", "data.distort=true", "-o"]
    whole = json.loads(train(*distorted, "whole", "--json").stdout)
    train_epochs, sat = Run.train, []

    def train_until_stopped(self, *arguments):
        sat.append(self.directory.name)
        for epoch in train_epochs(self, *arguments):
            yield epoch
            if sat == ["seed-0", "seed-1"] and epoch.number == 2:
                raise KeyboardInterrupt

    monkeypatch.setattr(Run, "train", train_until_stopped)
    result = train(*distorted, "all")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-2].endswith("--resume all/seed-1")
    assert (
        result.stderr.splitlines()[-1]
        == "or with all seeds: the same command again, with --output all"
    )
    again = json.loads(train(*distorted, "all", "--json").stdout)
    assert sat == ["seed-0", "seed-1", "seed-1", "seed-2"]
    for part in ("validation", "test", "ensemble"):
        assert again[part] == whole[part]


def test_more_seeds_join_those_that_are_there():
    train("--seeds", "0", "-o", "all")
    result = train("--seeds", "0-1", "-o", "all")
    assert "all/seed-0: was finished before" in result.stderr
    assert result.stdout.splitlines()[0] == "seeds        0, 1"


def test_runs_of_different_data_are_not_averaged():
    """One was trained on what data.fallback gives, the other on the data itself."""
    train("--seeds", "0", "-o", "all")
    summary = Path("all/seed-0/summary.json")
    summary.write_text(json.dumps({**json.loads(summary.read_text()), "data": "synthetic"}))
    result = train("--seeds", "0-1", "-o", "all", "-q")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: all: its runs have learnt from different data (")


def test_another_config_is_refused_and_may_be_forced():
    train("--seeds", "0", "-o", "all")
    result = train("--seeds", "0", "-o", "all", "--set", "model.hidden=[9]")
    assert result.exit_code == 2
    assert "model.hidden: (8,) there, (9,) now" in result.stderr
    assert train("--seeds", "0", "-o", "all", "--set", "model.hidden=[9]", "--force").exit_code == 0


@pytest.mark.parametrize(
    ("text", "seeds"), [("4", [4]), ("0-2", [0, 1, 2]), ("7, 0-1,3", [7, 0, 1, 3])]
)
def test_seeds_are_named_one_by_one_or_from_to(text, seeds):
    assert parse(text) == seeds


@pytest.mark.parametrize(
    "text", ["", "x", "-1", "1-", "2-1", "1,1", "0-3,2", "0-1000", "1.5", "0-99999999999999"]
)
def test_anything_else_is_refused(text):
    with pytest.raises(click.UsageError, match=f"--seeds {text}: "):
        parse(text)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seed", "1"], "leave out --seed"),
        (["--set", " seed = 3"], "leave out --set seed"),
        (["--resume", "run"], "leave out --seed, --resume"),
        (["--dry-run"], "and --dry-run"),
        (["--seeds", "4294967296"], "--seeds 4294967296: seed: expected a whole number"),
        (["--set", "model.hidden=x"], "--set model.hidden=x: model.hidden: expected a list"),
    ],
)
def test_bad_usage_is_exit_2_and_leaves_nothing(arguments, message):
    result = train("--seeds", "0-1", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert not Path("runs").exists()


def test_without_data_nothing_is_left():
    result = train("--seeds", "0-1", "--set", "data.path=nowhere")
    assert result.exit_code == 1
    assert "nowhere" in result.stderr
    assert list(Path("runs").iterdir()) == []


def test_figures_that_not_all_runs_have_are_left_out():
    assert spread([{"cost": 1.0, "accuracy": None}, {"cost": 3.0, "accuracy": None}]) == {
        "cost": {"mean": 2.0, "deviation": pytest.approx(2**0.5)}
    }
    assert spread([None, None]) is None
