"""Write the smallest model, ``smooth-3x3``, and its card: ``python tests/support/tiny_model.py``. Needs ``onnx``.

The zoo, the session and the tiling are tested with it, without a trained model.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

FOLDER = Path(__file__).parents[1] / "data" / "smooth-3x3"

#: Binomial weights in powers of two: float arithmetic on 8-bit pixels is exact in any order.
KERNEL = np.outer([1, 2, 1], [1, 2, 1]).astype(np.float32) / 16
#: Subtracted before ReLU, so that ReLU changes some values.
BIAS = np.float32(-1 / 8)

CARD = """\
+++
method = "smooth"
paper = "none"
licence = "MIT"
bytes = {bytes}
payload = "none"
training_data = "none"
recipe = "tests/support/tiny_model.py"
commit = "none"
seed = 0
hours = 0
device = "none"
limits = "a test model: it hides nothing"

[sha256]
"model.onnx" = "{sha256}"

[reported]

[measured]
+++

Smooths each colour by a 3×3 binomial kernel, subtracts 1/8, and clips below 0. Input and output are
`float32 (N, 3, H, W)`; the receptive field has a radius of 1 pixel. The weights were written by hand, not trained.
"""


def convolutional(layers: list[tuple[np.ndarray, np.ndarray]], *, groups: int = 1, scale: int = 1) -> bytes:
    """Return a graph of 3×3 convolutions, each followed by ReLU; a *scale* above 1 adds depth-to-space."""
    nodes, weights, last = [], [], "image"
    for index, (kernel, bias) in enumerate(layers):
        weights += [numpy_helper.from_array(kernel, f"kernel{index}"), numpy_helper.from_array(bias, f"bias{index}")]
        names = [last, f"kernel{index}", f"bias{index}"]
        nodes.append(helper.make_node("Conv", names, [f"conv{index}"], pads=[1, 1, 1, 1], group=groups))
        nodes.append(helper.make_node("Relu", [f"conv{index}"], [f"relu{index}"]))
        last = f"relu{index}"
    if scale > 1:
        nodes.append(helper.make_node("DepthToSpace", [last], ["large"], blocksize=scale))
        last = "large"
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", layers[0][0].shape[1] * groups, "h", "w"])
    result = helper.make_tensor_value_info(last, TensorProto.FLOAT, ["n", "c", "sh", "sw"])
    graph = helper.make_graph(nodes, "convolutional", [image], [result], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def model() -> bytes:
    """Return the bytes of the ONNX file."""
    kernel = np.broadcast_to(KERNEL, (3, 1, 3, 3)).copy()
    return convolutional([(kernel, np.full(3, BIAS, np.float32))], groups=3)


def card(graph: bytes) -> str:
    """Return the card of *graph*."""
    return CARD.format(bytes=len(graph), sha256=hashlib.sha256(graph).hexdigest())


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "model.onnx").write_bytes(model())
    (FOLDER / "card.md").write_text(card(model()), encoding="utf-8")
