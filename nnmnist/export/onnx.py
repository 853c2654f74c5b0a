"""A network as an ONNX graph: bytes of pictures in, predictions out, any number of examples at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nnmnist import __version__
from nnmnist.checkpoint import Checkpoint
from nnmnist.data.examples import PIXEL
from nnmnist.errors import MissingLibrary
from nnmnist.export.card import card

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 17

# What ONNX calls each activation and output; the identity needs no node.
OPERATORS = {
    "identity": "",
    "linear": "",
    "logistic": "Sigmoid",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "softplus": "Softplus",
    "tanh": "Tanh",
}


def encode(checkpoint: Checkpoint) -> bytes:
    """A graph from `inputs` to `predictions` (batch, M) float32: what `Network.predict` gives.

    `inputs` are (batch, rows, columns) uint8 where the network reads pictures, whose scaling to [0, 1] is part of the
    graph, and else (batch, n_inputs) float32.

    Raises:
        MissingLibrary: there is no onnx.
    """
    try:
        import onnx
    except ImportError:
        raise MissingLibrary(
            "this format needs onnx, which is not installed: pip install 'nnmnist[onnx]'"
        ) from None
    model = _model(checkpoint)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _model(checkpoint: Checkpoint) -> ModelProto:
    from onnx import TensorProto, helper, numpy_helper

    network = checkpoint.network
    parameters = {name: np.ascontiguousarray(a, np.float32) for name, a in network.parameters().items()}
    shape = checkpoint.document.get("image_shape")
    nodes = []
    value = "inputs"

    def then(operator: str, *others: str, output: str, **attributes: Any) -> None:
        nonlocal value
        nodes.append(helper.make_node(operator, [value, *others], [output], output, **attributes))
        value = output

    if shape:
        parameters["pixel"] = np.array(PIXEL)
        then("Flatten", output="bytes")
        then("Cast", output="numbers", to=TensorProto.FLOAT)
        then("Mul", "pixel", output="h0")
    last = len(network.W)
    for l in range(1, last + 1):
        then("Gemm", f"W{l}", f"b{l}", output=f"z{l}", transB=1)
        operator = OPERATORS[network.output_name if l == last else network.activation_name]
        if operator:
            then(operator, output=f"h{l}")
    nodes[-1].output[0] = "predictions"
    graph = helper.make_graph(
        nodes,
        "nnmnist",
        [helper.make_tensor_value_info("inputs", TensorProto.UINT8, ["batch", *shape]) if shape
         else helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["batch", network.sizes[0]])],
        [helper.make_tensor_value_info("predictions", TensorProto.FLOAT, ["batch", network.sizes[-1]])],
        [numpy_helper.from_array(array, name) for name, array in parameters.items()],
    )  # fmt: skip
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(
        graph, opset_imports=[opset], ir_version=helper.find_min_ir_version_for([opset]),
        producer_name="nnmnist", producer_version=__version__,
    )  # fmt: skip
    helper.set_model_props(model, {"nnmnist": card(checkpoint)})
    return model
