import io
import zipfile

import numpy as np
import pytest

from nnmnist.data import own
from nnmnist.data.readers import npz

from .support import IMAGES, LABELS, all_examples, error_of, write_npz

NAMES = [
    ("x_train", "y_train", "x_test", "y_test"),
    ("train_images", "train_labels", "test_images", "test_labels"),
    ("X_train", "Y_train", "X_test", "Y_test"),
]


@pytest.mark.parametrize("names", NAMES)
def test_names_of_arrays(tmp_path, names):
    arrays = dict(zip(names, (IMAGES, LABELS, IMAGES[:30], LABELS[:30]), strict=True))
    source = own.load(write_npz(tmp_path / "a.npz", **arrays))
    np.testing.assert_array_equal(source.train[0], IMAGES.reshape(60, 64))
    np.testing.assert_array_equal(source.test[1], LABELS[:30])


FORMS = {
    "images": (IMAGES, LABELS),
    "flat": (IMAGES.reshape(60, 64), LABELS),
    "channels last": (IMAGES[..., None], LABELS),
    "channels first": (IMAGES[:, None], LABELS),
    "colours": (np.repeat(IMAGES[..., None], 3, 3), LABELS),
    "colours and opacity": (np.repeat(IMAGES[..., None], 4, 3), LABELS),
    "floats": (IMAGES.astype(np.float32), LABELS),
    "floats to 1": (IMAGES / 255, LABELS),
    "colours to 1": (np.repeat(IMAGES[..., None], 3, 3) / 255, LABELS),
    "int64": (IMAGES.astype(np.int64), LABELS),
    "a column of labels": (IMAGES, LABELS[:, None]),
    "labels as floats": (IMAGES, LABELS.astype(float)),
    "one-hot labels": (IMAGES, np.eye(3)[LABELS]),
    "labels as texts": (IMAGES, LABELS.astype(str)),
}


@pytest.mark.parametrize(("images", "labels"), FORMS.values(), ids=FORMS)
def test_forms_of_images_and_labels(tmp_path, images, labels):
    source = own.load(write_npz(tmp_path / "a.npz", images=images, labels=labels))
    assert source.classes == ("0", "1", "2")
    inputs, names = all_examples(source)
    order = np.lexsort(IMAGES.reshape(60, 64).T)
    np.testing.assert_array_equal(inputs, IMAGES.reshape(60, 64)[order])
    assert names.tolist() == LABELS[order].astype(str).tolist()


@pytest.mark.parametrize("kind", [bool, np.uint8, np.float64])
def test_binary_pixels_become_black_and_white(tmp_path, kind):
    source = own.load(
        write_npz(tmp_path / "a.npz", images=(IMAGES > 9).astype(kind), labels=LABELS)
    )
    assert np.unique(source.train[0]).tolist() == [0, 255]


def test_negative_labels(tmp_path):
    source = own.load(write_npz(tmp_path / "a.npz", images=IMAGES, labels=LABELS - 1))
    assert source.classes == ("-1", "0", "1")


