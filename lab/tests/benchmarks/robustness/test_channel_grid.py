"""Wrong bits are counted per channel and PSNR; streams of random numbers do not depend on each other."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from lab_support.carriers import LowBits
from underpaint import media
from underpaint.errors import UsageError
from underpaint.methods import METHODS
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.robustness.channel_grid import channels
from underpaint_lab.benchmarks.robustness.rows import ChannelRow, qualities, skipped


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(METHODS, "low", LowBits())
    return "low"


@pytest.fixture
def result(low: str, two_crops: Path) -> ResultFile[ChannelRow]:
    return channels(low, images=two_crops, psnrs=(40, 42), chains=("none", "noise:0.04"), jobs=1)


def test_wrong_bits_are_counted(result: ResultFile[ChannelRow]) -> None:
    assert [(row.channel, row.psnr) for row in result.rows] == [
        *(("none", 40), ("none", 42)),
        *(("noise:0.04", 40), ("noise:0.04", 42)),
    ]
    sound, noisy = result.rows[0], result.rows[2]
    assert (sound.sent, sound.bits, sound.errors, sound.exact, sound.ber) == (2, 60, 0, 2, 0)
    assert noisy.exact == 0
    assert noisy.ber_interval is not None
    assert noisy.ber_interval[0] < 0.5 < noisy.ber_interval[1]
    quality = qualities(result)[0]
    assert quality.containers == 2
    assert 60 < quality.psnr_min <= quality.psnr_mean < 80


def test_channels_do_not_depend_on_each_other_but_on_the_seed(
    low: str, two_crops: Path, result: ResultFile[ChannelRow]
) -> None:
    again = channels(low, images=two_crops, psnrs=(42,), chains=("jpeg:50", "noise:0.04"), jobs=1)
    assert again.rows[1] == result.rows[3]
    other = channels(low, images=two_crops, psnrs=(42,), chains=("noise:0.04",), jobs=1, seed=1)
    assert other.rows != again.rows[1:]


def test_channels_without_their_library_are_skipped(low: str, two_crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    result = channels(low, images=two_crops, psnrs=(40,), chains=("none", "h264:23"), jobs=1)
    assert [row.channel for row in result.rows] == ["none"]
    assert [(skip.channel, "PyAV" in skip.reason) for skip in skipped(result)] == [("h264:23", True)]
    assert report.render([result]).cells[-1] == ["h264:23", "skipped"]


def test_the_source_is_noted(result: ResultFile[ChannelRow], tmp_path: Path) -> None:
    file = result.write(tmp_path)
    assert report.read(file) == result
    source = json.loads(file.read_text())["source"]
    assert source["command"] == "underpaint-lab bench channels low --images two --seed 0"
    assert source["versions"].keys() >= {"numpy", "pillow", "libjpeg_turbo", "webp", "avif", "av"}
    assert str(Path.cwd()) not in file.read_text()


def test_results_do_not_depend_on_the_number_of_processes(two_crops: Path) -> None:
    one, two = (
        channels("stdm", images=two_crops, psnrs=(40,), chains=("avif:50", "noise:0.04"), jobs=jobs) for jobs in (1, 2)
    )
    assert one == two


def test_stdm_survives_jpeg_but_no_shift(two_crops: Path) -> None:
    result = channels("stdm", images=two_crops, psnrs=(40,), chains=("jpeg:50", "crop:0.9"), jobs=1)
    jpeg, crop = (row.ber for row in result.rows)
    assert jpeg is not None
    assert crop is not None
    assert jpeg < 0.01
    assert 0.4 < crop < 0.6
    assert abs(qualities(result)[0].psnr_mean - 40) < 0.7


def test_methods_without_bits_and_small_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'lsb' carries no bits"):
        channels("lsb")
    media.write(media.Picture(np.zeros((127, 500, 3), np.uint8)), tmp_path / "small.png")
    with pytest.raises(UsageError, match="128×128"):
        channels("stdm", images=tmp_path)
