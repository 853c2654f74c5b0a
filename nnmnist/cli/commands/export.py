"""`nnmnist export`: a trained network as an HTML drawing page, as ONNX or as safetensors."""

from __future__ import annotations

from pathlib import Path

import click

from nnmnist import checkpoint
from nnmnist.cli.options import PathType, checkpoint_argument, require_output, with_examples
from nnmnist.cli.terminal import echo_path
from nnmnist.cli.waiting import waiting_for
from nnmnist.errors import ExportError
from nnmnist.export import FORMATS
from nnmnist.files import write_atomic


@click.command(
    epilog=with_examples(
        "nnmnist export runs/a -o digits.html",
        "nnmnist export runs/a/last.npz -o digits.onnx",
    )
)
@checkpoint_argument("path", "CHECKPOINT")
@click.option(
    "-o",
    "--output",
    type=PathType(dir_okay=False),
    required=True,
    metavar="FILE",
    help="File to write: .html (a page to draw digits on), .onnx or .safetensors.",
)
@click.option("--force", is_flag=True, help="Overwrite FILE if it exists.")
def export(path: Path, output: Path, force: bool) -> None:
    """Export a trained network as a web page, ONNX or safetensors.

    CHECKPOINT is an .npz file or a run directory. The page needs no server and no network. Open it
    in a browser, draw or paste a digit, and see the prediction.
    """
    require_output(output, FORMATS, force)
    try:
        with waiting_for(f"writing {output}"):
            data = FORMATS[output.suffix.lower()](checkpoint.load(path))
    except ExportError as error:
        raise ExportError(f"{path}: {error}") from None
    write_atomic(output, data)
    echo_path(output)
