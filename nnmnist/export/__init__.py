"""A trained network for others to use: a page to draw on, ONNX, safetensors.

A new format is one file here with a function from a checkpoint to bytes, and one line in `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from nnmnist.checkpoint import Checkpoint
from nnmnist.errors import ExportError
from nnmnist.export import html, onnx, safetensors

FORMATS: dict[str, Callable[[Checkpoint], bytes]] = {
    ".html": html.encode,
    ".onnx": onnx.encode,
    ".safetensors": safetensors.encode,
}


def encoder(path: Path) -> Callable[[Checkpoint], bytes]:
    """What writes a file of that name. Raises ExportError where no format has its suffix."""
    try:
        return FORMATS[path.suffix.lower()]
    except KeyError:
        *others, last = FORMATS
        raise ExportError(f"{path}: networks are exported as {', '.join(others)} or {last}") from None
