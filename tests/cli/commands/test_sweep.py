import json
import shutil
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from nnmnist import checkpoint
from nnmnist.cli.app import cli
from nnmnist.runs.directory import FILES
from nnmnist.runs.run import stored_config
from nnmnist.sweep import worker

GRID = "space: {training.learning_rate: [0.01, 0.02, 0.05, 0.1], model.hidden: [[4], [8], [8, 4]]}"


def nnmnist(*arguments):
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def records(*arguments):
    """The JSON of the trials, by number, and the exit code."""
    result = nnmnist("sweep", *arguments, "--json", "-q")
    lines = map(json.loads, result.stdout.splitlines())
    return {line["trial"]: line for line in lines}, result


def test_a_grid_of_12_points_by_4_processes_is_exactly_12_trials(sweep_file):
    trials, result = records(sweep_file(GRID), "--jobs", "4")
    assert result.exit_code == 0
    assert sorted(trials) == list(range(12))
    assert {trial["state"] for trial in trials.values()} == {"done"}
    points = {json.dumps(trial["values"]) for trial in trials.values()}
    assert len(points) == 12
    for number, trial in trials.items():
        run = Path(trial["run"])
        assert run == Path(f"runs/tune/trial-{number:04}")
        assert sorted(file.name for file in run.iterdir()) == sorted(FILES)
        assert list(stored_config(run).model.hidden) == trial["values"]["model.hidden"]
        summary = json.loads((run / "summary.json").read_text())
        assert summary["validation"]["accuracy"] == trial["validation"]
        assert trial["epochs"] == 4


def test_each_trial_is_the_run_that_train_makes(sweep_file, tiny_config):
    trials, _ = records(sweep_file("space: {seed: [3]}"))
    assert (
        nnmnist("train", "-c", tiny_config, "--seed", 3, "--threads", 1, "-o", "alone").exit_code
        == 0
    )
    networks = [
        checkpoint.load(Path(run, "last.npz")).network for run in (trials[0]["run"], "alone")
    ]
    assert networks[0].theta.tobytes() == networks[1].theta.tobytes()


def test_the_best_comes_first_and_progress_goes_to_stderr(sweep_file):
    result = nnmnist("sweep", sweep_file(GRID), "--jobs", 2)
    header, *rows = result.stdout.splitlines()
    assert header.split() == [
        "trial",
        "state",
        "validation",
        "epochs",
        "seconds",
        "learning_rate",
        "hidden",
        "run",
    ]
    scores = [float(row.split()[2].rstrip("%")) for row in rows]
    assert len(scores) == 12
    assert scores == sorted(scores, reverse=True)
    assert len({len(row) for row in (header[:60], *(row[:60] for row in rows))}) == 1
    assert len(result.stderr.splitlines()) == 12
    assert "learning_rate 0.05, hidden [8, 4]" in result.stderr


def test_the_same_command_again_trains_nothing(sweep_file):
    file = sweep_file("space: {training.learning_rate: [0.01, 0.05]}")
    first = nnmnist("sweep", file)
    written = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*.npz")}
    again = nnmnist("sweep", file)
    assert (again.exit_code, again.stdout, again.stderr) == (0, first.stdout, "")
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*.npz")} == written


def test_finished_runs_are_reused_if_the_journal_is_lost(sweep_file):
    file = sweep_file("space: {training.learning_rate: [0.01, 0.05]}")
    first, _ = records(file)
    written = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*.npz")}
    Path("runs/tune/journal.log").unlink()
    again, _ = records(file)
    for n in (0, 1):
        assert [again[n][key] for key in ("validation", "epochs")] == [first[n]["validation"], 4]
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*.npz")} == written


def test_a_run_of_another_config_is_set_aside(sweep_file):
    records(sweep_file("space: {training.learning_rate: [0.01, 0.05]}"))
    old = [Path(f"runs/tune/trial-000{n}/summary.json").read_bytes() for n in (0, 1)]
    Path("runs/tune/journal.log").unlink()
    _, result = records(sweep_file("space: {training.learning_rate: [0.02, 0.05]}"))
    assert result.exit_code == 0, result.stderr
    assert Path("runs/tune/trial-0000-before-1/summary.json").read_bytes() == old[0]
    assert Path("runs/tune/trial-0001/summary.json").read_bytes() == old[1]
    assert stored_config(Path("runs/tune/trial-0000")).training.learning_rate == 0.02
    assert not Path("runs/tune/trial-0001-before-1").exists()


