import csv
import dataclasses
import json
import shutil
from itertools import pairwise

import numpy as np
import pytest
from msgspec.structs import replace

from nnmnist import checkpoint
from nnmnist.config.loading import load_config, parse_config
from nnmnist.errors import CheckpointError, ConfigError, RunLocked, TrainingError
from nnmnist.evaluation.evaluate import evaluate
from nnmnist.runs import run as run_module
from nnmnist.runs.directory import FAILURE, FILES
from nnmnist.runs.run import create_run, finished_summary, reopen_run
from nnmnist.training import parallel, threads
from nnmnist.training.setup import load_data


@pytest.fixture
def settings(tiny_config):
    return load_config(tiny_config)


@pytest.fixture
def splits(settings):
    return load_data(settings.data, settings.seed)


def change_training(settings, **training):
    return replace(settings, training=replace(settings.training, **training))


def rows(run):
    with open(run.path("metrics.csv"), newline="") as file:
        return list(csv.DictReader(file))


def train_to_end(settings, splits, name="tiny"):
    run = create_run(settings, name)
    list(run.train(splits))
    return run, run.finish(splits)


def test_the_files_of_a_finished_run(settings, splits):
    run, summary = train_to_end(settings, splits)
    assert sorted(file.name for file in run.directory.iterdir()) == sorted(FILES)
    assert run.directory.parent.name == "runs"
    assert run.directory.name.startswith("tiny-")
    assert json.loads(run.path("summary.json").read_text()) == summary
    assert load_config(run.path("config.yaml")) == settings
    assert "# numpy: " + np.__version__ in run.path("config.yaml").read_text()
    assert [row["epoch"] for row in rows(run)] == ["1", "2", "3", "4"]
    assert summary["epochs"] == 4
    assert summary["data"] == splits.name


def test_the_summary_describes_the_saved_network(settings, splits):
    _, summary = train_to_end(settings, splits)
    best = checkpoint.load(summary["checkpoint"])
    test = evaluate(best.network, splits.test)
    assert summary["test"] == {"cost": test.cost, "accuracy": test.accuracy}
    validation = evaluate(best.network, splits.validation)
    assert summary["validation"]["accuracy"] == validation.accuracy
    assert best.classes == ("0", "1", "2")
    assert best.document["image_shape"] == [6, 5]


def test_the_end_of_a_run_evaluates_the_test_set_alone(settings, splits, monkeypatch):
    evaluated = []

    def counting(network, examples):
        evaluated.append(examples)
        return evaluate(network, examples)

    monkeypatch.setattr(run_module, "evaluate_on_cores", counting)
    run, summary = train_to_end(settings, splits)
    assert evaluated == [splits.test]
    resumed = reopen_run(run.directory, settings)  # it has no result on the validation examples
    list(resumed.train(splits))
    assert resumed.finish(splits) == summary
    assert evaluated[1:] == [splits.test, splits.validation]


def test_the_best_epoch_is_the_first_with_the_best_accuracy(settings, splits):
    run, summary = train_to_end(change_training(settings, epochs=8), splits)
    by_epoch = [
        (-float(row["validation_accuracy"]), float(row["validation_cost"])) for row in rows(run)
    ]
    best = checkpoint.load(summary["checkpoint"]).document["epoch"]
    assert best == 1 + by_epoch.index(min(by_epoch))


def test_without_validation_the_last_epoch_is_the_best(settings, splits):
    settings = replace(settings, data=replace(settings.data, validation=0))
    splits = load_data(settings.data)
    assert (len(splits.train), len(splits.validation)) == (300, 0)
    run, summary = train_to_end(settings, splits)
    assert summary["validation"] is None
    assert checkpoint.load(run.path("best.npz")).document["epoch"] == 4


def test_same_config_same_weights(settings, splits):
    thetas = {
        checkpoint.load(train_to_end(settings, splits)[0].path("last.npz")).network.theta.tobytes()
        for _ in range(2)
    }
    assert len(thetas) == 1


def test_two_runs_in_the_same_second_have_two_directories(settings):
    names = {create_run(settings, "tiny").directory for _ in range(5)}
    assert len(names) == 5


def test_patience_stops_early(settings, splits):
    config = change_training(
        settings, epochs=50, patience=2, learning_rate=1e-30
    )  # nothing gets better
    run, summary = train_to_end(config, splits)
    assert checkpoint.load(summary["checkpoint"]).document["epoch"] == 1
    assert summary["epochs"] == 3
    again = reopen_run(run.directory, config)
    assert list(again.train(splits)) == []
    assert again.finish(splits) == summary


