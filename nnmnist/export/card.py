"""What an exported network says about itself."""

from __future__ import annotations

import json

from nnmnist.checkpoint import Checkpoint

# Not the folders, times and machine, which are the business of who trained it.
KEYS = ("model", "classes", "image_shape", "preprocessing", "config", "metrics")


def card(checkpoint: Checkpoint) -> str:
    """JSON: the model, its classes, and, of a checkpoint from a run, its config without data.path, and metrics."""
    told = {key: checkpoint.document[key] for key in KEYS if key in checkpoint.document}
    if data := told.get("config", {}).get("data"):
        told["config"] = {**told["config"], "data": {**data, "path": None}}
    return json.dumps(told)
