"""Every method is brought to the same mean PSNR."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lab_support.carriers import Noise
from underpaint.errors import UnderpaintError
from underpaint.methods import METHODS
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.robustness.equal_psnr import TOLERANCE, at_equal_psnr
from underpaint_lab.benchmarks.robustness.grids import GRIDS
from underpaint_lab.benchmarks.robustness.rows import ChannelRow, qualities, skipped


@pytest.fixture
def noise(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(METHODS, "noise", Noise(-2.5))
    return "noise"


@pytest.fixture
def measured(noise: str, two_crops: Path) -> ResultFile[ChannelRow]:
    return at_equal_psnr("robust-jpeg", noise, images=two_crops, psnrs=(38, 40), beyond=(36,), jobs=1)


def test_the_mean_psnr_is_met(measured: ResultFile[ChannelRow]) -> None:
    assert [quality.psnr for quality in qualities(measured)] == [36, 38, 40]
    plotted, *met = qualities(measured)
    for quality in met:
        assert quality.psnr_mean == pytest.approx(quality.psnr, abs=TOLERANCE)
        assert quality.nominal is not None
        assert quality.nominal > quality.psnr + 1, "the method was asked for more"
    assert plotted.nominal is None
    assert plotted.psnr_mean == pytest.approx(36 - 2.5 - 0.4, abs=0.2), "not corrected where it is only plotted"


def test_all_channels_are_measured_at_the_psnrs_and_plotted_ones_beyond(measured: ResultFile[ChannelRow]) -> None:
    grid = GRIDS["robust-jpeg"]
    for psnr, chains in ((36, grid.plotted), (38, grid.chains), (40, grid.chains)):
        assert {row.channel for row in measured.rows if row.psnr == psnr} == set(chains)
    rates = [row.ber for row in measured.rows]
    assert all(ber is not None and 0.3 < ber < 0.7 for ber in rates), "nothing was embedded"


@pytest.mark.parametrize("slope", [0, -1])
def test_a_method_whose_psnr_does_not_follow_is_refused(
    slope: float, two_crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "stubborn", Noise(1, slope))
    with pytest.raises(UnderpaintError, match=r"stubborn cannot be brought to a mean PSNR of 40 dB, 41\.0 dB is"):
        at_equal_psnr("robust-jpeg", "stubborn", images=two_crops, psnrs=(40,), beyond=(), jobs=1)


def test_a_method_that_changes_nothing_is_refused(two_crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "idle", Noise(100))
    with pytest.raises(UnderpaintError, match="idle cannot be brought to a mean PSNR of 40 dB, inf dB is the closest"):
        at_equal_psnr("robust-jpeg", "idle", images=two_crops, psnrs=(40,), beyond=(), jobs=1)


def test_a_table_without_its_library_is_empty(noise: str, two_crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    result = at_equal_psnr("robust-video", noise, images=two_crops, psnrs=(40,), beyond=(36,), jobs=1)
    assert result.rows == ()
    assert [skip.channel for skip in skipped(result)] == list(GRIDS["robust-video"].chains)
    assert len(report.render([result]).cells) == 1 + 1 + len(skipped(result))


def test_stdm_is_brought_to_its_psnr(two_crops: Path) -> None:
    result = at_equal_psnr("robust-webp", "stdm", images=two_crops, psnrs=(40,), beyond=(), jobs=1)
    assert qualities(result)[0].psnr_mean == pytest.approx(40, abs=0.2)
    rows = {row.channel: row for row in result.rows}
    assert rows["webp:75"].ber == 0
    sizes = [rows[chain].bpp or 0.0 for chain in GRIDS["robust-webp"].chains if chain.startswith("webp")]
    assert sizes == sorted(sizes, reverse=True)
    assert report.render([result]).caption.startswith("`underpaint-lab bench robust-webp stdm --images two --seed 0`")