def test_tolerance_stops_when_the_cost_no_longer_changes(settings, splits):
    config = change_training(
        settings, epochs=100, batch_size="full", schedule="constant", tolerance=1e-3
    )
    run, summary = train_to_end(config, splits)
    costs = [float(row["train_cost"]) for row in rows(run)]
    changes = [abs(after - before) for before, after in pairwise(costs)]
    assert summary["epochs"] < 100
    assert all(change > 1e-3 for change in changes[:-1])
    assert changes[-1] <= 1e-3
    again = reopen_run(run.directory, config)
    assert list(again.train(splits)) == []
    assert again.finish(splits) == summary
    closer = reopen_run(run.directory, change_training(config, tolerance=1e-4))
    assert next(closer.train(splits)).number == summary["epochs"] + 1


def test_a_run_stopped_just_before_convergence_trains_one_more_epoch(settings, splits):
    config = change_training(
        settings, epochs=100, batch_size="full", schedule="constant", tolerance=1e-3
    )
    _, summary = train_to_end(config, splits)
    run = create_run(config, "stopped")
    for epoch in run.train(splits):
        if epoch.number == summary["epochs"] - 1:
            break
    assert [epoch.number for epoch in reopen_run(run.directory, config).train(splits)] == [
        summary["epochs"]
    ]


def test_in_regression_the_best_epoch_has_the_smallest_cost():
    settings = parse_config(
        "data: {name: curve, validation: 50}\nmodel: {hidden: [5], output: linear}\n"
        "training: {epochs: 6, learning_rate: 0.05}",
        "curve",
    )
    splits = load_data(settings.data)
    run, summary = train_to_end(settings, splits)
    costs = [float(row["validation_cost"]) for row in rows(run)]
    best = checkpoint.load(summary["checkpoint"])
    assert best.document["epoch"] == 1 + costs.index(min(costs))
    assert best.classes == ()
    assert summary["test"] == {
        "cost": evaluate(best.network, splits.test).cost,
        "accuracy": None,
        "r2": evaluate(best.network, splits.test).r2,
    }


def test_a_least_squares_run_is_finished_after_one_epoch():
    settings = parse_config(
        "data: {name: line, validation: 20}\nmodel: {hidden: [], output: linear}\n"
        "training: {optimizer: least_squares}",
        "line",
    )
    splits = load_data(settings.data)
    run, summary = train_to_end(settings, splits)
    assert summary["epochs"] == 1
    assert summary["validation"]["r2"] > 0.85
    assert list(reopen_run(run.directory, settings).train(splits)) == []


def stop_after(settings, splits, epochs):
    """Return the directory of a run that stopped after this many epochs."""
    run = create_run(settings, "stopped")
    for epoch in run.train(splits) if epochs else ():
        if epoch.number == epochs:
            break
    return run.directory


@pytest.mark.parametrize("stop", [0, 1, 2, 3, 4])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_resuming_ends_in_the_same_bits(settings, splits, stop, optimizer):
    settings = change_training(settings, optimizer=optimizer, learning_rate=0.01)
    whole, _ = train_to_end(settings, splits)
    directory = stop_after(settings, splits, stop)
    again = reopen_run(directory, settings)
    assert [epoch.number for epoch in again.train(splits)] == list(range(stop + 1, 5))
    for name in ("best.npz", "last.npz"):
        theta = checkpoint.load(again.path(name)).network.theta
        assert theta.tobytes() == checkpoint.load(whole.path(name)).network.theta.tobytes()
    assert [row["train_cost"] for row in rows(again)] == [row["train_cost"] for row in rows(whole)]


@pytest.mark.skipif(not parallel.AVAILABLE, reason="several processes need Linux on x86-64")
def test_a_run_resumed_on_fewer_cores_ends_in_the_same_bits(settings, splits, monkeypatch):
    for name in ("STEP", "EPOCH", "UNITS"):
        monkeypatch.setattr(parallel, name, 1)
    monkeypatch.setattr(run_module, "training_cores", lambda: 2)
    whole, _ = train_to_end(settings, splits)
    directory = stop_after(settings, splits, 2)
    monkeypatch.setattr(run_module, "training_cores", lambda: 1)
    one, _ = train_to_end(settings, splits)
    again = reopen_run(directory, settings)
    again.restore_threads()
    assert again.changed_versions() == {}
    assert [epoch.number for epoch in again.train(splits)] == [3, 4]
    assert weights(again) == weights(whole) != weights(one)
    processes = [
        checkpoint.load(run.path("last.npz")).document["versions"]["processes"]
        for run in (whole, one, again)
    ]
    assert processes == [2, 1, 2]


