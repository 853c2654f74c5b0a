"""The trials of a sweep in a journal: each once, whoever claims and whoever dies."""

from pathlib import Path

import pytest
from optuna.trial import TrialState

from nnmnist.errors import ConfigError
from nnmnist.sweep import plan
from nnmnist.sweep.store import MOST_DEATHS, Journal, StoreError, assignments


@pytest.fixture
def journal(sweep_file):
    """Opens the journal of a sweep, each time as another worker."""

    def open(text="space: {seed: [0, 1, 2]}"):
        return Journal(plan.load(sweep_file(text)), Path("out"))

    return open


def dies(worker):
    """What the system does for a process that is killed."""
    worker.stop_heartbeat()


def states(store):
    return [trial.state for trial in store.trials()]


def test_trials_are_claimed_in_the_order_of_the_grid(journal):
    worker, other = journal(), journal()
    numbers = [worker.claim().number, other.claim().number, worker.claim().number]
    assert numbers == [0, 1, 2]
    assert worker.claim() is None
    assert worker.left() == 3


def test_finished_pruned_and_failed_trials_are_left_to_nobody(journal):
    worker = journal()
    for end in ({"value": 0.9}, {}, {"reason": "the cost is no longer finite"}):
        worker.finish(worker.claim().number, **end)
    assert states(worker) == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]
    assert worker.trials()[2].user_attrs["reason"] == "the cost is no longer finite"
    assert journal().claim() is None
    assert worker.left() == 0


def test_a_trial_that_is_given_back_is_the_next(journal):
    worker = journal()
    worker.claim()
    worker.release(worker.claim())
    assert journal().claim().number == 1
    assert len(worker.trials()) == 2


def test_the_trial_of_a_dead_worker_is_taken_up_with_its_values(journal):
    worker = journal("space: {seed: {integer: [0, 99]}}\nsampler: random\ntrials: 1")
    trial = worker.claim()
    [(_, settings)] = worker.sweep.runs(trial, Path())
    worker.report(trial, 1, 0.5)
    other = journal("space: {seed: {integer: [0, 99]}}\nsampler: random\ntrials: 1")
    assert other.claim() is None
    dies(worker)
    taken = other.claim()
    assert taken.number == 0
    assert other.sweep.runs(taken, Path()) == [(Path("trial-0000"), settings)]
    other.report(taken, 1, 0.5)  # again, as a run does that had not saved the epoch
    other.report(taken, 2, 0.6)
    other.finish(0, 0.6)
    [frozen] = other.trials()
    assert frozen.value == 0.6
    assert frozen.intermediate_values == {1: 0.5, 2: 0.6}


def test_new_trials_go_before_those_that_somebody_died_over(journal):
    worker, other = journal(), journal()
    worker.claim()
    dies(worker)
    assert [other.claim().number for _ in range(3)] == [1, 2, 0]


def test_a_trial_that_kills_whoever_takes_it_fails(journal):
    for _ in range(MOST_DEATHS):
        worker = journal("space: {seed: [0]}")
        assert worker.claim().number == 0
        dies(worker)
    last = journal("space: {seed: [0]}")
    assert last.claim() is None
    [trial] = last.trials()
    assert trial.state is TrialState.FAIL
    assert "3 workers died while training it" in trial.user_attrs["reason"]


def test_deaths_between_which_it_goes_forward_do_not_count(journal):
    for epoch in range(1, 2 * MOST_DEATHS):
        worker = journal("space: {seed: [0]}")
        trial = worker.claim()
        worker.report(trial, epoch, 0.5)
        dies(worker)
    assert journal("space: {seed: [0]}").claim().number == 0


def test_who_was_thought_dead_does_no_harm(journal):
    worker, other = journal("space: {seed: [0]}"), journal("space: {seed: [0]}")
    worker.claim()
    dies(worker)
    other.finish(other.claim().number, 0.9)
    worker.finish(0, reason="something else")
    [trial] = other.trials()
    assert trial.state is TrialState.COMPLETE
    assert "reason" not in trial.user_attrs


