"""Methods are compared at the PSNR they are said to have, beside what a paper reports and with the size of files."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from rich.console import Console

from underpaint import media
from underpaint.channels import CHANNELS, Codec, parse
from underpaint.errors import UnderpaintError, UsageError
from underpaint.media import samples
from underpaint.methods import METHODS
from underpaint.metrics import psnr as psnr_of
from underpaint_lab import benchmarks
from underpaint_lab.benchmarks import GRIDS, Paper, Result
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.core.plots import plot_over_psnr
from underpaint_lab.provenance import Citation, Source
from underpaint_lab.benchmarks.core.table import channel
from underpaint_lab.benchmarks.robustness.equal_psnr import TOLERANCE, at_equal_psnr
from underpaint_lab.benchmarks.robustness.rows import ABLATION, Ablation, Quality, Reported, Row, Skip
from underpaint_lab.benchmarks.robustness.table import side_by_side

if TYPE_CHECKING:
    from underpaint.coding.keys import Key
    from underpaint.types import Bits, Image, SoftBits

ROOT = Path(__file__).parents[4]
PAPER = Paper(
    "robust-jpeg",
    "paper",
    Citation("A. Uthor", "table 7", "ten thousand pictures", "PSNR is not stated."),
    (Reported("jpeg:10", "Drop", 30, 0.4933), Reported("jpeg:10", "Ours", 30, 0.3122)),
)


class Grain:
    """A bit carrier of noise, whose PSNR is off by *bias* dB and more at high PSNRs. It reads every bit as 0."""

    def __init__(self, bias: float, slope: float = 1.1) -> None:
        self.bias, self.slope = bias, slope

    def embed_bits(self, cover: Image, bits: Bits, key: Key, *, psnr: float) -> Image:
        wanted = 40 + self.bias + self.slope * (psnr - 40)
        grain = np.random.default_rng(0).standard_normal(cover.shape) * 255 * 10 ** (-wanted / 20)
        return np.clip(np.rint(cover + grain), 0, 255).astype(np.uint8)

    def extract_bits(self, container: Image, count: int, key: Key, *, psnr: float) -> SoftBits:
        return np.full(count, -1, np.float32)


@pytest.fixture
def two_crops(tmp_path: Path) -> Path:
    media.write(media.Picture(media.read(samples.path("coffee")).pixels[100:228, 200:456]), tmp_path / "crops.png")
    return tmp_path


@pytest.fixture
def grain(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setitem(METHODS, "grain", Grain(-2.5))
    return "grain"


@pytest.fixture
def measured(grain: str, two_crops: Path) -> Result:
    return at_equal_psnr("robust-jpeg", grain, images=two_crops, psnrs=(38, 40), beyond=(36,), jobs=1)


def test_the_mean_psnr_is_met(measured: Result) -> None:
    assert [quality.psnr for quality in measured.quality] == [36, 38, 40]
    drawn, *met = measured.quality
    for quality in met:
        assert quality.psnr_mean == pytest.approx(quality.psnr, abs=TOLERANCE)
        assert quality.nominal is not None
        assert quality.nominal > quality.psnr + 1, "it was asked for more than it has"
    assert drawn.nominal is None
    assert drawn.psnr_mean == pytest.approx(36 - 2.5 - 0.4, abs=0.2), "it is drawn at what it has"


def test_all_channels_at_the_tables_psnrs_and_those_plotted_beyond(measured: Result) -> None:
    grid = GRIDS["robust-jpeg"]
    for psnr, chains in ((36, grid.plotted), (38, grid.chains), (40, grid.chains)):
        found = {row.channel for row in measured.rows if row.psnr == psnr}
        assert found == set(chains)
    half = [row.ber for row in measured.rows]
    assert all(ber is not None and 0.3 < ber < 0.7 for ber in half), "nothing was hidden"


@pytest.mark.parametrize("slope", [0, -1])
def test_a_method_that_does_not_follow_is_refused(
    slope: float, two_crops: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(METHODS, "stubborn", Grain(1, slope))
    with pytest.raises(UnderpaintError, match=r"stubborn cannot be brought to a mean PSNR of 40 dB, 41\.0 dB is"):
        at_equal_psnr("robust-jpeg", "stubborn", images=two_crops, psnrs=(40,), beyond=(), jobs=1)


def test_a_method_that_changes_nothing_is_refused(two_crops: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "idle", Grain(100))
    with pytest.raises(UnderpaintError, match="idle cannot be brought to a mean PSNR of 40 dB, inf dB is the closest"):
        at_equal_psnr("robust-jpeg", "idle", images=two_crops, psnrs=(40,), beyond=(), jobs=1)


def test_a_table_without_its_library_is_empty(
    grain: str, two_crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    result = at_equal_psnr("robust-video", grain, images=two_crops, psnrs=(40,), beyond=(36,), jobs=1)
    assert result.rows == ()
    assert [skip.channel for skip in result.skipped] == list(GRIDS["robust-video"].chains)
    assert len(side_by_side([result]).cells) == 1 + 1 + len(result.skipped)
    result.write(tmp_path)
    report.publish_together("robust-video", tmp_path, Console(width=100))
    assert [file.name for file in (tmp_path / "robust-video").iterdir()] == ["grain.json"]


def test_stdm_is_brought_to_its_psnr(two_crops: Path) -> None:
    result = at_equal_psnr("robust-webp", "stdm", images=two_crops, psnrs=(40,), beyond=(), jobs=1)
    assert result.quality[0].psnr_mean == pytest.approx(40, abs=0.2)
    rows = {row.channel: row for row in result.rows}
    assert rows["webp:75"].ber == 0
    sizes = [rows[chain].bpp or 0.0 for chain in GRIDS["robust-webp"].chains if chain.startswith("webp")]
    assert sizes == sorted(sizes, reverse=True)
    assert result.source.command == "underpaint-lab bench robust-webp stdm --images " + two_crops.name + " --seed 0"


def test_grids_are_written_as_channels_write_themselves() -> None:
    for grid in GRIDS.values():
        assert [str(parse(chain)) for chain in grid.chains] == list(grid.chains)
        assert set(grid.plotted) <= set(grid.chains)
    x1000 = [1000 / float(chain.partition(":")[2]) for chain in GRIDS["robust-jpeg2000"].chains]
    assert x1000 == pytest.approx([900, 750, 500, 250, 100])


@pytest.mark.parametrize("name", [name for name, kind in CHANNELS.items() if issubclass(kind, Codec)])
def test_codecs_say_what_went_over_the_wire(name: str) -> None:
    mild, strong = {"jpeg2000": (4, 40), "mpeg4": (2, 20), "xvid": (2, 20), "h264": (18, 40)}.get(name, (90, 10))
    picture = media.read(samples.path("coffee")).pixels[100:228, 200:356]
    (near, more), (far, less) = (_codec(f"{name}:{strength}").transmit(picture) for strength in (mild, strong))
    assert 24 > more > less > 0
    assert psnr_of(picture, near) > psnr_of(picture, far)
    assert np.array_equal(near, parse(f"{name}:{mild}")(picture))
    with pytest.raises(UsageError, match="expected an RGB image"):
        _codec(f"{name}:{mild}").transmit(picture[..., 0])


def test_a_rate_is_what_the_file_has() -> None:
    picture = media.read(samples.path("coffee")).pixels[:256, :256]
    assert _codec("jpeg2000:10").transmit(picture)[1] == pytest.approx(2.4, rel=0.02)


def _codec(text: str) -> Codec:
    (codec,) = parse(text).channels
    assert isinstance(codec, Codec)
    return codec


def test_result_and_paper_are_read_as_written(measured: Result, tmp_path: Path) -> None:
    assert report.read_all(tmp_path / "robust-jpeg") == []
    measured.write(tmp_path)
    PAPER.write(tmp_path)
    assert report.read_all(tmp_path / "robust-jpeg") == [measured, PAPER]
    with pytest.raises(UsageError, match=r"paper\.json is no result file"):
        Result.read(tmp_path / "robust-jpeg" / "paper.json")


def test_methods_stand_beside_the_paper(measured: Result, tmp_path: Path) -> None:
    for result in (measured, replace(measured, method="stdm"), PAPER):
        result.write(tmp_path)
    cells = side_by_side(report.read_all(tmp_path / "robust-jpeg")).cells
    assert cells[0] == ["channel", "size", "paper", "stdm", "grain"]
    assert [line[0] for line in cells[1:]] == [
        *("at 38 dB", "jpeg:90", "jpeg:75", "jpeg:50", "jpeg:25", "jpeg:10"),
        *("at 40 dB", "jpeg:90", "jpeg:75", "jpeg:50", "jpeg:25", "jpeg:10"),
    ]
    assert cells[1][2] == "not stated"
    assert cells[1][3].startswith(("38.0", "37.9"))
    assert [line[2] for line in cells if line[0] == "jpeg:10"] == ["31.22 %", "31.22 %"]
    assert [line[2] for line in cells if line[0] == "jpeg:90"] == ["–", "–"]
    (tmp_path / "robust-jpeg" / "paper.json").rename(tmp_path / "paper.json")
    text = report.sync("<!-- results: robust-jpeg ./paper -->\n<!-- end of results -->", tmp_path)
    assert text.count(measured.source.commit) == 1, "one source for what was measured in one go"
    assert "A. Uthor, table 7; ten thousand pictures. PSNR is not stated." in text


def test_methods_may_miss_paper_and_libraries(measured: Result) -> None:
    rows = tuple(row for row in measured.rows if row.channel != "jpeg:75")
    lonely = replace(measured, rows=rows, skipped=(Skip("jpeg:75", "a library"),))
    cells = side_by_side([lonely]).cells
    assert cells[1][2] == "–"
    assert cells[-1] == ["jpeg:75", "skipped", "", ""]
    assert sum(line[0] == "jpeg:75" for line in cells) == 1


def test_video_has_a_bit_rate_and_papers_may_leave_out_parameters(measured: Result) -> None:
    rows = tuple(replace(row, channel="mpeg4:4", bpp=0.5) for row in measured.rows if row.channel == "jpeg:10")
    paper = replace(PAPER, table="robust-video", rows=(Reported("mpeg4", "Ours", 30, 0.0845),))
    shown = side_by_side([replace(measured, table="robust-video", rows=rows), paper])
    line = shown.cells[2]
    assert line[:3] == ["mpeg4:4", "0.50 bpp, 246 kbit/s", "8.45 %"]
    assert "per frame of a clip" in shown.caption


def test_a_paper_alone_is_shown_as_it_is(tmp_path: Path) -> None:
    assert side_by_side([PAPER]).cells == [["channel", "Drop", "Ours"], ["jpeg:10", "49.33 %", "31.22 %"]]
    PAPER.write(tmp_path)
    assert "| jpeg:10 | 49.33 % | 31.22 % |" in report.sync(
        "<!-- results: robust-jpeg/paper -->\n<!-- end of results -->", tmp_path
    )
    assert channel("jpeg2000:1.1111111111111112") == "jpeg2000:1.11"
    assert channel("resize:0.75 | jpeg:75") == "resize:0.75 | jpeg:75"


def test_nothing_cannot_be_put_side_by_side(measured: Result, tmp_path: Path) -> None:
    for results in ([], [replace(measured, table="channels")]):
        with pytest.raises(UsageError, match="cannot be put side by side"):
            side_by_side(results)
    with pytest.raises(UsageError, match="cannot be put side by side"):
        report.sync("<!-- results: nothing -->\n<!-- end of results -->", tmp_path)


def test_the_ablation_has_a_block_for_each_psnr() -> None:
    source = Source("python", "0" * 12, 0, "photographs, held out", 9, "0" * 64, {}, "a machine")
    training = (
        {"stage": "start", "scale": "reduced: steps 30 of 90", "minutes": 5.0, "device": "a core"},
        {"stage": "x", "scale": "reduced: steps 10 of 90", "minutes": 2.0, "device": "a core"},
    )
    columns = [
        Ablation(
            table=ABLATION,
            method=name,
            source=source,
            quality=(Quality(own, 8, 10, own, own - 1, 0.7), Quality(30.0, 8, 10, 30.0, 29.0, 0.9)),
            rows=tuple(
                Row("jpeg:50", psnr, 8, 10, 0, errors=errors) for psnr, errors in ((own, first), (30.0, second))
            ),
            training=training,
        )
        for name, own, first, second in (("shin-song", 22.5, 4, 8), ("none", 24.13, 40, 38))
    ]
    shown = side_by_side(columns)
    assert shown.cells == [
        ["trained behind", "PSNR, SSIM", "jpeg:50"],
        ["none, as trained", "24.1 dB, 0.700", "50.0"],
        ["shin-song, as trained", "22.5 dB, 0.700", "5.0"],
        ["none", "30.0 dB, 0.900", "47.5"],
        ["shin-song", "30.0 dB, 0.900", "10.0"],
    ]
    assert "Reduced: steps 30 of 90; then reduced: steps 10 of 90. 9 minutes" in shown.caption
    paper = replace(PAPER, rows=(Reported("jpeg:50", "Shin & Song", 30, 0.1585), Reported("jpeg:50", "Ours", 30, 0.12)))
    cells = side_by_side([*columns, paper]).cells
    assert cells[1] == ["shin-song, the paper's Shin & Song", "not stated", "15.8"]
    assert cells[2:] == shown.cells[1:]


def test_run_measures_all_who_carry_bits_and_shows_them_together(
    measured: Result, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def measure(method: str, **options: object) -> Result:
        return replace(measured, method=method)

    table = benchmarks.Table("", measure, lambda: ["stdm", "grain"], together=True)
    monkeypatch.setitem(benchmarks.TABLES, "robust-jpeg", table)
    for name, methods in (("one", ["stdm"]), ("all", [])):
        benchmarks.run("robust-jpeg", *methods, results=tmp_path / name)
    found = {name: {file.name for file in (tmp_path / name / "robust-jpeg").iterdir()} for name in ("one", "all")}
    assert found["one"] == {"stdm.json", "over-psnr.svg"}
    assert found["all"] == found["one"] | {"grain.json"}
    assert capsys.readouterr().out.count("at 40 dB") == 2, "once for each time"


def test_plot_has_a_panel_per_channel(measured: Result, tmp_path: Path) -> None:
    for name in ("plot", "again"):
        plot_over_psnr([measured, PAPER], tmp_path / f"{name}.svg")
    drawn = (tmp_path / "plot.svg").read_text()
    assert (tmp_path / "again.svg").read_text() == drawn
    assert all(name in drawn for name in (*GRIDS["robust-jpeg"].plotted, "grain", "paper, at unknown PSNR"))


def test_published_numbers_are_those_of_the_paper() -> None:
    def column(table: str, name: str = "Ours") -> list[float]:
        paper = Paper.read(ROOT / "results" / table / "paper.json")
        return [100 * row.ber for row in paper.rows if row.column == name]

    assert column("robust-jpeg") == pytest.approx([12.00, 12.41, 12.63, 16.75, 31.22])
    assert column("robust-jpeg", "Shin & Song") == pytest.approx([13.81, 14.03, 15.85, 22.00, 35.68])
    assert column("robust-jpeg2000") == pytest.approx([0.03, 0.04, 0.31, 4.16, 35.29])
    assert column("robust-webp") == pytest.approx([12.14, 12.17, 12.86, 15.37, 20.69])
    assert column("robust-video") == pytest.approx([8.45, 13.59])


def test_publish_writes_without_showing_what_is_shown_together(
    measured: Result, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report.publish(measured, tmp_path, Console(width=100))
    assert capsys.readouterr().out.split() == ["wrote", str(tmp_path / "robust-jpeg" / "grain.json")]
