import numpy as np
import pytest

from nnmnist.model.schedules import SCHEDULES, constant, cosine, one_cycle


def test_constant():
    assert {constant(t, 0.3) for t in np.linspace(0, 1, 11)} == {1.0}


def test_cosine():
    assert [cosine(0, 0.3), cosine(0.5, 0.3), cosine(1, 0.3)] == pytest.approx([1, 0.5, 0])


def test_one_cycle_goes_up_then_down_in_straight_lines():
    assert [one_cycle(t, 0.3) for t in (0, 0.15, 0.3, 0.65, 1)] == pytest.approx(
        [0, 0.5, 1, 0.5, 0]
    )


@pytest.mark.parametrize("name", SCHEDULES)
def test_never_above_the_peak_nor_below_zero(name):
    rates = [SCHEDULES[name](t, 0.3) for t in np.linspace(0, 1, 101)]
    assert max(rates) == pytest.approx(1.0)
    assert min(rates) >= 0
