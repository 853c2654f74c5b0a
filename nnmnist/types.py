"""Types that the whole package shares."""

from __future__ import annotations

from typing import Any, Literal

from numpy.typing import NDArray

Array = NDArray[Any]  # of any data type; docstrings give its shape
# how an array (n, batch) lies in memory: example by example, or unit by unit
Order = Literal["F", "C"]
