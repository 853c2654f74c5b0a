import numpy as np
import pytest

from nnmnist.config.schema import DataConfig
from nnmnist.data.examples import Source
from nnmnist.data.sources import SOURCES
from nnmnist.errors import DataError, DataUnavailable
from nnmnist.training.setup import load_data


def settings(**changes):
    defaults = {
        "name": "mnist",
        "path": None,
        "validation": 5000,
        "mirrors": None,
        "fallback": None,
        "distort": None,
    }
    return DataConfig(**{**defaults, **changes})


def source(labels, n_classes):
    labels = np.asarray(labels, np.uint8)
    inputs = np.arange(len(labels), dtype=np.uint8)[:, None]
    return Source(
        "made",
        (inputs, labels),
        (inputs[:2], labels[:2]),
        tuple(map(str, range(n_classes))),
        (1, 1),
    )


@pytest.fixture
def made(monkeypatch):
    """Puts a source of these labels in the place of MNIST."""

    def make(labels, n_classes):
        monkeypatch.setitem(SOURCES, "mnist", lambda **_: source(labels, n_classes))

    return make


def test_splits_share_no_example_and_lose_none(tiny):
    splits = load_data(settings(path=tiny, validation=60))
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (240, 60, 60)
    rows = np.concatenate([splits.train.rows, splits.validation.rows])
    assert sorted(rows.tolist()) == list(range(300))
    assert splits.classes == ("0", "1", "2")
    assert splits.image_shape == (6, 5)


def test_pixels_are_float32_in_0_to_1(tiny):
    splits = load_data(settings(path=tiny, validation=0))
    assert splits.train.x.dtype == np.float32
    assert splits.train.x.shape == (300, 30)
    assert 0 <= splits.train.x.min() < 0.01 < 0.6 < splits.train.x.max() <= 1
    assert splits.train.y[:4].tolist() == [0, 1, 2, 0]
    np.testing.assert_array_equal(np.round(splits.train.x * 255), splits.train.inputs)


def test_without_validation(tiny):
    splits = load_data(settings(path=tiny, validation=0))
    assert (len(splits.train), len(splits.validation)) == (300, 0)


def test_the_seed_draws_the_validation_part(tiny):
    def rows(seed):
        return load_data(settings(path=tiny, validation=60), seed).validation.rows.tolist()

    assert rows(1) == rows(1) != rows(2)


def test_every_class_is_in_validation_however_rare(made):
    made([0] * 500 + [1, 1] + [2, 2], 3)
    for seed in range(20):
        splits = load_data(settings(validation=10), seed)
        assert set(splits.validation.y.tolist()) == {0, 1, 2}
        assert set(splits.train.y.tolist()) == {0, 1, 2}


def test_the_only_example_of_a_class_is_for_training(made):
    made([0] * 50 + [1], 2)
    assert all(1 in load_data(settings(validation=10), seed).train.y for seed in range(20))


@pytest.mark.parametrize(
    ("validation", "message"), [(51, "has only 51"), (1, "is too small for all 2 classes")]
)
def test_impossible_validation(made, validation, message):
    made([0] * 50 + [1], 2)
    with pytest.raises(DataError, match=message):
        load_data(settings(validation=validation))


def test_the_fallback_answers_missing_data_alone(monkeypatch):
    def unavailable(**_):
        raise DataUnavailable("no mirror")

    def damaged(**_):
        raise DataError("damaged")

    monkeypatch.setitem(SOURCES, "synthetic", lambda **_: source([0, 1] * 20, 2))
    monkeypatch.setitem(SOURCES, "mnist", unavailable)
    notices = []
    splits = load_data(settings(fallback="synthetic", validation=4), notify=notices.append)
    assert splits.name == "made"
    assert len(notices) == 1
    assert "NOT REAL MNIST" in notices[0]
    assert "no mirror" in notices[0]
    with pytest.raises(DataUnavailable):
        load_data(settings(validation=4))
    monkeypatch.setitem(SOURCES, "mnist", damaged)
    with pytest.raises(DataError, match="damaged"):
        load_data(settings(fallback="synthetic", validation=4))


def test_real_mnist(real_mnist):
    splits = load_data(settings())
    assert (len(splits.train), len(splits.validation), len(splits.test)) == (55_000, 5_000, 10_000)
    assert set(splits.validation.y.tolist()) == set(range(10))
    assert splits.test.y[:5].tolist() == [7, 2, 1, 0, 4]
    # the mean and deviation of MNIST's training pixels that are quoted everywhere
    pixels = load_data(settings(validation=0)).train.x
    assert len(pixels) == 60_000
    assert pixels.mean(dtype=np.float64) == pytest.approx(0.1307, abs=1e-4)
    assert pixels.std(dtype=np.float64) == pytest.approx(0.3081, abs=1e-4)
