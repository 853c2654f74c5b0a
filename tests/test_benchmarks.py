"""`benchmarks/timeline.py` names functions of the program, which may be renamed."""

import json
import subprocess
import sys
from pathlib import Path

TIMELINE = Path(__file__).parents[1] / "benchmarks" / "timeline.py"
OF_WORKERS = {"starting the worker processes", "ending the worker processes"}


def test_every_stage_of_a_run_is_measured(tiny_config):
    command = [sys.executable, TIMELINE, "times.json", "train", "-q", "-c", tiny_config]
    subprocess.run(command, check=True)
    times = json.loads(Path("times.json").read_text())
    assert {stage for stage, seconds in times["stages"].items() if not seconds} == OF_WORKERS
    assert 0 < sum(times["stages"].values()) < times["end"] - times["start"]
