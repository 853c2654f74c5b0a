from pathlib import Path

import pytest
from optuna.trial import FixedTrial

from nnmnist.errors import ConfigError
from nnmnist.sweep import plan


def refusal(file):
    with pytest.raises(ConfigError) as error:
        plan.load(file)
    return str(error.value)


def points(sweep):
    return [sweep.point(number) for number in range(sweep.trials)]


def test_a_grid_has_every_point_once_the_last_key_changing_fastest(sweep_file):
    sweep = plan.load(sweep_file("space: {training.momentum: [0, 0.9], seed: {integer: [3, 5]}}"))
    assert sweep.name == "tune"
    assert points(sweep) == [
        {"training.momentum": momentum, "seed": seed} for momentum in (0, 0.9) for seed in (3, 4, 5)
    ]


def test_widths_are_those_of_the_layers_there_are(sweep_file):
    sweep = plan.load(sweep_file("space: {model.hidden: {layers: [0, 2], width: [4, 8]}}"))
    widths = [sweep.values(FixedTrial(point))["model.hidden"] for point in points(sweep)]
    assert widths == [[], [4], [8], [4, 4], [4, 8], [8, 4], [8, 8]]
    assert points(sweep)[3] == {"model.hidden.layers": 2, "model.hidden.1": 4, "model.hidden.2": 4}


def test_a_pruned_grid_has_the_same_points_in_another_order(sweep_file):
    text = "space: {training.learning_rate: [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]}\n"
    plain, pruned = (points(plan.load(sweep_file(text + more))) for more in ("", "pruner: asha"))
    assert pruned != plain
    assert sorted(map(str, pruned)) == sorted(map(str, plain))


def test_the_config_of_a_trial_is_the_base_with_its_values(sweep_file):
    sweep = plan.load(
        sweep_file(
            "set: {training.epochs: 2}\n"
            "space:\n  model.hidden: [[4], [8, 4]]\n  training.learning_rate: {log_uniform: "
            "[1e-3, 1]}\n"
            "sampler: random\ntrials: 3"
        )
    )
    trial = FixedTrial({"model.hidden": "[8, 4]", "training.learning_rate": 0.02}, number=7)
    [(directory, settings)] = sweep.runs(trial, Path("out"))
    assert directory == Path("out/trial-0007")
    assert settings.model.hidden == (8, 4)
    assert settings.training.learning_rate == 0.02
    assert settings.training.epochs == 2
    assert settings.training.batch_size == 16  # of the base


def test_a_trial_of_several_seeds_is_as_many_runs(sweep_file):
    sweep = plan.load(sweep_file("space: {seed: [5]}\nseeds: 2"))
    names = [
        (path.name, settings.seed) for path, settings in sweep.runs(FixedTrial({"seed": 5}), Path())
    ]
    assert names == [("trial-0000-seed-5", 5), ("trial-0000-seed-6", 6)]


def test_values_that_do_not_go_together_are_named_with_their_lines(sweep_file):
    sweep = plan.load(
        sweep_file("space:\n  training.optimizer: [sgd, adam]\n  training.momentum: [0, 0.9]")
    )
    with pytest.raises(
        ConfigError, match=r"tune.yaml:4: training.momentum: is not used by .* adam"
    ):
        sweep.runs(FixedTrial({"training.optimizer": "adam", "training.momentum": 0}), Path())


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("training.learning_rat: [1]", "tune.yaml:2: training.learning_rat: unknown key; did you "
                                       "mean learning_rate?"),
        ("training.momentum: [0.5, 2]", "tune.yaml:2: training.momentum: expected a number >= 0 "
                                        "and < 1, found 2"),
        ("training.momentum: {uniform: [0, 2]}", "tune.yaml:2: training.momentum: expected a "
        "number >= 0 and < 1"),
        ("model.activation: [rleu]", "did you mean relu?"),
        ("training.batch_size: [1.5]", "tune.yaml:2: training.batch_size: expected a whole number "
                                       ">= 1 or full"),
        ("training.epochs: {integer: [8, 4]}", "tune.yaml:2: space.training.epochs: an empty "
                                               "range: 8 is above 4"),
        ("training.momentum: {uniform: [0.5, 0.5]}", "an empty range"),
        ("training.learning_rate: {uniform: [.nan, 1]}", "an empty range"),
        ("training.learning_rate: {log_uniform: [0, 1]}", "log_uniform from 0 has no logarithm"),
        ("training.learning_rate: {log_uniform: [-1, 1]}", "log_uniform from -1 has no logarithm"),
        ("training.learning_rate: {uniform: 3}", "expected two numbers, such as [1, 3]"),
        ("training.learning_rate: {unifrom: [0, 1]}", "did you mean uniform?"),
        ("training.learning_rate: {uniform: [0.1, 1], log_uniform: [0.1, "
         "1]}", "expected a list of values, {uniform:"),
        ("training.learning_rate: {}", "expected a list of values, {uniform:"),
        ("training.epochs: {integer: [1.5, 4]}", "expected two whole numbers"),
        ("training.learning_rate: []", "an empty list"),
        ("training.learning_rate: [0.1, 0.2, 1e-1]", "0.1 occurs twice"),
        ("training.learning_rate: [1, 0.5, 1.0]", "1.0 occurs twice"),
        ("training.learning_rate: 0.1", "belongs in set"),
        ("training.learning_rate: [{a: 1}]", "expected a value, found a mapping"),
        ("model.hidden: {layers: [1, 2]}", "expected both layers and width"),
        ("model.hidden: {layers: [1, 2], width: {uniform: [1, "
         "2]}}", "expected a list of whole numbers"),
        ("model.hidden: {layers: [1, 2], width: [0]}", "tune.yaml:2: model.hidden[0]: expected a "
        "whole number >= 1"),
        ("model.hidden: {layers: [-1, 2], width: [4]}", "expected two whole numbers >= 0, such as "
        "[1, 3], found -1"),
        ("data.validation: [20, 60]", "tune.yaml:2: space.data.validation: must be the same for "
                                      "all "
            "trials"),
        ("training.epochs: {layers: [1, 2], width: "
         "[1]}", "expected a whole number >= 1, found a list"),
    ],
)  # fmt: skip
def test_a_space_that_cannot_be_is_refused_in_one_line(sweep_file, space, message):
    said = refusal(sweep_file(f"space: {{{space}}}"))
    assert message in said
    assert said.count("\n") <= 1  # both ends of a range may be wrong


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("spce: {}", "tune.yaml:2: spce: unknown key; did you mean space?"),
        ("", "space has no key"),
        ("space: [1]", "tune.yaml:2: space: expected a mapping of keys to values, found a list"),
        (
            "space: {seed: [1]}\nsampler: tap",
            "tune.yaml:3: sampler: expected one of cmaes, grid, random, tpe",
        ),
        ("space: {seed: [1]}\npruner: medain", "did you mean median?"),
        ("space: {seed: [1]}\nseeds: 0", "tune.yaml:3: seeds: expected a whole number >= 1"),
        ("space: {seed: [1]}\ntrials: 3", "a grid trains all its points"),
        ("space: {seed: [1]}\nsampler: random", "such as trials: 50"),
        ("space: {training.momentum: {uniform: [0, 0.9]}}", "a range has no grid"),
        ("space: {seed: {integer: [0, 1000000000]}}", "more than 10,000 points"),
        (
            "space: {seed: [1]}\nset: {training.epoch: 3}",
            "tune.yaml:3: training.epoch: unknown key",
        ),
        ("space: {seed: [1]}\nset: {data.validation: 0}", "trials are compared by validation"),
        ("space: {seed: [1], seed: [2]}", "occurs twice"),
        ("space: {seed: [1", "not valid YAML"),
    ],
)
def test_a_file_that_cannot_be_is_refused_in_one_line(sweep_file, text, message):
    said = refusal(sweep_file(text))
    assert message in said
    assert "\n" not in said


