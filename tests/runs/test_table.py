import json
import shutil
from pathlib import Path
from statistics import fmean, stdev

import pytest

from nnmnist.config.loading import load_config
from nnmnist.training.setup import load_data
from nnmnist.runs.run import create_run, reopen_run
from nnmnist.runs.directory import FAILURE
from nnmnist.runs import table
from nnmnist.errors import DataError, TrainingError


@pytest.fixture
def settings(tiny_config):
    return load_config(tiny_config, ["training.epochs=2"])


@pytest.fixture
def splits(settings):
    return load_data(settings.data, settings.seed)


def changed(settings, seed=0, **training):
    training = settings.training.model_copy(update=training)
    return settings.model_copy(update={"seed": seed, "training": training})


def begin(settings, name):
    return create_run(settings, "x", Path("runs") / name)


def finish(settings, splits, name):
    run = begin(settings, name)
    list(run.train(splits))
    return run.finish(splits)


def listed():
    entries, problems = table.read_all(Path("runs"))
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


def test_states_are_told_by_what_is_there_and_who_holds_it(settings, splits):
    run = begin(settings, "one")
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
    assert listed()[0].state == "running"  # until its test set is looked at
    run.finish(splits)
    assert listed()[0].state == "done"


def test_a_run_that_is_finished_while_it_is_looked_at_is_done(settings, splits, monkeypatch):
    run = begin(settings, "one")
    list(run.train(splits))
    monkeypatch.setattr(table.lock, "is_locked", lambda directory: bool(run.finish(splits)) and False)
    assert listed()[0].state == "done"


def test_a_failed_run_tells_why_until_it_is_gone_on_with(settings, splits):
    run = begin(changed(settings, learning_rate=1e30), "one")
    with pytest.raises(TrainingError) as error:
        list(run.train(splits))
    (entry,) = listed()
    assert (entry.state, entry.reason) == ("failed", str(error.value))
    again = create_run(settings, "x", Path("runs/one"), force=True)
    assert listed()[0].state == "running"
    again.lock.release()
    assert listed()[0].state == "stopped"


def test_the_best_epoch_of_a_run_under_way_is_the_one_that_is_kept(settings, splits):
    run = begin(changed(settings, epochs=9), "one")
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
    (alone,), _ = table.read_all(Path("runs/b"))
    assert alone.name == "b"


def test_seeds_are_folded_into_mean_and_deviation(settings, splits):
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


def test_what_differs_in_state_or_is_the_same_seed_again_is_not_folded(settings, splits):
    finish(settings, splits, "a")
    finish(settings, splits, "same")
    finish(changed(settings, 1), splits, "b")
    begin(changed(settings, 2), "c")
    assert [(row.name, row.seeds) for row in table.group_by_seed(listed())] == [
        ("*", [0, 1]),
        ("c", [2]),
        ("same", [0]),
    ]


def test_the_best_is_a_finished_one_judged_by_validation(settings, splits):
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


def test_values_are_ranked_by_r2_or_cost():
    def r2(value):
        return {"cost": 1 - value, "accuracy": None, "r2": value}

    def cost(value):
        return {"cost": value, "accuracy": None}

    assert sorted([r2(0.1), None, r2(0.9)], key=table.rank) == [r2(0.9), r2(0.1), None]
    assert sorted([cost(2.0), cost(1.0)], key=table.rank) == [cost(1.0), cost(2.0)]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"epochs": 1}', '{"validation": 3, "test": 4}'])
def test_a_damaged_summary_is_left_out_and_told(settings, splits, text):
    finish(settings, splits, "good")
    finish(settings, splits, "bad")
    Path("runs/bad/summary.json").write_text(text)
    entries, (problem,) = table.read_all(Path("runs"))
    assert [entry.name for entry in entries] == ["good"]
    assert problem.endswith(
        "summary.json: is not what `nnmnist train` writes; remove it, or train again"
    )
    with pytest.raises(DataError):
        table.read(Path("runs/bad"), Path("runs"))


def test_a_config_that_is_none_is_left_out_and_told_with_its_line(settings, splits):
    finish(settings, splits, "bad")
    file = Path("runs/bad/config.yaml")
    file.write_text(file.read_text().replace("dropout", "droput"))
    entries, (problem,) = table.read_all(Path("runs"))
    assert entries == []
    assert "config.yaml:" in problem
    assert "did you mean dropout?" in problem


def test_a_config_of_an_older_version_lacks_what_has_its_default_now(settings, splits):
    finish(settings, splits, "old")
    shutil.copytree("runs/old", "runs/new")
    file = Path("runs/old/config.yaml")
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join(line for line in lines if "dropout" not in line))
    assert table.changed(listed()) == []


def test_metrics_cut_short_are_read_as_far_as_they_are_whole(settings, splits):
    run = begin(settings, "one")
    next(run.train(splits))
    with open("runs/one/metrics.csv", "a") as file:
        file.write("2,0.1,0.9,1.2.3,0.9,0.1,1.0\n2,0.0")
    (entry,) = listed()
    assert entry.epochs == 1


def test_nothing_is_written_by_looking(settings, splits):
    begin(settings, "one").lock.release()
    before = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*")}
    listed()
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*")} == before
    assert FAILURE not in {path.name for path in before}
