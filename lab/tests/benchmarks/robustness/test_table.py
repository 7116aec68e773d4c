"""Tables and plots at equal PSNR stand beside the paper; the ablation has a block for each PSNR."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from lab_support.results import CITATION, RESULTS, SOURCE
from underpaint.errors import UsageError
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.core.result_file import PAPER, ResultFile
from underpaint_lab.benchmarks.robustness.grids import GRIDS
from underpaint_lab.benchmarks.robustness.plots import plot_over_psnr
from underpaint_lab.benchmarks.robustness.rows import ABLATION, ChannelRow, PublishedBer, Quality, Skip
from underpaint_lab.benchmarks.robustness.table import ablation_table, equal_psnr_table, networks_table

PUBLISHED = ResultFile(
    "robust-jpeg",
    PAPER,
    CITATION,
    (PublishedBer("jpeg:10", "Drop", 30, 0.4933), PublishedBer("jpeg:10", "Ours", 30, 0.3122)),
)
QUALITY = (
    Quality(36, 30, 2, 33.1, 33.0, 0.98),
    Quality(38, 30, 2, 38.01, 38.0, 0.98, 40.2),
    Quality(40, 30, 2, 40.0, 39.9, 0.99, 42.1),
)
ROWS = tuple(
    ChannelRow(chain, psnr, 30, 2, 0, errors=30)
    for psnr, chains in ((36, GRIDS["robust-jpeg"].plotted), *((p, GRIDS["robust-jpeg"].chains) for p in (38, 40)))
    for chain in chains
)
MEASURED = ResultFile("robust-jpeg", "noise", SOURCE, ROWS, {"quality": QUALITY, "skipped": ()})


def test_methods_stand_beside_the_paper(tmp_path: Path) -> None:
    cells = equal_psnr_table([MEASURED, PUBLISHED, replace(MEASURED, method="stdm")]).cells
    assert cells[0] == ["channel", "size", "paper", "stdm", "noise"]
    assert [line[0] for line in cells[1:]] == [
        *("at 38 dB", "jpeg:90", "jpeg:75", "jpeg:50", "jpeg:25", "jpeg:10"),
        *("at 40 dB", "jpeg:90", "jpeg:75", "jpeg:50", "jpeg:25", "jpeg:10"),
    ]
    assert cells[1][2:4] == ["not stated", "38.01 dB, least 38.0; SSIM 0.980"]
    assert [line[2] for line in cells if line[0] == "jpeg:10"] == ["31.22 %", "31.22 %"]
    assert [line[2] for line in cells if line[0] == "jpeg:90"] == ["–", "–"]


def test_paper_channels_and_libraries_may_be_missing() -> None:
    rows = tuple(row for row in ROWS if row.channel != "jpeg:75")
    lonely = replace(MEASURED, rows=rows, notes={"quality": QUALITY, "skipped": (Skip("jpeg:75", "a library"),)})
    cells = equal_psnr_table([lonely]).cells
    assert cells[1][2] == "–"
    assert cells[-1] == ["jpeg:75", "skipped", "", ""]
    assert sum(line[0] == "jpeg:75" for line in cells) == 1


def test_video_has_a_bit_rate_and_papers_may_leave_out_parameters() -> None:
    rows = tuple(replace(row, channel="mpeg4:4", bpp=0.5) for row in ROWS if row.channel == "jpeg:10")
    paper = replace(PUBLISHED, table="robust-video", rows=(PublishedBer("mpeg4", "Ours", 30, 0.0845),))
    rendered = equal_psnr_table([replace(MEASURED, table="robust-video", rows=rows), paper])
    assert rendered.cells[2][:3] == ["mpeg4:4", "0.50 bpp, 246 kbit/s", "8.45 %"]
    assert "per frame of a clip" in rendered.caption


def test_a_paper_alone_is_shown_as_it_is() -> None:
    assert equal_psnr_table([PUBLISHED]).cells == [["channel", "Drop", "Ours"], ["jpeg:10", "49.33 %", "31.22 %"]]


@pytest.mark.parametrize("render", [equal_psnr_table, ablation_table, networks_table])
def test_nothing_cannot_be_shown(render: object) -> None:
    assert callable(render)
    with pytest.raises(UsageError, match="no result to show"):
        render([])


def test_the_ablation_has_a_block_for_each_psnr() -> None:
    training = (
        {"stage": "start", "scale": "reduced: steps 30 of 90", "minutes": 5.0, "device": "a core"},
        {"stage": "x", "scale": "reduced: steps 10 of 90", "minutes": 2.0, "device": "a core"},
    )
    columns = [
        ResultFile(
            ABLATION,
            name,
            replace(SOURCE, data="photographs, held out", pictures=9),
            tuple(
                ChannelRow("jpeg:50", psnr, 8, 10, 0, errors=errors) for psnr, errors in ((own, first), (30.0, second))
            ),
            {
                "training": training,
                "quality": (Quality(own, 8, 10, own, own - 1, 0.7), Quality(30.0, 8, 10, 30.0, 29.0, 0.9)),
            },
        )
        for name, own, first, second in (("shin-song", 22.5, 4, 8), ("none", 24.13, 40, 38))
    ]
    rendered = ablation_table(columns)
    assert rendered.cells == [
        ["trained behind", "PSNR, SSIM", "jpeg:50"],
        ["none, as trained", "24.1 dB, 0.700", "50.0"],
        ["shin-song, as trained", "22.5 dB, 0.700", "5.0"],
        ["none", "30.0 dB, 0.900", "47.5"],
        ["shin-song", "30.0 dB, 0.900", "10.0"],
    ]
    assert "Reduced: steps 30 of 90; then reduced: steps 10 of 90. 9 minutes" in rendered.caption
    rates = (PublishedBer("jpeg:50", "Shin & Song", 30, 0.1585), PublishedBer("jpeg:50", "Ours", 30, 0.12))
    cells = ablation_table([*columns, replace(PUBLISHED, rows=rates)]).cells
    assert cells[1] == ["shin-song, the paper's Shin & Song", "not stated", "15.8"]
    assert cells[2:] == rendered.cells[1:]


def test_the_plot_has_a_panel_per_channel(tmp_path: Path) -> None:
    for name in ("plot", "again"):
        plot_over_psnr([MEASURED, PUBLISHED], tmp_path / f"{name}.svg")
    drawn = (tmp_path / "plot.svg").read_text()
    assert (tmp_path / "again.svg").read_text() == drawn
    assert all(name in drawn for name in (*GRIDS["robust-jpeg"].plotted, "noise", "paper, at unknown PSNR"))


def test_published_numbers_are_those_of_the_paper() -> None:
    def column(table: str, name: str = "Ours") -> list[float]:
        rows: tuple[PublishedBer, ...] = report.read(RESULTS / table / "paper.json").rows
        return [100 * row.ber for row in rows if row.column == name]

    assert column("robust-jpeg") == pytest.approx([12.00, 12.41, 12.63, 16.75, 31.22])
    assert column("robust-jpeg", "Shin & Song") == pytest.approx([13.81, 14.03, 15.85, 22.00, 35.68])
    assert column("robust-jpeg2000") == pytest.approx([0.03, 0.04, 0.31, 4.16, 35.29])
    assert column("robust-webp") == pytest.approx([12.14, 12.17, 12.86, 15.37, 20.69])
    assert column("robust-video") == pytest.approx([8.45, 13.59])
