"""The model zoo: every model has its card and graphs; altered models and broken cards are refused."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from support.tiny_model import FOLDER, card, model
from underpaint import models
from underpaint.errors import ModelError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the test model."""
    return Path(shutil.copytree(FOLDER, tmp_path / "tiny"))


# ── every model ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", models.names())
def test_every_model_has_the_graphs_of_its_card(name: str) -> None:
    loaded = models.load(name, threads=1)
    assert loaded.name == name
    assert loaded.card == models.card(name)
    assert sorted(loaded.graphs) == sorted(file.removesuffix(".onnx") for file in loaded.card.sha256)
    assert models.load(name, threads=1) is loaded


def test_an_unknown_name_is_refused() -> None:
    assert "basn" in models.names()
    for call in (models.card, models.load):
        with pytest.raises(ModelError, match=r"no model is called \.\./zoo") as caught:
            call("../zoo")
        assert "basn" in str(caught.value.hint)


@pytest.mark.parametrize("entry", ["no_such_module:zoo", "underpaint:no_such_zoo", "failing_package:zoo"])
def test_a_zoo_that_cannot_be_imported_is_an_error_without_a_traceback(tmp_path: Path, entry: str) -> None:
    (tmp_path / "failing_package.py").write_text("raise RuntimeError('out of order')\n", encoding="utf-8")
    package = tmp_path / "broken-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: broken\nVersion: 1.0\n", encoding="utf-8")
    (package / "entry_points.txt").write_text(f"[underpaint.zoo]\nextra = {entry}\n", encoding="utf-8")
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    command = [sys.executable, "-c", "import sys; from underpaint.cli.main import main; sys.exit(main(['zoo']))"]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": paths})
    assert done.returncode == 1
    assert f"the zoo 'extra = {entry}' cannot be imported" in done.stderr
    assert "Traceback" not in done.stderr


# ── the test model ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_test_model_is_that_of_its_script() -> None:
    shipped = (FOLDER / "model.onnx").read_bytes()
    ours, theirs = (onnx.load_from_string(graph).graph for graph in (model(), shipped))
    assert [node.op_type for node in ours.node] == [node.op_type for node in theirs.node]
    for mine, other in zip(ours.initializer, theirs.initializer, strict=True):
        np.testing.assert_array_equal(numpy_helper.to_array(mine), numpy_helper.to_array(other))
    assert (FOLDER / "card.md").read_text(encoding="utf-8") == card(shipped)
    assert len(shipped) < 2000


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


def test_importing_the_zoo_does_not_import_onnxruntime() -> None:
    code = "import sys, underpaint.models; underpaint.models.card('basn'); print('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
