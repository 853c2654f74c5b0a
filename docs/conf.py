"""How Sphinx builds these pages; `make docs` runs it. Nothing here needs the network."""

import hashlib
import json
import logging
import os
import sys
import textwrap
from collections.abc import Mapping
from functools import partialmethod
from pathlib import Path
from typing import Any

import click
import latex2mathml.converter
from docutils import nodes
from docutils.statemachine import StringList
from nbclient import NotebookClient
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.writers.html5 import HTML5Translator

from nnmnist import __version__
from nnmnist.config.loading import json_schema
from nnmnist.config.messages import words
from nnmnist.config.schema import Config

ROOT = Path(__file__).resolve().parents[1]

project = "nnmnist"
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_click"]
exclude_patterns = ["_build"]
# Every reference must lead somewhere, except the types and errors of a signature.
nitpicky = True
nitpick_ignore_regex = [("py:(class|exc)", ".*")]

html_theme = "furo"
html_title = "nnmnist"
html_copy_source = False
html_show_copyright = False
# From disk, a browser does not let the search read pages to quote them.
html_show_search_summary = False
templates_path = ["_templates"]
html_js_files = ["focus.js"]
html_static_path = ["_static"]
# Commands are copied from these pages: quotes and hyphens stay as they are.
smartquotes = False
default_role = "code"

myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3


def digest_of_code() -> str:
    """A text that changes with what the pages execute, and with the folder that has MNIST."""
    digest = hashlib.sha256(os.environ.get("NNMNIST_DATA_DIR", "").encode())
    for folder, ending in (("nnmnist", "py"), ("configs", "yaml"), ("examples/lecture", "py")):
        for path in sorted((ROOT / folder).rglob(f"*.{ending}")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


class CellNames(logging.Handler):
    """Prints each code cell before it is executed, so that no build is silent for long."""

    def emit(self, record: logging.LogRecord) -> None:
        if str(record.msg).startswith("Executing cell"):
            print(textwrap.indent(str(record.args[0]), "  "), flush=True)


# A page with code cells is executed when it is built, unless its output is stored, by the same page
# and the same code. Its commands are those of this environment, and never use the network.
nb_execution_mode = "cache"
nb_execution_cache_path = str(ROOT / "docs/_build/executed" / digest_of_code())
nb_execution_raise_on_error = True
nb_execution_timeout = 600
nb_output_stderr = "remove"
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
os.environ["NNMNIST_OFFLINE"] = "1"
# What a command prints arrives in pieces; a piece may end within a line.
NotebookClient.__init__ = partialmethod(NotebookClient.__init__, coalesce_streams=True)
cells = logging.getLogger("traitlets")
cells.handlers, cells.propagate = [CellNames()], False
cells.setLevel(logging.DEBUG)

autodoc_typehints = "description"
autodoc_member_order = "bysource"
html_math_renderer = "mathml"


class ConfigKeys(SphinxDirective):
    """All keys of a config, with type, default and meaning, as its schema states them."""

    def run(self) -> list[nodes.Node]:
        parsed = nodes.Element()
        lines = describe_keys(json_schema()).splitlines()
        self.state.nested_parse(StringList(lines, "schema"), self.content_offset, parsed)
        return parsed.children


def describe_keys(section: Mapping[str, Any], prefix: str = "") -> str:
    """The keys of a section of the schema and of the sections in it, in MyST Markdown."""
    text = ""
    for name, schema in section["properties"].items():
        branches = [schema, *schema.get("anyOf", [])]
        inner = next((branch for branch in branches if "properties" in branch), None)
        if inner is not schema:
            text += (
                f"```{{confval}} {prefix}{name}\n{schema['description']}\n\n"
                f"Allowed: {words(schema)}. Default: `{json.dumps(schema['default'])}`.\n```\n\n"
            )
        if inner:
            text += describe_keys(inner, f"{prefix}{name}.")
    return text


def write_formula(self: HTML5Translator, node: nodes.math | nodes.math_block) -> None:
    """Write a formula as MathML, which browsers draw without a script."""
    display = "block" if isinstance(node, nodes.math_block) else "inline"
    self.body.append(latex2mathml.converter.convert(node.astext(), display=display))
    raise nodes.SkipNode


def drop_module_text(
    app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]
) -> None:
    """Leave out the docstrings of modules: the pages introduce them."""
    if what == "module":
        lines.clear()


def shorten_signature(
    app: Sphinx, what: str, name: str, thing: object, options: object, *signature: str | None
) -> tuple[str, None] | None:
    """Leave out the defaults of a config, which fill ten lines; its own page lists them."""
    return ("(*, seed, data, model, training)", None) if thing is Config else None


def show_examples_as_code(app: Sphinx, context: click.Context, lines: list[str]) -> None:
    """Turn the examples at the end of a help text, lines that begin with |, into a code block."""
    lines[:] = ["::", "", *(f"   {line.removeprefix('|')}" for line in lines)]


def setup(app: Sphinx) -> None:
    """Register what this file adds to Sphinx."""
    app.add_directive("config-keys", ConfigKeys)
    app.connect("autodoc-process-docstring", drop_module_text)
    app.connect("autodoc-process-signature", shorten_signature)
    app.connect("sphinx-click-process-epilog", show_examples_as_code)
    app.add_html_math_renderer("mathml", (write_formula, None), (write_formula, None))