def test_all_faults_are_told_at_once_in_their_order(sweep_file):
    said = refusal(
        sweep_file("set:\n  seed: -1\nspace:\n  training.epochs: []\n  model.dropout: [1]")
    )
    assert [line.split(": ")[0] for line in said.splitlines()] == [
        "tune.yaml:3",
        "tune.yaml:5",
        "tune.yaml:6",
    ]


def test_a_base_that_is_not_there(tmp_path):
    file = tmp_path / "a.yaml"
    file.write_text("config: nowhere\nspace: {seed: [1]}")
    assert "nowhere: this file does not exist" in refusal(file)


def test_the_base_is_looked_for_beside_the_sweep(tmp_path):
    (tmp_path / "base.yaml").write_text("training: {epochs: 9}")
    (tmp_path / "a.yaml").write_text("config: base.yaml\nspace: {seed: [1]}")
    assert plan.load(tmp_path / "a.yaml").base.training.epochs == 9


def test_a_section_may_be_set_as_a_mapping(sweep_file):
    sweep = plan.load(
        sweep_file("space: {seed: [1]}\nset: {training: {epochs: 9, schedule: cosine}}")
    )
    assert (sweep.base.training.epochs, sweep.base.training.schedule) == (9, "cosine")


def test_the_same_sweep_in_other_words_is_the_same(sweep_file):
    first = plan.load(
        sweep_file("space: {training.learning_rate: [0.1, 1]}\nset: {training.epochs: 4}")
    )
    again = plan.load(sweep_file("space:\n  training.learning_rate:\n    - 1e-1\n    - 1"))
    other = plan.load(
        sweep_file("space: {training.learning_rate: [0.1, 1]}\nset: {training.epochs: 5}")
    )
    assert first.identity() == again.identity()
    assert first.identity() != other.identity()


@pytest.mark.parametrize(
    ("text", "trials"),
    [
        ("space: {seed: [1, 2], training.momentum: [0, 0.5]}", 4),
        ("space: {model.hidden: {layers: [0, 2], width: [4, 8]}}", 7),  # [], 2 and 4 lists
        ("space: {model.hidden: {layers: [1, 1000000000], width: {integer: [1, 1000000]}}}", 50),
        ("space: {seed: [1], training.momentum: {uniform: [0, 0.5]}}", 50),
    ],
)
def test_there_are_no_more_trials_than_points(sweep_file, text, trials):
    assert plan.load(sweep_file(f"{text}\nsampler: random\ntrials: 50")).trials == trials


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seeds: 3\nset: {seed: 4294967295}\nspace: {training.epochs: [1]}",
         "tune.yaml:2: seeds: 3 from 4294967295 on: "),
        ("seeds: 2\nspace: {seed: [5, 4294967295]}",
         "tune.yaml:2: seeds: 2 from 4294967295 on: "),
    ],
)  # fmt: skip
def test_seeds_that_are_too_large_are_refused_before_anything_is_trained(sweep_file, text, message):
    assert refusal(sweep_file(text)) == (
        message + "expected a whole number >= 0 and <= 4294967295, found "
        f"{4294967295 + int(text[7]) - 1}"
    )


def test_the_last_seed_may_be_the_largest(sweep_file):
    file = sweep_file("seeds: 2\nset: {seed: 4294967294}\nspace: {training.epochs: [1]}")
    assert plan.load(file).seeds == 2