def test_a_failed_trial_is_recorded_and_the_others_continue(sweep_file):
    file = sweep_file(
        "space: {training.learning_rate: [1e30, 0.05], training.optimizer: [sgd, adam]}\n"
        "set: {training.momentum: 0.5}"
    )
    trials, result = records(file, "--jobs", 2)
    assert result.exit_code == 1
    assert result.stderr == "Error: 3 of 4 trials failed\n"
    assert [trials[n]["state"] for n in range(4)] == ["failed", "failed", "done", "failed"]
    assert "no longer finite" in trials[0]["reason"]
    assert "training.momentum: is not used by training.optimizer: adam" in trials[1]["reason"]
    again = nnmnist("sweep", file)
    assert again.exit_code == 1
    assert trials[0]["reason"] in again.stdout


def test_a_trial_with_seeds_is_scored_by_their_mean(sweep_file):
    trials, _ = records(
        sweep_file("space: {training.learning_rate: [0.001]}\nseeds: 3\nset: {seed: 5}")
    )
    names = [f"runs/tune/trial-0000-seed-{seed}" for seed in (5, 6, 7)]
    summaries = [json.loads(Path(name, "summary.json").read_text()) for name in names]
    assert [stored_config(Path(name)).seed for name in names] == [5, 6, 7]
    scores = [summary["validation"]["accuracy"] for summary in summaries]
    assert len(set(scores)) > 1
    assert trials[0]["validation"] == pytest.approx(sum(scores) / 3)
    assert trials[0]["epochs"] == 12
    assert trials[0]["run"] == "runs/tune/trial-0000-seed-*"


@pytest.mark.parametrize("pruner", ["median", "asha", "hyperband"])
def test_a_pruner_stops_worse_trials(sweep_file, pruner):
    rates = [*(0.05 + n / 1000 for n in range(6)), *(n * 1e-7 for n in range(1, 7))]
    trials, result = records(
        sweep_file(
            f"space: {{training.learning_rate: {rates}}}\n"
            f"set: {{training.epochs: 9}}\npruner: {pruner}"
        )
    )
    assert result.exit_code == 0
    pruned = [trial for trial in trials.values() if trial["state"] == "pruned"]
    assert pruned
    for trial in pruned:
        assert trial["epochs"] < 9
        assert (
            len(Path(trial["run"], "metrics.csv").read_text().splitlines()) == 1 + trial["epochs"]
        )
        assert not Path(trial["run"], "summary.json").exists()
    best = max(trials.values(), key=lambda trial: trial["validation"])
    assert best["state"] == "done"


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_samplers_make_the_requested_number_of_trials(sweep_file, sampler):
    text = (
        "space:\n"
        "  training.learning_rate: {log_uniform: [1e-3, 0.1]}\n"
        "  training.batch_size: {integer: [8, 32]}\n"
        "  model.hidden: {layers: [1, 2], width: [4, 8]}\n"
        f"sampler: {sampler}\ntrials: "
    )
    trials, _ = records(sweep_file(f"{text}5"), "--jobs", 2)
    assert sorted(trials) == list(range(5))
    assert len({trial["values"]["training.learning_rate"] for trial in trials.values()}) == 5
    more, _ = records(sweep_file(f"{text}7"))
    assert sorted(more) == list(range(7))
    assert {n: more[n] for n in range(5)} == trials


def test_regressions_are_compared_by_r2(tmp_path):
    file = tmp_path / "line.yaml"
    file.write_text(
        "config: lecture/line\nset: {training.epochs: 2, data.validation: 20}\n"
        "space: {training.learning_rate: [0.01, 0.1]}"
    )
    trials, result = records(file)
    assert result.exit_code == 0
    summary = json.loads(Path(trials[0]["run"], "summary.json").read_text())
    assert trials[0]["validation"] == summary["validation"]["r2"]
    assert f"R^2 {summary['validation']['r2']:.4f}" in nnmnist("sweep", file).stdout


