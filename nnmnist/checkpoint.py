"""Checkpoints: a network, with all that is needed to use it and to resume its training, as `.npz`.

A file has the arrays `W1`, `b1`, `W2`, ... as (n_out, n_in) and (n_out,); the arrays of the
optimizer as `optimizer.<name>`, if a training can resume from it; `document`, a JSON text; and
`sha256`, over all of these. They are stored, never compressed, so that no file can unpack to more
than its own size. `numpy.load` can read it.

Files from elsewhere are not trusted: reading one runs no code, and takes time and memory in
proportion to its size.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import re
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from errno import EISDIR
from itertools import pairwise
from os import PathLike
from pathlib import Path
from types import NoneType
from typing import Annotated, Any, Literal, TypeVar

import msgspec
import numpy as np
from msgspec import Meta

from nnmnist.errors import CheckpointError
from nnmnist.evaluation.predictor import NormalizedNetwork
from nnmnist.files import best_of, write_atomic
from nnmnist.model.activations import ACTIVATIONS
from nnmnist.model.network import Network
from nnmnist.model.optimizers import Optimizer
from nnmnist.model.outputs import OUTPUTS
from nnmnist.types import Array, require_attribute, require_type

FORMAT = 1
MAGIC = b"PK\x03\x04"
MAX_DOCUMENT = 16_000_000  # bytes that `read_document` reads
# What NumPy writes for a C-ordered array; nothing else is read.
_HEADER = re.compile(
    r"\{'descr': '(<f4|<f8|<i8|<U\d{1,7})', 'fortran_order': False, "
    r"'shape': \(((?:\d{1,12}, )*(?:\d{1,12},?)?)\), \} *\n"
)


PositiveInt = Annotated[int, Meta(ge=1)]
# The bounds exclude infinity and NaN, which Python's JSON allows.
Finite = Annotated[float, Meta(ge=-sys.float_info.max, le=sys.float_info.max)]
# cost, accuracy (None for regression), for regression perhaps r2, and for a row sd
Scores = dict[str, Finite | None]
Kind = TypeVar("Kind")


class _Sections(msgspec.Struct):
    """The sections of a config that commands read before they check the config itself."""

    data: dict[str, Any] | None = None
    model: dict[str, Any] | None = None


class _Data(msgspec.Struct):
    """What identifies data."""

    name: str | None = None
    folder: str | None = None


class _Metrics(msgspec.Struct):
    """The results of an epoch."""

    train: Scores | None = None
    validation: Scores | None = None


class _Prepare(msgspec.Struct):
    mode: Literal["as_is", "digit", "resize"]
    shape: list[int]
    background: Literal[0, 255] | None


class _Facts(msgspec.Struct):
    """The types of what a document may state beside the model; it may state more."""

    classes: list[str]
    image_shape: list[int] | None = None
    preprocessing: str | None = None
    prepare: _Prepare | None = None
    config: _Sections | None = None
    data: _Data = msgspec.field(default_factory=_Data)
    epoch: PositiveInt | None = None
    metrics: _Metrics | None = None
    versions: dict[str, str | int] | None = None


@dataclass
class Checkpoint:
    """The content of a checkpoint file."""

    network: Network
    # Model and classes; in a run also image_shape, prepare, config, data, epoch, metrics, ...
    document: dict[str, Any]
    # State by name; empty if no training can resume from this file.
    optimizer: dict[str, Array] = field(default_factory=dict)
    # Of the contents.
    sha256: str = ""

    @property
    def classes(self) -> tuple[str, ...]:
        """The name of each label; empty for regression."""
        return tuple(self.document["classes"])


def save(
    path: Path | str,
    network: Network,
    classes: Sequence[str],
    facts: dict[str, Any] | None = None,
    optimizer: Optimizer | None = None,
) -> str:
    """Write a checkpoint, completely or not at all.

    Args:
        path: where to write; an existing file is replaced.
        network: the network.
        classes: the name of each class; empty for regression.
        facts: what to add to the document, as JSON: image_shape, config, data, metrics, ... They
            may be the document of another checkpoint; its model and classes do not count.
        optimizer: an optimizer whose state is saved too, to resume the training.

    Returns:
        The SHA-256 of the contents, as `Checkpoint.sha256`.

    Raises:
        OSError: the file cannot be written; an existing one is as before.
        TypeError, ValueError: an argument is of another kind, or `load` would refuse the file.
    """
    path = _as_path(path)
    if path.is_dir():
        raise IsADirectoryError(EISDIR, "is a folder; give the name of a file", str(path))
    require_type("network", network, Network, "a Network")
    require_type("classes", classes, Sequence, "a name for each class, such as splits.classes")
    require_type("facts", facts, (dict, NoneType), "a dictionary")
    require_attribute("optimizer", optimizer, "state", "an optimizer of nnmnist.model.optimizers")
    arrays = {name: np.asarray(array, order="C") for name, array in network.parameters().items()}
    if optimizer is not None:
        arrays |= {
            f"optimizer.{name}": np.asarray(a, order="C") for name, a in optimizer.state.items()
        }
    model = {
        "sizes": network.sizes,
        "activation": network.activation_name,
        "output": network.output_name,
        "dropout": network.dropout,
        "input_dropout": network.input_dropout,
        "normalize": isinstance(network, NormalizedNetwork),
        "dtype": network.dtype.name,
    }
    own = {"format": FORMAT, "model": model, "classes": list(classes)}
    document = {**(facts or {}), **own}
    if isinstance(network, NormalizedNetwork):
        document["image_shape"] = list(network.image_shape)
    text = _loadable(document, network)
    arrays["document"] = np.array(text)
    digest = _digest(arrays)
    arrays["sha256"] = np.array(digest)
    write_atomic(path, _pack(arrays))
    return digest


def _loadable(document: dict[str, Any], network: Network) -> str:
    """The document as JSON. Raises TypeError or ValueError for what `load` would refuse."""
    classes, n_outputs = document["classes"], network.sizes[-1]
    named = all(isinstance(name, str) for name in classes)
    if not named or (classes and network.output.n_units(len(classes)) != n_outputs):
        raise ValueError(
            f"classes is {classes!r:.80}; expected a name for each class, as {n_outputs} output"
            f"{'s' * (n_outputs > 1)} of the network need them, or no name for regression"
        )
    for name, array in network.parameters().items():
        if not np.isfinite(array).all():
            raise ValueError(f"network has values that are not finite in {name}")
    try:
        text = json.dumps(document, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise type(error)(f"facts must be JSON: {error}") from None
    try:
        _check_facts(json.loads(text), document["model"], network.sizes)
    except _Fault as fault:
        raise ValueError(f"facts: {str(fault).removeprefix('damaged: ')}") from None
    return text


def load(path: Path | str) -> Checkpoint:
    """Read a checkpoint and check every name, shape and type, and the digest.

    Args:
        path: an .npz file, or a run directory, which means its `best.npz`.

    Raises:
        CheckpointError: the file is missing, damaged, or is not a checkpoint.
    """
    path = best_of(_as_path(path))
    try:
        if not path.is_file():
            raise CheckpointError(
                f"{path}: {_why_no_file(path)}; give an .npz file that `nnmnist train` wrote"
            )
        with path.open("rb") as file:
            data = file.read(len(MAGIC))
            if data == MAGIC:  # otherwise the file may be anything, of any size
                data += file.read()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read: {error.strerror}") from error
    if not data.startswith(MAGIC):
        raise CheckpointError(
            f"{path}: not a checkpoint; give an .npz file that `nnmnist train` wrote"
        )
    try:
        return _rebuild(_unpack(data))
    except _Fault as fault:
        raise CheckpointError(f"{path}: {fault}; use another copy, or train again") from None
    except Exception as error:
        # zipfile, NumPy and json raise many types for damaged files
        raise CheckpointError(
            f"{path}: damaged ({error!r:.200}); use another copy, or train again"
        ) from error


def _as_path(path: Path | str) -> Path:
    require_type("path", path, (str, PathLike), "a path")
    return Path(path).expanduser()


def read_document(path: Path) -> dict[str, Any]:
    """The document of a checkpoint alone; the arrays are neither read nor checked.

    Raises:
        CheckpointError: the file is missing, or has no document that can be read.
    """
    try:
        if not path.is_file():
            raise _Fault(_why_no_file(path))
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo("document.npy")
            if member.compress_type != zipfile.ZIP_STORED or member.file_size > MAX_DOCUMENT:
                raise _Fault("its document is compressed or too large")
            document: dict[str, Any] = json.loads(
                str(_array(member.filename, archive.read(member)))
            )
    except Exception as error:  # zipfile and json raise many types for damaged files
        raise CheckpointError(f"{path}: cannot be read: {error!r:.200}") from None
    if not isinstance(document, dict):
        raise CheckpointError(f"{path}: its document is not a mapping")
    return document


def _why_no_file(path: Path) -> str:
    if path.is_dir():
        return "is a directory"
    return "is not a regular file" if path.exists() else "does not exist"


class _Fault(Exception):
    """What is wrong inside a file."""


def _digest(arrays: dict[str, Array]) -> str:
    """SHA-256 over the name, type, shape and bytes of every array but the digest itself."""
    sha = hashlib.sha256()
    for name in sorted(arrays.keys() - {"sha256"}):
        array = arrays[name]
        sha.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        sha.update(array.tobytes())
    return sha.hexdigest()


def _pack(arrays: dict[str, Array]) -> bytes:
    """A zip of .npy files. The same arrays give the same bytes at any time and on any system."""
    buffer = io.BytesIO()
    archive = zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED)
    try:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            member.create_system = 3
            npy = io.BytesIO()
            np.lib.format.write_array(npy, array, version=(1, 0), allow_pickle=False)
            archive.writestr(member, npy.getvalue())
        archive.close()
    except BaseException:
        archive.fp = None  # otherwise closing an unfinished file would raise another error
        raise
    return buffer.getvalue()


def _unpack(data: bytes) -> dict[str, Array]:
    """The arrays of an untrusted file: sizes are checked before anything is allocated."""
    arrays: dict[str, Array] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        for member in members:
            if member.compress_type != zipfile.ZIP_STORED:
                raise _Fault(
                    f"damaged: member {member.filename!r:.80} is compressed, but must not be"
                )
        if sum(member.file_size for member in members) > len(data):
            raise _Fault("damaged: its members are larger than the file, or overlap")
        for member in members:
            name = member.filename
            if not name.endswith(".npy") or name[:-4] in arrays:
                raise _Fault(f"damaged: unexpected member {name!r:.80}")
            arrays[name[:-4]] = _array(name, archive.read(member))
    if not {"document", "sha256"} <= arrays.keys():
        raise _Fault("not a checkpoint of nnmnist: it has no document and no digest")
    if str(arrays["sha256"]) != _digest(arrays):
        raise _Fault("damaged: its contents do not match its SHA-256")
    return arrays


def _array(name: str, data: bytes) -> Array:
    """One .npy of format 1.0."""
    if data[:8] != b"\x93NUMPY\x01\x00" or len(data) < 10:
        raise _Fault(f"damaged: member {name!r:.80} is not an array")
    start = 10 + int.from_bytes(data[8:10], "little")
    header = _HEADER.fullmatch(data[10:start].decode("latin-1"))
    if not header:
        raise _Fault(f"damaged: member {name!r:.80} has an array header that is not allowed")
    dtype = np.dtype(header[1])
    shape = tuple(int(n) for n in header[2].replace(",", " ").split())
    if dtype.itemsize * math.prod(shape) != len(data) - start:
        raise _Fault(
            f"damaged: member {name!r:.80} has {len(data) - start} bytes, which do not match its "
            f"shape {shape!r:.80}"
        )
    return np.frombuffer(data, dtype, offset=start).reshape(shape)


def _rebuild(arrays: dict[str, Array]) -> Checkpoint:
    """The network of arrays that match their digest, but may be forged or of another version."""
    document = json.loads(str(arrays["document"]))
    version = document["format"]
    if version != FORMAT:
        raise _Fault(
            f"it has format {version!r:.80}, but this version of nnmnist reads format {FORMAT}"
        )
    model = document["model"]
    sizes = tuple(model["sizes"])
    dtype = np.dtype({"float32": np.float32, "float64": np.float64}[model["dtype"]])
    known = model["activation"] in ACTIVATIONS and model["output"] in OUTPUTS
    if (
        not known
        or not 2 <= len(sizes) <= len(arrays)
        or not all(type(n) is int and n > 0 for n in sizes)
    ):
        raise _Fault("damaged: nnmnist does not know its model")
    _check_shapes(arrays, sizes, dtype)
    _check_facts(document, model, sizes)
    network = Network(
        sizes,
        activation=model["activation"],
        output=model["output"],
        dropout=float(model["dropout"]),
        input_dropout=float(model.get("input_dropout", 0.0)),
        dtype=dtype,
    )
    if model.get("normalize"):
        network = NormalizedNetwork(network, tuple(document["image_shape"]))
    for name, array in network.parameters().items():
        array[...] = arrays[name]
    state = {
        name[10:]: array.copy() for name, array in arrays.items() if name.startswith("optimizer.")
    }
    for name, array in {**network.parameters(), **state}.items():
        if not np.isfinite(array).all():
            raise _Fault(f"{name} has values that are not finite")
    return Checkpoint(network, document, state, str(arrays["sha256"]))


def _check_shapes(arrays: dict[str, Array], sizes: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Require exactly the arrays of the model, with their shapes and types."""
    expected: dict[str, tuple[int, ...]] = {}
    for l, (n_in, n_out) in enumerate(pairwise(sizes), start=1):
        expected |= {f"W{l}": (n_out, n_in), f"b{l}": (n_out,)}
    found = {name for name in arrays if not name.startswith("optimizer.")} - {"document", "sha256"}
    if found != expected.keys():
        odd = ", ".join(map(repr, sorted(found ^ expected.keys())))
        raise _Fault(f"damaged: its arrays are not those of its model ({odd:.200})")
    for name, shape in expected.items():
        if arrays[name].shape != shape or arrays[name].dtype != dtype:
            array = arrays[name]
            raise _Fault(
                f"damaged: {name} is {array.dtype} {array.shape!r:.80}, "
                f"but its model needs {dtype} {shape!r:.80}"
            )


