"""Types that the whole package shares, and checks of arguments of the Python API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from operator import index
from types import NoneType
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

Array = NDArray[Any]  # of any data type; docstrings give its shape
# how an array (n, batch) lies in memory: example by example, or unit by unit
Order = Literal["F", "C"]
Entry = TypeVar("Entry")


def look_up(key: str, name: str, table: Mapping[str, Entry]) -> Entry:
    """The entry `name` of a table. Raises ValueError, which lists the names that `key` allows."""
    if not isinstance(name, str) or name not in table:
        raise ValueError(f"{key} is {name!r}; expected one of {', '.join(table)}")
    return table[name]


def require_type(name: str, value: object, kind: type | tuple[type, ...], expected: str) -> None:
    """Raise TypeError unless the argument `name` is of this kind, which is `expected` in words."""
    if not isinstance(value, kind):
        raise TypeError(f"{name} has the type {type(value).__name__}; expected {expected}")


def require_count(name: str, value: object, least: int = 0) -> None:
    """Raise ValueError unless the argument `name` is a whole number of at least `least`."""
    if not isinstance(value, Integral) or int(value) < least:
        raise ValueError(f"{name} is {value!r}; expected a whole number >= {least}")


def require_array(name: str, array: Array, shape: tuple[int | str, ...], least: int = 0) -> None:
    """Raise an error unless the argument `name` is an array of real numbers with this shape.

    Args:
        name: of the argument.
        array: its value.
        shape: the lengths; a letter for a length that may be any.
        least: of the examples, whose number is the first length.

    Raises:
        TypeError: it is no array, or one of texts, complex numbers or objects.
        ValueError: it has another shape, or too few examples.
    """
    if not isinstance(array, np.ndarray):
        require_type(name, array, np.ndarray, f"an array of the shape {_text(shape)}")
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} has the data type {array.dtype}; expected real numbers")
    # This runs in each training step: no function call that is not needed.
    fits = array.ndim == len(shape)
    for n, found in zip(shape, array.shape, strict=False):
        fits &= n == found or type(n) is str
    if not fits:
        raise ValueError(f"{name} has the shape {array.shape}; expected {_text(shape)}")
    if len(array) < least:
        raise ValueError(f"{name} has {len(array)} examples; expected at least {least}")


def _text(shape: tuple[int | str, ...]) -> str:
    return str(shape).replace("'", "")


def require_attribute(name: str, value: object, attribute: str, expected: str) -> None:
    """Raise TypeError unless the argument `name` is None or has this attribute."""
    if value is not None and not hasattr(value, attribute):
        require_type(name, value, NoneType, expected)


def require_weights(example_weights: Array | float, n: int) -> None:
    """Raise an error as `require_array` does unless these are the weights of n examples, or one."""
    if not isinstance(example_weights, (int, float)):
        require_array("example_weights", example_weights, (n,))


def checked_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """The units of each layer. Raises ValueError unless these are two or more whole numbers."""
    try:
        found = tuple(int(index(n)) for n in sizes)
    except TypeError:  # not a sequence, or not one of whole numbers
        found = ()
    if len(found) < 2 or min(found) < 1:
        raise ValueError(
            f"sizes is {sizes!r}; expected two or more numbers of units >= 1, as in (784, 256, 10)"
        )
    return found


def checked_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """The data type of parameters. Raises ValueError unless it is float32 or float64."""
    if dtype not in (np.float32, np.float64, "float32", "float64"):
        raise ValueError(f"dtype is {dtype!r}; expected float32 or float64")
    return np.dtype(dtype)


def checked_rates(dropout: float, input_dropout: float) -> tuple[float, float]:
    """The probabilities to drop a unit or input. Raises ValueError unless they are in [0, 1)."""
    for name, rate in (("dropout", dropout), ("input_dropout", input_dropout)):
        if not isinstance(rate, Real) or not 0 <= float(rate) < 1:
            raise ValueError(
                f"{name} is {rate!r}; expected a probability, at least 0 and less than 1"
            )
    return float(dropout), float(input_dropout)
