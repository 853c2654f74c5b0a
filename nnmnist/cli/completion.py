"""What a shell completes after the options and commands that click finds by itself.

Everything is imported when a shell asks: a command that runs needs none of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click
from click.shell_completion import BashComplete, CompletionItem, add_completion_class

MOST_RUNS = 1000  # that are looked for


def config_files(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[Any]]:
    """Recipes, the YAML files here, and files elsewhere."""
    from nnmnist.config.loading import recipes

    return _files_and([*recipes(), *map(str, sorted(Path().glob("*.yaml")))], incomplete)


def settings(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[Any]]:
    """KEY= for each key of a config, and KEY=VALUE where the key is complete."""
    from nnmnist.config.loading import json_schema
    from nnmnist.config.messages import choices_of_keys

    key, equals, _ = incomplete.partition("=")
    keys = choices_of_keys(json_schema())
    words = [f"{key}={each}" for each in keys.get(key, ())] if equals else [f"{k}=" for k in keys]
    return [CompletionItem(word) for word in words if word.startswith(incomplete)]


def runs(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[Any]]:
    """The runs in the folder that is typed, or in `runs`, and files."""
    from nnmnist.runs.entry import find

    folder = Path(os.path.dirname(incomplete) or "runs")
    return _files_and(sorted(map(str, islice(find(folder), MOST_RUNS))), incomplete)


def data(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[Any]]:
    """The named sources of data, and files."""
    from nnmnist.data.sources import SOURCES

    return _files_and(sorted(SOURCES), incomplete)


def files(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[Any]]:
    """Files."""
    return _files_and([], incomplete)


def _files_and(words: list[str], incomplete: str) -> list[CompletionItem[Any]]:
    # Files come first: bash forgets what was before them.
    found: Iterator[str] = (word for word in words if word.startswith(incomplete))
    return [CompletionItem(incomplete, type="file"), *map(CompletionItem, found)]


class Bash(BashComplete):
    """Completion for bash, which takes KEY=VALUE for three words."""

    source_template = BashComplete.source_template.replace(
        "COMPREPLY+=($value)",
        "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace",
    )

    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        words: list[str] = []
        for word in [*args, incomplete]:
            if words and (word == "=" or words[-1].endswith("=")):
                words[-1] += word
            else:
                words.append(word)
        self.typed = words[-1].rpartition("=")[0]  # bash replaces what follows
        return words[:-1], words[-1]

    def format_completion(self, item: CompletionItem[Any]) -> str:
        if self.typed and item.type == "plain":
            item.value = item.value.removeprefix(f"{self.typed}=")
        return super().format_completion(item)


add_completion_class(Bash)
