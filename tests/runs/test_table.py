import dataclasses
import json
import os
import re
import shutil
from pathlib import Path
from statistics import fmean, stdev

import pytest
from msgspec.structs import replace

from nnmnist.config.loading import load_config
from nnmnist.config.schema import DataConfig
from nnmnist.errors import ConfigError, DataError, TrainingError
from nnmnist.runs import lock, table
from nnmnist.runs.directory import FAILURE
from nnmnist.runs.entry import read, read_all
from nnmnist.runs.run import create_run, reopen_run
from nnmnist.runs.summary import rank
from nnmnist.training.setup import load_data


@pytest.fixture
def settings(tiny_config):
    return load_config(tiny_config, ["training.epochs=2"])


@pytest.fixture
def splits(settings):
    return load_data(settings.data, settings.seed)


def changed(settings, seed=0, **training):
    training = replace(settings.training, **training)
    return replace(settings, seed=seed, training=training)


def start(settings, name):
    return create_run(settings, "x", Path("runs") / name)


def finish(settings, splits, name):
    run = start(settings, name)
    list(run.train(splits))
    return run.finish(splits)


def listed():
    entries, problems = read_all(Path("runs"))
    assert problems == []
    return entries


def test_a_finished_run(settings, splits):
    summary = finish(settings, splits, "one")
    (entry,) = listed()
    assert (entry.name, entry.path, entry.state, entry.reason) == (
        "one",
        Path("runs/one"),
        "done",
        "",
    )
    assert (entry.epochs, entry.seconds) == (2, summary["seconds"])
    assert (entry.validation, entry.test) == (summary["validation"], summary["test"])
    assert entry.settings["training.learning_rate"] == 0.05
    assert entry.settings["model.hidden"] == [8]


def test_the_state_follows_from_files_and_lock(settings, splits):
    run = start(settings, "one")
    epochs = run.train(splits)
    assert listed()[0].state == "running"
    next(epochs)
    (entry,) = listed()
    assert (entry.state, entry.epochs, entry.test) == ("running", 1, None)
    assert entry.validation["accuracy"] == run.best.accuracy
    assert entry.seconds == pytest.approx(run.seconds, abs=1e-4)
    epochs.close()
    assert listed()[0].state == "stopped"
    run = reopen_run(Path("runs/one"), settings)
    list(run.train(splits))
    assert listed()[0].state == "running"  # until the test set is evaluated
    run.finish(splits)
    assert listed()[0].state == "done"


def test_a_run_that_finishes_while_it_is_read_is_done(settings, splits, monkeypatch):
    run = start(settings, "one")
    list(run.train(splits))

    def finish_and_unlock(directory):
        run.finish(splits)
        return False

    monkeypatch.setattr(lock, "is_locked", finish_and_unlock)
    assert listed()[0].state == "done"


def test_a_failed_run_has_a_reason_until_it_is_resumed(settings, splits):
    run = start(changed(settings, learning_rate=1e30), "one")
    with pytest.raises(TrainingError) as error:
        list(run.train(splits))
    (entry,) = listed()
    assert (entry.state, entry.reason) == ("failed", str(error.value))
    again = create_run(settings, "x", Path("runs/one"), force=True)
    assert listed()[0].state == "running"
    again.lock.release()
    assert listed()[0].state == "stopped"


def test_the_best_epoch_of_a_running_run_is_that_of_its_checkpoint(settings, splits):
    run = start(changed(settings, epochs=9), "one")
    for epoch in run.train(splits):
        if epoch.number == 8:
            break
    (entry,) = listed()
    assert entry.epochs == 8
    assert entry.validation == {"cost": run.best.cost, "accuracy": run.best.accuracy}


def test_runs_are_found_at_any_depth_but_not_in_hidden_folders(settings, splits):
    for name in ("b", "a/deep/er", ".hidden/c"):
        finish(settings, splits, name)
    Path("runs/a/notes.txt").write_text("mine")
    assert [entry.name for entry in listed()] == ["a/deep/er", "b"]
    (single,), _ = read_all(Path("runs/b"))
    assert single.name == "b"


def test_runs_of_several_seeds_have_mean_and_deviation(settings, splits):
    found = [
        finish(changed(settings, seed, learning_rate=1e-3), splits, f"seed-{seed}-slow")
        for seed in (0, 1, 2)
    ]
    finish(settings, splits, "other")
    other, seeds = table.group_by_seed(listed())
    assert (other.name, other.seeds, other.test["sd"]) == ("other", [0], None)
    assert (seeds.name, seeds.seeds) == ("seed-*-slow", [0, 1, 2])
    accuracies = [summary["test"]["accuracy"] for summary in found]
    assert seeds.test == {
        "cost": pytest.approx(fmean(summary["test"]["cost"] for summary in found)),
        "accuracy": pytest.approx(fmean(accuracies)),
        "sd": pytest.approx(stdev(accuracies)),
    }
    assert "seed" not in seeds.settings
    assert table.changed(listed()) == ["seed", "training.learning_rate"]


