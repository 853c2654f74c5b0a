"""Run every command of README.md in order, and update its output and pictures on that page.

A block marked `sh` is run as it is. In a block marked `console`, each line after "$ " is run, and
its output on stdout replaces the lines below it. The commands run in a temporary folder, so the
runs they create are deleted at the end. In this folder, `examples` links to the folder of the
repository, so the pictures in examples/lecture/pictures/ remain.
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
    """Run the commands of the Markdown `text` in `folder`; return it with their new output.

    Raises:
        subprocess.CalledProcessError: a command failed.
    """

    def update(block: re.Match[str]) -> str:
        kind, body = block.groups()
        if kind == "sh":
            run(body, folder)
            return block[0]
        commands = [line[2:] for line in body.splitlines() if line.startswith("$ ")]
        outputs = [f"$ {command}\n{run(command, folder)}" for command in commands]
        return "```console\n" + "".join(outputs) + "```"

    return BLOCK.sub(update, text)


def run(commands: str, folder: Path) -> str:
    """The stdout of shell commands, run in `folder`.

    The programs of this Python's environment come first on the PATH.
    """
    started = time.perf_counter()
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.run(
        ["sh", "-e", "-c", commands],
        cwd=folder,
        env={**os.environ, "PATH": path},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    print(f"{time.perf_counter() - started:6.1f} s  {commands.strip()}", file=sys.stderr)
    output = process.stdout.rstrip()
    return output and output + "\n"


def main() -> None:
    readme = HERE / "README.md"
    text = readme.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "examples").symlink_to(HERE.parent)
        updated = walk(text, Path(folder))
    if readme.read_text(encoding="utf-8") != text:
        sys.exit(f"{readme} changed while the commands ran, so it is not updated; run again")
    readme.write_text(updated, encoding="utf-8")


if __name__ == "__main__":
    main()
