"""Rows of trained runs: the paper's networks and its baselines."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from underpaint.errors import UsageError
from underpaint.methods import pixinpix
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.pictures.rows import PICTURES, SMALL
from underpaint_lab.benchmarks.pictures.table import pictures_table
from underpaint_lab.benchmarks.pictures.trained import NAMES, evaluate
from underpaint_lab.benchmarks.robustness.grids import PICTURE_CHANNELS
from underpaint_lab.data.cover_secret import CoverSecretPairs
from underpaint_lab.data.photographs import Photographs
from underpaint_lab.papers import RECIPES
from underpaint_lab.papers.pixinpix import nets
from underpaint_lab.papers.pixinpix.baselines import PixInPixBaselineRecipe
from underpaint_lab.training.loop import fit

RNG = np.random.default_rng(0)


def run_of(name: str, folder: Path) -> Path:
    """A run of two steps."""
    entry = RECIPES[name]
    recipe = replace(entry.recipe, steps=2, batch=2, crop=32)
    if isinstance(recipe, PixInPixBaselineRecipe):
        recipe = replace(recipe, width=4, noise=0.0)
    noise = [Photographs("noise", [RNG.integers(256, size=(32, 32, 3), dtype=np.uint8)]) for _ in range(2)]
    fit(entry.model(recipe), CoverSecretPairs(*noise), folder / "run", progress=False)  # type: ignore[arg-type]
    return folder / "run"


@pytest.fixture
def mosaic(tmp_path: Path) -> Path:
    pixels = RNG.integers(256, size=(32, 64, 3), dtype=np.uint8)
    PIL.Image.fromarray(pixels).save(tmp_path / "test.webp", lossless=True)
    return tmp_path


@pytest.mark.parametrize("name", ["steganogan-residual", "pixinpix-published"])
def test_a_run_becomes_a_row(name: str, mosaic: Path) -> None:
    result = evaluate(name, run_of(name, mosaic), mosaic)
    (row,) = result.rows
    assert (result.table, result.method, row.pairs) == (SMALL, name, 2)
    assert row.trained is not None
    assert row.trained.startswith("4 pairs")
    found = report.read(result.write(mosaic))
    assert found.rows[0].trained == row.trained


def test_bits_are_counted_as_a_reed_solomon_code_would(mosaic: Path) -> None:
    (row,) = (result := evaluate("steganogan-dense-bits", run_of("steganogan-dense-bits", mosaic), mosaic)).rows
    assert row.secret is None
    assert row.bits is not None
    assert -3 <= row.bits <= 3
    assert row.pictures.startswith("bits in ")
    found = report.read(result.write(mosaic))
    assert found.rows[0].secret is None
    assert found.rows[0].bits == pytest.approx(row.bits, abs=1e-5)
    assert f"{row.bits:.2f} bits per pixel" in pictures_table([result]).cells[1]


def test_digits_are_measured_on_digits_and_drawn(mosaic: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (nets, pixinpix):
        monkeypatch.setattr(module, "KINDS", 2)  # the time of the export is in proportion
    (mosaic / "cifar10").mkdir()
    (mosaic / "test.webp").rename(mosaic / "cifar10" / "test.webp")
    (mosaic / "mnist").mkdir()
    header = np.array([0x803, 2, 28, 28], ">u4").tobytes()
    file = mosaic / "mnist" / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(gzip.compress(header + RNG.integers(256, size=(2, 28, 28), dtype=np.uint8).tobytes()))
    for name in ("pixinpix-mnist", "pixinpix-digits"):
        (row,) = evaluate(name, run_of(name, mosaic / name), mosaic, mosaic / "sheet.png").rows
        assert (row.pictures, row.pairs) == ("mnist in cifar10, 32×32", 2)
    with PIL.Image.open(mosaic / "sheet.png") as sheet:
        assert sheet.size == (6 * 34 * 3, 2 * 34 * 3)


def test_a_network_trained_behind_codecs_is_measured_behind_each(tmp_path: Path) -> None:
    run = run_of("robust-picture-published", tmp_path)
    (tmp_path / "images").mkdir()
    for number in range(2):
        pixels = RNG.integers(100, 156, size=(256, 256, 3), dtype=np.uint8)
        PIL.Image.fromarray(pixels).save(tmp_path / "images" / f"{number}.png")
    result = evaluate("robust-picture-published", run, tmp_path / "images")
    assert (result.table, [row.after for row in result.rows]) == (PICTURES, list(PICTURE_CHANNELS))
    assert all((row.pairs, row.sides) == (2, (256, 256)) for row in result.rows)
    assert len({row.cover.apd for row in result.rows}) == len(PICTURE_CHANNELS)
    assert len({row.secret.apd for row in result.rows if row.secret}) == len(PICTURE_CHANNELS)


def test_other_recipes_are_refused(mosaic: Path) -> None:
    assert "pixinpix-published" in NAMES
    assert "pixinpix" not in NAMES
    run = run_of("pixinpix-cifar", mosaic)
    with pytest.raises(UsageError, match="cannot be evaluated"):
        evaluate("pixinpix-cifar", run, mosaic)
