import numpy as np
import pytest

from nnmnist.images.ruled import without_lines


def sheet(slope=0.0, apart=40, thick=2):
    y, x = np.indices((200, 300))
    return (y - slope * x + apart / 2).astype(int) % apart < thick


@pytest.mark.parametrize("slope", [0, 0.05, -0.15, 0.2])
def test_lines_from_border_to_border_go(slope):
    lines = sheet(slope)
    assert without_lines(lines | np.eye(200, 300, dtype=bool)).sum() < 0.2 * lines.sum() + 300
    assert without_lines((lines | np.eye(200, 300, dtype=bool)).T).sum() < 0.2 * lines.sum() + 300


def test_what_crosses_a_line_stays():
    lines = sheet()
    bar = np.zeros_like(lines)
    bar[30:170, 100:110] = True
    left = without_lines(lines | bar)
    assert (left & bar).sum() == bar.sum()
    assert (left & ~bar).sum() == 0


def test_a_line_that_ends_on_the_paper_stays():
    mask = np.zeros((200, 300), bool)
    mask[100:103, 40:280] = True
    assert without_lines(mask).tolist() == mask.tolist()


def test_a_thick_bar_is_no_line():
    mask = np.zeros((200, 300), bool)
    mask[100:115] = True
    assert without_lines(mask).tolist() == mask.tolist()


def test_where_nothing_else_is_a_line_is_the_digit():
    one = np.zeros((200, 40), bool)
    one[:, 18:22] = True
    assert without_lines(one).tolist() == one.tolist()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (28, 28)])
def test_small_and_empty_pictures(shape):
    assert not without_lines(np.zeros(shape, bool)).any()
    full = np.ones(shape, bool)
    assert without_lines(full).tolist() == full.tolist()
