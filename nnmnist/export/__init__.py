"""Exports a trained network: a page to draw on, ONNX, safetensors.

A new format is one function from a checkpoint to bytes, and one line in `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable

from nnmnist.checkpoint import Checkpoint
from nnmnist.export import html, onnx, safetensors

FORMATS: dict[str, Callable[[Checkpoint], bytes]] = {
    ".html": html.encode,
    ".onnx": onnx.encode,
    ".safetensors": safetensors.encode,
}
