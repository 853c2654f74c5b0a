"""A network as an ONNX graph: from bytes of images to predictions, for any batch size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nnmnist._version import __version__
from nnmnist.checkpoint import Checkpoint
from nnmnist.data.examples import PIXEL
from nnmnist.errors import MissingLibrary
from nnmnist.evaluation.predictor import NormalizedNetwork
from nnmnist.export.card import card
from nnmnist.images.normalize import HEIGHT, MAX_STRETCH_X, MAX_STRETCH_Y, MIN_VARIANCE, WIDTH

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET = 17

# The ONNX operator of each activation and output; the identity needs none.
OPERATORS = {
    "identity": "",
    "linear": "",
    "logistic": "Sigmoid",
    "relu": "Relu",
    "sigmoid": "Sigmoid",
    "softmax": "Softmax",
    "softmax_or_none": "Softmax",
    "softplus": "Softplus",
    "tanh": "Tanh",
}

# The formulas of images/normalize.py. x and y count from the middle of the image, and `places` has
# the columns 1, x and y.
NORMALIZE = """
normalize (float[n, pixels] pictures) => (float[n, pixels] h0) {
    sums = MatMul (pictures, powers)
    total, sum_x, sum_y, sum_xx, sum_xy, sum_yy = Split <axis = 1> (sums)
    mass = Max (total, tiny)
    m_x = Div (sum_x, mass)
    m_y = Div (sum_y, mass)
    m_xx = Div (sum_xx, mass)
    m_xy = Div (sum_xy, mass)
    m_yy = Div (sum_yy, mass)
    x_x = Mul (m_x, m_x)
    x_y = Mul (m_x, m_y)
    y_y = Mul (m_y, m_y)
    s_xx = Sub (m_xx, x_x)
    s_xy = Sub (m_xy, x_y)
    any_s_yy = Sub (m_yy, y_y)
    s_yy = Max (any_s_yy, thin)
    lean = Div (s_xy, s_yy)
    leant = Mul (lean, s_xy)
    any_upright = Sub (s_xx, leant)
    upright = Max (any_upright, thin)
    width = Sqrt (upright)
    height = Sqrt (s_yy)
    any_x_step = Div (width, standard_width)
    any_y_step = Div (height, standard_height)
    x_step = Clip (any_x_step, one_by_wider, wider)
    y_step = Clip (any_y_step, one_by_taller, taller)
    x_lean = Mul (lean, y_step)
    zero = Sub (mass, mass)
    coefficients = Concat <axis = 1> (m_x, m_y, x_step, zero, x_lean, y_step)
    map = Reshape (coefficients, as_map)
    sources = MatMul (places, map)
    centred = Mul (sources, two_by_side)
    field = Add (centred, middle)
    grid = Reshape (field, as_grid)
    images = Reshape (pictures, as_images)
    sampled = GridSample (images, grid)
    h0 = Flatten (sampled)
}
"""


def encode(checkpoint: Checkpoint) -> bytes:
    """The graph from `inputs` to `predictions` (batch, M) float32, as in `Network.predict`.

    If the network reads images, `inputs` are (batch, rows, columns) uint8; scaling to [0, 1] and
    normalization are part of the graph. Otherwise they are (batch, n_inputs) float32.

    Raises:
        MissingLibrary: onnx is not installed.
    """
    try:
        import onnx
    except ImportError:
        raise MissingLibrary("ONNX needs the library onnx: pip install 'nnmnist[onnx]'") from None
    model = _model(checkpoint)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _model(checkpoint: Checkpoint) -> ModelProto:
    from onnx import TensorProto, helper, numpy_helper, parser

    network = checkpoint.network
    parameters = {
        name: np.ascontiguousarray(a, np.float32) for name, a in network.parameters().items()
    }
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
        then("Mul", "pixel", output="pictures" if isinstance(network, NormalizedNetwork) else "h0")
    if isinstance(network, NormalizedNetwork):
        nodes += parser.parse_graph(NORMALIZE).node
        parameters |= _normalization(*network.image_shape)
        value = "h0"
    last = len(network.W)
    for l in range(1, last + 1):
        then("Gemm", f"W{l}", f"b{l}", output=f"z{l}", transB=1)
        operator = OPERATORS[network.output_name if l == last else network.activation_name]
        if operator:
            then(operator, output=f"h{l}")
    n_outputs = network.sizes[-1]
    if network.output.has_none:
        n_outputs -= 1
        parameters |= {"first": np.array([0]), "none": np.array([n_outputs]), "axis": np.array([1])}
        then("Slice", "first", "none", "axis", output="classes")
    nodes[-1].output[0] = "predictions"
    kind, sizes = (TensorProto.UINT8, shape) if shape else (TensorProto.FLOAT, network.sizes[:1])
    graph = helper.make_graph(
        nodes,
        "nnmnist",
        [helper.make_tensor_value_info("inputs", kind, ["batch", *sizes])],
        [helper.make_tensor_value_info("predictions", TensorProto.FLOAT, ["batch", n_outputs])],
        [numpy_helper.from_array(array, name) for name, array in parameters.items()],
    )
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(
        graph, opset_imports=[opset], ir_version=helper.find_min_ir_version_for([opset]),
        producer_name="nnmnist", producer_version=__version__,
    )  # fmt: skip
    helper.set_model_props(model, {"nnmnist": card(checkpoint)})
    return model


def _normalization(rows: int, columns: int) -> dict[str, Any]:
    """The constants of NORMALIZE."""
    y, x = (side.reshape(-1) for side in np.mgrid[:rows, :columns])
    y, x = y - rows // 2, x - columns // 2
    one = np.ones_like(x)
    side = np.array([columns, rows])  # GridSample counts from -1 to 1 along both sides
    floats = {
        "powers": np.stack([one, x, y, x * x, x * y, y * y], axis=1),
        "places": np.stack([one, x, y], axis=1),
        "tiny": np.finfo(np.float32).tiny,
        "thin": MIN_VARIANCE,
        "standard_width": WIDTH * columns,
        "standard_height": HEIGHT * rows,
        "wider": MAX_STRETCH_X,
        "one_by_wider": 1 / MAX_STRETCH_X,
        "taller": MAX_STRETCH_Y,
        "one_by_taller": 1 / MAX_STRETCH_Y,
        "two_by_side": 2 / side,
        "middle": (2 * np.array([columns // 2, rows // 2]) + 1) / side - 1,
    }
    shapes = {
        "as_map": [-1, 3, 2],
        "as_grid": [-1, rows, columns, 2],
        "as_images": [-1, 1, rows, columns],
    }
    return {
        **{name: np.asarray(value, np.float32) for name, value in floats.items()},
        **{name: np.array(shape, np.int64) for name, shape in shapes.items()},
    }
