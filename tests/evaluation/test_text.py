import pytest

from nnmnist.evaluation.text import counted, number_text


@pytest.mark.parametrize(
    ("value", "width", "expected"),
    [
        (0.06104, 10, "0.0610"),
        (12345.67891, 10, "12345.6789"),
        (123456.7891, 10, "1.2346e+05"),
        (123456.7891, 11, "123456.7891"),
        (12345678901.2, 10, "1.2346e+10"),
        (1.5e300, 10, "1.500e+300"),
        (-12345.678, 8, "-1.2e+04"),
        (-1.5e300, 8, "-2e+300"),
        (float("inf"), 10, "not finite"),
        (float("nan"), 10, "not finite"),
    ],
)
def test_a_number_that_is_too_long_is_in_e_notation(value, width, expected):
    assert number_text(value, width) == expected
    assert len(expected) <= width


@pytest.mark.parametrize(
    ("n", "noun", "text"),
    [(1, "epoch", "1 epoch"), (0, "epoch", "0 epochs"), (2000, "step", "2,000 steps"),
     (1, "class", "1 class"), (3, "class", "3 classes")],
)  # fmt: skip
def test_nouns_are_in_singular_or_plural(n, noun, text):
    assert counted(n, noun) == text
