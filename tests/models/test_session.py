"""Sessions: threads, wrong inputs, and tiles that give the result of the whole picture."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from support.tiny_model import BIAS, FOLDER, KERNEL, convolutional, model
from underpaint import models
from underpaint.errors import ModelError, UsageError
from underpaint.models.session import Session, default_threads, equal_tiles, overlapping

if TYPE_CHECKING:
    from numpy.typing import NDArray

RNG = np.random.default_rng(1)


def picture(height: int, width: int, channels: int = 3) -> NDArray[np.float32]:
    """A picture of whole 8-bit values, so that the test model's arithmetic is exact."""
    return RNG.integers(0, 256, (1, channels, height, width)).astype(np.float32)


def smooth(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """The test model in NumPy."""
    height, width = image.shape[2:]
    padded = np.pad(image, ((0, 0), (0, 0), (1, 1), (1, 1)))
    total = np.full_like(image, BIAS)
    for y in range(3):
        for x in range(3):
            total += KERNEL[y, x] * padded[:, :, y : y + height, x : x + width]
    return np.maximum(total, 0)


def test_the_test_model_smooths() -> None:
    image = picture(40, 50) * (RNG.random((1, 3, 40, 50)) > 0.5)
    session = models.read_model(FOLDER, threads=1).graphs["model"]
    (output,) = session.run({"image": image.astype(np.float32)}).values()
    np.testing.assert_array_equal(output, smooth(image.astype(np.float32)))


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def random_layers(widths: list[int]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Weights of -1, 0 and 1: arithmetic on small whole numbers is exact in any order."""
    return [
        (RNG.integers(-1, 2, (out, into, 3, 3)).astype(np.float32), RNG.integers(-1, 2, out).astype(np.float32))
        for into, out in pairwise(widths)
    ]


def test_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNDERPAINT_THREADS", raising=False)
    assert default_threads() == len(os.sched_getaffinity(0))
    monkeypatch.setenv("UNDERPAINT_THREADS", "3")
    assert default_threads() == 3
    for wrong in ("0", "-1", "many", ""):
        monkeypatch.setenv("UNDERPAINT_THREADS", wrong)
        with pytest.raises(UsageError, match="UNDERPAINT_THREADS"):
            Session(model())
    with pytest.raises(UsageError, match="threads"):
        Session(model(), threads=0)


def test_results_are_reproducible_and_hardly_depend_on_threads() -> None:
    graph, image = convolutional(random_layers([3, 16, 16, 3])), picture(70, 90) / np.float32(255)
    one, two = Session(graph, threads=1), Session(graph, threads=2)
    first = one.run({"image": image})["relu2"]
    np.testing.assert_array_equal(one.run({"image": image})["relu2"], first)
    np.testing.assert_allclose(two.run({"image": image})["relu2"], first, rtol=1e-4, atol=1e-3)


def test_inputs_with_other_names_or_shapes_are_refused() -> None:
    session = Session(model(), threads=1)
    assert session.inputs == {"image": ["n", 3, "h", "w"]}
    assert session.outputs == {"relu0": ["n", 3, "sh", "sw"]}
    for inputs in ({}, {"picture": picture(8, 8)}, {"image": picture(8, 8), "more": picture(8, 8)}):
        with pytest.raises(ModelError, match="the graph takes image, not"):
            session.run(inputs)
    for wrong in (picture(8, 8, 4), picture(8, 8)[0], picture(8, 8).astype(np.float64)):
        with pytest.raises(ModelError, match="cannot run on this input") as caught:
            session.run({"image": wrong})
        assert "\n" not in str(caught.value)


# ── tiles ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("size", [(1, 1), (1, 70), (15, 16), (33, 47), (64, 64), (65, 31)])
def test_tiles_give_the_whole_result(size: tuple[int, int]) -> None:
    image = picture(*size)
    session = Session(model(), threads=1)
    for tile in (1, 7, 16, 512):
        np.testing.assert_array_equal(session.tiled(image, tile=tile, overlap=1), smooth(image))


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_tiles_of_a_deeper_graph_give_the_whole_result(scale: int) -> None:
    session = Session(convolutional(random_layers([3, 8, 8, 8, 3 * scale**2]), scale=scale), threads=2)
    image = RNG.integers(0, 4, (2, 3, 90, 71)).astype(np.float32)
    (whole,) = session.run({"image": image}).values()
    assert whole.shape == (2, 3, 90 * scale, 71 * scale)
    np.testing.assert_array_equal(session.tiled(image, tile=32, overlap=4), whole)
    np.testing.assert_array_equal(session.tiled(image, tile=20, overlap=9), whole)


def test_an_overlap_below_the_radius_leaves_seams() -> None:
    image = picture(32, 32)
    assert (Session(model(), threads=1).tiled(image, tile=16, overlap=0) != smooth(image)).any()


def halving() -> bytes:
    """Return a graph that averages 4×4 blocks and enlarges them again: sides must be multiples of 4."""
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node("AveragePool", ["image"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Resize", ["small", "", "scales"], ["large"], mode="nearest"),
    ]
    scales = numpy_helper.from_array(np.array([1, 1, 4, 4], np.float32), "scales")
    info = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 3, "h", "w"]) for name in ("image", "large")]
    graph = helper.make_graph(nodes, "halving", info[:1], info[1:], [scales])
    opsets = [helper.make_opsetid("", 17)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


def test_sides_are_padded_to_a_multiple() -> None:
    session, image = Session(halving(), threads=1), picture(30, 41)
    filled = np.pad(image, ((0, 0), (0, 0), (0, 2), (0, 3)), mode="edge")
    whole = session.run({"image": filled})["large"][:, :, :30, :41]
    for tile, overlap in ((512, 0), (8, 0), (10, 3)):
        np.testing.assert_array_equal(session.tiled(image, tile=tile, overlap=overlap, multiple=4), whole)
    with pytest.raises(ModelError, match="no integer scale"):
        session.tiled(image, tile=8, overlap=0)


def test_inputs_that_cannot_run_in_tiles_are_refused() -> None:
    session = Session(model(), threads=1)
    for wrong in (picture(8, 8)[0], picture(8, 8).astype(np.float16), picture(0, 8)):
        with pytest.raises(UsageError, match="expected pictures"):
            session.tiled(wrong, overlap=1)
    for numbers in ({"tile": 0, "overlap": 1}, {"overlap": -1}, {"overlap": 1, "multiple": 0}):
        with pytest.raises(UsageError, match="at least"):
            session.tiled(picture(8, 8), **numbers)
    two = onnx.load_from_string(model())
    two.graph.output.append(onnx.helper.make_tensor_value_info("conv0", 1, ["n", "c", "sh", "sw"]))
    with pytest.raises(ModelError, match="one input and one output"):
        Session(bytes(two.SerializeToString()), threads=1).tiled(picture(8, 8), overlap=1)


# ── where a picture is cut ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("length", "size", "overlap"), [(1, 5, 2), (20, 5, 0), (23, 5, 3), (7, 10, 4)])
def test_overlapping_parts_cover_a_side_once(length: int, size: int, overlap: int) -> None:
    side = np.arange(length)
    parts = list(overlapping(length, size, overlap))
    assert np.concatenate([side[outer][inner] for outer, inner in parts]).tolist() == side.tolist()
    for outer, inner in parts:
        before, after = inner.start, len(side[outer]) - inner.stop
        assert before == min(overlap, outer.start + before)
        assert after == min(overlap, length - outer.stop + after)


@pytest.mark.parametrize("size", [(32, 32), (33, 100), (225, 700)])
def test_equal_tiles_cover_a_picture_once(size: tuple[int, int]) -> None:
    count = np.zeros(size, int)
    for rows, columns in equal_tiles(size, 64):
        count[rows, columns] += 1
        assert 32 <= count[rows, columns].shape[0] <= 64
        assert 32 <= count[rows, columns].shape[1] <= 64
    assert (count == 1).all()
