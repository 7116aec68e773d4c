"""Tables are measured, shown and written; pages of the checkout are filled in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab_support.results import SOURCE
from underpaint.errors import UsageError
from underpaint.methods import EXACT
from underpaint_lab.benchmarks import TABLES
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.core.result_file import ResultFile
from underpaint_lab.benchmarks.detectability.measure import METHODS_TO_DETECT
from underpaint_lab.benchmarks.faces import measure as faces
from underpaint_lab.benchmarks.jnd.measure import WAYS
from underpaint_lab.benchmarks.lossless.measure import DESIGNS, PUBLISHED
from underpaint_lab.benchmarks.pictures.measure import ways
from underpaint_lab.benchmarks.robustness.crops import carriers
from underpaint_lab.benchmarks.robustness.rows import ChannelRow, Quality
from underpaint_lab.benchmarks.run import run, run_all

RESULT = ResultFile(
    "messages",
    "low",
    SOURCE,
    (ChannelRow("none", 40, 24, 2, 2),),
    {"quality": (Quality(40, 24, 2, 70.1, 68.94, 0.999),), "skipped": ()},
)


def measured_as(**changes: Any) -> Any:
    """A measurement that returns the same result for every method."""
    return lambda method, **options: replace(RESULT, method=method, **changes)


def test_tables_are_for_the_methods_they_can_measure() -> None:
    carry = list(carriers())
    assert "stdm" in carry
    assert "lsb" not in carry
    others = {
        "speed": list(EXACT),
        "basn": [PUBLISHED, *DESIGNS],
        "trellis": ["basn-stc"],
        "analyst": list(METHODS_TO_DETECT),
        "statistics": ["replacement", "clean"],
        "dmvjnd": list(WAYS),
        "coding": ["jnd"],
        "machine-safe": ["robust", "basn-stc"],
        "pictures": list(ways()),
        "pictures-small": list(ways(small=True)),
        **{name: faces.ways(name) for name in TABLES if name.startswith("miais")},
        "robust-ablation": [],
        "robust-networks": [],
    }
    found = {name: list(table.methods()) for name, table in TABLES.items()}
    assert found == {name: others.get(name, carry) for name in TABLES}


@pytest.mark.parametrize(
    ("words", "options", "reason"),
    [
        (("beauty", "stdm"), {}, "no table is called 'beauty'"),
        (("channels",), {}, "channels is measured for one method"),
        (("messages", "stdm"), {"payload": Path("file")}, "messages takes no payload"),
        (("statistics",), {"payloads": [0.5]}, "statistics has payloads of its own"),
        (("robust-ablation", "none"), {}, "robust-ablation has no measurement of its own"),
        (("robust-ablation",), {"images": Path("folder")}, "robust-ablation shows stored results only"),
        (("robust-networks",), {"seed": 1}, "robust-networks shows stored results only"),
    ],
)
def test_wrong_use_is_refused(words: tuple[str, ...], options: dict[str, Any], reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        run(*words, **options)


def test_a_table_that_compares_methods_measures_all_and_shows_them_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tuple(ChannelRow(f"jpeg:{quality}", 40, 30, 18, 0, errors=9) for quality in (50, 25, 10))
    notes = {"quality": (Quality(40, 30, 18, 40.0, 39.0, 0.99, 40.1),), "skipped": ()}
    measure = measured_as(table="robust-jpeg", rows=rows, notes=notes)
    monkeypatch.setitem(
        TABLES, "robust-jpeg", replace(TABLES["robust-jpeg"], measure=measure, methods=lambda: ["stdm", "grain"])
    )
    for name, methods in (("one", ["stdm"]), ("all", [])):
        run("robust-jpeg", *methods, results=tmp_path / name)
    found = {name: {file.name for file in (tmp_path / name / "robust-jpeg").iterdir()} for name in ("one", "all")}
    assert found["one"] == {"stdm.json", "over-psnr.svg"}
    assert found["all"] == found["one"] | {"grain.json"}
    assert capsys.readouterr().out.count("at 40 dB") == 2, "once for each run"


def test_all_tables_are_measured_and_pages_filled_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "docs" / "some.md"
    page.parent.mkdir()
    page.write_text("<!-- results: messages/low -->\n<!-- end of results -->\n")
    (tmp_path / "README.md").write_text("nothing to fill\n")
    monkeypatch.chdir(tmp_path)
    entry = replace(TABLES["messages"], measure=measured_as(), methods=lambda: ["low", "high"])
    for name in list(TABLES):
        monkeypatch.setitem(TABLES, name, replace(TABLES[name], needs_data=True))
    monkeypatch.setitem(TABLES, "messages", entry)
    monkeypatch.setitem(TABLES, "speed", replace(TABLES["speed"], min_pictures=3, needs_data=False))
    run_all()
    said = capsys.readouterr().out
    assert "left out speed, which needs 3 pictures" in said
    assert "left out basn, which needs data of its own" in said
    assert f"filled in {Path('docs/some.md')}" in said
    assert report.read(tmp_path / "results" / "messages" / "low.json") == RESULT
    assert "| none | 3 bytes | ≥ 68.9 dB |" in page.read_text()
    before = page.read_text()
    run_all(tables_only=True)
    assert (page.read_text(), capsys.readouterr().out) == (before, "")
