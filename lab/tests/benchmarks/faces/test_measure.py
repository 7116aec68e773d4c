"""Faces are recognised in containers; quality and detection are measured."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import PIL.Image
import pytest

from underpaint import media
from underpaint.errors import UsageError
from underpaint.media import Picture, samples
from underpaint_lab.benchmarks.core.result_file import from_json, to_json
from underpaint_lab.benchmarks.faces import measure
from underpaint_lab.benchmarks.faces.rows import RecognitionRow
from underpaint_lab.benchmarks.faces.similarity import quality, stegexpose_rates
from underpaint_lab.data.identities import pairs, people

if TYPE_CHECKING:
    from pathlib import Path

PHOTO = media.read(samples.path("chelsea")).pixels


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten people, each a part of a photograph, three times; and covers."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("faces", "covers", "textures"):
        (folder / name).mkdir()
    rows = ["file,identity"]
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(folder / "faces" / "few.zip", "w") as archive:
        for person in range(10):
            for number in range(3):
                left, top = 30 * person, int(rng.integers(8))
                rows.append(f"{person}-{number}.png,p{person}")
                part = PIL.Image.fromarray(PHOTO[top + 40 : top + 160, left : left + 120])
                part.resize((64, 64)).save(buffer := io.BytesIO(), "PNG")
                archive.writestr(f"{person}-{number}.png", buffer.getvalue())
    (folder / "faces" / "few.csv").write_text("\n".join(rows))
    for name in ("covers/val.zip", "textures/textures.zip"):
        with zipfile.ZipFile(folder / name, "w") as archive:
            for left in (0, 150):
                archive.writestr(f"{left}.png", media.encode(Picture(PHOTO[:, left : left + 300]), "png"))
    return folder


def test_pairs_are_even_and_differ(data: Path) -> None:
    found = people(data / "faces", "test")
    assert len(found.pictures) == 9, "three people of ten"
    chosen = pairs(found.labels, 2, 4)
    assert chosen.same.reshape(4, 4).sum(axis=1).tolist() == [2, 2, 2, 2]
    assert len(set(zip(chosen.first.tolist(), chosen.second.tolist(), strict=True))) == 16
    assert ((found.labels[chosen.first] == found.labels[chosen.second]) == chosen.same).all()
    with pytest.raises(UsageError, match="no 20 pairs"):
        pairs(found.labels, 2, 10)


@pytest.mark.parametrize("way", ["miais", "miais-restorable", "template-stdm"])
def test_faces_are_hidden_and_recognised(data: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "PAIRS", (3, 3))
    side = 128 if way == "template-stdm" else 64
    monkeypatch.setitem(measure.WAYS, way, replace(measure.WAYS[way], side=side))
    found = measure.recognise_faces(way, images=data, jobs=1)
    (row,) = found.rows
    assert found.table == measure.WAYS[way].table
    assert (row.count, row.secrets) == (9, "faces")
    assert row.plain is not None
    assert row.cover is not None
    assert row.cover.psnr is not None
    assert row.cover.psnr > 36
    assert 0 <= row.accuracy <= 1
    assert "lost" not in (row.pool or "")
    assert (row.secret is None) == (way != "miais-restorable")
    assert from_json(to_json(row), RecognitionRow) == row


def test_wrong_use_is_refused(data: Path) -> None:
    with pytest.raises(UsageError, match="cannot be measured by the bench"):
        measure.recognise_faces("hips", images=data)
    with pytest.raises(UsageError, match="there are no faces"):
        measure.recognise_faces("miais")
    with pytest.raises(UsageError, match="has no faces"):
        measure.recognise_faces("miais", images=data / "covers")


def test_quality_of_identical_pictures() -> None:
    same = quality([PHOTO[:64, :64]], [PHOTO[:64, :64]])
    assert (same.mse, same.psnr, same.pooled_psnr) == (0, None, None)
    assert same.ms_ssim == pytest.approx(1)
    assert stegexpose_rates([PHOTO[:64, :64]], [PHOTO[:64, :64]])["detected_auc"] == 0.5
