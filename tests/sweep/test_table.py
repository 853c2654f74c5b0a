import json
from datetime import timedelta
from pathlib import Path

import pytest
from optuna.trial import TrialState, create_trial

from nnmnist.sweep import plan
from nnmnist.sweep.table import ranked_records, trial_record


@pytest.fixture
def sweep(sweep_file):
    return plan.load(sweep_file("space: {training.learning_rate: [0.1, 0.2]}"))


def make_trial(number, state, value=None, epochs=()):
    trial = create_trial(state=state, value=value, intermediate_values=dict(epochs))
    trial.number = number
    return trial


def test_finished_trials_come_first_and_the_best_of_them(sweep):
    trials = [
        make_trial(0, TrialState.RUNNING),
        make_trial(1, TrialState.COMPLETE, 0.8),
        make_trial(2, TrialState.FAIL),
        make_trial(3, TrialState.PRUNED, 0.7),
        make_trial(4, TrialState.COMPLETE, 0.9),
        make_trial(5, TrialState.WAITING),
    ]
    records = ranked_records(sweep, trials)
    assert [record["trial"] for record in records] == [4, 1, 3, 2, 0, 5]


def test_a_running_trial_has_the_score_of_its_last_epoch(sweep):
    record = trial_record(sweep, make_trial(7, TrialState.RUNNING, epochs={1: 0.5, 2: 0.6}))
    assert (record["validation"], record["epochs"], record["state"]) == (0.6, 2, "running")
    record = trial_record(sweep, make_trial(7, TrialState.RUNNING))
    assert (record["validation"], record["epochs"], record["run"]) == (None, 0, None)
    json.dumps(record)
    assert not Path("runs").exists()


def test_a_clock_that_is_set_back_gives_no_negative_time(sweep):
    trial = make_trial(0, TrialState.COMPLETE, 0.9)
    trial.datetime_complete = trial.datetime_start + timedelta(seconds=5)
    assert trial_record(sweep, trial)["seconds"] == 5
    trial.datetime_complete = trial.datetime_start - timedelta(seconds=5)
    assert trial_record(sweep, trial)["seconds"] is None
