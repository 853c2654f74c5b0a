import builtins
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nnmnist.data import own
from nnmnist.errors import MissingLibrary

from .support import IMAGES, LABELS, NAMES, error_of, png, write_parquet

HUB = {
    "mnist": ("mnist/train-00000-of-00001", "mnist/test-00000-of-00001"),
    "data": ("data/train-0", "data/test-0"),
    "converted": ("mnist/train/0000", "mnist/test/0000"),
    "flat": ("train-0", "test-0"),
}


@pytest.mark.parametrize(("train", "test"), HUB.values(), ids=HUB)
def test_places_of_the_hub(tmp_path, train, test):
    folder = tmp_path / "data"
    write_parquet(folder / f"{train}.parquet")
    write_parquet(folder / f"{test}.parquet", IMAGES[:30], LABELS[:30])
    write_parquet(folder / ".cache" / "train-1.parquet", IMAGES[:2], LABELS[:2])
    source = own.load(folder)
    assert source.classes == tuple(NAMES)
    np.testing.assert_array_equal(source.train[0], IMAGES.reshape(60, 64))
    np.testing.assert_array_equal(source.test[1], LABELS[:30])


def test_several_files_of_a_part(tmp_path):
    for n in range(3):
        rows = slice(20 * n, 20 * n + 20)
        write_parquet(tmp_path / f"data/train-{n}-of-3.parquet", IMAGES[rows], LABELS[rows])
    source = own.load(tmp_path / "data")
    assert len(source.train[0]) + len(source.test[0]) == 60


@pytest.mark.parametrize("metadata", [b"{", b"[]", b"[" * 100_000, b'{"info": 3}'])
def test_without_names_the_labels_are_the_names(tmp_path, metadata):
    path = write_parquet(tmp_path / "a.parquet", metadata=metadata)
    assert own.load(path).classes == ("0", "1", "2")


def test_labels_may_be_texts(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", labels=LABELS.astype(str), names=None)
    assert own.load(path).classes == ("0", "1", "2")


def test_pictures_without_labels(tmp_path):
    path = write_parquet(tmp_path / "a.parquet", labels=None)
    found = [picture.load() for picture in own.images_in(path)]
    assert found == list(map(png, IMAGES))


FAULTS = {
    "no label": ({"labels": None}, ": has the columns image; expected image and label"),
    "label -1": ({"labels": LABELS - 1}, ": the label -1 is none of the 3 that have a name"),
    "label 7": ({"labels": LABELS * 7}, ": the label 7 is none of the 3 that have a name"),
    "null": ({"labels": [None, *LABELS[1:].tolist()]}, ": row 0: its label is None; expected"),
    "fraction": ({"labels": LABELS / 2}, ": row 0: its label is 0.0; expected a whole number"),
    "no image": ({"images": [*IMAGES[:-1], None]}, ": row 59: its image has no bytes"),
    "no rows": ({"images": IMAGES[:0], "labels": LABELS[:0]}, ": holds no train pictures"),
    "one name twice": ({"names": ["a", "a", "b"]}, ": two classes are called a; rename one"),
    "an empty name": ({"names": ["a", "", "b"]}, ": a class is called ''; give it a"),
    "no picture": (
        {"images": [b"no", *IMAGES[1:]]},
        ": 1 of 60 train pictures cannot be read: {path}: row 0: cannot be read as an image",
    ),
}


@pytest.mark.parametrize(("contents", "fault"), FAULTS.values(), ids=FAULTS)
def test_faults(tmp_path, contents, fault):
    path = write_parquet(tmp_path / "a.parquet", **contents)
    assert error_of(path).startswith(f"{path}{fault.format(path=path)}")


def test_other_columns(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"img": [1], "label": [1]}), path)
    assert error_of(path) == f"{path}: has the columns img, label; expected image and label"
    pq.write_table(pa.table({"image": [[1, 2]], "label": [1]}), path)
    assert error_of(path) == f"{path}: row 0: its image has no bytes"


def test_only_a_test_part(tmp_path):
    write_parquet(tmp_path / "data" / "test-0.parquet")
    assert error_of(tmp_path / "data").endswith("no training part; expected a file train-*.parquet")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"hello", b"PAR1" + bytes(100) + b"PAR1"])
def test_files_that_are_not_parquet(tmp_path, content):
    path = tmp_path / "a.parquet"
    path.write_bytes(content)
    assert error_of(path).startswith(f"{path}: cannot be read as Parquet: ")


def test_without_pyarrow_the_error_names_the_extra(tmp_path, monkeypatch):
    path = write_parquet(tmp_path / "a.parquet")
    original = builtins.__import__

    def refuse(name, *rest):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return original(name, *rest)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingLibrary, match=r"pip install 'nnmnist\[arrow\]'$"):
        own.load(path)


def test_names_of_the_hub_are_json(tmp_path):
    feature = {"label": {"names": ["a", "b", "c"]}, "image": {"_type": "Image"}}
    path = write_parquet(
        tmp_path / "a.parquet", metadata=json.dumps({"info": {"features": feature}})
    )
    assert own.load(path).classes == ("a", "b", "c")
