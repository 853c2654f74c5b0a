import pytest

from nnmnist.cli.layout import columns, fit, shorten
from nnmnist.cli.terminal import align

ROWS = [
    ["run", "hidden", "rate", "epochs", "validation", "seconds", "state"],
    ["a-folder/a-name-of-a-run-that-is-long", "[256]", "0.4", "4", "98.22%", "12.3", "done"],
    ["b", "[]", "1e+30", "4", "-", "0.1", "failed: the cost is no longer finite in epoch 1"],
]
OPTIONAL = ["seconds", "rate", "hidden", "epochs"]


@pytest.mark.parametrize(
    ("text", "width", "expected"),
    [
        ("mnist-20261123", 14, "mnist-20261123"),
        ("mnist-20261123-202912", 14, "mnist...202912"),
        ("failed: the cost is infinite", 14, "failed: the..."),
    ],
)
def test_names_lose_their_middle_and_sentences_their_end(text, width, expected):
    assert shorten(text, width) == expected


@pytest.mark.parametrize("width", [50, 60, 80, 100, 120])
def test_a_table_fits(width):
    rows, left_out = fit(ROWS, width, OPTIONAL)
    lines = align(rows, left=(0, -1)).splitlines()
    assert max(map(len, lines)) <= width
    assert left_out == OPTIONAL[: len(left_out)]
    assert rows[0] == [head for head in ROWS[0] if head not in left_out]
    # nothing is lost without need
    assert (width == 50) == ("epochs" in left_out)
    assert (width >= 80) == (not left_out)


def test_a_table_that_fits_is_not_changed():
    rows, left_out = fit(ROWS, 130, OPTIONAL)
    assert (rows, left_out) == (ROWS, [])
    assert max(map(len, align(rows, left=(0, -1)).splitlines())) == 130


def test_what_is_no_terminal_has_no_width():
    assert columns() is columns(err=True) is None