FAULTS = {
    "no labels": ({"x_train": IMAGES}, "holds x_train; expected x_train and y_train, "),
    "other names": ({"a": IMAGES, "b": LABELS}, "holds a, b; expected x_train and y_train, "),
    "nothing": ({}, "holds nothing; expected x_train and y_train, "),
    "a label too few": (
        {"images": IMAGES, "labels": LABELS[1:]},
        "labels: has 59 labels, but there are 60 images",
    ),
    "no images": ({"images": IMAGES[:0], "labels": LABELS[:0]}, "images: holds no images"),
    "no pixels": ({"images": IMAGES[:, :0], "labels": LABELS}, "images: holds no images"),
    "objects": (
        {"images": np.array([IMAGES[0], None], object), "labels": LABELS[:2]},
        "cannot be read: Object arrays cannot be loaded",
    ),
    "objects as labels": (
        {"images": IMAGES, "labels": LABELS.astype(object)},
        "cannot be read: Object arrays cannot be loaded",
    ),
    "one axis": (
        {"images": IMAGES.ravel(), "labels": LABELS},
        "images: has the shape 3840; expected images x rows x columns",
    ),
    "five axes": ({"images": IMAGES[None, None], "labels": LABELS}, "images: has the shape 1 x 1"),
    "no square": (
        {"images": IMAGES.reshape(60, 64)[:, 1:], "labels": LABELS},
        "images: has 63 pixels per image, which is not a square",
    ),
    "texts as pixels": ({"images": IMAGES.astype(str), "labels": LABELS}, "images: holds <U3; "),
    "nan as pixel": (
        {"images": np.where(IMAGES > 9, IMAGES, np.nan), "labels": LABELS},
        "images: holds values from nan to nan; expected 0 to 255",
    ),
    "negative pixels": (
        {"images": IMAGES / 127.5 - 1, "labels": LABELS},
        "images: holds values from -1.0 to 1.0; expected 0 to 255",
    ),
    "fractions as labels": (
        {"images": IMAGES, "labels": LABELS / 2},
        "labels: holds fractions; labels are whole numbers or texts",
    ),
    "nan as label": (
        {"images": IMAGES, "labels": np.where(LABELS == 0, np.nan, LABELS)},
        "labels: holds fractions",
    ),
    "infinity as label": (
        {"images": IMAGES, "labels": np.where(LABELS == 0, np.inf, LABELS)},
        "labels: holds fractions",
    ),
    "not one-hot": (
        {"images": IMAGES, "labels": np.ones((60, 3))},
        "labels: has the shape 60 x 3 and type float64; expected labels (n)",
    ),
    "dates as labels": (
        {"images": IMAGES, "labels": LABELS.astype("datetime64[s]")},
        "labels: has the shape 60 and type datetime64[s]; expected labels (n)",
    ),
    "parts of two sizes": (
        {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES[:, 1:], "y_test": LABELS},
        "the parts have images of several sizes (8 x 8, 7 x 8); check them, or set",
    ),
    "a class for the test alone": (
        {"x_train": IMAGES, "y_train": LABELS, "x_test": IMAGES, "y_test": LABELS + 1},
        "no training pictures of the class 3; ",
    ),
    "300 classes": (
        {"images": np.repeat(IMAGES, 10, 0), "labels": np.arange(600) % 300},
        "has 300 classes; at most 256 are possible",
    ),
}


@pytest.mark.parametrize(("arrays", "fault"), FAULTS.values(), ids=FAULTS)
def test_faults(tmp_path, arrays, fault):
    path = write_npz(tmp_path / "a.npz", **arrays)
    assert error_of(path).startswith(f"{path}: {fault}")


def declared(shape):
    header = io.BytesIO()
    form = {"descr": "|u1", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(header, form)
    return header.getvalue() + bytes(100)


@pytest.mark.parametrize("shape", [(10**9, 10**3, 10**3), (2**62, 28, 28), (-5, 28, 28)])
def test_sizes_that_are_not_true(tmp_path, shape):
    path = tmp_path / "a.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images.npy", declared(shape))
        archive.writestr("labels.npy", declared((100,)))
    assert error_of(path).startswith(f"{path}: cannot be read: ")


@pytest.mark.parametrize("name", ["images", "labels"])
def test_a_zip_bomb_is_not_decompressed(tmp_path, monkeypatch, name):
    monkeypatch.setattr(npz, "MAX_BYTES", 10_000)
    arrays = {"images": IMAGES, "labels": LABELS, name: np.zeros((60, 1000), np.uint8)}
    path = write_npz(tmp_path / "a.npz", **arrays)
    assert error_of(path) == f"{path}: cannot be read: {name}.npy has more than 10,000 bytes"


def test_images_without_labels(tmp_path):
    for arrays in ({"a": IMAGES}, {"x_test": IMAGES, "z": LABELS}, {"z": LABELS, "images": IMAGES}):
        found = own.images_in(write_npz(tmp_path / "a.npz", **arrays))
        np.testing.assert_array_equal(found, IMAGES)
    path = write_npz(tmp_path / "a.npz", a=IMAGES, b=IMAGES)
    with pytest.raises(own.DataError, match=r"holds a, b; expected one array of images$"):
        own.images_in(path)
