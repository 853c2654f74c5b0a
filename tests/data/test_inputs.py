import subprocess
import sys
from pathlib import Path

import numpy as np

from nnmnist.data import inputs, own, synthetic
from nnmnist.training import threads

from .readers.support import members, png, write_files


def test_errors_keep_their_places(tmp_path):
    good = png(255 * np.eye(70, dtype=np.uint8))
    files = {f"a/{n}.png": b"no" if n % 7 == 3 else good for n in range(150)}
    found = own.read(write_files(tmp_path / "data", files)).parts["train"]
    results = list(inputs.prepare_all(found.pictures, inputs.DIGIT))
    places = [n for n, result in enumerate(results) if isinstance(result, str)]
    assert places == [*range(3, 150, 7)]
    assert all("/a/3.png: cannot be read" in results[n] for n in places[:1])


def test_pictures_are_prepared_with_one_thread_of_blas(two_blas_threads, monkeypatch):
    used = []
    monkeypatch.setattr(inputs, "_prepare_one", lambda *_: used.append(threads._now()) or "")
    list(inputs.prepare_all(np.zeros((100, 9, 9), np.uint8), inputs.DIGIT))
    assert used == [1] * 100
    assert threads._now() == 2


def test_a_program_without_a_main_block_reads_many_pictures(tmp_path):
    source = synthetic.load(0, n_train=2 * inputs.CHUNK, n_test=10)
    images = np.pad(255 - source.train[0].reshape(-1, 28, 28), ((0, 0), (20, 20), (20, 20)))
    folder = write_files(tmp_path / "data", members(list("0123456789"), images, source.train[1]))
    Path("program.py").write_text(
        "from pathlib import Path\nfrom nnmnist.data import own\n"
        f"print(len(own.load(Path({str(folder)!r})).classes))\n"
    )
    command = [sys.executable, "program.py"]
    done = subprocess.run(
        command, capture_output=True, text=True, env={"PYTHONPATH": ":".join(sys.path)}
    )
    assert (done.stdout, done.stderr) == ("10\n", "")
