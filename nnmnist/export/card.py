"""What an exported network says about itself."""

from __future__ import annotations

import json

from nnmnist.checkpoint import Checkpoint

# Not the folders, times and machine, which are the business of who trained it.
KEYS = ("model", "classes", "image_shape", "preprocessing", "config", "metrics")


def card(checkpoint: Checkpoint) -> str:
    """JSON: the model, its classes, and, of a checkpoint from a run, its config and metrics."""
    return json.dumps({key: checkpoint.document[key] for key in KEYS if key in checkpoint.document})
