"""Pictures in pictures are measured: by the control as theory has it, by every way alike, and shown side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from support.picture_models import model
from underpaint import models
from underpaint.errors import UsageError
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.pictures.measure import (
    alone,
    compressed,
    lowest_bits,
    pairs,
    revealed,
    scored,
    small_pairs,
    ways,
    whole,
)
from underpaint_lab.benchmarks.pictures.rows import PICTURES, SMALL, Likeness, Revealed
from underpaint_lab.benchmarks.robustness.rows import read
from underpaint_lab.benchmarks.robustness.table import side_by_side


@pytest.fixture
def mosaic(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(64, 96, 3), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "test.webp", lossless=True)
    return tmp_path


def test_the_control_is_what_theory_says(mosaic: Path) -> None:
    result = revealed("lsb-4", images=mosaic, jobs=1, small=True)
    (row,) = result.rows
    assert (result.table, row.pairs, row.refused, row.sides) == (SMALL, 6, 0, (32, 32))
    assert row.cover.psnr == pytest.approx(31.8, abs=0.2)
    assert row.secret is not None
    assert row.secret.psnr == pytest.approx(34.8, abs=0.2)
    assert row.cover.ms_ssim is None


def test_every_picture_is_a_cover_and_a_secret(mosaic: Path) -> None:
    _, _, covers, secrets = small_pairs(mosaic)
    assert sorted(each.tobytes() for each in covers) == sorted(each.tobytes() for each in secrets)
    assert not any((cover == secret).all() for cover, secret in zip(covers, secrets, strict=True))


def test_samples_lie_in_each_other() -> None:
    name, files, covers, secrets = pairs(None)
    assert (name, len(files)) == ("samples, 256×256", 2)
    assert {each.shape for each in covers + secrets} == {(256, 256, 3)}


def test_the_exact_way_keeps_what_is_asked_for() -> None:
    _, _, covers, secrets = pairs(None)
    container, back = compressed(covers[0], secrets[0])
    likeness = Likeness.of([covers[0]], [container])
    assert likeness.psnr > 43.9
    assert likeness.ms_ssim is not None
    assert Likeness.of([secrets[0]], [back]).psnr > 36


def test_results_are_read_as_they_were_written_and_shown(mosaic: Path, tmp_path: Path) -> None:
    result = revealed("lsb-4", images=mosaic, jobs=1, small=True)
    found = read(result.write(tmp_path))
    assert isinstance(found, Revealed)
    assert found.rows[0].cover.psnr == pytest.approx(result.rows[0].cover.psnr, abs=1e-5)
    shown = side_by_side([found, result])
    assert len(shown.cells) == 3
    assert {len(line) for line in shown.cells} == {11}
    assert "no numbers" in shown.caption


def test_what_is_refused_is_counted() -> None:
    picture = np.zeros((32, 32, 3), np.uint8)
    row = scored("x", [picture] * 2, [picture] * 2, [(picture, picture), None])
    assert (row.pairs, row.refused) == (1, 1)
    with pytest.raises(UsageError, match="none of the pictures"):
        scored("x", [picture], [picture], [None])


def test_wrong_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no way"):
        revealed("none")
    with pytest.raises(UsageError, match="small pictures"):
        small_pairs(None)
    PIL.Image.new("RGB", (100, 300)).save(tmp_path / "narrow.png")
    with pytest.raises(UsageError, match="at least 256"):
        pairs(tmp_path)


def test_networks_are_measured_alone_and_as_users_have_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "load", lambda _: model())
    rng = np.random.default_rng(0)
    cover, secret = rng.integers(256, size=(2, 64, 32, 3), dtype=np.uint8)
    for way in (alone, whole):
        container, back = way(cover, secret)
        assert Likeness.of([secret], [back]).psnr == pytest.approx(34.8, abs=0.2)
        assert Likeness.of([cover], [container]).psnr > 29


def test_networks_are_there_if_the_zoo_has_them() -> None:
    assert set(ways()) >= {"lsb-4", "basn-44", "basn-50"}
    assert all(callable(way) for way in (lowest_bits, alone))
    assert issubclass(Revealed, ResultFile)
    assert PICTURES != SMALL
