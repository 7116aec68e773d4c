"""Export to ONNX: graphs equal their networks, cards are read as they were written, and errors are refused."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import Tensor, nn

from underpaint import media
from underpaint.errors import ModelError, UsageError
from underpaint.media import samples
from underpaint.models import Card, Session, read_card, read_model
from underpaint_lab.export import onnx as module
from underpaint_lab.export.onnx import PARITY, Graph, card_text, export, largest_difference, to_onnx

CARD = Card(
    method="toy",
    paper='"Toys", 1.2',
    licence="MIT",
    sha256={},
    bytes=0,
    payload="5 bits",
    training_data="none",
    recipe="Toy steps=3",
    commit="0123456789ab",
    seed=7,
    hours=0.25,
    device="x",
    reported={"JPEG 50, BER %": 12.63},
    measured={"JPEG 50, BER %": 0.1, "PSNR, dB": 38.0},
    limits='a "test" model\nwith two lines \\ and ünicode\x7f',
    text="Free text.\n\n+++\n\nMore of it.\n",
)


class Net(nn.Module):
    """Network with two inputs and two outputs, one of which is a picture of half the size."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1), nn.BatchNorm2d(8), nn.GELU())
        self.bits = nn.Linear(8, 5)
        self.back = nn.Conv2d(8, 3, 1)

    def forward(self, picture: Tensor, message: Tensor) -> tuple[Tensor, Tensor]:
        features = self.features(picture)
        return 20 * self.bits(features.mean((2, 3))) + message, self.back(features)


def changed(graph: Graph, value: float) -> Graph:
    """Return the same graph with a network of other weights."""
    net = Net()
    nn.init.constant_(net.bits.bias, value)
    return graph._replace(module=net)


@pytest.fixture(scope="module")
def graph() -> Graph:
    pixels = media.read(samples.path("chelsea")).pixels[:32, :80].reshape(32, 2, 40, 3).transpose(1, 3, 0, 2)
    real = torch.from_numpy(pixels.astype(np.float32) / 255)
    axes = {"picture": {0: "n", 2: "h", 3: "w"}, "message": {0: "n"}}
    return Graph(Net(), {"picture": real, "message": torch.ones(2, 5)}, axes, ("bits", "small"))


@pytest.fixture(scope="module")
def data(graph: Graph) -> bytes:
    return to_onnx(graph)  # seconds, of which most are the exporter's imports


@pytest.fixture(autouse=True)
def made_once(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(module, "to_onnx", lambda _: data)


def test_graph_computes_the_same_as_its_network(graph: Graph, data: bytes) -> None:
    assert 0 < largest_difference(graph, data) < PARITY / 10
    session = Session(data)
    assert session.inputs == {"picture": ["n", 3, "h", "w"], "message": ["n", 5]}
    assert list(session.outputs) == ["bits", "small"]
    made = session.run({"picture": np.zeros((3, 3, 10, 6), np.float32), "message": np.zeros((3, 5), np.float32)})
    assert [output.shape for output in made.values()] == [(3, 5), (3, 3, 5, 3)]


def test_graph_contains_no_paths_or_stack_traces(data: bytes) -> None:
    onnx.checker.check_model(onnx.load_from_string(data), full_check=True)
    assert str(Path(module.__file__).parents[3]).encode() not in data
    assert b".py" not in data
    assert b"stack_trace" not in data
    assert len(data) < 4000


def test_exported_model_is_read_by_the_zoo(graph: Graph, data: bytes, tmp_path: Path) -> None:
    assert export({"reader": graph}, tmp_path / "toy", CARD) == largest_difference(graph, data)
    read = read_model(tmp_path / "toy", threads=1)
    assert list(read.graphs) == ["reader"]
    digest = {"reader.onnx": hashlib.sha256(data).hexdigest()}
    assert read.card == replace(CARD, sha256=digest, bytes=len(data), text=CARD.text.strip())
    export({"reader": graph}, tmp_path / "toy", CARD)  # again, over itself
    with pytest.raises(UsageError, match=r"other graphs: reader\.onnx"):
        export({"writer": graph}, tmp_path / "toy", CARD)


def test_a_graph_that_differs_is_not_written(graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"reader: bits of real inputs is .* from PyTorch's"):
        export({"reader": changed(graph, 0.5)}, tmp_path / "toy", CARD)
    assert not (tmp_path / "toy").exists()


def test_whole_outputs_that_differ_are_refused(graph: Graph, data: bytes) -> None:
    whole = graph._replace(whole=("bits",))
    with pytest.raises(ModelError, match=r"reader: bits of real inputs: .*% of the values are not PyTorch's"):
        largest_difference(changed(whole, 0.5), data, "reader")


def test_graph_with_nan_is_not_written(graph: Graph, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="is nan from PyTorch's"):
        export({"reader": changed(graph, np.nan)}, tmp_path, CARD)


def test_inputs_are_float32(graph: Graph) -> None:
    inputs = {**graph.inputs, "message": torch.ones(2, 5, dtype=torch.int64)}
    with pytest.raises(UsageError, match=r"input message must be float32, not torch\.int64"):
        to_onnx(graph._replace(inputs=inputs))


def test_card_is_read_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "card.md").write_text(card_text(CARD), encoding="utf-8")
    assert read_card(tmp_path) == replace(CARD, text=CARD.text.strip())