@pytest.mark.parametrize("sampler", ["random", "tpe", "cmaes"])
def test_a_sampler_draws_the_same_for_a_trial_whoever_asks(journal, sampler):
    space = "{training.momentum: {uniform: [0, 0.9]}, seed: {integer: [0, 9]}}"
    text = f"space: {space}\nsampler: {sampler}\ntrials: 4"
    drawn = []
    for folder in ("one", "two"):
        sweep = journal(text).sweep
        workers = [Journal(sweep, Path(folder)) for _ in range(4 if folder == "two" else 1)]
        values = []
        for n in range(4):
            worker = workers[n % len(workers)]
            trial = worker.claim()
            values.append(sweep.values(trial))
            worker.finish(trial.number, n / 10)
        drawn.append(values)
    assert drawn[0] == drawn[1]
    assert len({str(values) for values in drawn[0]}) == 4


def test_another_space_under_the_same_name_is_refused_with_the_difference(journal):
    journal("space: {training.momentum: [0, 0.5]}")
    with pytest.raises(
        ConfigError, match=r"tune: another sweep .* \[0, 0.5\] before, \[0, 0.6\] now"
    ):
        journal("space: {training.momentum: [0, 0.6]}")
    with pytest.raises(ConfigError, match=r"config training.epochs: 4 before, 5 now"):
        journal("space: {training.momentum: [0, 0.5]}\nset: {training.epochs: 5}")


def test_more_trials_of_a_sampler_may_be_asked_for_later(journal):
    text = "space: {seed: {integer: [0, 99]}}\nsampler: random\n"
    journal(text + "trials: 1").claim()
    assert journal(text + "trials: 2").claim().number == 1


@pytest.mark.parametrize("left", [b'{"op_code":4,"worker', b"\0" * 50])
def test_half_a_line_at_the_end_of_the_journal_is_cut_off(journal, left):
    worker = journal()
    worker.finish(worker.claim().number, 0.5)
    with Path("out/journal.log").open("ab") as file:
        file.write(left)
    assert journal().claim().number == 1
    assert states(worker) == [TrialState.COMPLETE, TrialState.RUNNING]


def test_a_damaged_journal_is_named(journal):
    journal()
    with Path("out/journal.log").open("ab") as file:
        file.write(b"[]]\n")
    with pytest.raises(StoreError, match=r"out/journal.log: damaged"):
        journal()


ONE = "space: {seed: [0]}"


def test_a_halted_worker_that_comes_back_may_finish_a_trial_that_waits(journal):
    halted, other = journal(ONE), journal(ONE)
    halted.claim()
    dies(halted)
    other.release(other.claim())
    assert states(other) == [TrialState.WAITING]
    halted.finish(0, 0.9)
    assert states(other) == [TrialState.COMPLETE]
    assert other.trials()[0].value == 0.9


@pytest.mark.parametrize("first", [True, False])
def test_a_trial_that_was_finished_meanwhile_is_given_back_in_peace(journal, first):
    halted, other = journal(ONE), journal(ONE)
    halted.claim()
    dies(halted)
    taken = other.claim()
    halted.finish(0, 0.9)
    other.release(taken, first)
    assert states(other) == [TrialState.COMPLETE]


def test_only_the_last_who_had_a_trial_gives_it_back(journal):
    halted, other = journal(ONE), journal(ONE)
    trial = halted.claim()
    dies(halted)
    other.claim()
    halted.release(trial)
    assert states(other) == [TrialState.RUNNING]
    assert [assignment.worker for assignment in assignments(other.trials()[0])] == [
        halted.worker,
        other.worker,
    ]


def test_what_another_trains_by_hand_comes_after_new_trials_and_counts_no_deaths(journal):
    worker, other = journal("space: {seed: [0, 1]}"), journal("space: {seed: [0, 1]}")
    worker.release(worker.claim(), first=False)
    assert other.claim().number == 1
    for _ in range(MOST_DEATHS + 1):
        trial = worker.claim()
        assert trial.number == 0
        worker.release(trial, first=False)


def test_nothing_is_left_where_fewer_trials_are_wanted_than_there_are(journal):
    text = "space: {seed: {integer: [0, 99]}}\nsampler: random\ntrials: "
    worker = journal(text + "3")
    for _ in range(3):
        worker.finish(worker.claim().number, 0.5)
    assert journal(text + "1").left() == 0
