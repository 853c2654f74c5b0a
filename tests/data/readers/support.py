"""Small data sets in every form, and what a test asks of an error."""

import gzip
import io
import json
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from nnmnist.data import own
from nnmnist.data.readers import idx
from nnmnist.errors import ConfigError, DataError

# Sixty pictures of 8x8 pixels, which PNG keeps; 20 of each class.
IMAGES = np.random.default_rng(0).integers(0, 256, (60, 8, 8)).astype(np.uint8)
LABELS = np.arange(60) % 3
NAMES = ["cat", "dog", "T-shirt/top"]


def png(image, form="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, form)
    return buffer.getvalue()


def members(names=NAMES, images=IMAGES, labels=LABELS):
    """The files of a folder of pictures per class: path -> content."""
    return {
        f"{names[label].replace('/', '%2F')}/{n:04}.png": png(image)
        for n, (image, label) in enumerate(zip(images, labels, strict=True))
    }


def write_files(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def write_zip(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def idx_files(images=IMAGES, labels=LABELS, part="train", prefix="", dot="-"):
    """The two IDX files of a part: name -> content."""
    return {
        f"{prefix}{part}-images{dot}idx3-ubyte": idx.encode(images),
        f"{prefix}{part}-labels{dot}idx1-ubyte": idx.encode(labels.astype(np.uint8)),
    }


def rows(images=IMAGES, labels=LABELS, sep=",", label_last=False):
    """The rows of a table of images."""
    lines = []
    for image, label in zip(images.reshape(len(images), -1).tolist(), labels, strict=True):
        cells = [*image, label] if label_last else [label, *image]
        lines.append(sep.join(map(str, cells)))
    return lines


def header(n=64, label="label"):
    return ",".join([label, *(f"pixel{k}" for k in range(n))])


def table(lines, head=None):
    return "".join(f"{line}\n" for line in ([head or header(), *lines])).encode()


def write_parquet(path, images=IMAGES, labels=LABELS, names=NAMES, metadata=None):
    """As the Hugging Face Hub has it; an image may also be the bytes of a picture, or None."""
    encoded = [png(image) if isinstance(image, np.ndarray) else image for image in images]
    pictures = [None if data is None else {"bytes": data, "path": None} for data in encoded]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    columns = {"image": pa.array(pictures, kind)}
    if labels is not None:
        columns["label"] = pa.array(list(labels))
    if metadata is None and names is not None:
        feature = {"names": names, "_type": "ClassLabel"}
        metadata = json.dumps({"info": {"features": {"label": feature}}})
    path.parent.mkdir(parents=True, exist_ok=True)
    stored = pa.table(columns).replace_schema_metadata(metadata and {"huggingface": metadata})
    pq.write_table(stored, path)
    return path


def write_npz(path, **arrays):
    np.savez(path, **arrays)
    return path


# Each function writes IMAGES and LABELS below a folder, and returns the path to name.
FORMS = {
    "folder": lambda folder: write_files(folder / "pictures", members()),
    "zip": lambda folder: write_zip(folder / "pictures.zip", members()),
    "idx": lambda folder: write_files(folder / "idx", idx_files()),
    "idx.gz": lambda folder: write_files(
        folder / "idx",
        {f"{name}.gz": gzip.compress(data) for name, data in idx_files().items()},
    ),
    "npz": lambda folder: write_npz(folder / "digits.npz", x_train=IMAGES, y_train=LABELS),
    "csv": lambda folder: write_files(folder, {"digits.csv": table(rows())}) / "digits.csv",
    "csv.gz": lambda folder: (
        write_files(folder, {"digits.csv.gz": gzip.compress(table(rows()))}) / "digits.csv.gz"
    ),
    "parquet": lambda folder: write_parquet(folder / "digits.parquet"),
}


def all_examples(source):
    """The images and the names of their classes, in a fixed order."""
    inputs = np.concatenate([source.train[0], source.test[0]])
    labels = np.concatenate([source.train[1], source.test[1]])
    names = np.array(source.classes)[labels]
    order = np.lexsort(inputs.T)
    return inputs[order], names[order]


def error_of(path, **settings):
    """The message of the error that loading raises: one line."""
    with pytest.raises((DataError, ConfigError)) as caught:
        own.load(path, **settings)
    message = str(caught.value)
    assert message
    assert message.isprintable()
    return message
