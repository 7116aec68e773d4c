"""The shipped attention graph gives the same bits by PyTorch's float32 arithmetic."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper, numpy_helper
from torch.nn import functional

from underpaint import media, models
from underpaint.media import samples
from underpaint.models import Session
from underpaint.models.attention import attend

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Image

GRAPH = (models.folder("basn") / "attention.onnx").read_bytes()


def photograph(height: int, width: int) -> Image:
    return media.read(samples.path("coffee")).pixels[60 : 60 + height, 100 : 100 + width].copy()


def by_torch(graph: bytes, view: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run *graph* on *view* in PyTorch's float32 arithmetic; only the operators of the shipped graph are known."""
    parsed = onnx.load_from_string(graph).graph
    known = {each.name: torch.from_numpy(numpy_helper.to_array(each).copy()) for each in parsed.initializer}
    known["view"] = torch.from_numpy(view)
    made: Any
    for node in parsed.node:
        given: list[Any] = [known[name] for name in node.input]
        options: dict[str, Any] = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        if node.op_type == "Conv":
            x, weight, bias = given
            made = functional.conv2d(x, weight, bias, options["strides"], options["pads"][:2])
        elif node.op_type == "DepthToSpace":
            assert options["mode"] == b"CRD"
            made = functional.pixel_shuffle(given[0], options["blocksize"])
        else:
            plain = {"Mul": torch.mul, "Add": torch.add, "Floor": torch.floor, "Clip": torch.clamp}
            operator: Any = plain[node.op_type]
            made = operator(*given)
        known[node.output[0]] = made
    found: NDArray[np.float32] = known[parsed.output[0].name].numpy()
    return found


@pytest.mark.parametrize("shape", [(96, 120), pytest.param((336, 496), marks=pytest.mark.slow)])
def test_pytorch_gives_the_same_bits(shape: tuple[int, int]) -> None:
    pixels = photograph(*shape)
    expected = attend(pixels, Session(GRAPH, threads=1))
    mirrored = np.pad(pixels, [(16, 16), (16, 16), (0, 0)], mode="reflect")
    found = by_torch(GRAPH, mirrored.transpose(2, 0, 1)[None].astype(np.float32))[0].transpose(1, 2, 0)
    assert (found[16:-16, 16:-16] == expected).all()
