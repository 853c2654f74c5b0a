import dataclasses
from pathlib import Path

import pytest
from msgspec.structs import replace

from nnmnist.checkpoint import Checkpoint
from nnmnist.config.loading import load_config
from nnmnist.config.schema import DataConfig
from nnmnist.errors import CheckpointError, ConfigError
from nnmnist.model.network import Network
from nnmnist.runs.data import (
    examples_of,
    load_splits,
    require_comparable,
    require_ensemble,
    require_fair_split,
    require_same_validation,
    training_settings,
)

A, B = Path("a.npz"), Path("b.npz")


def make(config=None, sizes=(30, 3), **facts):
    """A checkpoint that was not trained, with the config that it should have been trained with."""
    document = {"classes": [str(k) for k in range(sizes[-1])], **facts}
    if config is not None:
        document["config"] = config.as_json()
    return Checkpoint(Network(sizes), document)


@pytest.fixture
def settings(tiny_config):
    return load_config(tiny_config, ["seed=3"])


def test_the_settings_are_those_of_the_training(settings):
    data, seed = training_settings(A, make(settings))
    assert (data, seed) == (settings.data, 3)


def test_a_fallback_is_used_again_if_the_run_was_trained_on_it():
    config = load_config(None, ["data.fallback=synthetic"])
    data, _ = training_settings(A, make(config, data={"name": "synthetic"}))
    assert data.name == "synthetic"
    data, _ = training_settings(A, make(config, data={"name": "mnist"}))
    assert data.name == "mnist"


def test_a_checkpoint_without_a_config_does_not_name_its_data():
    with pytest.raises(CheckpointError, match=r"a.npz: does not say which data"):
        training_settings(A, make())


def test_splits_are_those_of_the_training_or_of_other_data(settings, tiny):
    splits = load_splits(A, make(settings))
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (240, 60, 60)
    other = load_splits(A, make(), other=DataConfig(path=tiny))
    assert (len(other.train), len(other.validation)) == (300, 0)


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        (make(sizes=(20, 3)), "takes 20 inputs, but tiny0 has 30"),
        (make(sizes=(30, 2)), "was trained on 2 classes, but tiny0 has 3 classes"),
    ],
)
def test_data_that_does_not_fit_is_refused(tiny, checkpoint, message):
    with pytest.raises(CheckpointError, match=f"a.npz: {message}"):
        load_splits(A, checkpoint, other=DataConfig(path=tiny))


def test_an_empty_split_is_refused(tiny):
    splits = load_splits(A, make(), other=DataConfig(path=tiny))
    assert examples_of(splits, "test", A) is splits.test
    with pytest.raises(ConfigError, match="--split validation: --data tiny has no such split"):
        examples_of(splits, "validation", A, "tiny")
    with pytest.raises(ConfigError, match=r"--split validation: the config of a.npz leaves"):
        examples_of(splits, "validation", A)


def test_an_ensemble_has_the_same_inputs_outputs_and_classes():
    require_ensemble([A, B], [make(), make(image_shape=[6, 5])])
    for other in (make(sizes=(20, 3)), make(sizes=(30, 2)), make(image_shape=[5, 6])):
        with pytest.raises(CheckpointError, match=r"b.npz: .* cannot form an ensemble"):
            require_ensemble([A, B], [make(image_shape=[6, 5]), other])


def test_an_ensemble_has_the_same_validation_examples(settings):
    other_seed = replace(settings, seed=4)
    require_same_validation([A, B], [make(settings), make(settings)])
    with pytest.raises(CheckpointError, match=r"b.npz: has other validation examples than a.npz"):
        require_same_validation([A, B], [make(settings), make(other_seed)])


def test_only_classifiers_of_the_same_classes_are_compared():
    require_comparable((A, B), (make(), make()))
    regression = dataclasses.replace(make(), document={"classes": []})
    with pytest.raises(CheckpointError, match=r"b.npz: is a regression"):
        require_comparable((A, B), (make(), regression))
    with pytest.raises(CheckpointError, match=r"b.npz: has other inputs or classes than a.npz"):
        require_comparable((A, B), (make(), make(sizes=(30, 2))))


def test_a_fair_split_is_known_to_both_or_to_none(settings):
    other_seed = replace(settings, seed=4)
    splits = load_splits(A, make(settings))
    require_fair_split((A, B), (make(settings), make(settings)), splits, "validation")
    with pytest.raises(CheckpointError, match=r"b.npz: was trained on \d+ of these 60 examples"):
        require_fair_split((A, B), (make(settings), make(other_seed)), splits, "validation")
