"""Digits drawn from strokes: repeatable, varied, made as MNIST's were, and good enough to learn
from.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nnmnist.data import synthetic
from nnmnist.data.examples import Array, Splits
from nnmnist.data.sources import split
from nnmnist.data.strokes import NO_DIGITS, RARE_STYLES, STYLES
from nnmnist.errors import DataError
from nnmnist.runs.facts import data_facts, data_id, data_sizes


def digits(n: int, seed: int = 0) -> tuple[Array, Array]:
    """n images and their labels, every digit as often as any other."""
    labels = np.arange(n, dtype=np.uint8) % 10
    return synthetic.render(labels, np.random.default_rng(seed)), labels


@pytest.fixture(scope="module")
def many() -> Array:
    """Enough images (n, 28, 28) to meet the rare ones."""
    return digits(4000)[0].reshape(-1, 28, 28)


def test_a_source_is_balanced_and_says_what_it_is() -> None:
    source = synthetic.load(3, n_train=200, n_test=50)
    assert source.name == "synthetic"
    assert source.classes == tuple("0123456789")
    assert source.image_shape == (28, 28)
    for (images, labels), n in ((source.train, 200), (source.test, 50)):
        assert images.shape == (n, 784)
        assert images.dtype == labels.dtype == np.uint8
        assert np.bincount(labels).tolist() == [n // 10] * 10
    sizes = {"name": "synthetic", "seed": 3, "n_train": 200, "n_test": 50}
    assert source.identity.items() > sizes.items()
    assert len(source.identity["sha256"]) == 64


def test_the_order_of_labels_is_shuffled() -> None:
    labels = synthetic.load(0, n_train=100, n_test=0).train[1]
    assert labels.tolist() != sorted(labels) != (np.arange(100) % 10).tolist()


def test_the_seed_decides_every_byte() -> None:
    one, same, other = (synthetic.load(seed, n_train=60, n_test=20) for seed in (1, 1, 2))
    assert one.identity == same.identity
    for part, again in ((one.train, same.train), (one.test, same.test)):
        assert np.array_equal(part[0], again[0])
        assert np.array_equal(part[1], again[1])
    assert one.identity["sha256"] != other.identity["sha256"]
    assert not np.array_equal(one.train[0], other.train[0])


def test_the_test_part_is_its_own_and_does_not_depend_on_the_training_part() -> None:
    small, large = (
        synthetic.load(0, n_train=20, n_test=20),
        synthetic.load(0, n_train=40, n_test=20),
    )
    assert np.array_equal(small.test[0], large.test[0])
    assert not np.array_equal(small.train[0], small.test[0])


def test_no_two_digits_are_alike(many: Array) -> None:
    assert len(np.unique(many, axis=0)) == len(many)


def test_every_image_has_ink_and_a_black_background(many: Array) -> None:
    assert (many.max((1, 2)) > 100).all()
    assert ((many > 0).mean((1, 2)) < 0.55).all()


def test_the_ink_fits_a_box_of_20_pixels(many: Array) -> None:
    rows, columns = (many > 0).any(2), (many > 0).any(1)
    spans = np.array(
        [
            [np.ptp(np.flatnonzero(side)) + 1 for side in pair]
            for pair in zip(rows, columns, strict=True)
        ]
    )
    assert spans.max() == 20
    assert (spans.max(1) == 20).mean() > 0.98  # a faint end may fall short of it


def test_the_centre_of_mass_is_pixel_14_14(many: Array) -> None:
    ink, away = many.astype(float), np.arange(28) - 14
    mass = ink.sum((1, 2))
    off = np.abs([ink.sum(2) @ away / mass, ink.sum(1) @ away / mass]).max(0)
    stopped = off > 0.5 + 1e-9  # the border was in the way of the box, whose margins may be empty
    assert stopped.mean() < 0.01
    border = np.ones((28, 28), bool)
    border[4:-4, 4:-4] = False
    assert many[stopped][:, border].any(1).all()


@pytest.mark.parametrize("styles", [STYLES, RARE_STYLES, {0: NO_DIGITS}])
def test_every_style_of_every_digit_is_drawn(monkeypatch: pytest.MonkeyPatch, styles) -> None:
    drawn = []
    trace = synthetic._trace
    monkeypatch.setattr(
        synthetic, "_trace", lambda style, n, rng: drawn.append(id(style)) or trace(style, n, rng)
    )
    labels = np.resize(np.array(list(styles), np.uint8), 4000)
    synthetic.render(labels, np.random.default_rng(0), styles)
    skeletons = [synthetic._skeleton(line) for names in styles.values() for line in names.values()]
    assert len(skeletons) == sum(len(names) for names in styles.values())
    assert set(drawn) == {id(style) for style in skeletons}


def test_any_order_and_number_of_labels() -> None:
    rng = np.random.default_rng(0)
    assert synthetic.render(np.array([], np.uint8), rng).shape == (0, 784)
    assert synthetic.render(np.full(3 * synthetic.CHUNK, 1, np.uint8), rng).any(1).all()


def test_threads_draw_the_same_images() -> None:
    labels = np.resize(np.arange(10, dtype=np.uint8), 3 * synthetic.CHUNK + 1)
    alone, shared = (
        synthetic.render(labels, np.random.default_rng(0), threads=threads) for threads in (1, 3)
    )
    assert np.array_equal(alone, shared)


def test_a_label_that_is_no_digit_is_refused() -> None:
    with pytest.raises(DataError, match="cannot generate the label 10"):
        synthetic.render(np.array([3, 10], np.uint8), np.random.default_rng(0))


def test_a_spline_reaches_its_ends_and_touches_its_legs_and_corners() -> None:
    points = np.array([[0, 0], [4, 0], [4, 4], [4, 4], [8, 4]], float)
    weights = synthetic._spline(np.array([0, 1.5, 2, 3.5, 5]), len(points))
    assert np.allclose(weights.sum(1), 1)
    line = weights @ points
    assert np.allclose(line[[0, 2, 4]], [[0, 0], [4, 2], [8, 4]])  # beginning, middle of a leg, end
    assert line[1].tolist() == [3.5, 0.5]  # the corner (4, 0) is rounded
    # given twice, it is sharp
    assert np.allclose(synthetic._spline(np.array([3.0]), 5) @ points, [[4, 4]])


def test_a_lifted_pen_leaves_no_ink() -> None:
    skeleton = synthetic._skeleton("0,0 0,100 / 100,0 100,100")
    assert (skeleton.down == 0).sum() == 1
    assert skeleton.strokes.sum(1).tolist() == pytest.approx([40.5, 40.5], abs=1)
    path = (skeleton.points @ skeleton.curve)[None]
    box = synthetic._ink(path, skeleton.down, np.random.default_rng(0))[0]
    assert not box[:, 8:12].any()


@pytest.mark.parametrize("radius", [1.0, 1.4, 2.0, 2.5])
def test_a_line_is_as_thick_as_the_pen(monkeypatch: pytest.MonkeyPatch, radius: float) -> None:
    for name, value in (("RADIUS", radius), ("RADIUS_SPREAD", 0.0), ("PRESSURE", 0.0)):
        monkeypatch.setattr(synthetic, name, value)
    skeleton = synthetic._skeleton("50,0 50,100")
    path = (skeleton.points @ skeleton.curve)[None]
    box = synthetic._ink(path, skeleton.down, np.random.default_rng(0))[0]
    assert np.allclose(box[5:15].sum(1) / 255, 2 * radius, atol=0.1)


def test_points_that_are_equal_stay_together() -> None:
    joined, apart = (
        synthetic._skeleton(f"0,0 50,50 / {start} 100,0") for start in ("50,50", "51,50")
    )
    assert joined.points.shape == (2, 3)
    assert apart.points.shape == (2, 4)


def test_the_nearest_mean_of_2000_digits_reads_other_digits() -> None:
    images, labels = digits(2000, seed=1)
    means = np.stack([images[labels == digit].mean(0) for digit in range(10)])  # (10, 784)
    others, truth = digits(1000, seed=2)
    nearest = (others @ means.T - (means**2).sum(1) / 2).argmax(1)
    assert (nearest == truth).mean() > 0.5


def splits_of(**changes) -> Splits:
    """The splits of 200 generated digits."""
    return split(replace(synthetic.load(0, n_train=200, n_test=20), **changes), 0)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_generated_digits_make_up_their_share_of_the_training_part(share) -> None:
    splits = splits_of()
    more = synthetic.add_generated(splits, share, seed=4)
    n = len(more.train) - len(splits.train)
    assert n == more.n_generated
    assert n / len(more.train) == pytest.approx(share, abs=0.01)
    assert np.array_equal(more.train.x[: len(splits.train)], splits.train.x)
    counts = np.bincount(more.train.y[len(splits.train) :], minlength=10)
    assert counts.max() - counts.min() <= 1
    assert more.validation is splits.validation
    assert more.test is splits.test


def test_generated_digits_depend_on_the_seed_and_are_part_of_the_identity() -> None:
    splits = splits_of()
    first, again, other = (synthetic.add_generated(splits, 0.5, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.train.x, again.train.x)
    assert first.identity == again.identity
    assert not np.array_equal(first.train.x, other.train.x)
    assert first.identity != other.identity
    assert data_id(data_facts(first)) == data_id(data_facts(splits))


def test_sizes_say_how_many_examples_are_generated() -> None:
    splits = splits_of()
    assert data_sizes(splits) == "200 training, 0 validation, 20 test examples"
    more = synthetic.add_generated(splits, 0.5, no_digits=0.2)
    assert data_sizes(more) == "500 training (300 generated), 0 validation, 20 test examples"


def test_generated_digits_have_the_labels_of_classes_in_another_order() -> None:
    splits = splits_of(classes=(*"9876543210", "x"))
    same = synthetic.add_generated(splits_of(), 0.5).train
    more = synthetic.add_generated(splits, 0.5).train
    assert np.array_equal(more.x, same.x)
    assert np.array_equal(more.y[200:], 9 - same.y[200:])


def test_half_of_the_generated_ones_have_a_rare_style(monkeypatch) -> None:
    counts = []
    render = synthetic.render

    def counting(labels, rng, styles, threads):
        assert {k % 10: each for k, each in styles.items() if k >= 10} == RARE_STYLES
        counts.append(np.bincount(labels, minlength=20).reshape(2, 10))
        return render(labels, rng, styles, threads)

    splits = splits_of()
    monkeypatch.setattr(synthetic, "render", counting)
    synthetic.add_generated(splits, 0.9)
    ((usual, rare),) = counts
    assert (usual + rare == 180).all()
    assert ((rare > 0) == np.isin(np.arange(10), list(RARE_STYLES))).all()
    assert rare.sum() == pytest.approx(180 * len(RARE_STYLES) / 2, rel=0.1)


@pytest.mark.parametrize(
    "change", [{"preparation": None}, {"classes": tuple("abcdefghij")}], ids=["format", "classes"]
)
def test_other_data_gets_no_generated_digits(change) -> None:
    splits = splits_of(**change)
    assert synthetic.add_generated(splits, 0.5, no_digits=0.5) is splits


@pytest.mark.parametrize("share", [0.05, 0.6])
def test_pictures_of_no_digit_have_a_label_of_their_own(share) -> None:
    splits = splits_of()
    first, again, other = (synthetic.add_generated(splits, 0, share, seed) for seed in (1, 1, 2))
    labels = first.train.y
    assert np.mean(labels == 10) == pytest.approx(share, abs=0.01)
    assert np.array_equal(first.train.without_others().x, splits.train.x)
    assert np.array_equal(first.train.x, again.train.x)
    assert not np.array_equal(first.train.x, other.train.x)
    assert first.identity == again.identity != other.identity
    assert data_id(data_facts(first)) == data_id(data_facts(splits))
    images = first.train.x[labels == 10].reshape(-1, 28, 28)
    assert images.any(axis=(1, 2)).all()


def test_letters_are_no_pictures_of_no_digit_where_they_are_classes() -> None:
    splits = splits_of(classes=(*"0123456789", "A"))
    assert synthetic.add_generated(splits, 0, no_digits=0.5) is splits
    assert len(synthetic.add_generated(splits, 0.5, no_digits=0.5).train) == 400


def test_generated_digits_and_pictures_of_no_digit_are_added_together() -> None:
    more = synthetic.add_generated(splits_of(), 0.5, no_digits=0.5)
    assert more.train.has_others
    assert len(more.train) == 800
    assert np.bincount(more.train.y)[10] == 400
    assert set(more.identity) == {*splits_of().identity, "generated", "no_digits"}
