"""Forged checkpoints are refused in one line.

This takes at most a second, and at most 50 MB more memory than a valid checkpoint.
"""

import io
import json
import struct
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest

from nnmnist import checkpoint
from nnmnist.model.network import Network

from .support import assert_one_line, finished, linux, nnmnist, spawn


def valid_arrays():
    """Return the arrays of a valid checkpoint, with optimizer state."""
    network = Network((4, 3))
    network.theta[:] = 0.5
    buffer = Path("good.npz")
    checkpoint.save(buffer, network, ["a", "b", "c"], {"image_shape": [2, 2]})
    with np.load(buffer) as file:
        arrays = {name: file[name] for name in file.files}
    return {**arrays, "optimizer.velocity": np.zeros(15, np.float32)}


def forged(**changes):
    """Return a file with changed arrays and a matching digest; None removes an array."""
    arrays = {**valid_arrays(), **changes}
    arrays = {name: array for name, array in arrays.items() if array is not None}
    arrays["sha256"] = np.array(checkpoint._digest(arrays))
    return checkpoint._pack(arrays)


def document(**changes):
    """Return a file with a changed document or model and a matching digest."""
    facts = json.loads(str(valid_arrays()["document"]))
    for key, value in changes.items():
        (facts["model"] if key in facts["model"] else facts)[key] = value
    return forged(document=np.array(json.dumps(facts)))


def npy(header, values=b""):
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + values


