import numpy as np
import pytest

from nnmnist.config.schema import DataConfig
from nnmnist.data.examples import Examples
from nnmnist.data.toy import PROBLEMS, has_values, load
from nnmnist.errors import DataError
from nnmnist.training.setup import load_data


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_is_what_its_table_says(name):
    problem, source = PROBLEMS[name], load(name, seed=3)
    assert source.classes == problem.classes
    assert source.image_shape is None
    for inputs, targets in (source.train, source.test):
        assert inputs.shape == (problem.n, source.train[0].shape[1])
        assert inputs.dtype == np.float32
        if problem.classes:
            assert targets.dtype == np.uint8
            assert set(targets.tolist()) == set(range(len(problem.classes)))
        else:
            assert targets.dtype == np.float32
            assert targets.shape == (problem.n, source.train[1].shape[1])
    assert has_values(name) == (not problem.classes)


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_seed_draws_it(name):
    one, again, other = load(name, 1), load(name, 1), load(name, 2)
    assert one.train[0].tobytes() == again.train[0].tobytes() != other.train[0].tobytes()
    assert one.identity == again.identity != other.identity
    assert one.train[0].tobytes() != one.test[0].tobytes()


def test_the_product_is_one():
    x, y = load("product", 0).train
    np.testing.assert_allclose(y[:, 0], x[:, 0] * x[:, 1], rtol=1e-5, atol=1e-7)


def test_too_large_a_validation_part_says_how_many_there_are():
    with pytest.raises(
        DataError, match=r"data.validation: 5000, but line has only 100 training examples; lower it"
    ):
        load_data(DataConfig(name="line"))


def test_mnist_is_no_toy():
    assert not has_values("mnist")


@pytest.mark.parametrize(
    ("targets", "n_classes", "message"),
    [
        (np.array([0, 1, 3], np.uint8), 3, r"label 3 is outside the classes 0 \.\. 2"),
        (np.array([0, -1, 2], np.int64), 3, r"label -1 is outside the classes 0 \.\. 2"),
        (
            np.array([0.5, 1.0, 2.0], np.float32),
            0,
            r"targets has the shape \(3,\); expected \(3, n_out",
        ),
    ],
)
def test_targets_that_do_not_fit(targets, n_classes, message):
    with pytest.raises(DataError, match=message):
        Examples(np.zeros((3, 2), np.float32), targets, np.arange(3), n_classes)
