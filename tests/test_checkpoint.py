import io
import json
import zipfile

import numpy as np
import pytest

from nnmnist import checkpoint
from nnmnist.errors import CheckpointError
from nnmnist.evaluation.predictor import NormalizedNetwork
from nnmnist.model.network import Network
from nnmnist.model.optimizers import Adam


def random_network(**settings):
    network = Network((6, 5, 3), **settings)
    network.theta[:] = np.random.default_rng(0).normal(size=network.theta.size)
    return network


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "net.npz"
    checkpoint.save(
        path, random_network(activation="tanh", dropout=0.2), ["a", "b", "c"], {"epoch": 4}
    )
    return path


def repack(path, change):
    """Forge a checkpoint: change its arrays and write the matching digest."""
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    change(arrays)
    arrays["sha256"] = np.array(checkpoint._digest(arrays))
    path.write_bytes(checkpoint._pack(arrays))


def change_document(path, **changes):
    def change(arrays):
        document = json.loads(str(arrays["document"]))
        for key, value in changes.items():
            place = document["model"] if key in document["model"] else document
            place[key] = value
        arrays["document"] = np.array(json.dumps(document))

    repack(path, change)


def test_round_trip(saved):
    network = random_network(activation="tanh", dropout=0.2)
    found = checkpoint.load(saved)
    assert found.network.theta.tobytes() == network.theta.tobytes()
    assert (found.network.sizes, found.network.activation_name) == ((6, 5, 3), "tanh")
    assert (found.network.output_name, found.network.dropout) == ("softmax", 0.2)
    assert found.classes == ("a", "b", "c")
    assert found.document["epoch"] == 4
    assert found.optimizer == {}


def test_dropout_probabilities_are_saved(tmp_path):
    network = Network((6, 5, 3), dropout=0.25, input_dropout=0.125)
    checkpoint.save(tmp_path / "net.npz", network, ["a", "b", "c"])
    found = checkpoint.load(tmp_path / "net.npz").network
    assert (found.dropout, found.input_dropout) == (0.25, 0.125)


def test_a_normalized_network_is_saved_with_its_image_shape(tmp_path):
    network, path = NormalizedNetwork(Network((6, 5, 3)), (2, 3)), tmp_path / "net.npz"
    checkpoint.save(path, network, ["a", "b", "c"])
    found = checkpoint.load(path).network
    assert isinstance(found, NormalizedNetwork)
    assert found.image_shape == (2, 3)
    assert checkpoint.load(path).document["image_shape"] == [2, 3]


def test_optimizer_state_is_saved(tmp_path):
    network, path = random_network(), tmp_path / "last.npz"
    adam = Adam(network.theta.size)
    adam.step(network.theta, np.ones_like(network.theta), 0.1)
    checkpoint.save(path, network, [], {}, adam)
    state = checkpoint.load(path).optimizer
    assert state.keys() == adam.state.keys()
    assert all(state[name].tobytes() == array.tobytes() for name, array in adam.state.items())


def test_numpy_reads_the_weights_in_two_lines(saved):
    file = np.load(saved)
    np.testing.assert_array_equal(file["W1"], random_network().W[0])
    assert file["W1"].shape == (5, 6)
    assert file["b2"].shape == (3,)
    file.close()


def test_same_network_same_bytes(tmp_path):
    for name in ("one", "two"):
        checkpoint.save(tmp_path / name, random_network(), ["a", "b", "c"])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_flipped_bit_is_harmless_or_detected(saved, tmp_path):
    """Every flipped bit gives the same network or a CheckpointError."""
    data = saved.read_bytes()
    broken, refused = tmp_path / "broken.npz", 0
    theta = checkpoint.load(saved).network.theta.tobytes()
    for at in range(0, len(data), 7):
        flipped = bytearray(data)
        flipped[at] ^= 1 << (at % 8)
        broken.write_bytes(flipped)
        try:
            assert checkpoint.load(broken).network.theta.tobytes() == theta
        except CheckpointError:
            refused += 1
    assert refused > 0.8 * len(data) / 7


