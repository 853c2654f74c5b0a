import json

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file

from nnmnist.export.safetensors import encode


def test_the_parameters_as_any_framework_loads_them(reader, tmp_path):
    path = tmp_path / "digits.safetensors"
    path.write_bytes(encode(reader))
    arrays = load_file(path)
    ours = reader.network.parameters()
    assert arrays.keys() == ours.keys() == {"W1", "b1", "W2", "b2"}
    for name, array in arrays.items():
        assert array.dtype == np.float32
        assert array.shape == ours[name].shape
        assert array.flags.c_contiguous
        assert (array == ours[name]).all()


def test_the_metadata_carries_the_config(reader, tmp_path):
    path = tmp_path / "digits.safetensors"
    path.write_bytes(encode(reader))
    with safe_open(path, "numpy") as file:
        card = json.loads(file.metadata()["nnmnist"])
    assert card["config"] == reader.document["config"]
    assert card["model"] == reader.document["model"]


def test_the_same_network_gives_the_same_bytes(reader):
    assert encode(reader) == encode(reader)
