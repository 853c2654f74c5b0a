import json

import numpy as np
import pytest

from nnmnist.data.examples import Examples
from nnmnist.evaluation.evaluate import evaluate
from nnmnist.evaluation.records import (
    class_label,
    evaluation_record,
    mistake_records,
    prediction_record,
    reject_unlikely,
)
from nnmnist.model.network import Network


@pytest.fixture
def network():
    """Two inputs; class k has the larger input k. A third class is never predicted."""
    network = Network((2, 3))
    network.W[0][:] = [[1, 0], [0, 1], [-1, -1]]
    return network


def test_a_class_is_a_number_if_its_name_is_one():
    assert (class_label("7"), class_label("red")) == (7, "red")
    assert class_label("7" * 5000) == "7" * 5000  # Python does not convert so many digits


def test_the_most_confident_mistakes_come_first(network):
    inputs = np.array([[2, 0], [3, 0], [0, 2], [1, 0]], np.float32)
    examples = Examples(inputs, np.array([1, 1, 1, 2], np.uint8), np.arange(4), 3)
    records = mistake_records([network], examples, ("0", "1", "2"), 2)
    assert [record["index"] for record in records] == [1, 0]
    assert (records[0]["label"], records[0]["prediction"]) == (1, 0)
    assert records[0]["probability"] == records[0]["probabilities"]["0"]
    assert len(mistake_records([network], examples, ("0", "1", "2"), 9)) == 3
    json.dumps(records)


def test_a_prediction_lists_the_best_classes(network):
    pixels = np.array([0, 255], np.uint8)
    record = prediction_record(network, pixels, ("a", "b", "c"), top=2, min_probability=0.5)
    assert record["prediction"] == "b"
    assert [entry["label"] for entry in record["top"]] == ["b", "a"]
    assert record["probability"] == record["top"][0]["probability"]
    unsure = prediction_record(network, pixels, ("a", "b", "c"), top=2, min_probability=0.99)
    assert unsure == {**record, "prediction": None}


def test_one_logistic_unit_predicts_two_classes():
    network = Network((1, 1), output="logistic")
    network.theta[:] = [0, 1]
    record = prediction_record(network, np.zeros(1, np.uint8), ("no", "yes"), 2, 0)
    assert record["prediction"] == "yes"
    assert record["top"][1]["probability"] == pytest.approx(1 - record["probability"])


def test_an_evaluation_has_r2_only_for_values(network):
    examples = Examples(np.eye(2, dtype=np.float32), np.array([0, 1], np.uint8), np.arange(2), 3)
    record = evaluation_record(evaluate(network, examples), ("7", "b", "c"))
    assert (record["n"], record["accuracy"], "r2" in record) == (2, 1.0, False)
    perfect = {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert record["classes"] == [
        {"class": 7, **perfect, "support": 1},
        {"class": "b", **perfect, "support": 1},
        {"class": "c", "precision": 0.0, "recall": 0.0, "f1": 0.0, "support": 0},
    ]
    assert record["macro"] == pytest.approx(dict.fromkeys(perfect, 2 / 3))
    assert record["weighted"] == perfect
    json.dumps(record)
    x = np.array([[0], [1]], np.float32)
    values = evaluate(Network((1, 1), output="linear"), Examples(x, x, np.arange(2), 0))
    record = evaluation_record(values, ())
    assert (record["accuracy"], record["confusion"], "r2" in record) == (None, None, True)
    assert (record["classes"], record["macro"], record["weighted"]) == (None, None, None)


def test_a_cost_that_is_not_finite_is_none_in_json(network):
    network.W[0][:] = 1e38
    inputs = np.array([[9, 9]], np.float32)
    result = evaluate(network, Examples(inputs, np.zeros(1, np.uint8), np.arange(1), 3))
    assert not np.isfinite(result.cost)
    record = evaluation_record(result, ("0", "1", "2"))
    assert json.loads(json.dumps(record, allow_nan=False))["cost"] is None


@pytest.mark.parametrize(
    ("others", "lines", "least"),
    [
        ([], [], 3),
        ([9, 9, 9], [], 3 / 19),
        ([9] * 8, [], 3 / 89),
        ([9, 1], [], 3),
        ([1, 1, 1], [], 57),
        ([], [[9, 9], [9]], 3 / 4),
        ([1], [[9, 9], [9]], 6),
        ([9, 9, 1], [[1] * 9], 3 * 25 / 31),
    ],
    ids=["alone", "among digits", "in a long line", "between a digit and a letter", "in a word",
         "alone in a line", "in a word among digits", "among digits, on a page of text"],
)  # fmt: skip
def test_the_other_pictures_of_a_page_count(others, lines, least):
    """By Laplace's rule of succession; each number is a multiple of the probability of none."""
    for times, is_digit in ((0.99 * least, False), (1.01 * least, True)):
        page = [
            [{"prediction": 7, "probability": p / 100, "none": 1 / 100} for p in line]
            for line in ((times, *others), *lines)
        ]
        reject_unlikely(page)
        assert (page[0][0]["prediction"] == 7) == is_digit
