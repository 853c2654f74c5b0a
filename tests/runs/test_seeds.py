from pathlib import Path

import pytest

from nnmnist.errors import DataError
from nnmnist.runs.seeds import require_same_data, summarize


def test_scores_that_not_all_runs_have_are_omitted():
    assert summarize([{"cost": 1.0, "accuracy": None}, {"cost": 3.0, "accuracy": None}]) == {
        "cost": {"mean": 2.0, "deviation": pytest.approx(2**0.5)}
    }
    assert summarize([{"cost": 1.0, "accuracy": 0.5}, {"cost": 3.0}]).keys() == {"cost"}
    assert summarize([None, None]) is None


def test_one_run_has_no_deviation():
    assert summarize([{"cost": 1.0}]) == {"cost": {"mean": 1.0, "deviation": None}}


def test_runs_of_different_data_are_refused():
    require_same_data(Path("all"), [{"data": "mnist"}, {"data": "mnist"}])
    with pytest.raises(DataError, match=r"all: its runs were .* different data \(mnist, synthetic"):
        require_same_data(Path("all"), [{"data": "synthetic"}, {"data": "mnist"}])
