"""Labels that classifiers keep within the just noticeable difference of machines."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from lab_support.results import CITATION, SOURCE
from support.tiny_model import FOLDER
from underpaint import media
from underpaint import models as zoo
from underpaint.errors import UsageError
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.core.contact_sheet import change_sheet
from underpaint_lab.benchmarks.core.result_file import PAPER, ResultFile, to_json
from underpaint_lab.benchmarks.jnd import measure
from underpaint_lab.benchmarks.jnd.measure import labels_kept
from underpaint_lab.benchmarks.jnd.rows import HELD_OUT, PANEL, LabelRow, PublishedLabels
from underpaint_lab.benchmarks.jnd.table import dmvjnd_table


class Classifier:
    """A classifier of bright and dark pictures."""

    def run(self, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        light = inputs["image"].mean(axis=(1, 2, 3)) - 0.5
        return {"logits": np.stack([-light, light], axis=1), "cam": inputs["image"].mean(axis=1, keepdims=True)}


class Generator:
    """Changes away from mid-grey, as published by a tenth; the other way is towards mid-grey."""

    promises = (2, 1)

    def __init__(self) -> None:
        self.inputs = {"way": ("n", 2)}

    def run(self, inputs: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        sign = np.sign(inputs["image"].mean(axis=(1, 2, 3), keepdims=True) - 0.5)
        away = np.broadcast_to(sign, inputs["image"].shape).astype(np.float32)
        if "level" not in inputs:
            return {"change": away / 10}
        way = (inputs["way"] @ np.array([1, -1], np.float32)).reshape(-1, 1, 1, 1)
        return {"direction": way * away, "promises": np.tile(np.array(self.promises, np.float32), (len(away), 1))}


@pytest.fixture
def mosaics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of two mosaics, and a zoo of classifiers that decide by brightness."""
    rng = np.random.default_rng(0)
    folder = tmp_path / "small"
    folder.mkdir()
    for split in ("train", "test"):
        pixels = rng.integers(60, 196, (64, 96, 3), dtype=np.uint8)
        pixels[32:, 64:] = 0  # filled up
        (folder / f"{split}.webp").write_bytes(media.encode(media.Picture(pixels), "webp"))
    graphs: dict[str, dict[str, Any]] = {f"cifar-{name}": {"classifier": Classifier()} for name in (*PANEL, "plain")}
    graphs |= {model: {"generator": Generator()} for model in measure.WAYS.values()}
    card = zoo.read_card(FOLDER)
    models = {name: zoo.Model(name, card, each) for name, each in graphs.items()}
    monkeypatch.setattr(zoo, "names", lambda: sorted(models))
    monkeypatch.setattr(zoo, "load", models.__getitem__)
    return folder


def test_labels_are_counted(mosaics: Path, tmp_path: Path) -> None:
    found = labels_kept("chosen", images=mosaics, jobs=1)
    assert {row.pictures for row in found.rows} == {5}, "padding of a mosaic is no picture"
    changed = {row.level: row for row in found.rows if (row.split, row.change) == ("test", "change")}
    assert tuple(changed) == measure.CURVE
    for level, row in changed.items():
        assert set(row.kept) == {*PANEL, "plain"}
        assert row.kept["vgg"] == 5, "changes away from mid-grey keep the label"
        assert level is not None
        assert level - 1 < row.psnr <= level + 1e-6, "a way of whole levels"
    tried = {row.change: row for row in found.rows if (row.split, row.level) == ("test", 20.0)}
    assert list(tried) == list(measure.TRIALS)
    assert tried["3/9"].psnr == pytest.approx(20 + 20 * math.log10(3), abs=0.5)
    assert tried["white noise"].psnr == pytest.approx(20, abs=0.3)
    assert tried["random factors"].psnr == pytest.approx(20 + 10 * math.log10(3), abs=0.5)
    assert tried["random signs"].psnr == pytest.approx(20, abs=0.2)
    assert [row.change for row in found.rows if row.split == "train"] == ["change", "white noise"]
    assert report.read(found.write(tmp_path)) == found


