import gzip
import os

import numpy as np
import pytest

from nnmnist.data import own
from nnmnist.data.readers import tables

from .support import IMAGES, LABELS, all_examples, error_of, header, rows, table, write_files

ROWS = rows()
HEAD = header()
# Few pixels, for rows that a person can read.
SMALL = "label,a,b,c,d\n" + "".join(f"{k % 2},{k},2,3,4\n" for k in range(20))
posix = pytest.mark.skipif(os.name != "posix", reason="needs named pipes")


def quoted(lines):
    return [",".join(f'"{cell}"' for cell in line.split(",")) for line in lines]


SPELLINGS = {
    "with header": table(ROWS),
    "without header": "\n".join(ROWS).encode(),
    "class": table(ROWS, header(label="Class")),
    "label last": table(rows(label_last=True), HEAD.partition(",")[2] + ",LABEL"),
    "numbers as names": table(ROWS, "label," + ",".join(map(str, range(64)))),
    "Windows": table(ROWS).replace(b"\n", b"\r\n"),
    "byte order mark": b"\xef\xbb\xbf" + table(ROWS),
    "quotes": table(quoted(ROWS), quoted([HEAD])[0]),
    "commas at the end": table(ROWS).replace(b"\n", b",\n"),
    "blank lines": b"\n" + table(ROWS).replace(b"\n", b"\n \n") + b"\n\n",
    "no last line end": table(ROWS)[:-1],
    "gzip": gzip.compress(table(ROWS)),
    "as NumPy writes numbers": "\n".join(
        ",".join(f"{float(cell):.18e}" for cell in row.split(",")) for row in ROWS
    ).encode(),
}


@pytest.mark.parametrize("content", SPELLINGS.values(), ids=SPELLINGS)
def test_spellings(tmp_path, content):
    (tmp_path / "digits.csv").write_bytes(content)
    source = own.load(tmp_path / "digits.csv")
    assert (source.classes, source.image_shape) == (("0", "1", "2"), (8, 8))
    inputs, names = all_examples(source)
    order = np.lexsort(IMAGES.reshape(60, 64).T)
    np.testing.assert_array_equal(inputs, IMAGES.reshape(60, 64)[order])
    assert names.tolist() == LABELS[order].astype(str).tolist()


@pytest.mark.parametrize("names", [["cat", "dog", '"T, shirt"'], ["-1", "1", "10"]])
def test_labels_may_be_texts_or_negative(tmp_path, names):
    path = tmp_path / "digits.csv"
    path.write_bytes(table(rows(labels=np.array(names)[LABELS])))
    source = own.load(path)
    assert set(source.classes) == {name.strip('"') for name in names}
    assert np.bincount(source.train[1]).tolist() == [17, 17, 17]


def test_binary_pixels_become_black_and_white(tmp_path):
    path = tmp_path / "digits.csv"
    path.write_bytes(table(rows(images=(IMAGES > 127).astype(int))))
    assert np.unique(own.load(path).train[0]).tolist() == [0, 255]


@pytest.mark.parametrize("prefix", ["", "mnist_", "fashion-mnist_"])
def test_kaggle(tmp_path, prefix):
    unlabelled = table([line.partition(",")[2] for line in ROWS], HEAD.partition(",")[2])
    files = {"train.csv": table(ROWS), "test.csv": unlabelled, "sample_submission.csv": b"Id,Label"}
    folder = write_files(tmp_path, {prefix + name: data for name, data in files.items()})
    source = own.load(folder)
    assert (len(source.train[0]), len(source.test[0])) == (51, 9)
    np.testing.assert_array_equal(own.images_in(folder / f"{prefix}test.csv"), IMAGES)
    (folder / f"{prefix}test.csv").write_bytes(table(ROWS))
    source = own.load(folder)
    assert (len(source.train[0]), len(source.test[0])) == (60, 60)


FAULTS = {
    "empty": ("", ":1: expected values with commas between them, found ''"),
    "only a header": (SMALL[:14], ": holds no images"),
    "semicolons": (SMALL.replace(",", ";"), ":1: expected values with commas between them"),
    "tabs": (SMALL.replace(",", "\t"), ":1: expected values with commas between them"),
    "one column": ("1\n2\n", ":1: expected values with commas between them, found '1'"),
    "no square": ("1,2,3\n", ":1: has 2 pixels per image, which is not a square"),
    "no column of labels": (
        "a,b,c,d\n1,2,3,4\n",
        ":1: has no column of labels; name one label, or class, in the header",
    ),
    "short": (SMALL + "1,2,3\n", ":22: expected 4 pixels, found 2"),
    "long": (SMALL + "\n1,2,3,4,5,6\n", ":23: expected 4 pixels, found 5"),
    "only a label": (SMALL + "1\n" + SMALL[14:], ":22: expected 4 pixels, found 1"),
    "text": (SMALL + "1,2,x,4,5\n", ":22: expected pixels as whole numbers from 0 to 255"),
    "no pixel": (SMALL + "1,2,,4,5\n", ":22: expected pixels as whole numbers from 0 to 255"),
    "fraction": (SMALL + "1,2,.5,4,5\n", ":22: expected pixels as whole numbers from 0 to 255"),
    "nan": (SMALL + "1,2,nan,4,5\n", ":22: expected pixels as whole numbers from 0 to 255"),
    "256": (SMALL + "1,2,256,4,5\n", ":22: has pixels from 2 to 256; expected 0 to 255"),
    "negative": (SMALL + "1,2,-1,4,5\n", ":22: has pixels from -1 to 5; expected 0 to 255"),
    "no label": (SMALL + ",2,3,4,5\n", ":22: has no label"),
    "zero byte": (SMALL + "\0\n", ":22: expected 4 pixels, found 1"),
    "latin-1": (SMALL.encode() + b"\xe4,1,2,3,4\n", ": is not a text file"),
    "UTF-16": (SMALL.encode("utf-16"), ": is not a text file"),
    "gzip that ends": (gzip.compress(SMALL.encode())[:-20], ": damaged gzip file: "),
}


@pytest.mark.parametrize(("content", "fault"), FAULTS.values(), ids=FAULTS)
def test_faults_name_file_and_line(tmp_path, content, fault):
    path = tmp_path / "digits.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert error_of(path).startswith(f"{path}{fault}")


def test_a_fault_after_many_rows(tmp_path):
    path = tmp_path / "digits.csv"
    path.write_text(SMALL + "1,2,3,4,5\n" * 2500 + "1,2,3,4\n")
    assert error_of(path) == f"{path}:2522: expected 4 pixels, found 3"


def test_a_line_without_end_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "MAX_LINE", 1000)
    path = tmp_path / "digits.csv.gz"
    path.write_bytes(gzip.compress(b"1" * 5000))
    assert error_of(path) == f"{path}:1: has more than 1,000 characters"


def test_two_training_tables_are_ambiguous(tmp_path):
    folder = write_files(tmp_path, {"train.csv": b"", "train.csv.gz": b""})
    assert error_of(folder) == f"{folder}: train.csv and train.csv.gz are both the train part"


@posix
def test_a_named_pipe_is_not_opened(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    os.mkfifo(folder / "train.csv")
    for path in (folder, folder / "train.csv"):
        assert error_of(path).startswith(f"{path}: expected {own.FORMS}; ")