def test_another_state_or_the_same_seed_again_is_not_grouped(settings, splits):
    finish(settings, splits, "a")
    finish(settings, splits, "same")
    finish(changed(settings, 1), splits, "b")
    start(changed(settings, 2), "c")
    assert [(row.name, row.seeds) for row in table.group_by_seed(listed())] == [
        ("*", [0, 1]),
        ("c", [2]),
        ("same", [0]),
    ]


def test_the_best_run_is_finished_and_has_the_best_validation_score(settings, splits):
    assert table.best([]) is None
    for name, accuracy, cost, test in (
        ("a", 0.9, 0.3, 0.99),
        ("b", 0.95, 0.3, 0.5),
        ("c", 0.95, 0.2, 0.5),
    ):
        summary = finish(settings, splits, name)
        summary["validation"] = {"cost": cost, "accuracy": accuracy}
        summary["test"]["accuracy"] = test
        Path(f"runs/{name}/summary.json").write_text(json.dumps(summary))
    assert table.best(listed()).name == "c"
    Path("runs/c/summary.json").unlink()
    assert table.best(listed()).name == "b"


def test_regressions_are_ranked_by_r2_or_cost():
    def r2(value):
        return {"cost": 1 - value, "accuracy": None, "r2": value}

    def cost(value):
        return {"cost": value, "accuracy": None}

    assert sorted([r2(0.1), None, r2(0.9)], key=rank) == [r2(0.9), r2(0.1), None]
    assert sorted([cost(2.0), cost(1.0)], key=rank) == [cost(1.0), cost(2.0)]


SUMMARY = '{"data": "a", "epochs": 1, "seconds": 2, "validation": null, "test": {"cost": %s}}'


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "{}", "[" * 100_000, '{"epochs": 1}', '{"validation": 3, "test": 4}', "9" * 5000,
        SUMMARY % "1e999", SUMMARY % "NaN", SUMMARY % '"low"', SUMMARY % "null", SUMMARY % "[[1]]",
        SUMMARY.replace("1,", "1e999,") % "1", SUMMARY.replace("2,", '"long",') % "1",
        SUMMARY.replace('"a"', "3") % "1",
    ],
)  # fmt: skip
def test_a_damaged_summary_is_a_problem_and_not_an_entry(settings, splits, text):
    finish(settings, splits, "good")
    finish(settings, splits, "bad")
    Path("runs/bad/summary.json").write_text(text)
    entries, (problem,) = read_all(Path("runs"))
    assert [entry.name for entry in entries] == ["good"]
    assert "summary.json: `nnmnist train` did not write this" in problem
    assert problem.endswith("; remove it, or train again")
    assert "\n" not in problem
    with pytest.raises(DataError):
        read(Path("runs/bad"), Path("runs"))


@pytest.mark.skipif(os.name != "posix", reason="Windows has no named pipes")
@pytest.mark.parametrize(
    "file", ["config.yaml", "metrics.csv", "failure.txt", "summary.json", "last.npz", ".lock"]
)
@pytest.mark.parametrize("kind", ["pipe", "endless", "large"])
def test_a_file_that_blocks_or_never_ends_is_a_problem_of_its_run(settings, splits, file, kind):
    finish(settings, splits, "good")
    epochs = start(settings, "bad").train(splits)
    next(epochs)
    epochs.close()
    path = Path("runs/bad", file)
    path.unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "endless":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as large:
            large.truncate(10**12)
    entries, problems = read_all(Path("runs"))
    if file == ".lock":
        assert len(entries) == 2
    else:
        assert [entry.name for entry in entries] == ["good"]
        assert len(problems) == 1
        assert file in problems[0]


def test_runs_on_different_data_are_neither_grouped_nor_ranked_together(settings, splits):
    for seed in (0, 1):
        finish(changed(settings, seed=seed), splits, f"a-{seed}")
    other = dataclasses.replace(
        splits, name="synthetic", identity={"name": "synthetic", "sha256": "b", "seed": 1}
    )
    finish(changed(settings, seed=2), other, "b-2")
    entries = listed()
    rows = table.sort_rows(table.group_by_seed(entries), "validation", [])
    assert sorted([run.name for run in row.runs] for row in rows) == [["a-0", "a-1"], ["b-2"]]
    assert [row.data.name for row in rows] == sorted([splits.name, "synthetic"])
    assert {row.record([])["data"] for row in rows} == {splits.name, "synthetic"}
    assert len(table.select(entries, ["data=synthetic"])) == 1
    with pytest.raises(ConfigError, match=r"best: .* different data; .*data=synthetic"):
        table.best(entries)
    assert table.best(table.select(entries, ["data=synthetic"])).name == "b-2"


