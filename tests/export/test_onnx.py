import json

import numpy as np
import onnx
import onnxruntime
import pytest

from nnmnist.data.examples import scale
from nnmnist.export.onnx import encode

from .conftest import KINDS, network_of


def run(model, inputs):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # several threads would spin between these small products
    return onnxruntime.InferenceSession(model, options).run(None, {"inputs": inputs})[0]


def test_onnx_runtime_agrees_on_all_test_images(reader, digits):
    ours = reader.network.predict(scale(digits.reshape(len(digits), -1)))
    assert len(digits) == 10_000
    assert run(encode(reader), digits) == pytest.approx(ours, abs=1e-5)


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_every_activation_and_output(kind, digits):
    checkpoint = network_of(*kind)
    ours = checkpoint.network.predict(scale(digits[:100].reshape(100, -1)))
    assert np.ptp(ours, axis=0).max() > 0.01
    assert run(encode(checkpoint), digits[:100]) == pytest.approx(ours, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("n", [1, 7])
def test_the_batch_is_of_any_size(reader, digits, n):
    assert run(encode(reader), digits[:n]).shape == (n, 10)


def test_a_network_without_hidden_layers(digits):
    softmax = network_of("relu", "softmax", (784, 10))
    ours = softmax.network.predict(scale(digits[:100].reshape(100, -1)))
    assert run(encode(softmax), digits[:100]) == pytest.approx(ours, abs=1e-5)


@pytest.mark.parametrize("shape", [(28, 28), (14, 56), (56, 14), (49, 16)])
def test_a_network_that_normalizes_its_pictures(digits, shape):
    straight, plain = (
        network_of("relu", "softmax", normalized_shape=each, image_shape=shape)
        for each in (shape, None)
    )
    pictures = np.concatenate([digits[:500], np.zeros((1, 28, 28), np.uint8)]).reshape(-1, *shape)
    x = scale(pictures.reshape(len(pictures), -1))
    ours = straight.network.predict(x)
    assert abs(ours - plain.network.predict(x)).max() > 0.1
    assert run(encode(straight), pictures) == pytest.approx(ours, abs=1e-5)


def test_inputs_that_are_no_pictures_are_numbers():
    plane = network_of("tanh", "logistic", (2, 5, 1), image_shape=None)
    points = np.random.default_rng(0).normal(size=(20, 2)).astype(np.float32)
    assert run(encode(plane), points) == pytest.approx(plane.network.predict(points), abs=1e-6)


def test_versions_are_the_lowest_that_fit_and_the_config_is_carried(reader):
    model = onnx.load_model_from_string(encode(reader))
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert model.ir_version == 8  # of ONNX 1.12, which brought opset 17
    [entry] = model.metadata_props
    card = json.loads(entry.value)
    assert card["config"] == reader.document["config"]
    assert card["classes"] == list("0123456789")
    assert "folder" not in entry.value


def test_folders_are_not_told():
    config = {"seed": 3, "data": {"path": "/home/me/data", "validation": 9}}
    [entry] = onnx.load_model_from_string(
        encode(network_of("relu", "softmax", config=config, data={"folder": "/home/me/data"}))
    ).metadata_props
    assert "/home/me" not in entry.value
    assert json.loads(entry.value)["config"] == {"seed": 3, "data": {"path": None, "validation": 9}}


def test_the_same_network_gives_the_same_bytes(reader):
    assert encode(reader) == encode(reader)