def test_missing_data_is_reported_before_any_trial_starts(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("set: {data.fallback: null}\nspace: {seed: [1]}")
    trials, result = records(file)
    assert result.exit_code == 1
    assert trials == {}
    assert "train-images-idx3-ubyte" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere.yaml"], 2, "nowhere.yaml: cannot be read"),
        (["tune.yaml", "--jobs", "0"], 2, "--jobs"),
        (["tune.yaml", "--storage", "sqlite:///a.db"], 2, "expected postgresql://"),
        (
            ["tune.yaml", "--storage", "postgresql://me:secret@127.0.0.1:1/a"],
            1,
            "Connection refused",
        ),
        (
            ["tune.yaml", "--storage", "postgresql://127.0.0.1:1/a?password=secret"],
            1,
            "Connection refused",
        ),
        (["tune.yaml", "--storage", "postgresql://me:a@secret@127.0.0.1:1/a"], 2, "write @ as %40"),
        (
            ["tune.yaml", "--storage", "postgresql://me@127.0.0.1:secret/a"],
            2,
            "expected postgresql://",
        ),
        (["tune.yaml", "--storage", "postgresql+nothing://127.0.0.1/a"], 2, "there is no driver"),
        (
            ["tune.yaml", "--storage", "postgresql+pg8000://127.0.0.1/a"],
            1,
            "pip install 'nnmnist[sweep]'",
        ),
    ],
)
def test_bad_usage_is_one_clear_line(sweep_file, arguments, code, message):
    sweep_file("space: {seed: [1]}")
    result = nnmnist("sweep", *arguments)
    assert result.exit_code == code
    assert message in result.stderr
    assert "secret" not in result.stderr
    assert "Traceback" not in result.stderr
    assert not Path("runs").exists()


def test_without_optuna_it_says_what_to_install(sweep_file, monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    result = nnmnist("sweep", sweep_file("space: {seed: [1]}"))
    assert result.exit_code == 1
    assert "pip install 'nnmnist[sweep]'" in result.stderr


def test_another_space_of_the_same_name_is_refused(sweep_file):
    assert nnmnist("sweep", sweep_file("space: {seed: [1]}")).exit_code == 0
    result = nnmnist("sweep", sweep_file("space: {seed: [2]}"))
    assert result.exit_code == 2
    assert "space seed: [1] before, [2] now" in result.stderr
    assert nnmnist("sweep", sweep_file("space: {seed: [2]}"), "-o", "other").exit_code == 0


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_sweep_ends_when_its_space_is_exhausted(sweep_file, sampler):
    file = sweep_file(
        "space: {training.learning_rate: [0.01, 0.05], model.hidden: [[4], [8]]}\n"
        f"sampler: {sampler}\ntrials: 10"
    )
    for _ in range(2):
        result = nnmnist("sweep", file, "--json", "--jobs", 3)
        trials = [json.loads(line) for line in result.stdout.splitlines()]
        assert result.exit_code == 0
        assert result.stderr.splitlines()[-1] == "the space has 4 points; no trial is left"
        assert len({json.dumps(trial["values"]) for trial in trials}) == 4
        assert sorted(trial["trial"] for trial in trials) == list(range(4))
        assert {trial["state"] for trial in trials} == {"done"}


def test_two_sweeps_do_not_share_a_folder(sweep_file):
    assert nnmnist("sweep", sweep_file("space: {seed: [1]}"), "-o", "runs").exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*")}
    result = nnmnist("sweep", sweep_file("space: {seed: [2]}", "other.yaml"), "-o", "runs")
    assert result.exit_code == 2
    assert result.stderr == (
        "Error: runs: contains the runs of the sweep tune; "
        "give the sweep other another folder with --output\n"
    )
    assert {path: path.stat().st_mtime_ns for path in Path("runs").rglob("*")} == before


def test_a_sweep_is_not_continued_with_other_data(sweep_file, tiny, tmp_path, monkeypatch):
    data = tmp_path / "data"
    shutil.copytree(tiny, data)
    text = (
        f"space: {{training.momentum: {{uniform: [0, 0.5]}}}}\nset: {{data.path: {data}}}\n"
        "sampler: random\ntrials: "
    )
    assert nnmnist("sweep", sweep_file(f"{text}1")).exit_code == 0
    images = data / "train-images-idx3-ubyte"
    images.write_bytes(images.read_bytes()[:-1] + b"\1")
    monkeypatch.setattr(worker, "_kept", None)  # as in a new process
    result = nnmnist("sweep", sweep_file(f"{text}2"))
    assert result.exit_code == 1
    assert result.stderr == (
        "Error: tune: was started with the data data, but the data is now data, with other "
        "examples; use the same data, or start a new sweep\n"
    )
    assert not Path("runs/tune/trial-0001").exists()
