"""Types that the whole package shares."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

# An array of any data type; docstrings give its shape.
Array = NDArray[Any]
