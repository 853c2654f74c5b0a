"""What several processes are worth: seconds of training with and without them, also on a busy
machine.

    python benchmarks/parallel.py [RUNS]

Each row alternates between both, RUNS times (default 5), and prints the medians.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

RECIPES = {"mnist": [], "deep": ["--epochs", "2"]}
FORMS = {"one process": ["--threads", "1"], "one per core": []}


@contextmanager
def busy(count: int) -> Iterator[None]:
    """So many other processes, each of which occupies a core."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def seconds(recipe: str, options: list[str]) -> float:
    """Seconds of training, as the run itself reports them."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "nnmnist", "train", "-c", recipe, "-o", f"{folder}/run"]
        result = subprocess.run(
            [*command, "--json", "-q", *options], capture_output=True, text=True, check=True
        )
    return float(json.loads(result.stdout)["seconds"])


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    print("| recipe | busy processes | one process | one process per core | ratio |")
    print("|---|---|---|---|---|")
    for recipe, options in RECIPES.items():
        for count in (0, 1, 2):
            times: dict[str, list[float]] = {form: [] for form in FORMS}
            with busy(count):
                for _ in range(runs):
                    for form, threads in FORMS.items():
                        times[form].append(seconds(recipe, [*options, *threads]))
            one, several = (statistics.median(times[form]) for form in FORMS)
            print(f"| {recipe} | {count} | {one:.2f} s | {several:.2f} s | {several / one:.2f} |")


if __name__ == "__main__":
    main()
