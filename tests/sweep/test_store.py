"""The trials of a sweep in a journal: each once, whoever claims and whoever dies."""

import os
from itertools import count
from pathlib import Path

import pytest
from filelock import FileLock
from optuna.samplers import RandomSampler
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState

from nnmnist.data.sources import load_source, split
from nnmnist.errors import ConfigError, DataError
from nnmnist.sweep import plan, store
from nnmnist.sweep.samplers import SAMPLERS
from nnmnist.sweep.store import MOST_DEATHS, Journal, StoreError, assignments
from nnmnist.sweep.table import trial_record


@pytest.fixture
def journal(sweep_file):
    """Opens the journal of a sweep, each time as another worker."""

    def open(text="space: {seed: [0, 1, 2]}", name="tune.yaml", folder="out", **settings):
        return Journal(plan.load(sweep_file(text, name)), Path(folder), **settings)

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


@pytest.mark.parametrize(
    "line",
    [
        b"[]]", b"\xff\xfe", b"5", b"null", b"{}", b'{"op_code": 99}',
        b'{"op_code": 2, "worker_id": "a", "study_id": 0, "user_attr": {"sweep": 5}}',
        b'{"op_code": 4, "worker_id": "a", "study_id": 0, "datetime_start": 5}',
        b'{"op_code": 7, "worker_id": "a", "trial_id": 0, "step": "a", "intermediate_value": 1}',
        b'{"op_code": 8, "worker_id": "a", "trial_id": 0, "user_attr": {"stints": 5}}',
    ],
)  # fmt: skip
def test_a_damaged_journal_is_named(journal, line):
    journal().claim()
    with Path("out/journal.log").open("ab") as file:
        file.write(line + b"\n")
    with pytest.raises(StoreError, match=r"^out/journal.log: damaged \(.+\); remove it"):
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


LISTS = "space: {seed: [0, 1], model.hidden: {layers: [0, 2], width: [4, 8]}}\ntrials: 50\n"


def claimed(workers, n):
    """The values of n trials, which the workers claim in turn and finish."""
    values = []
    for number in range(n):
        worker = workers[number % len(workers)]
        trial = worker.claim()
        values.append(worker.sweep.values(trial))
        worker.finish(trial.number, number % 5 / 10)
    return values


@pytest.mark.parametrize("sampler", ["random", "tpe", "cmaes"])
def test_a_small_space_is_trained_once_in_the_same_order_by_any_number_of_workers(journal, sampler):
    text = f"{LISTS}sampler: {sampler}"
    assert journal(text).left() == 14  # two seeds times 1 + 2 + 4 lists of widths
    alone = claimed([journal(text)], 14)
    assert len(set(map(str, alone))) == 14
    assert (journal(text).claim(), journal(text).left()) == (None, 0)
    assert claimed([journal(text, folder="three") for _ in range(3)], 14) == alone


@pytest.mark.filterwarnings("ignore:The distribution is specified")
@pytest.mark.parametrize("high", [5, 20_000], ids=["few points", "too many to count"])
def test_a_sampler_that_repeats_itself_is_asked_again(journal, monkeypatch, high):
    monkeypatch.setitem(SAMPLERS, "tpe", lambda seed: RandomSampler(3))  # always the same point
    text = f"space: {{seed: {{integer: [0, {high}]}}}}\nsampler: tpe\ntrials: 6"
    values = claimed([journal(text)], 6)
    assert len({each["seed"] for each in values}) == 6


def test_a_point_that_another_worker_trains_is_not_drawn_again(journal):
    text = "space: {seed: {integer: [0, 5]}}\nsampler: random\ntrials: 6"
    workers = [journal(text) for _ in range(6)]
    assert {worker.sweep.values(worker.claim())["seed"] for worker in workers} == set(range(6))


def test_who_dies_at_any_write_of_a_claim_leaves_the_values_of_an_undisturbed_sweep(
    journal, monkeypatch
):
    text = "space: {seed: {integer: [0, 999]}, training.momentum: {uniform: [0, 0.9]}}\n"
    text += "sampler: random\ntrials: 2"
    undisturbed = claimed([journal(text, folder="undisturbed")], 2)
    append = JournalFileBackend.append_logs
    for deaths in count():
        victim, written = journal(text, folder=f"{deaths}"), []

        def write(backend, logs, deaths=deaths, written=written):
            if len(written) == deaths:
                raise MemoryError
            written.append(logs)
            append(backend, logs)

        with monkeypatch.context() as dying:
            dying.setattr(JournalFileBackend, "append_logs", write)
            try:
                victim.claim()
            except MemoryError:
                survived = False
            else:
                survived = True
        dies(victim)
        values = claimed([journal(text, folder=f"{deaths}")], 2)
        assert sorted(map(str, values)) == sorted(map(str, undisturbed))
        if survived:
            break
    assert deaths == 1  # a trial with its values is one write


def test_who_comes_back_and_finishes_first_is_where_the_run_is(journal):
    halted, other = journal(ONE), journal(ONE)
    halted.location, other.location = "one", "two"
    halted.claim()
    dies(halted)
    other.claim()
    assert trial_record(other.sweep, other.trials()[0])["run"] == "two/trial-0000"
    halted.finish(0, 0.9)
    other.finish(0, 0.9)
    assert trial_record(other.sweep, other.trials()[0])["run"] == "one/trial-0000"


def written(folder):
    return {path: path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


def test_a_folder_belongs_to_one_sweep(journal):
    journal().claim()
    before = written("out")
    for _ in range(2):
        with pytest.raises(ConfigError, match=r"^out: contains .* tune; give the sweep b another"):
            journal(name="b.yaml")
        Path("out/journal.log").unlink(missing_ok=True)
    del before[Path("out/journal.log")]
    assert written("out") == before
    assert journal().claim().number == 0


def test_the_folder_of_an_earlier_version_belongs_to_the_sweep_of_its_journal(journal):
    journal().claim()
    Path("out/.sweep").unlink()
    before = written("out")
    with pytest.raises(ConfigError, match=r"^out: contains .* tune; give the sweep b another"):
        journal(name="b.yaml")
    assert written("out") == before
    assert journal().trials()


def test_another_space_of_the_same_name_is_refused_before_anything_is_written(journal):
    journal().claim()
    before = written("out")
    with pytest.raises(ConfigError, match="another sweep has this name"):
        journal("space: {seed: [0, 1]}")
    assert written("out") == before


def test_other_data_is_refused_and_both_are_named(journal):
    two, one = (split(load_source(name), 20) for name in ("two_classes", "three_classes"))
    worker = journal()
    worker.require_data(one)
    journal().require_data(one)
    with pytest.raises(
        DataError, match=r"^tune: was started with the data three_classes, .* now two_classes, "
    ):
        journal().require_data(two)


def test_who_keeps_the_journal_locked_is_named(journal, monkeypatch):
    monkeypatch.setattr(store, "LONG_WAIT", 0.1)
    lines, lock = [], FileLock("out/journal.lock")
    worker = journal(notify=lambda line: (lines.append(line), lock.release()))
    lock.acquire()
    assert worker.claim().number == 0
    [line] = lines
    assert line.startswith("out/journal.lock: has been locked for")
    if Path("/proc/locks").exists():
        assert f"by process {os.getpid()};" in line
