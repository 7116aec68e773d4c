"""The zoo: cards and graphs are what they say, sessions repeat themselves, tiles make up the whole."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from support.tiny_model import BIAS, FOLDER, KERNEL, card, convolutional, model
from underpaint import models
from underpaint.errors import ModelError, UsageError
from underpaint.models.session import Session, default_threads

if TYPE_CHECKING:
    from numpy.typing import NDArray

RNG = np.random.default_rng(1)


def picture(height: int, width: int, channels: int = 3) -> NDArray[np.float32]:
    """Whole 8-bit values, so that the tiny model's arithmetic is exact."""
    return RNG.integers(0, 256, (1, channels, height, width)).astype(np.float32)


def smooth(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """What the tiny model should do, in NumPy."""
    height, width = image.shape[2:]
    padded = np.pad(image, ((0, 0), (0, 0), (1, 1), (1, 1)))
    total = np.full_like(image, BIAS)
    for y in range(3):
        for x in range(3):
            total += KERNEL[y, x] * padded[:, :, y : y + height, x : x + width]
    return np.maximum(total, 0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the tiny model, to be broken."""
    return Path(shutil.copytree(FOLDER, tmp_path / "tiny"))


# ── every model ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", models.names())
def test_every_model_in_the_zoo_is_whole(name: str) -> None:
    loaded = models.load(name, threads=1)
    assert loaded.name == name
    assert loaded.card == models.card(name)
    assert sorted(loaded.graphs) == sorted(file.removesuffix(".onnx") for file in loaded.card.sha256)
    assert models.load(name, threads=1) is loaded


def test_names() -> None:
    assert "basn" in models.names()
    for call in (models.card, models.load):
        with pytest.raises(ModelError, match=r"no model is called \.\./zoo") as caught:
            call("../zoo")
        assert "basn" in str(caught.value.hint)


# ── the tiny model ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_tiny_model_is_what_its_script_makes() -> None:
    shipped = (FOLDER / "model.onnx").read_bytes()
    ours, theirs = (onnx.load_from_string(graph).graph for graph in (model(), shipped))
    assert [node.op_type for node in ours.node] == [node.op_type for node in theirs.node]
    for mine, other in zip(ours.initializer, theirs.initializer, strict=True):
        np.testing.assert_array_equal(numpy_helper.to_array(mine), numpy_helper.to_array(other))
    assert (FOLDER / "card.md").read_text(encoding="utf-8") == card(shipped)
    assert len(shipped) < 2000


def test_the_tiny_model_does_what_it_says() -> None:
    image = picture(40, 50) * (RNG.random((1, 3, 40, 50)) > 0.5)
    session = models.read_model(FOLDER, threads=1).graphs["model"]
    (output,) = session.run({"image": image.astype(np.float32)}).values()
    np.testing.assert_array_equal(output, smooth(image.astype(np.float32)))


# ── broken models ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_altered_graph_is_refused(folder: Path) -> None:
    graph = bytearray((folder / "model.onnx").read_bytes())
    graph[-10] ^= 1
    (folder / "model.onnx").write_bytes(graph)
    with pytest.raises(ModelError, match=r"model tiny: model\.onnx has been altered"):
        models.read_model(folder)
    (folder / "model.onnx").write_bytes(graph[:-1])
    with pytest.raises(ModelError, match="size"):
        models.read_model(folder)


def test_missing_and_surplus_graphs_are_refused(folder: Path) -> None:
    (folder / "other.onnx").write_bytes(b"")
    with pytest.raises(ModelError, match="not those of its card"):
        models.read_model(folder)
    (folder / "other.onnx").unlink()
    (folder / "model.onnx").unlink()
    with pytest.raises(ModelError, match="not those of its card"):
        models.read_model(folder)


def test_a_graph_that_cannot_run_is_refused(folder: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (folder / "model.onnx").write_bytes(b"rubbish")
    (folder / "card.md").write_text(card(b"rubbish"), encoding="utf-8")
    with pytest.raises(ModelError, match="cannot run this graph"):
        models.read_model(folder)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("+++", "---", "cannot be read"),
        ('method = "smooth"', "method = ", "cannot be read"),
        ("+++", "\n+++", "does not begin"),
        ("seed = 0\n", "", "seed"),
        ("seed = 0", "seed = 0\ncolour = 3", "colour"),
        ("seed = 0", "seed = 0.5", "seed must be int"),
        ("seed = 0", "seed = true", "seed must be int"),
        ("hours = 0", 'hours = "0"', "hours must be float"),
        ("[measured]", '[measured]\npsnr = "good"', "measured must be dict"),
        ("[reported]", "", "reported"),
    ],
)
def test_a_broken_card_is_refused(folder: Path, old: str, new: str, reason: str) -> None:
    path = folder / "card.md"
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    with pytest.raises(ModelError, match=f"model tiny: its card is broken: .*{reason}"):
        models.read_card(folder)


def test_a_missing_or_unreadable_card_is_refused(folder: Path) -> None:
    (folder / "card.md").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelError, match="cannot be read"):
        models.read_card(folder)
    with pytest.raises(ModelError, match="cannot be read"):
        models.read_card(folder / "missing")


# ── sessions ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def random_layers(widths: list[int]) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    """Weights of -1, 0 and 1: on small whole numbers the arithmetic is exact in whatever order it is done."""
    return [
        (RNG.integers(-1, 2, (out, into, 3, 3)).astype(np.float32), RNG.integers(-1, 2, out).astype(np.float32))
        for into, out in pairwise(widths)
    ]


def test_threads(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_a_session_repeats_itself_and_threads_hardly_matter() -> None:
    graph, image = convolutional(random_layers([3, 16, 16, 3])), picture(70, 90) / np.float32(255)
    one, two = Session(graph, threads=1), Session(graph, threads=2)
    first = one.run({"image": image})["relu2"]
    np.testing.assert_array_equal(one.run({"image": image})["relu2"], first)
    np.testing.assert_allclose(two.run({"image": image})["relu2"], first, rtol=1e-4, atol=1e-3)


def test_wrong_inputs_are_model_errors() -> None:
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
def test_tiles_make_up_the_whole(size: tuple[int, int]) -> None:
    image = picture(*size)
    session = Session(model(), threads=1)
    for tile in (1, 7, 16, 512):
        np.testing.assert_array_equal(session.tiled(image, tile=tile, overlap=1), smooth(image))


@pytest.mark.parametrize("scale", [1, 2, 3])
def test_tiles_make_up_the_whole_of_a_deeper_graph(scale: int) -> None:
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
    """A graph that averages 4×4 blocks and enlarges them again: it takes only multiples of 4."""
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


def test_sides_are_filled_up_to_a_multiple() -> None:
    session, image = Session(halving(), threads=1), picture(30, 41)
    filled = np.pad(image, ((0, 0), (0, 0), (0, 2), (0, 3)), mode="edge")
    whole = session.run({"image": filled})["large"][:, :, :30, :41]
    for tile, overlap in ((512, 0), (8, 0), (10, 3)):
        np.testing.assert_array_equal(session.tiled(image, tile=tile, overlap=overlap, multiple=4), whole)
    with pytest.raises(ModelError, match="no integer scale"):
        session.tiled(image, tile=8, overlap=0)


def test_what_cannot_run_in_tiles_is_refused() -> None:
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


def test_importing_the_zoo_does_not_import_onnxruntime() -> None:
    code = "import sys, underpaint.models; underpaint.models.card('basn'); print('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