def test_a_truncated_file(saved):
    data = saved.read_bytes()
    for size in range(0, len(data), 97):
        saved.write_bytes(data[:size])
        with pytest.raises(CheckpointError):
            checkpoint.load(saved)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a checkpoint"),
        (b"<html></html>", "not a checkpoint"),
        (b"\x80\x04pickle", "not a checkpoint"),
    ],
)
def test_not_a_checkpoint(tmp_path, content, message):
    path = tmp_path / "x.npz"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(path)


def test_a_missing_file_and_a_directory(tmp_path):
    with pytest.raises(CheckpointError, match="does not exist"):
        checkpoint.load(tmp_path / "none.npz")
    with pytest.raises(CheckpointError, match="is a directory"):
        checkpoint.load(tmp_path)


def test_another_npz(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3, np.float32))
    with pytest.raises(CheckpointError, match="not a checkpoint of nnmnist"):
        checkpoint.load(tmp_path / "other.npz")


def test_a_pickled_array_is_never_unpickled(tmp_path):
    np.savez(tmp_path / "evil.npz", W1=np.array([print], object))
    with pytest.raises(CheckpointError, match="an array header that is not allowed"):
        checkpoint.load(tmp_path / "evil.npz")


def test_a_compressed_bomb_is_refused_before_unpacking(tmp_path):
    np.savez_compressed(tmp_path / "bomb.npz", W1=np.zeros(10_000_000, np.float32))
    with pytest.raises(CheckpointError, match="is compressed, but must not be"):
        checkpoint.load(tmp_path / "bomb.npz")


def test_a_shape_larger_than_the_file_is_refused(saved):
    npy = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        npy, {"descr": "<f4", "fortran_order": False, "shape": (2**20, 2**30)}
    )
    with zipfile.ZipFile(saved, "w") as archive:
        archive.writestr("W1.npy", npy.getvalue())
    with pytest.raises(CheckpointError, match="has 0 bytes, which do not match its shape"):
        checkpoint.load(saved)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sizes": [6, 2**50, 3]}, "its model needs"),
        ({"sizes": [6, 5, 4]}, "classes do not match|its model needs"),
        ({"sizes": [6, 3]}, "arrays are not those of its model"),
        ({"sizes": [6, -5, 3]}, "nnmnist does not know its model"),
        ({"sizes": "6"}, "damaged"),
        ({"activation": "step"}, "nnmnist does not know its model"),
        ({"output": ["softmax"]}, "damaged"),
        ({"dtype": "float16"}, "damaged"),
        ({"dropout": "much"}, "damaged"),
        ({"dtype": "float64"}, "its model needs float64"),
        ({"format": 99}, "format 99"),
        ({"classes": ["a"]}, "classes do not match its outputs"),
    ],
)
def test_a_document_that_does_not_fit(saved, changes, message):
    change_document(saved, **changes)
    with pytest.raises(CheckpointError, match=message):
        checkpoint.load(saved)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite(saved, value):
    repack(saved, lambda arrays: arrays["W1"].__setitem__((0, 0), value))
    with pytest.raises(CheckpointError, match="not finite"):
        checkpoint.load(saved)


def test_missing_and_extra_arrays(saved):
    repack(saved, lambda arrays: arrays.__setitem__("W9", np.zeros(3, np.float32)))
    with pytest.raises(CheckpointError, match="W9"):
        checkpoint.load(saved)


def test_a_failed_write_leaves_the_old_file(saved, monkeypatch):
    before = saved.read_bytes()

    def fail(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="No space"):
        checkpoint.save(saved, random_network(), ["a", "b", "c"])
    assert saved.read_bytes() == before
    assert [file.name for file in saved.parent.iterdir() if file.is_file()] == [saved.name]


def test_the_document_of_a_checkpoint_can_be_saved_again(tmp_path):
    network = Network((4, 3), output="softmax")
    checkpoint.save(tmp_path / "a.npz", network, "abc", {"note": 1})
    first = checkpoint.load(tmp_path / "a.npz")
    checkpoint.save(tmp_path / "b.npz", Network((4, 2, 3)), "xyz", first.document)
    second = checkpoint.load(tmp_path / "b.npz")
    assert (second.network.sizes, second.classes) == ((4, 2, 3), ("x", "y", "z"))
    assert second.document["note"] == 1