def test_a_small_run_records_its_one_thread_and_a_resumed_one_uses_it(
    settings, splits, monkeypatch
):
    before = threads.blas_threads()
    monkeypatch.setattr(threads, "_state", threads._State())
    threads._set(2)  # by default; nobody asked for it
    run = create_run(settings, "tiny")
    next(epochs := run.train(splits))
    epochs.close()
    assert run.versions["blas_threads"] == 1
    again = reopen_run(run.directory, settings)
    again.restore_threads()
    assert again.changed_versions() == {}
    list(again.train(splits))
    assert again.versions["blas_threads"] == threads.blas_threads() == 1
    threads.limit_blas_threads(before)


def test_rows_written_too_early_or_cut_off_are_removed(settings, splits):
    run = create_run(settings, "tiny")
    for epoch in run.train(splits):
        if epoch.number == 2:
            break
    with open(run.path("metrics.csv"), "a") as file:
        file.write("3,0.1,0.9,0.1,0.9,0.1,1.0\n4,0.0")
    again = reopen_run(run.directory, settings)
    list(again.train(splits))
    assert [row["epoch"] for row in rows(again)] == ["1", "2", "3", "4"]
    assert rows(again)[2]["train_cost"] != "0.1"


@pytest.mark.parametrize("stop", [0, 1, 3, 4])
def test_a_resumed_run_has_the_curve_of_an_undisturbed_one(settings, splits, stop):
    settings = change_training(settings, curve_every=4)  # of 15 steps per epoch
    whole, _ = train_to_end(settings, splits)
    expected = whole.path("curve.csv").read_text()
    iterations = [line.split(",")[0] for line in expected.splitlines()[1:]]
    assert iterations == [str(step) for step in range(4, 61, 4)]
    directory = stop_after(settings, splits, stop)
    with open(directory / "curve.csv", "a") as file:  # of the next epoch, and cut off
        file.write(f"{15 * stop + 1},{stop + 1 / 15},9.0,0.0,9.0,0.0,9.0,0.0\n{15 * stop + 2},9")
    again = reopen_run(directory, settings)
    list(again.train(splits))
    assert again.path("curve.csv").read_text() == expected


def test_a_run_that_replaces_another_has_no_curve_of_it(settings, splits, tmp_path):
    run = create_run(change_training(settings, curve_every=4), "tiny", tmp_path / "run")
    list(run.train(splits))
    run.finish(splits)
    again = create_run(settings, "tiny", tmp_path / "run", force=True)
    list(again.train(splits))
    again.finish(splits)
    assert not again.path("curve.csv").exists()


def test_more_epochs_than_planned(settings, splits):
    run, _ = train_to_end(settings, splits)
    longer = change_training(settings, epochs=6)
    again = reopen_run(run.directory, longer)
    assert [epoch.number for epoch in again.train(splits)] == [5, 6]
    assert load_config(run.path("config.yaml")) == longer


def test_another_config_is_refused_with_the_difference(settings, splits):
    run, _ = train_to_end(settings, splits)
    with pytest.raises(ConfigError, match=r"training.learning_rate: 0.05 before, 0.5 now"):
        reopen_run(run.directory, change_training(settings, learning_rate=0.5))


def test_resuming_with_other_data_is_refused(settings, splits, tmp_path):
    run, _ = train_to_end(settings, splits)
    other = type(splits)(**{**vars(splits), "identity": {**splits.identity, "sha256": {}}})
    with pytest.raises(
        CheckpointError, match=r"was trained on .* but the data is now .* with other examples"
    ):
        list(reopen_run(run.directory, settings).train(other))


def test_data_may_have_moved(settings, splits, tmp_path):
    run, _ = train_to_end(settings, splits)
    moved = type(splits)(**{**vars(splits), "identity": {**splits.identity, "folder": "elsewhere"}})
    assert list(reopen_run(run.directory, settings).train(moved)) == []


def test_a_finished_run_without_its_best_network_can_not_be_resumed(settings, splits):
    run, _ = train_to_end(settings, splits)
    assert finished_summary(run.directory, settings, splits)
    run.path("best.npz").unlink()
    assert finished_summary(run.directory, settings, splits) is None
    with pytest.raises(CheckpointError, match=r"best\.npz: is missing, so .*; restore the file"):
        reopen_run(run.directory, settings)


