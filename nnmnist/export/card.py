"""The description of an exported network."""

from __future__ import annotations

import json

from nnmnist.checkpoint import Checkpoint

# Folders, times and the machine are left out: they are private.
KEYS = ("model", "classes", "image_shape", "preprocessing", "config", "metrics")


def card(checkpoint: Checkpoint) -> str:
    """The model, its classes and, from a run, its config and metrics, as JSON."""
    facts = {key: checkpoint.document[key] for key in KEYS if key in checkpoint.document}
    if data := (facts.get("config") or {}).get("data"):
        facts["config"] = {**facts["config"], "data": {**data, "path": None}}
    return json.dumps(facts)
