"""Measurements count right, say where they come from, and come out the same each time."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from rich.console import Console

from underpaint import media
from underpaint.channels import parse
from underpaint.errors import UnderpaintError, UsageError
from underpaint.media import samples
from underpaint.methods import EXACT, METHODS
from underpaint_lab import benchmarks
from underpaint_lab.benchmarks import Case, Result
from underpaint_lab.benchmarks.__main__ import main
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.detectability.measure import JUDGED
from underpaint_lab.benchmarks.faces import measure as miais
from underpaint_lab.benchmarks.lossless import stc_bound
from underpaint_lab.benchmarks.robustness.rows import Timing, read
from underpaint_lab.benchmarks.speed import measure as process
from underpaint_lab.benchmarks.speed.watch import watch
from underpaint_lab.data.pictures import crops, pictures_in, spread

if TYPE_CHECKING:
    from underpaint.coding.keys import Key
    from underpaint.types import Bits, Image, SoftBits


class LowBits:
    """A bit carrier whose error rates are known: none where nothing changes, one half after any codec."""

    def embed_bits(self, cover: Image, bits: Bits, key: Key, *, psnr: float) -> Image:
        container = cover.copy()
        container[0, : len(bits), 0] = container[0, : len(bits), 0] & 0xFE | bits
        container[1] ^= 1
        return container

    def extract_bits(self, container: Image, count: int, key: Key, *, psnr: float) -> SoftBits:
        return np.asarray(container[0, :count, 0] & 1, np.float32) - np.float32(0.5)


@pytest.fixture
def low(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(METHODS, "low", LowBits())
    return "low"


@pytest.fixture
def result(low: str) -> Result:
    return benchmarks.channels(low, psnrs=(40, 42), chains=("none", "noise:0.04"), jobs=1)


def test_channels_counts_wrong_bits(result: Result) -> None:
    assert [(row.channel, row.psnr) for row in result.rows] == [
        *(("none", 40), ("none", 42)),
        *(("noise:0.04", 40), ("noise:0.04", 42)),
    ]
    sound, noisy = result.rows[0], result.rows[2]
    assert (sound.sent, sound.bits, sound.errors, sound.exact, sound.ber) == (18, 540, 0, 18, 0)
    assert noisy.exact == 0
    assert noisy.ber_interval is not None
    assert noisy.ber_interval[0] < 0.5 < noisy.ber_interval[1]
    assert result.quality[0].containers == 18
    assert 60 < result.quality[0].psnr_min <= result.quality[0].psnr_mean < 80


def test_channels_repeat_and_do_not_depend_on_each_other(low: str, result: Result) -> None:
    again = benchmarks.channels(low, psnrs=(42,), chains=("jpeg:50", "noise:0.04"), jobs=1)
    assert again.rows[1] == result.rows[3]
    assert benchmarks.channels(low, psnrs=(42,), chains=("noise:0.04",), jobs=1, seed=1).rows != again.rows[1:]


def test_channels_reports_what_it_could_not_measure(low: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    result = benchmarks.channels(low, psnrs=(40,), chains=("none", "h264:23"), jobs=1)
    assert [row.channel for row in result.rows] == ["none"]
    assert [(skip.channel, "PyAV" in skip.reason) for skip in result.skipped] == [("h264:23", True)]
    assert "| h264:23 | skipped |" in report.markdown(result)


def test_grid_is_written_as_channels_write_themselves() -> None:
    assert [str(parse(chain)) for chain in benchmarks.GRID] == list(benchmarks.GRID)
    assert len(set(benchmarks.GRID)) == len(benchmarks.GRID)


def test_messages_go_the_whole_way() -> None:
    result = benchmarks.messages("stdm", cases=[Case(8, 40, ("none", "jpeg:50", "flip"))], jobs=1)
    assert [(row.channel, row.exact, row.false, row.refused, row.sent) for row in result.rows] == [
        *(("none", 2, 0, 0, 2), ("jpeg:50", 2, 0, 0, 2), ("flip", 0, 0, 0, 2)),
    ]
    assert result.quality[0].psnr_min > 39


def test_messages_counts_refused_covers_as_failed() -> None:
    result = benchmarks.messages("stdm", cases=[Case(100_000, 40, ("none",))], jobs=1)
    assert [(row.exact, row.refused, row.sent) for row in result.rows] == [(0, 2, 2)]
    assert result.quality == ()
    assert "| none | 100000 bytes | – | – | 0 of 2 (2 refused) |" in report.markdown(result)


def test_result_file_is_read_as_written(result: Result, tmp_path: Path) -> None:
    file = result.write(tmp_path)
    assert file == tmp_path / "channels" / "low.json"
    assert Result.read(file) == result
    document = json.loads(file.read_text())
    assert document["source"]["command"] == "underpaint-lab bench channels low --seed 0"
    assert document["source"]["versions"].keys() >= {"numpy", "pillow", "libjpeg_turbo", "webp", "avif", "av"}
    assert str(Path.cwd()) not in file.read_text()


@pytest.mark.parametrize(
    ("method", "option", "size"), [("stdm", "-m", len(process.MESSAGE)), ("lsb", "-f", 500), ("basn-stc", "-f", 500)]
)
def test_speed_times_whole_processes(
    method: str, option: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "RUNS", 1)
    result = benchmarks.speed(method, sizes=[(160, 120, 500)])
    assert [(row.what, row.pixels, row.payload_bytes) for row in result.rows] == [
        *(("import underpaint", 0, 0), ("underpaint --help", 0, 0)),
        *((f"hide {option}", 19200, size), ("reveal -o", 19200, size)),
    ]
    start, help_, *_ = result.rows
    assert min(row.seconds for row in result.rows) > 0
    assert 5 < start.peak_mb < help_.peak_mb < 64 < min(row.peak_mb for row in result.rows[2:]), "Argon2 takes 64 MiB"
    assert result.source.command == f"underpaint-lab bench speed {method} --seed 0"
    assert read(result.write(tmp_path)) == result
    assert f"| hide {option} | 0.0 Mpx | {size} bytes | " in report.markdown(result)
    report.publish(result, tmp_path, Console(width=100))
    assert [file.name for file in (tmp_path / "speed").iterdir()] == [f"{method}.json"]


def test_speed_takes_the_median_and_the_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter([(0.3, 5_000_000), (0.1, 7_040_000), (0.20004, 6_000_000)])
    monkeypatch.setattr(process, "watched", lambda command: next(taken))
    row = process.timed("it", ["it"], 7, 8)
    assert row == Timing("it", 7, 8, (0.3, 0.1, 0.2), 7.0)
    assert row.seconds == 0.2


def test_searches_are_held_against_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stc_bound, "VALUES", 4000)
    benchmarks.run("trellis", results=tmp_path)
    result = read(tmp_path / "trellis" / "basn-stc.json")
    assert isinstance(result, benchmarks.Searches)
    assert result == benchmarks.Searches.read(result.write(tmp_path))
    assert {(row.rate, row.layers) for row in result.rows} == set(stc_bound.LAYERS.items())
    assert len(result.rows) == 16
    for row in result.rows:
        assert 0 < row.excess < 1
        assert row.speed == 4000 / np.median(row.runs)
    table = report.markdown(result)
    assert f"| equal | 0.4 | {100 * result.rows[1].excess:.1f} % | {result.rows[1].speed / 1e6:.2f} million |" in table
    assert "| basn-stc, photographs | 2.0 | " in table


def test_watch_measures_and_hands_on(capfd: pytest.CaptureFixture[str]) -> None:
    script = "import time; time.sleep(0.1); print('it said this'); raise SystemExit(3)"
    seconds, peak, status = watch([sys.executable, "-c", script])
    assert seconds > 0.1
    assert peak > 5e6
    assert status == 3
    assert capfd.readouterr() == ("", "it said this\n")


def test_watched_memory_is_the_commands_own() -> None:
    held = np.ones(30_000_000, np.uint8)
    _, lean = process.watched((sys.executable, "-S", "-c", "pass"))
    _, full = process.watched((sys.executable, "-S", "-c", "bytearray(60_000_000)"))
    assert lean < len(held) < 60_000_000 < full
    with pytest.raises(UnderpaintError, match=r"failed: it is broken"):
        process.watched((sys.executable, "-c", "raise SystemExit('it is broken')"))
    with pytest.raises(UnderpaintError, match="/missing cannot be started"):
        process.watched(("/missing",))


def test_covers_are_tiled_with_pictures() -> None:
    first, second = (media.read(samples.path(name)).pixels.astype(int) for name in ("chelsea", "coffee"))
    cover = process.tiled(pictures_in(None), 1000, 700, np.random.default_rng(0)).astype(int)
    assert cover.shape == (700, 1000, 3)
    assert np.abs(cover[:300, :451] - first).max() == 2
    assert np.abs(cover[:300, 451:1000] - second[:300, :549]).max() == 2
    assert np.abs(cover[300:600, :451] - first[::-1]).max() == 2
    assert process.tiled(pictures_in(None), 40, 30, np.random.default_rng(0)).shape == (30, 40, 3)


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"table": 1, "method": 2, "source": {}}'])
def test_other_files_are_refused(content: str | None, tmp_path: Path) -> None:
    file = tmp_path / "some.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(UsageError, match=r"some\.json is no result file"):
        Result.read(file)


def test_readme_tables_are_filled_in(result: Result, tmp_path: Path) -> None:
    result.write(tmp_path)
    text = "before\n<!-- results: channels/low -->\nstale\n<!-- end of results -->\nafter\n"
    filled = report.sync(text, tmp_path)
    assert "stale" not in filled
    assert "| none | 0 % (0–0.71) · 100 % | 0 % (0–0.71) · 100 % |" in filled
    assert filled.startswith("before\n<!-- results: channels/low -->\n")
    assert filled.endswith("\n<!-- end of results -->\nafter\n")
    assert report.sync(filled, tmp_path) == filled
    assert report.sync("nothing to fill", tmp_path) == "nothing to fill"
    with pytest.raises(UsageError, match="missing"):
        report.sync(text.replace("low", "missing"), tmp_path)


def test_cards_say_what_was_measured_of_what_is_reported(result: Result, tmp_path: Path) -> None:
    result.write(tmp_path)
    card = '+++\nmethod = "low"\n[reported]\n"ber_none" = 0.1\n\n[measured]\nstale = 1\n+++\n\ntext [measured]\n'
    filled = report.measured(card, tmp_path)
    lines = '[measured]\n"ber_none" = 0.000000\n"ber_none_low" = 0.000000\n"ber_none_high" = 0.007'
    assert lines in filled
    assert "stale" not in filled
    assert filled.endswith("\n+++\n\ntext [measured]\n")
    assert report.measured(filled, tmp_path) == filled
    other = card.replace("low", "other")
    assert report.measured(other, tmp_path) == other


def test_make_bench(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "docs" / "some.md"
    asked: list[str] = []

    def measure(method: str, **options: object) -> Result:
        asked.append(method)
        return measured

    page.parent.mkdir()
    (tmp_path / "README.md").write_text("nothing to fill\n")
    measured = replace(result, table="messages")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["make bench"])
    tables = {
        "messages": benchmarks.Table("", measure, lambda: ["low", "high"]),
        "rare": benchmarks.Table("", measure, lambda: ["of", "many"], fewest=3),
    }
    monkeypatch.setattr(benchmarks, "TABLES", tables)
    page.write_text("<!-- results: messages/low -->\n<!-- end of results -->\n")
    main()
    assert asked == ["low", "high"]
    assert "left out rare, which takes 3 pictures" in capsys.readouterr().out
    assert Result.read(tmp_path / "results" / "messages" / "low.json") == measured
    assert "| none | 3 bytes | ≥ 68.9 dB |" in page.read_text()

    monkeypatch.setattr(sys, "argv", ["make bench", "--tables-only"])
    monkeypatch.setattr(benchmarks, "TABLES", {})
    before = page.read_text()
    main()
    assert page.read_text() == before


def test_tables_are_for_the_methods_they_can_measure() -> None:
    carry = list(benchmarks.carriers())
    assert "stdm" in carry
    assert "lsb" not in carry
    others = {
        "speed": list(EXACT),
        benchmarks.BASN: [benchmarks.PUBLISHED, *benchmarks.DESIGNS],
        benchmarks.TRELLIS: ["basn-stc"],
        benchmarks.ANALYST: list(JUDGED),
        benchmarks.STATISTICS: ["replacement", "clean"],
        benchmarks.DMVJND: list(benchmarks.WAYS),
        benchmarks.CODING: ["jnd"],
        benchmarks.MACHINE_SAFE: ["robust", "basn-stc"],
        benchmarks.PICTURES: list(benchmarks.ways()),
        benchmarks.SMALL: list(benchmarks.ways(small=True)),
        **{name: miais.ways(name) for name in benchmarks.MIAIS},
    }
    assert {name: list(table.methods()) for name, table in benchmarks.TABLES.items()} == {
        name: others.get(name, carry) for name in benchmarks.TABLES
    }


def test_publish_shows_writes_and_draws(result: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    drawn = []
    for name in ("one", "two"):
        report.publish(result, tmp_path / name, Console(width=100))
        drawn.append((tmp_path / name / "channels" / "low.svg").read_bytes())
    assert drawn[0] == drawn[1]
    assert b"noise:0.04" in drawn[0]
    assert "noise:0.04" in capsys.readouterr().out


def test_publish_does_without_matplotlib(
    result: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    report.publish(result, tmp_path, Console(width=100))
    assert [file.name for file in (tmp_path / "channels").iterdir()] == ["low.json"]
    assert "underpaint[plot]" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda: benchmarks.run("beauty", "stdm"), "no table is called 'beauty'"),
        (lambda: benchmarks.run("channels"), "channels is measured for one method"),
        (lambda: benchmarks.speed("none"), "no method is called 'none'"),
        (lambda: benchmarks.speed("stdm", jobs=2), "one process at a time"),
        (lambda: benchmarks.searches("lsb"), "trellis is that of basn-stc"),
        (lambda: benchmarks.searches("basn-stc", jobs=2), "one process at a time"),
        (lambda: benchmarks.channels("lsb"), "'lsb' carries no bits"),
        (lambda: benchmarks.messages("none"), "no method is called 'none'"),
        (lambda: benchmarks.messages("stdm", cases=[Case(8, 40, ("telex",))]), "telex"),
        (lambda: pictures_in(Path(__file__).parent), "no pictures"),
    ],
)
def test_wrong_use(call: Any, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        call()


def test_pictures_too_small_for_a_crop(tmp_path: Path) -> None:
    media.write(media.Picture(np.zeros((127, 500, 3), np.uint8)), tmp_path / "small.png")
    with pytest.raises(UsageError, match="128×128"):
        benchmarks.channels("stdm", images=tmp_path)


def test_crops_tile_the_picture() -> None:
    pixels = media.read(samples.path("chelsea")).pixels  # 300×451
    cut = crops(pixels, 128)
    assert [crop.shape for crop in cut] == [(128, 128, 3)] * 6
    assert np.array_equal(cut[4], pixels[128:256, 128:256])
    assert crops(pixels[:100], 128) == []


def test_processes_change_nothing() -> None:
    assert spread(abs, [-3, 2, -1], 2) == spread(abs, [-3, 2, -1], 1) == [3, 2, 1]
    one, two = (
        benchmarks.channels("stdm", psnrs=(40,), chains=("avif:50", "noise:0.04"), jobs=jobs) for jobs in (1, 2)
    )
    assert one == two


def test_stdm_carries_bits_through_jpeg_but_not_through_a_shift() -> None:
    result = benchmarks.channels("stdm", psnrs=(40,), chains=("jpeg:50", "crop:0.9"), jobs=1)
    jpeg, crop = (row.ber for row in result.rows)
    assert jpeg is not None
    assert crop is not None
    assert jpeg < 0.01
    assert 0.4 < crop < 0.6
    assert abs(result.quality[0].psnr_mean - 40) < 0.5