def test_the_panel_chooses_between_directions(mosaics: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Generator, "promises", (1, 2))
    pictures = measure.tiles(mosaics / "test.webp", 5)
    light = [
        (pictures + measure.change(way, 9.56, pictures)).mean(axis=(1, 2, 3)) > 127.5 for way in ("ours", "chosen")
    ]
    before = pictures.mean(axis=(1, 2, 3)) > 127.5
    assert (light[0] != before).all()
    assert (light[1] == before).all()
    control = measure.change("light", 20.0, pictures)
    assert (control.std(axis=(1, 2, 3)) < 2).all(), "all values go one way"
    assert ((control.mean(axis=(1, 2, 3)) > 0) == before).all()


def test_a_sheet_has_a_row_for_each_picture(mosaics: Path) -> None:
    pictures = measure.tiles(mosaics / "test.webp", 5)
    drawn = change_sheet(pictures)
    assert drawn.shape == (5 * 34 * 3, 8 * 34 * 3, 3)
    assert np.array_equal(drawn[:96:3, :96:3], pictures[0])
    change = drawn[: 32 * 3, 2 * 34 * 3 : (2 * 34 + 32) * 3].astype(float)
    assert abs(change - 128).mean() > 20
    assert change_sheet(pictures, "published").shape[1] == 4 * 34 * 3


def test_the_published_model_has_a_strength_of_its_own(mosaics: Path, tmp_path: Path) -> None:
    found = labels_kept("published", images=mosaics, jobs=1)
    assert report.read(found.write(tmp_path)) == found
    assert {row.level for row in found.rows} == {None}
    first = found.rows[0]
    assert first.change == "change"
    assert first.psnr_free == pytest.approx(20, abs=1e-4)
    assert {row.split for row in found.rows} == {"train", "test"}


def test_numbers_follow_from_counts() -> None:
    kept = {"alexnet": 10, "vgg": 9, "plain": 5}
    row = LabelRow(split="test", change="change", level=9.56, pictures=10, kept=kept, psnr=9.5)
    assert row.rca(PANEL) == 0.95
    assert row.rca(HELD_OUT) == 0.5
    assert row.rca(("mixer",)) is None
    assert row.interval is not None
    assert row.interval[0] < 0.95 < row.interval[1]
    assert to_json(row)["rca_unseen"] == 0.5
    assert "psnr_free" not in to_json(row)


def test_the_paper_stands_beside_ours() -> None:
    claim = PublishedLabels("test", "change", 0.9218, each=(0.9117, 0.9303, 0.9348, 0.9105))
    paper = ResultFile("dmvjnd", PAPER, CITATION, (claim,))
    row = LabelRow(split="test", change="change", level=9.56, pictures=100, kept=dict.fromkeys(PANEL, 97), psnr=9.55)
    noise = replace(row, change="white noise", kept={"plain": 20}, psnr=10.1, psnr_free=9.55)
    ours = ResultFile("dmvjnd", "ours", SOURCE, (row, noise))
    header, *lines = dmvjnd_table([paper, ours]).cells
    assert {len(line) for line in lines} == {len(header)}
    assert lines[0][:5] == ["test", "change", "paper", "–", "92.2"]
    assert lines[1][:4] == ["", "", "ours", "9.55 dB"]
    assert lines[1][4].startswith("97.0 (")
    assert lines[2][3:5] == ["10.10 dB (9.55)", "–"]
    assert "RCA" in dmvjnd_table([paper, ours]).caption
    assert len(dmvjnd_table([paper]).cells) == 2


def test_wrong_use_is_refused(mosaics: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no way is called"):
        labels_kept("theirs", images=mosaics)
    with pytest.raises(UsageError, match="needs small pictures"):
        labels_kept("ours")
    with pytest.raises(UsageError, match=r"no test\.webp"):
        measure.tiles(tmp_path / "test.webp", 3)
    (tmp_path / "test.webp").write_bytes(media.encode(media.Picture(np.zeros((33, 32, 3), np.uint8)), "webp"))
    with pytest.raises(UsageError, match="no mosaic"):
        measure.tiles(tmp_path / "test.webp", 3)