def test_data_of_one_name_with_other_contents_is_other_data(settings, splits):
    for n in (1, 2):
        identity = {**splits.identity, "sha256": {"train": str(n)}}
        finish(
            changed(settings, seed=n), dataclasses.replace(splits, identity=identity), f"run-{n}"
        )
    entries = listed()
    titles = list(table.data_titles(entries).values())
    assert len(set(titles)) == 2
    assert all(re.fullmatch(rf"{splits.name}#[0-9a-f]{{6}}", title) for title in titles)
    assert len(table.group_by_seed(entries)) == 2
    assert len(table.select(entries, [f"data={titles[0]}"])) == 1
    assert len(table.select(entries, [f"data={splits.name}"])) == 2


def test_generated_data_of_several_seeds_is_one_data_set(settings):
    for seed in (0, 1):
        each = replace(settings, seed=seed, data=DataConfig(name="rings", validation=0))
        finish(each, load_data(each.data, seed), f"seed-{seed}")
    (row,) = table.group_by_seed(listed())
    assert row.seeds == [0, 1]


def test_the_data_of_an_unfinished_or_older_run_is_that_of_its_checkpoint(settings, splits):
    finish(settings, splits, "older")
    known = listed()[0].data
    file = Path("runs/older/summary.json")
    facts = json.loads(file.read_text())
    file.write_text(json.dumps({key: facts[key] for key in facts if key != "data_id"}))
    assert listed()[0].data == known
    file.unlink()
    assert listed()[0].data == known
    Path("runs/older/last.npz").unlink()
    assert listed()[0].data is None


def test_a_damaged_config_is_a_problem_that_names_the_line(settings, splits):
    finish(settings, splits, "bad")
    file = Path("runs/bad/config.yaml")
    file.write_text(file.read_text().replace("dropout", "droput"))
    entries, (problem,) = read_all(Path("runs"))
    assert entries == []
    assert "config.yaml:" in problem
    assert "did you mean dropout?" in problem


def test_a_config_of_an_older_version_gets_defaults_for_new_keys(settings, splits):
    finish(settings, splits, "old")
    shutil.copytree("runs/old", "runs/new")
    file = Path("runs/old/config.yaml")
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if "dropout" not in line))
    assert table.changed(listed()) == []


def test_only_complete_rows_of_metrics_are_read(settings, splits):
    run = start(settings, "one")
    next(run.train(splits))
    with open("runs/one/metrics.csv", "a") as file:
        file.write(f"{'9' * 200_000},1,1,1,1,1,1\n2,1e999,1,1,1,1,1\n")
        file.write("2,0.1,0.9,1.2.3,0.9,0.1,1.0\n2,0.0")
    (entry,) = listed()
    assert entry.epochs == 1


def test_reading_writes_nothing(settings, splits):
    start(settings, "one").lock.release()
    before = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*")}
    listed()
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*")} == before
    assert FAILURE not in {path.name for path in before}


def test_mean_and_deviation_need_every_value():
    assert table.mean_and_deviation([1.0, 3.0]) == (2.0, pytest.approx(2**0.5))
    assert table.mean_and_deviation([1.0]) == (1.0, None)
    assert table.mean_and_deviation([1.0, None]) is None
    assert table.mean_and_deviation([]) is None


def test_a_key_is_found_by_its_last_part():
    keys = ["seed", "model.hidden", "model.dropout", "training.hidden"]
    assert table.resolve_key("dropout", keys, [], "--sort") == "model.dropout"
    assert table.resolve_key("state", keys, ["state"], "--sort") == "state"
    for name, hint in (
        ("hidden", "did you mean model.hidden or training.hidden?"),
        ("dropuot", "did you mean dropout?"),
        ("xyzzy", "the keys are seed, model.hidden"),
    ):
        with pytest.raises(ConfigError, match=f"--sort: unknown key; {re.escape(hint)}"):
            table.resolve_key(name, keys, [], "--sort")


def test_runs_are_selected_and_sorted(settings, splits):
    for name, rate in (("a", 0.2), ("b", 0.1)):
        finish(changed(settings, learning_rate=rate), splits, name)
    entries = listed()
    (chosen,) = table.select(entries, ["state=done", "learning_rate=0.1"])
    assert chosen.name == "b"
    rows = table.sort_rows(table.group_by_seed(entries), "learning_rate", list(chosen.settings))
    assert [row.name for row in rows] == ["b", "a"]
