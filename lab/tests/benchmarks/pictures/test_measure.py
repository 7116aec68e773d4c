"""Pictures in pictures: the control agrees with theory, refused pairs are counted, rows are rendered."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from support.picture_models import model
from underpaint import models
from underpaint.errors import UsageError
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.pictures.measure import (
    basn,
    lowest_bits,
    measure_pairs,
    pairs,
    pictures_in_pictures,
    pixinpix_file,
    pixinpix_network,
    small_pairs,
    ways,
)
from underpaint_lab.benchmarks.pictures.rows import SMALL, PictureQuality
from underpaint_lab.benchmarks.pictures.table import pictures_table


@pytest.fixture
def mosaic(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    pixels = rng.integers(256, size=(64, 96, 3), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "test.webp", lossless=True)
    return tmp_path


def test_the_control_agrees_with_theory(mosaic: Path) -> None:
    result = pictures_in_pictures("lsb-4", images=mosaic, jobs=1, small=True)
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


def test_samples_are_hidden_in_each_other() -> None:
    name, files, covers, secrets = pairs(None)
    assert (name, len(files)) == ("samples, 256×256", 2)
    assert {each.shape for each in covers + secrets} == {(256, 256, 3)}


def test_basn_keeps_the_psnr_asked_for() -> None:
    _, _, covers, secrets = pairs(None)
    container, back = basn(covers[0], secrets[0])
    quality = PictureQuality.of([covers[0]], [container])
    assert quality.psnr > 43.9
    assert quality.ms_ssim is not None
    assert PictureQuality.of([secrets[0]], [back]).psnr > 36


def test_results_are_read_as_they_were_written_and_shown(mosaic: Path, tmp_path: Path) -> None:
    result = pictures_in_pictures("lsb-4", images=mosaic, jobs=1, small=True)
    found = report.read(result.write(tmp_path))
    assert found.rows[0].cover.psnr == pytest.approx(result.rows[0].cover.psnr, abs=1e-5)
    shown = pictures_table([found, result])
    assert len(shown.cells) == 3
    assert {len(line) for line in shown.cells} == {11}
    assert "no numbers" in shown.caption


def test_refused_pairs_are_counted() -> None:
    picture = np.zeros((32, 32, 3), np.uint8)
    row = measure_pairs("x", [picture] * 2, [picture] * 2, [(picture, picture), None])
    assert (row.pairs, row.refused) == (1, 1)
    with pytest.raises(UsageError, match="none of the pictures"):
        measure_pairs("x", [picture], [picture], [None])


def test_wrong_settings_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no way"):
        pictures_in_pictures("none")
    with pytest.raises(UsageError, match="small pictures"):
        small_pairs(None)
    PIL.Image.new("RGB", (100, 300)).save(tmp_path / "narrow.png")
    with pytest.raises(UsageError, match="at least 256"):
        pairs(tmp_path)


def test_networks_are_measured_with_and_without_the_header(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "load", lambda _: model())
    rng = np.random.default_rng(0)
    cover, secret = rng.integers(256, size=(2, 64, 32, 3), dtype=np.uint8)
    for way in (pixinpix_network, pixinpix_file):
        container, back = way(cover, secret)
        assert PictureQuality.of([secret], [back]).psnr == pytest.approx(34.8, abs=0.2)
        assert PictureQuality.of([cover], [container]).psnr > 29


def test_ways_are_listed() -> None:
    assert set(ways()) >= {"lsb-4", "basn-44", "basn-50"}
    assert all(callable(way) for way in (lowest_bits, pixinpix_network))
