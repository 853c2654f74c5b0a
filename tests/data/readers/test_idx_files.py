import gzip
import os
import struct

import numpy as np
import pytest

from nnmnist.data import own
from nnmnist.data.examples import Source
from nnmnist.data.readers import idx, idx_files
from nnmnist.images.preparation import Preparation

from .support import IMAGES, LABELS, error_of, write_files
from .support import idx_files as files_of

posix = pytest.mark.skipif(os.name != "posix", reason="needs named pipes")
LETTERS = np.random.default_rng(1).integers(0, 256, (52, 28, 28)).astype(np.uint8)
LETTER_LABELS = 1 + np.arange(52) % 26  # EMNIST's letters are numbered from 1
MAPPING = "".join(f"{k + 1} {65 + k} {97 + k}\n" for k in range(26)).encode()


def both_parts(**spelling):
    return files_of(**spelling) | files_of(IMAGES[:30], LABELS[:30], "t10k", **spelling)


def emnist(split="letters"):
    prefix = f"emnist-{split}-"
    files = files_of(LETTERS, LETTER_LABELS, "train", prefix)
    files |= files_of(LETTERS[:26], LETTER_LABELS[:26], "test", prefix)
    return {f"{name}.gz": gzip.compress(data) for name, data in files.items()} | {
        f"{prefix}mapping.txt": MAPPING
    }


@pytest.mark.parametrize("place", ["", "mnist/", "MNIST/raw/", "raw/"])
@pytest.mark.parametrize("dot", ["-", "."])
@pytest.mark.parametrize("gz", ["", ".gz"])
def test_spellings(tmp_path, place, dot, gz):
    files = {f"{place}{name}{gz}": data for name, data in both_parts(dot=dot).items()}
    if gz:
        files = {name: gzip.compress(data) for name, data in files.items()}
    source = own.load(write_files(tmp_path / "data", files))
    np.testing.assert_array_equal(source.train[0], IMAGES.reshape(60, 64))
    np.testing.assert_array_equal(source.test[1], LABELS[:30])
    assert set(source.identity["sha256"]) == set(both_parts())


def test_int32_labels_may_be_negative(tmp_path):
    files = files_of() | {"train-labels-idx1-ubyte": idx.encode((LABELS - 1).astype(np.int32))}
    source = own.load(write_files(tmp_path / "data", files))
    assert source.classes == ("-1", "0", "1")
    assert source.train[1].dtype == np.uint8


def test_qmnist_has_the_class_in_the_first_of_eight_columns(tmp_path):
    labels = np.arange(480).reshape(60, 8).astype(np.int32)
    labels[:, 0] = LABELS
    images, labels = idx.encode(IMAGES), idx.encode(labels)
    files = {}
    for part in ("train", "test", "test10k", "test50k"):
        files[f"qmnist-{part}-images-idx3-ubyte"] = images
        files[f"qmnist-{part}-labels-idx2-int"] = labels
    source = own.load(write_files(tmp_path / "data", files))
    assert source.classes == ("0", "1", "2")
    np.testing.assert_array_equal(source.train[1], LABELS)


@pytest.mark.parametrize("named", [False, True])
def test_emnist_is_turned_upright_and_its_labels_are_letters(tmp_path, named):
    folder = write_files(tmp_path / "data", emnist())
    source = own.load(folder / "emnist-letters" if named else folder)
    assert "".join(source.classes) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    upright = LETTERS.transpose(0, 2, 1).reshape(52, 784)
    np.testing.assert_array_equal(source.train[0], upright)
    np.testing.assert_array_equal(source.test[0], upright[:26])
    np.testing.assert_array_equal(source.train[1], LETTER_LABELS - 1)


def test_emnist_without_its_mapping(tmp_path):
    files = emnist()
    del files["emnist-letters-mapping.txt"]
    source = own.load(write_files(tmp_path / "data", files))
    assert source.classes == tuple(map(str, range(1, 27)))


def test_a_folder_of_several_splits_asks_which(tmp_path):
    folder = write_files(tmp_path / "data", emnist() | emnist("digits"))
    assert error_of(folder) == (
        f"{folder}: holds several data sets (emnist-digits, emnist-letters); name one, such as "
        f"{folder}/emnist-letters"
    )
    assert len(own.load(folder / "emnist-letters").classes) == 26
    assert error_of(folder / "emnist-x").startswith(f"{folder}/emnist-x: does not exist; ")


MAPPINGS = {
    "text": (b"1 65\nhello\n", ":2: expected a label and the code of its character, such as 10 65"),
    "bytes": (b"\xff\0\n", ":1: expected a label and the code of its character"),
    "no code": (b"1\n", ":1: expected a label and the code of its character"),
    "a huge code": (b"1 99999999999\n", ":1: expected a label and the code of its character"),
    "a huge label": (b"1" * 5000 + b" 65\n", ":1: expected a label and the code of its character"),
}


