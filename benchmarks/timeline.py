"""Runs the command line of nnmnist, and writes how long its stages took; `parts.py` calls it.

    python timeline.py FILE train -c mnist ...

FILE gets JSON: the clock at the start and at the end of the program, and the seconds of each stage.
"""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from functools import reduce, wraps
from importlib import import_module
from pathlib import Path
from typing import Any

STARTED = time.perf_counter()

# The stages in their order: module, and the name of a function there. A stage that runs within
# another one counts to that one.
STAGES = {
    "reading the config": ["nnmnist.cli.commands.train:load_config"],
    "reading the data": ["nnmnist.cli.training:load_data"],
    "making the run directory": ["nnmnist.cli.training:create_run"],
    "initial weights": ["nnmnist.runs.run:build_network"],
    "normalizing": ["nnmnist.training.fit:skip_normalization"],
    "mean and principal components": ["nnmnist.training.fit:make_projection"],
    "projecting, and buffers": ["nnmnist.training.fit:Batches"],
    "starting the worker processes": ["nnmnist.training.parallel.workers:Workers.__enter__"],
    "training": [
        "nnmnist.training.parallel.workers:Workers.epoch",
        "nnmnist.training.descent:Descent.epoch",
    ],
    "validation": ["nnmnist.training.fit:evaluate"],
    "metrics and checkpoints": ["nnmnist.runs.run:Run._record"],
    "ending the worker processes": ["nnmnist.training.parallel.workers:Workers.__exit__"],
    "reading the best checkpoint": ["nnmnist.checkpoint:load"],
    "evaluating on the test examples": ["nnmnist.runs.run:evaluate_on_cores"],
    "writing config.yaml and summary.json": ["nnmnist.runs.run:write_atomic"],
}


class Clock:
    """Adds up the seconds of each stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self.running = False

    def timed(self, stage: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """A function that does what `call` does, and counts its time as that of a stage."""

        @wraps(call)
        def measured(*arguments: Any, **keywords: Any) -> Any:
            if self.running:
                return call(*arguments, **keywords)
            self.running, started = True, time.perf_counter()
            try:
                return call(*arguments, **keywords)
            finally:
                self.running = False
                self.seconds[stage] += time.perf_counter() - started

        return measured


def main() -> None:
    file, clock = sys.argv.pop(1), Clock()
    clock.timed("importing click and the program", import_module)("nnmnist.cli.app")
    clock.timed("importing the command", import_module)(f"nnmnist.cli.commands.{sys.argv[1]}")
    for stage, places in STAGES.items():
        clock.seconds[stage] = 0.0
        for place in places:
            module, _, name = place.partition(":")
            *owners, last = name.split(".")
            owner = reduce(getattr, owners, import_module(module))
            setattr(owner, last, clock.timed(stage, getattr(owner, last)))
    try:
        import_module("nnmnist.cli.app").main()
    finally:
        times = {"start": STARTED, "end": time.perf_counter(), "stages": clock.seconds}
        Path(file).write_text(json.dumps(times))


if __name__ == "__main__":
    main()
