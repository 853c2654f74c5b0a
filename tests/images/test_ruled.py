import numpy as np
import pytest

from nnmnist.images.ruled import without_frames, without_lines


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


def test_the_stem_of_a_digit_that_is_as_high_as_its_strip_stays():
    y, x = np.indices((62, 145))
    bowls = np.hypot(x - 20, y - 22) <= 10
    stem = (x >= 27 - y // 20) & (x <= 30 - y // 20)
    strip = bowls | np.roll(bowls, 70, axis=1) | stem
    assert without_lines(strip).tolist() == strip.tolist()


def test_where_nothing_else_is_a_line_is_the_digit():
    one = np.zeros((200, 40), bool)
    one[:, 18:22] = True
    assert without_lines(one).tolist() == one.tolist()


@pytest.mark.parametrize("shape", [(1, 1), (1, 50), (50, 1), (28, 28)])
def test_small_and_empty_pictures(shape):
    assert not without_lines(np.zeros(shape, bool)).any()
    full = np.ones(shape, bool)
    assert without_lines(full).tolist() == full.tolist()


def test_lines_of_several_slopes_go():
    lines = sheet(0.02, apart=100) | np.roll(sheet(-0.02, apart=100), 25, axis=0)
    assert without_lines(lines | np.eye(200, 300, dtype=bool)).sum() < 0.2 * lines.sum() + 300


def test_a_line_goes_where_it_is_too_thick_for_a_line():
    """The limit is a 30th of 300 pixels."""
    mask = np.zeros((200, 300), bool)
    mask[100:110] = True
    mask[110, 100:200] = True
    mask[20:60, 140:160] = True
    left = without_lines(mask)
    assert not left[100:].any()
    assert left[20:60, 140:160].all()


def box(top, left, bottom, right, shape=(200, 300)):
    """The outline of a box, four pixels thick."""
    mask = np.zeros(shape, bool)
    mask[top:bottom, left:right] = True
    mask[top + 4 : bottom - 4, left + 4 : right - 4] = False
    return mask


def written(*places):
    """Vertical strokes at these places (top, left)."""
    mask = np.zeros((200, 300), bool)
    for top, left in places:
        mask[top : top + 40, left : left + 12] = True
    return mask


def test_frames_go_whole():
    table = box(20, 20, 180, 280) | box(20, 20, 100, 150)
    strokes = written((40, 60), (40, 200), (120, 200))
    assert (without_frames(table | strokes, table | strokes) == strokes).all()
    cell = np.zeros((200, 300), bool)  # its lines go on past it
    cell[:, 30:34] = cell[:, 250:254] = cell[10:14] = cell[150:154] = True
    one = written((60, 120))
    assert (without_frames(cell | one, cell | one) == one).all()


@pytest.mark.parametrize(
    "mask",
    [
        box(20, 80, 180, 220) | written((80, 140)),  # an 0 with a stroke in it
        box(20, 20, 100, 120) | written((120, 200), (120, 240)),  # beside other digits
    ],
)
def test_what_surrounds_no_digits_stays(mask):
    assert (without_frames(mask, mask) == mask).all()


def test_a_digit_on_lines_is_no_frame_of_its_own_pieces():
    lines = sheet(apart=40, thick=3)
    ring = box(30, 100, 170, 200)
    assert without_frames(lines | ring, without_lines(lines | ring))[30:34, 110:190].all()