@pytest.mark.parametrize(("mapping", "fault"), MAPPINGS.values(), ids=MAPPINGS)
def test_a_damaged_mapping_is_named(tmp_path, mapping, fault):
    file = write_files(tmp_path / "data", emnist()) / "emnist-letters-mapping.txt"
    file.write_bytes(mapping)
    assert error_of(file.parent).startswith(f"{file}{fault}")


NAMES = {
    "short": (b"1 65\n2 66\n", "the label 3 is none of the 2 that have a name"),
    "twice": (MAPPING.replace(b"66", b"65"), "two classes are called A; rename one of them"),
    "half a character": (
        MAPPING.replace(b"66", b"55296"),
        "a class is called '\\ud800'; give it a printable name",
    ),
}


@pytest.mark.parametrize(("mapping", "fault"), NAMES.values(), ids=NAMES)
def test_names_of_a_mapping_that_do_not_fit(tmp_path, mapping, fault):
    folder = write_files(tmp_path / "data", emnist() | {"emnist-letters-mapping.txt": mapping})
    assert error_of(folder) == f"{folder}: {fault}"


CLASSES = {
    "good": (b"cat\ndog\nT-shirt/top\n", None),
    "Windows": ("cat\r\ndog\r\nÄpfel\r\n".encode(), None),
    "short": (b"cat\ndog\n", ": the label 2 is none of the 2 that have a name"),
    "twice": (b"cat\ncat\ndog\n", ": two classes are called cat; rename one of them"),
    "blank": (b"cat\n\ndog\n", ": a class is called ''; give it a printable name"),
    "bytes": (b"\xff\n", "/classes.txt: is not a text file"),
}


@pytest.mark.parametrize(("content", "fault"), CLASSES.values(), ids=CLASSES)
def test_names_of_classes(tmp_path, content, fault):
    folder = write_files(tmp_path / "data", files_of() | {"classes.txt": content})
    if fault is None:
        assert own.load(folder).classes == tuple(content.decode().split())
    else:
        assert error_of(folder) == f"{folder}{fault}"


def test_missing_files_are_named(tmp_path):
    files = both_parts()
    for missing in files:
        rest = {name: data for name, data in files.items() if name != missing}
        folder = write_files(tmp_path / missing, rest)
        assert error_of(folder).startswith(f"{folder}: lacks {missing} (with or without .gz); ")


FAULTS = {
    "swapped": (idx.encode(LABELS.astype(np.uint8)), ": train: expected images (count, rows, "),
    "fewer": (idx.encode(IMAGES[1:]), ": train: 59 images, but 60 labels"),
    "none": (idx.encode(IMAGES[:0]), ": train: 0 images, but 60 labels"),
    "no pixels": (idx.encode(IMAGES[:, :0]), ": train: no images (60 x 0 x 8)"),
    "int32": (idx.encode(IMAGES.astype(np.int32)), ": train: expected unsigned bytes as pixels"),
    "floats": (struct.pack(">HBB3I", 0, 13, 3, 1, 1, 1), "found float32"),
    "huge": (struct.pack(">HBB3I", 0, 8, 3, *[2**32 - 1] * 3), "more than this file can have"),
    "huge, packed": (
        gzip.compress(struct.pack(">HBB3I", 0, 8, 3, *[2**32 - 1] * 3)),
        "more than this file can have",
    ),
    "longer than declared, packed": (
        gzip.compress(idx.encode(IMAGES) + bytes(10**7)),
        "but more follow: the file is damaged",
    ),
    "text": (b"hello", "not an IDX file"),
}


@pytest.mark.parametrize(("content", "fault"), FAULTS.values(), ids=FAULTS)
def test_faults(tmp_path, content, fault):
    files = files_of() | {"train-images-idx3-ubyte": content}
    folder = write_files(tmp_path / "data", files)
    message = error_of(folder)
    assert message.startswith(str(folder))
    assert fault in message


@posix
def test_named_pipes_are_not_opened(tmp_path):
    folder = write_files(tmp_path / "data", files_of())
    os.mkfifo(folder / "t10k-images-idx3-ubyte")
    os.mkfifo(folder / "classes.txt")
    assert len(own.load(folder).train[0]) == 51


def test_what_is_written_is_read_again(tmp_path):
    rng = np.random.default_rng(0)
    labels = LABELS.astype(np.uint8)
    parts = [(rng.integers(0, 256, (n, 6)).astype(np.uint8), labels[:n]) for n in (12, 6)]
    classes = ("cat", "Äpfel", "T-shirt/top")
    kind = {"image_shape": (2, 3), "preparation": Preparation("as_is", (2, 3), None)}
    idx_files.write(Source("x", *parts, classes, **kind), tmp_path / "data")
    source = own.load(tmp_path / "data")
    assert (source.classes, source.image_shape) == (classes, (2, 3))
    for read, written in zip((source.train, source.test), parts, strict=True):
        np.testing.assert_array_equal(read[0], written[0])
        np.testing.assert_array_equal(read[1], written[1])