def archive(members, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in members:
            file.writestr(name, content)
    return buffer.getvalue()


def header(shape, descr="'<f4'"):
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


def one_member(shape, descr="'<f4'", values=b""):
    return archive([("W1.npy", npy(header(shape, descr), values))])


def pickled():
    buffer = io.BytesIO()
    np.savez(buffer, W1=np.array([print], object))
    return buffer.getvalue()


def twice():
    content = npy(header("(1,)"), bytes(4))
    return archive([("W1.npy", content), ("W2.npy", content)]).replace(b"W2.npy", b"W1.npy")


def nested(depth=300, size=1_000_000):
    """Return a zip whose members contain each other: 1 MB that would be read as 300 MB."""
    content, entries = bytes(size), []
    for number in reversed(range(depth)):
        content = npy(header(f"({len(content) // 4},)"), content)
        content += bytes(-len(content) % 4)
        name = b"W%06d.npy" % number  # with its local header of 40 bytes, a multiple of four
        sizes = (zlib.crc32(content), len(content), len(content), len(name))
        entries.append((name, sizes, len(content)))
        content = (
            struct.pack("<4s5H3L2H", b"PK\x03\x04", 20, 0, 0, 0, 33, *sizes, 0) + name + content
        )
        content += bytes(-len(content) % 4)
    directory = b""
    for name, sizes, length in entries:
        offset = len(content) - length - 30 - len(name)
        directory += struct.pack(
            "<4s6H3L5H2L", b"PK\x01\x02", 20, 20, 0, 0, 0, 33, *sizes, 0, 0, 0, 0, 0, offset
        ) + name  # fmt: skip
    end = struct.pack(
        "<4s4H2LH", b"PK\x05\x06", 0, 0, depth, depth, len(directory), len(content), 0
    )
    return content + directory + end


def invalid_characters():
    """Return a file whose digest has code points beyond Unicode, which a comparison would read."""
    arrays = valid_arrays()
    arrays["sha256"] = np.frombuffer(b"\xff" * 4, "<U1").reshape(())
    return checkpoint._pack(arrays)


def with_value(name, value):
    array = valid_arrays()[name].copy()
    array.flat[0] = value
    return forged(**{name: array})


FORGERIES = {
    "shape of 2^50": lambda: one_member((2**20, 2**30)),
    "header of 20 kB of digits": lambda: one_member("(" + "1" * 20_000 + "x)"),
    "header of 60 kB of dimensions": lambda: one_member(
        "(" + "1, " * 20_000 + ")", values=bytes(4)
    ),
    "header nested 4,000 deep": lambda: one_member("(" * 4000 + ")" * 4000),
    "object array": pickled,
    "structured type": lambda: one_member("(1,)", "[('a', '<f4'), ('b', '<i8')]", bytes(12)),
    "big-endian type": lambda: one_member("(1,)", "'>f4'", bytes(4)),
    "text of width 0": lambda: one_member("(3,)", "'<U0'"),
    "deflate bomb of 200 MB": lambda: archive(
        [("W1.npy", npy(header("(50000000,)"), bytes(200_000_000)))], zipfile.ZIP_DEFLATED
    ),
    "members that contain each other": nested,
    "20,000 members": lambda: archive([(f"W{n}.npy", npy(header("(0,)"))) for n in range(20_000)]),
    "duplicate member": twice,
    "extra member": lambda: forged(W9=np.zeros(3, np.float32)),
    "missing member": lambda: forged(b1=None),
    "absolute name": lambda: forged(**{"/etc/passwd": np.zeros(3, np.float32)}),
    "name with ..": lambda: forged(**{"../../W1": np.zeros(3, np.float32)}),
    "name that writes to the terminal": lambda: forged(**{"\x1b[2J": np.zeros(3, np.float32)}),
    "code points beyond Unicode": invalid_characters,
    "NaN weight": lambda: with_value("W1", np.nan),
    "infinite weight": lambda: with_value("b1", -np.inf),
    "infinite optimizer state": lambda: with_value("optimizer.velocity", np.inf),
    "document nested 100,000 deep": lambda: forged(document=np.array("[" * 100_000)),
    "document that is a list": lambda: forged(document=np.array("[1, 2]")),
    "document with a number of 4,000 digits": lambda: document(format=10**4000),
    "300,000 layers": lambda: document(sizes=[1] * 300_000),
    "config of another network": lambda: document(config={"model": {"hidden": [9]}}),
    "config of another activation": lambda: document(config={"model": {"activation": "tanh"}}),
    "config that is a text": lambda: document(config="model"),
    "images of another size": lambda: document(image_shape=[28, 28]),
    "image shape that is a number": lambda: document(image_shape=5),
    "normalized images without a shape": lambda: document(normalize=True, image_shape=None),
    "classes that are not text": lambda: document(classes=[1, None, {}]),
    "classes that are one text": lambda: document(classes="abc"),
    "data of the config that is a list": lambda: document(config={"data": [1]}),
    "model of the config that is a number": lambda: document(config={"model": 5}),
    "name of the data that is a list": lambda: document(data={"name": ["mnist"]}),
    "epoch that is a text": lambda: document(epoch="last"),
    "epoch that is infinite": lambda: document(epoch=float("inf")),
    "metrics that are a list": lambda: document(metrics=[0.1]),
    "metrics without numbers": lambda: document(metrics={"validation": {"cost": "low"}}),
    "versions that are a list": lambda: document(versions=[1]),
    "preprocessing that is a number": lambda: document(preprocessing=1),
    "image shape with a text": lambda: document(image_shape=["2", "2"]),
    "classes that write to the terminal": lambda: document(classes=["a", "\x1b[2J", "c"]),
}

MEASURE = """
import json, sys, time
from pathlib import Path
from nnmnist import checkpoint
from nnmnist.errors import CheckpointError
def kilobytes(key):
    return int(Path("/proc/self/status").read_text().split(key)[1].split()[0])
for file in sys.argv[1:]:
    Path("/proc/self/clear_refs").write_text("5")  # reset the peak memory use to the present use
    before, start = kilobytes("VmRSS:"), time.process_time()
    try:
        checkpoint.load(file)
        message = None
    except CheckpointError as error:
        message = str(error)
    seconds = time.process_time() - start
    print(json.dumps([message, seconds, kilobytes("VmHWM:") - before]))
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """The error message of each file, and the CPU seconds and kB that loading it takes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("forged"))
        files = ["valid.npz", *(f"{n}.npz" for n in range(len(FORGERIES)))]
        for file, craft in zip(files, [forged, *FORGERIES.values()], strict=True):
            Path(file).write_bytes(craft())
        out, err = finished(spawn(*files, program=("-c", MEASURE)))
    assert err == ""
    return dict(zip(["valid", *FORGERIES], map(json.loads, out.splitlines()), strict=True))


@linux
@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_is_refused_quickly(results, name):
    message, seconds, kilobytes = results[name]
    assert message is not None
    assert message.isprintable()
    assert len(message) < 500
    assert seconds < 5  # a second on a slow, busy machine; a trap would take minutes
    assert kilobytes < 50_000


@linux
def test_images_of_unknown_shape_cannot_be_normalized(results):
    message, *_ = results["normalized images without a shape"]
    assert "normalizes images, but does not give their shape" in message


@linux
def test_the_valid_file_is_read(results):
    assert results["valid"][0] is None
    assert sys.getsizeof(nested()) < 1_200_000


@pytest.mark.parametrize(
    "command",
    [
        ["evaluate", "forged.npz"],
        ["predict", "forged.npz", "image.png"],
        ["compare", "forged.npz", "forged.npz"],
        ["export", "forged.npz", "-o", "out.onnx"],
        ["export", "forged.npz", "-o", "out.html"],
        ["export", "forged.npz", "-o", "out.safetensors"],
    ],
    ids=lambda command: command[0] + command[-1][-5:],
)
def test_every_command_refuses_a_forged_document(command):
    Path("forged.npz").write_bytes(document(config={"data": [1]}))
    result = nnmnist(*command)
    assert result.exit_code == 1
    assert_one_line(result.stderr)
    assert "forged.npz: damaged: its document has no valid 'config.data'" in result.stderr
