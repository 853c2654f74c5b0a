"""A network as one page of HTML: draw a digit, or paste a picture, and see what the network reads.

The page is put together from the files in page/. It computes everything itself and may load nothing
from anywhere, which its content security policy enforces: styles and script run only if they have
the hashes that it states.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from importlib import resources
from typing import Any

import numpy as np

from nnmnist.checkpoint import Checkpoint
from nnmnist.errors import ExportError
from nnmnist.evaluation.predictor import NormalizedNetwork
from nnmnist.images.prepare import SIDE

SCRIPTS = (
    "numbers.js", "resample.js", "regions.js", "ruled.js", "prepare.js", "picture.js",
    "normalize.js", "network.js", "png.js", "zip.js",
    "page.js", "drawings.js", "labels.js", "events.js",
)  # fmt: skip


def encode(checkpoint: Checkpoint) -> bytes:
    """The page, in UTF-8.

    Raises:
        ExportError: the network does not classify 28x28 images.
    """
    _require_pictures(checkpoint)
    script = '"use strict";\n' + "\n".join(map(_part, SCRIPTS))
    style = _part("page.css")
    digits = all(name.isdecimal() for name in checkpoint.classes)
    parts = {
        "title": "Draw a digit" if digits else "Draw a picture",
        "style": style,
        "style hash": _hash(style),
        "script": script,
        "script hash": _hash(script),
        # The name of a class must not end the script.
        "network": json.dumps(_network(checkpoint)).replace("<", r"\u003c"),
        "zip": "my_digits.zip" if digits else "my_drawings.zip",
        "facts": html.escape(_facts(checkpoint)),
    }
    return re.sub(r"\{\{(.+?)\}\}", lambda match: parts[match[1]], _part("page.html")).encode()


def _require_pictures(checkpoint: Checkpoint) -> None:
    shape = checkpoint.document.get("image_shape")
    if not shape:
        n = checkpoint.network.sizes[0]
        raise ExportError(
            "a page needs a network that reads images, but this one takes "
            f"{n} number{'s' * (n > 1)}"
        )
    if tuple(shape) != (SIDE, SIDE):
        raise ExportError(
            f"a page needs images of {SIDE}x{SIDE}, but this network reads {shape[1]}x{shape[0]}"
        )
    if not checkpoint.classes:
        raise ExportError("a page needs a classifier, but this network predicts values")


def _part(name: str) -> str:
    return resources.files(__package__).joinpath("page", name).read_text("utf-8")


def _hash(text: str) -> str:
    """The hash by which a content security policy names an inline script or style."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _network(checkpoint: Checkpoint) -> dict[str, Any]:
    """The data that network.js and page.js read."""
    network = checkpoint.network
    parameters = b"".join(np.asarray(a, "<f4").tobytes() for a in network.parameters().values())
    return {
        "sizes": network.sizes,
        "activation": network.activation_name,
        "output": network.output_name,
        "is_probability": network.output.is_probability,
        "normalize": isinstance(network, NormalizedNetwork),
        "classes": checkpoint.classes,
        "prepare": _preparation(checkpoint),
        "parameters": base64.b64encode(parameters).decode(),
    }


def _preparation(checkpoint: Checkpoint) -> dict[str, Any]:
    """How pictures become inputs; networks of older versions read digits."""
    facts = checkpoint.document.get("prepare") or {"mode": "digit"}
    mode, background = facts["mode"], facts.get("background", 0)
    if mode not in ("as_is", "resize", "digit") or background not in (0, 255, None):
        raise ExportError(
            f"a page cannot prepare pictures in the way of this network: {mode!r:.50} with "
            f"background {background!r:.50}"
        )
    # Without a known background, the paper is dark, and no picture is inverted.
    return {"mode": mode, "background": background or 0, "inverts": background is not None}


def _facts(checkpoint: Checkpoint) -> str:
    network = checkpoint.network
    sizes = "-".join(map(str, network.sizes))
    activation = f"{network.activation_name}, " if len(network.W) > 1 else ""
    inputs = " for normalized images" if isinstance(network, NormalizedNetwork) else ""
    kind = f"{activation}{network.output_name}"
    return f"A network of {sizes} units ({kind}){inputs}, trained by nnmnist."
