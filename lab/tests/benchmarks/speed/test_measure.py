"""Whole processes are timed; their memory is their own."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from underpaint import media
from underpaint.errors import UnderpaintError, UsageError
from underpaint.media import samples
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.speed import measure
from underpaint_lab.benchmarks.speed.rows import Timing
from underpaint_lab.benchmarks.speed.watch import watch
from underpaint_lab.data.pictures import pictures_in
from underpaint_lab.provenance import Source


@pytest.mark.parametrize(
    ("method", "option", "size"), [("stdm", "-m", len(measure.MESSAGE)), ("lsb", "-f", 500), ("basn-stc", "-f", 500)]
)
def test_start_hide_and_reveal_are_timed(
    method: str, option: str, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "RUNS", 1)
    result = measure.speed(method, sizes=[(160, 120, 500)])
    assert [(row.what, row.pixels, row.payload_bytes) for row in result.rows] == [
        *(("import underpaint", 0, 0), ("underpaint --help", 0, 0)),
        *((f"hide {option}", 19200, size), ("reveal -o", 19200, size)),
    ]
    start, help_, *_ = result.rows
    assert min(row.seconds for row in result.rows) > 0
    assert 5 < start.peak_mb < help_.peak_mb < 64 < min(row.peak_mb for row in result.rows[2:]), "Argon2 takes 64 MiB"
    assert isinstance(result.source, Source)
    assert result.source.command == f"underpaint-lab bench speed {method} --seed 0"
    assert report.read(result.write(tmp_path)) == result
    assert report.render([result]).cells[3][:3] == [f"hide {option}", "0.0 Mpx", f"{size} bytes"]


def test_a_row_has_the_median_time_and_the_largest_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = iter([(0.3, 5_000_000), (0.1, 7_040_000), (0.20004, 6_000_000)])
    monkeypatch.setattr(measure, "run_once", lambda command: next(taken))
    row = measure.time_command("it", ["it"], 7, 8)
    assert row == Timing("it", 7, 8, (0.3, 0.1, 0.2), 7.0)
    assert row.seconds == 0.2


def test_watch_measures_a_command_and_passes_on_its_output(capfd: pytest.CaptureFixture[str]) -> None:
    script = "import time; time.sleep(0.1); print('it said this'); raise SystemExit(3)"
    seconds, peak, status = watch([sys.executable, "-c", script])
    assert seconds > 0.1
    assert peak > 5e6
    assert status == 3
    assert capfd.readouterr() == ("", "it said this\n")


def test_memory_is_that_of_the_command() -> None:
    held = np.ones(30_000_000, np.uint8)
    _, lean = measure.run_once((sys.executable, "-S", "-c", "pass"))
    _, full = measure.run_once((sys.executable, "-S", "-c", "bytearray(60_000_000)"))
    assert lean < len(held) < 60_000_000 < full
    with pytest.raises(UnderpaintError, match=r"failed: it is broken"):
        measure.run_once((sys.executable, "-c", "raise SystemExit('it is broken')"))
    with pytest.raises(UnderpaintError, match="/missing cannot be started"):
        measure.run_once(("/missing",))


def test_covers_are_composed_of_pictures() -> None:
    first, second = (media.read(samples.path(name)).pixels.astype(int) for name in ("chelsea", "coffee"))
    cover = measure.tile(pictures_in(None), 1000, 700, np.random.default_rng(0)).astype(int)
    assert cover.shape == (700, 1000, 3)
    assert np.abs(cover[:300, :451] - first).max() == 2
    assert np.abs(cover[:300, 451:1000] - second[:300, :549]).max() == 2
    assert np.abs(cover[300:600, :451] - first[::-1]).max() == 2
    assert measure.tile(pictures_in(None), 40, 30, np.random.default_rng(0)).shape == (30, 40, 3)


def test_wrong_use_is_refused() -> None:
    with pytest.raises(UsageError, match="no method is called 'none'"):
        measure.speed("none")
    with pytest.raises(UsageError, match="one process at a time"):
        measure.speed("stdm", jobs=2)
