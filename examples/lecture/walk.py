"""Walks through README.md: runs every command in it, in its order, and puts what they print and draw in its place.

A block marked `sh` is run as it is; of one marked `console` each line after "$ " is run, and what it prints to stdout
replaces the lines below it. All runs are made in a folder that is thrown away, where `examples` is this one, so that
pictures written to examples/lecture/pictures/ stay.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
BLOCK = re.compile(r"^```(sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def walk(text: str, folder: Path) -> str:
    """The Markdown `text` with the output of its commands, run in `folder`, renewed.

    Raises:
        subprocess.CalledProcessError: a command failed.
    """

    def renewed(block: re.Match[str]) -> str:
        kind, body = block.groups()
        if kind == "sh":
            run(body, folder)
            return block[0]
        commands = [line[2:] for line in body.splitlines() if line.startswith("$ ")]
        return (
            "```console\n" + "".join(f"$ {line}\n{run(line, folder)}" for line in commands) + "```"
        )

    return BLOCK.sub(renewed, text)


def run(commands: str, folder: Path) -> str:
    """What shell commands print, run in `folder` with this Python's programs first on the PATH."""
    started = time.perf_counter()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["sh", "-e", "-c", commands],
        cwd=folder, env={**os.environ, "PATH": path}, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    print(f"{time.perf_counter() - started:6.1f} s  {commands.strip()}", file=sys.stderr)
    printed = done.stdout.rstrip()
    return printed and printed + "\n"


def main() -> None:
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "examples").symlink_to(HERE.parent)
        renewed = walk(text, Path(folder))
    if readme.read_text(encoding="utf-8") != text:
        sys.exit(f"{readme}: was edited in the meantime, and stays as it is; run again")
    readme.write_text(renewed, encoding="utf-8")


if __name__ == "__main__":
    main()