@pytest.mark.parametrize("change", ["learning_rate", "seed", "older version"])
def test_the_best_network_of_another_run_is_refused(settings, splits, change):
    """Before any training, and also if last.npz is of a version that stored no digest."""
    other = replace(settings, seed=1)
    if change == "learning_rate":
        other = change_training(settings, learning_rate=0.06)
    directory = stop_after(settings, splits, 2)
    foreign, _ = train_to_end(other, splits)
    if change == "older version":
        forge_last(directory, lambda document: document["best"].pop("sha256"))
    shutil.copy(foreign.path("best.npz"), directory / "best.npz")
    before = (directory / "last.npz").read_bytes()
    with pytest.raises(CheckpointError, match=r"best\.npz: is not the network of epoch \d of this"):
        reopen_run(directory, settings)
    assert (directory / "last.npz").read_bytes() == before


def test_a_run_of_an_older_version_that_stored_no_digest_resumes(settings, splits):
    whole, _ = train_to_end(settings, splits)
    directory = stop_after(settings, splits, 2)
    forge_last(directory, lambda document: [document["best"].pop("sha256"), document.pop("costs")])
    again = reopen_run(directory, settings)
    assert [epoch.number for epoch in again.train(splits)] == [3, 4]
    assert weights(again) == weights(whole)


