"""The example notebook, executed in a real kernel, and what a kernel might break."""

import base64
import hashlib
import io
import os
from pathlib import Path

import nbclient
import nbformat
import pytest
from PIL import Image

NOTEBOOK = Path(__file__).parents[2] / "examples" / "notebook.ipynb"
MOST_BYTES = 200_000
REAL_DATA = os.environ.get("NNMNIST_DATA_DIR")  # before a fixture removes it

# A kernel names a backend of matplotlib in its environment, which commands inherit.
COMMANDS = """import sys
!{sys.executable} -m nnmnist train lecture/two_classes -o run -q
!{sys.executable} -m nnmnist plot run --kind curves"""

# A kernel has several threads, and two processes train.
TWO_PROCESSES = """import hashlib
import numpy as np
import nnmnist
from nnmnist.data.examples import Examples
pixels = np.random.default_rng(0).integers(0, 256, (200, 30)).astype(np.uint8)
data = Examples(pixels, np.arange(200) % 3, np.arange(200), 3)
two = nnmnist.Network((30, 8, 3))
two.initialize(np.random.default_rng(0))
for _ in nnmnist.fit(two, data, data, nnmnist.Config().training, cores=2, processes=2):
    pass
print(hashlib.sha256(two.theta.tobytes()).hexdigest())"""


def outputs(notebook, kind):
    """The outputs of a MIME type, or the texts of a stream, in order."""
    found = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    if kind in ("stdout", "stderr"):
        return [output.text for output in found if output.get("name") == kind]
    return [output.data[kind] for output in found if kind in output.get("data", {})]


def png_sizes(notebook):
    return [
        Image.open(io.BytesIO(base64.b64decode(png))).size for png in outputs(notebook, "image/png")
    ]


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    """The notebook with two more cells, after a run of all cells in an empty folder."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells += map(nbformat.v4.new_code_cell, [COMMANDS, TWO_PROCESSES])
    folder, home = tmp_path_factory.mktemp("notebook"), tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NNMNIST_OFFLINE", "1")
        for variable in ("HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"):
            patch.setenv(variable, str(home))
        if REAL_DATA:
            patch.setenv("NNMNIST_DATA_DIR", REAL_DATA)
        where = {"metadata": {"path": str(folder)}}
        nbclient.NotebookClient(notebook, kernel_name="python3", resources=where).execute()
    return notebook


def test_every_cell_runs_and_names_its_data(executed):
    text = "".join(outputs(executed, "stdout"))
    name = "mnist" if REAL_DATA else "synthetic"
    assert f"{name}: 55,000 training, 10,000 test examples" in text
    assert ("NOT REAL MNIST" in text) == (not REAL_DATA)
    assert "100%|" in "".join(outputs(executed, "stderr"))


def test_the_kernel_shows_figures_and_predictions(executed):
    # Two figures, and the picture that is drawn between them.
    assert png_sizes(executed) == [(832, 320), (160, 160), (832, 320)]
    assert len(outputs(executed, "text/html")) == 3 + 1
    assert ">7</b>" in outputs(executed, "text/html")[-1]


def test_commands_draw_in_a_kernel(executed):
    lines = "".join(outputs(executed, "stdout")).splitlines()
    # On the terminal of a kernel, a notice about the drawing is erased first.
    assert lines[-2].endswith("run/curves.png")


def test_two_processes_in_a_kernel_give_the_same_bits_as_anywhere(executed):
    names = {}
    exec(TWO_PROCESSES, names)
    expected = hashlib.sha256(names["two"].theta.tobytes()).hexdigest()
    assert outputs(executed, "stdout")[-1].splitlines()[-1] == expected


def test_the_stored_notebook_is_complete_and_small():
    stored = nbformat.read(NOTEBOOK, as_version=4)
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert NOTEBOOK.stat().st_size < MOST_BYTES
    assert outputs(stored, "stdout")[0] == "mnist: 55,000 training, 10,000 test examples\n"
    assert png_sizes(stored) == [(832, 320), (160, 160), (832, 320)]
    assert ">7</b>" in outputs(stored, "text/html")[-1]