def _check_facts(document: dict[str, Any], model: dict[str, Any], sizes: tuple[int, ...]) -> None:
    """Require that the rest of the document fits the model: classes, image shape, config."""
    try:
        facts = checked(document, _Facts)
    except msgspec.ValidationError as error:
        raise _Fault(f"damaged: its document has no valid {str(error)!r:.80}") from None
    classes, image_shape = facts.classes, facts.image_shape
    printable = all(name.isprintable() for name in classes)
    if not printable or (classes and OUTPUTS[model["output"]].n_units(len(classes)) != sizes[-1]):
        raise _Fault("damaged: its classes do not match its outputs")
    if image_shape is None and model.get("normalize"):
        raise _Fault("damaged: it normalizes images, but does not give their shape")
    if image_shape is not None and not _is_shape(image_shape, sizes[0]):
        raise _Fault("damaged: its image shape does not match its inputs")
    if facts.prepare and facts.prepare.shape != image_shape:
        raise _Fault("damaged: it prepares images of another shape than its image shape")
    stated = (facts.config and facts.config.model) or {}
    agreed = {**model, "hidden": list(sizes[1:-1])}
    if any(stated[key] != agreed[key] for key in stated.keys() & agreed.keys()):
        raise _Fault("damaged: its config describes another network than its arrays")


def checked(document: Any, kind: type[Kind]) -> Kind:
    """A JSON document as a type. Raises msgspec.ValidationError, whose text is the wrong key."""
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        # "Expected `int`, got `str` - at `$.data.name`", or "... missing required field `data`".
        key = re.search(r"(?:`\$\.|field `)([^`]+)`$", str(error))
        raise msgspec.ValidationError(key[1] if key else str(error)) from None


def _is_shape(image_shape: Sequence[int], n_pixels: int) -> bool:
    """Whether this is the height and width of an image with so many pixels."""
    positive = all(n > 0 for n in image_shape)
    return len(image_shape) == 2 and positive and math.prod(image_shape) == n_pixels