def test_a_run_killed_between_best_and_last_resumes(settings, splits, monkeypatch):
    """Then best.npz is of the epoch that is repeated."""
    whole, _ = train_to_end(settings, splits)
    directory = stop_after(settings, splits, 1)
    run = reopen_run(directory, settings)
    save = checkpoint.save

    def die_before_last(path, *arguments):
        if path.name == "last.npz":
            raise KeyboardInterrupt
        return save(path, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save", die_before_last)
        with pytest.raises(KeyboardInterrupt):
            list(run.train(splits))
    assert checkpoint.load(directory / "best.npz").document["epoch"] == 2
    again = reopen_run(directory, settings)
    assert [epoch.number for epoch in again.train(splits)] == [2, 3, 4]
    assert weights(again) == weights(whole)


def test_a_best_network_that_is_replaced_during_training_is_refused(settings, splits):
    foreign, _ = train_to_end(replace(settings, seed=1), splits)
    run = create_run(settings, "tiny")
    list(run.train(splits))
    shutil.copy(foreign.path("best.npz"), run.path("best.npz"))
    with pytest.raises(CheckpointError, match=r"best\.npz: was replaced during the training"):
        run.finish(splits)


def forge_last(directory, change):
    """Change the document of last.npz."""
    last = checkpoint.load(directory / "last.npz")
    change(last.document)
    arrays = {
        **last.network.parameters(),
        **{f"optimizer.{name}": array for name, array in last.optimizer.items()},
        "document": np.array(json.dumps(last.document)),
    }
    arrays = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    arrays["sha256"] = np.array(checkpoint._digest(arrays))
    (directory / "last.npz").write_bytes(checkpoint._pack(arrays))


def weights(run):
    """The bytes of the parameters of both checkpoints of a run."""
    names = ("best.npz", "last.npz")
    return [checkpoint.load(run.path(name)).network.theta.tobytes() for name in names]


def test_resuming_a_missing_run(settings, tmp_path):
    with pytest.raises(ConfigError, match="is not a run"):
        reopen_run(tmp_path, settings)


def test_output_is_overwritten_only_with_force(settings, splits, tmp_path):
    output = tmp_path / "mine"
    list(create_run(settings, "x", output).train(splits))
    (output / "notes.txt").write_text("mine")
    before = output.joinpath("last.npz").read_bytes()
    with pytest.raises(ConfigError, match="already exists; use --resume to continue"):
        create_run(settings, "x", output)
    assert output.joinpath("last.npz").read_bytes() == before
    create_run(settings, "x", output, force=True)
    assert sorted(file.name for file in output.iterdir()) == [".lock", "config.yaml", "notes.txt"]


def test_a_run_is_locked_until_it_is_finished(settings, splits, tmp_path):
    run = create_run(settings, "tiny")
    with pytest.raises(RunLocked, match="another process is training this run"):
        reopen_run(run.directory, settings)
    list(run.train(splits))
    before = sorted(run.directory.iterdir())
    with pytest.raises(RunLocked):
        create_run(settings, "tiny", run.directory, force=True)
    assert sorted(run.directory.iterdir()) == before
    run.finish(splits)
    assert list(reopen_run(run.directory, settings).train(splits)) == []


def test_a_refused_resume_releases_the_lock(settings, splits):
    run, _ = train_to_end(settings, splits)
    with pytest.raises(ConfigError) as error:
        reopen_run(run.directory, change_training(settings, learning_rate=0.5))
    assert error.value.__traceback__ is not None  # it keeps the run object alive
    assert list(reopen_run(run.directory, settings).train(splits)) == []
    assert not run.path(FAILURE).exists()


def test_a_failure_writes_its_reason_until_the_run_resumes(settings, splits):
    wild = change_training(settings, learning_rate=1e30)
    run = create_run(wild, "tiny")
    with pytest.raises(TrainingError) as error:
        list(run.train(splits))
    assert run.path(FAILURE).read_text() == f"{error.value}\n"
    again = reopen_run(run.directory, wild)
    epochs = again.train(splits, on_progress=lambda *step: seen.append(run.path(FAILURE).exists()))
    seen = []
    with pytest.raises(TrainingError):
        list(epochs)
    assert seen[0] is False
    assert run.path(FAILURE).exists()
    create_run(settings, "tiny", run.directory, force=True)
    assert not run.path(FAILURE).exists()


def test_the_reason_of_a_foreign_error_names_its_type(settings, splits):
    def fail(*step):
        raise MemoryError("Unable to allocate 3 GiB")

    run = create_run(settings, "tiny")
    with pytest.raises(MemoryError):
        list(run.train(splits, on_progress=fail))
    assert run.path(FAILURE).read_text() == "MemoryError: Unable to allocate 3 GiB\n"


def test_a_run_counts_as_finished_only_with_the_same_config(settings, splits):
    run, summary = train_to_end(settings, splits)
    assert finished_summary(run.directory, settings, splits) == summary
    assert finished_summary(run.directory, change_training(settings, epochs=5), splits) is None
    assert finished_summary(run.directory / "nowhere", settings, splits) is None
    # The config in last.npz counts, not config.yaml.
    run.path("config.yaml").write_text("")
    assert finished_summary(run.directory, settings, splits) == summary
    moved = run.directory.rename("moved")
    assert finished_summary(moved, settings, splits)["checkpoint"] == str(moved / "best.npz")


def test_a_run_counts_as_finished_only_with_the_same_data(settings, splits):
    run, summary = train_to_end(settings, splits)
    other = dataclasses.replace(splits, identity={**splits.identity, "sha256": {}})
    assert finished_summary(run.directory, settings, other) is None
    moved = dataclasses.replace(splits, identity={**splits.identity, "folder": "elsewhere"})
    assert finished_summary(run.directory, settings, moved) == summary


@pytest.mark.parametrize("damage", ["lost", "cut", "forged"])
def test_metrics_do_not_decide_when_a_run_ends(settings, splits, damage):
    config = change_training(
        settings, epochs=100, batch_size="full", schedule="constant", tolerance=1e-3
    )
    _, summary = train_to_end(config, splits)
    assert summary["epochs"] > 3
    assert summary["stopped_by"] == "training.tolerance"
    # Also where the run is killed after its last epoch, before it is finished.
    for epochs in (summary["epochs"] - 1, summary["epochs"]):
        run = create_run(config, "stopped")
        for epoch in run.train(splits):
            if epoch.number == epochs:
                break
        file = run.path("metrics.csv")
        if damage == "lost":
            file.unlink()
        elif damage == "cut":
            file.write_bytes(file.read_bytes()[:200])
        else:
            file.write_text(file.read_text().replace(",0.", ",9."))
        again = reopen_run(run.directory, config)
        list(again.train(splits))
        assert again.finish(splits)["epochs"] == summary["epochs"]


def test_a_run_that_reached_its_last_epoch_was_not_stopped(settings, splits):
    _, summary = train_to_end(change_training(settings, tolerance=1e6, epochs=2), splits)
    assert (summary["epochs"], summary["stopped_by"]) == (2, None)
    _, summary = train_to_end(change_training(settings, tolerance=1e6, epochs=3), splits)
    assert (summary["epochs"], summary["stopped_by"]) == (2, "training.tolerance")
    assert summary["planned_epochs"] == 3


@pytest.mark.parametrize("name", ["summary.json", "last.npz"])
@pytest.mark.parametrize("content", [None, b"", b"[]", b"{"])
def test_a_damaged_run_is_not_finished(settings, splits, name, content):
    run, _ = train_to_end(settings, splits)
    run.path(name).unlink()
    if content is not None:
        run.path(name).write_bytes(content)
    assert finished_summary(run.directory, settings, splits) is None


def test_an_interrupt_leaves_the_best_checkpoint(settings, splits):
    run = create_run(settings, "tiny")
    epochs = run.train(splits)
    next(epochs)
    before = run.path("best.npz").read_bytes()
    epochs.close()
    again = reopen_run(run.directory, settings)
    with pytest.raises(KeyboardInterrupt):
        for _ in again.train(splits, on_progress=_interrupt):
            pass
    assert run.path("best.npz").read_bytes() == before


def _interrupt(*step):
    raise KeyboardInterrupt
