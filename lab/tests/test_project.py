"""What holds for the repository as a whole: generated tables, tracked files, result files."""

from __future__ import annotations

import hashlib
import re
import subprocess
from pathlib import Path

import pytest

from underpaint.channels import CHANNELS, parse
from underpaint.media import samples
from underpaint_lab.benchmarks import GRIDS, PUBLISHED, RESULTS, TABLES, Paper, Placements, Result, Searches, Speed
from underpaint_lab.benchmarks.core import report
from underpaint_lab.provenance import Source
from underpaint_lab.benchmarks.detectability.rows import Detections, Figures
from underpaint_lab.benchmarks.faces.rows import Claims, Recognitions
from underpaint_lab.benchmarks.faces.steganalysis_rows import PublishedUnmaskings, Unmaskings
from underpaint_lab.benchmarks.jnd.coded import Coding
from underpaint_lab.benchmarks.jnd.flipped import Flips
from underpaint_lab.benchmarks.jnd.rows import Agreements, Statements
from underpaint_lab.benchmarks.lossless.rows import Published
from underpaint_lab.benchmarks.pictures.rows import Revealed
from underpaint_lab.benchmarks.robustness.channel_grid import PSNRS
from underpaint_lab.benchmarks.robustness.equal_psnr import TOLERANCE
from underpaint_lab.benchmarks.robustness.rows import ABLATION, NETWORKS, read
from underpaint_lab.benchmarks.speed.measure import RUNS

ROOT = Path(__file__).parents[2]
RESULT_FILES = sorted((ROOT / RESULTS).rglob("*.json"))
LONGEST_MODULE = 400
#: Places on one machine, and package sources of one network. Spelled so that this file does not match itself.
PRIVATE = re.compile(
    r"""(?<![\w.])/(?:work|tmp|root|home|Users|opt|var)/   # where somebody's files lie
      | (?:extra-)?index-url | find-links | file:/{2}/      # where somebody's packages come from
      | (?:localhost|\b127\.0\.0\.1|\b10\.\d+\.\d+\.\d+):\d""",
    re.VERBOSE,
)


def tracked() -> list[Path]:
    try:
        listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    files = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    return [file for file in files if file.is_file()]


def test_pages_show_the_results() -> None:
    text = {page: page.read_text(encoding="utf-8") for page in [*report.pages(ROOT), *report.cards(ROOT)]}
    stale = [page.name for page in text if report.sync(text[page], ROOT / RESULTS) != text[page]]
    stale += [
        card.parent.name for card in report.cards(ROOT) if report.measured(text[card], ROOT / RESULTS) != text[card]
    ]
    assert not stale, "make bench, or: python -m underpaint_lab.benchmarks --tables-only"
    shown = {
        name
        for page in text.values()
        for names in re.findall(r"<!-- results: (.+) -->", page)
        for name in names.split()
    }
    for file in RESULT_FILES:
        assert {f"{file.parent.name}/{file.stem}", file.parent.name} & shown, (
            f"no page shows {file.name} of {file.parent.name}"
        )


@pytest.mark.parametrize("file", RESULT_FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_result_file(file: Path, tmp_path: Path) -> None:
    result = read(file)
    assert (result.table, result.method) == (file.parent.name, file.stem)
    assert result.table in (*TABLES, ABLATION, NETWORKS)
    assert result.write(tmp_path).read_bytes() == file.read_bytes(), "what is derived follows from what was measured"
    assert result.lists()["rows"]
    if isinstance(result, Published | Figures | Statements | Claims | PublishedUnmaskings):
        return
    if isinstance(result, Paper):
        ours = {name for chain in GRIDS[result.table].chains for name in (chain, chain.partition(":")[0])}
        assert {row.channel for row in result.rows} <= ours
        assert all(0 < row.ber < 0.5 for row in result.rows)
        return
    assert isinstance(result.source, Source)
    assert re.fullmatch(r"[0-9a-f]{12}", result.source.commit), "measured on committed code"
    assert re.fullmatch(r"[0-9a-f]{64}", result.source.sha256)
    if isinstance(result, Speed):
        for timing in result.rows:
            assert len(timing.runs) == RUNS
            assert min(timing.runs) > 0
            assert timing.peak_mb > 0
        return
    if isinstance(result, Recognitions):
        assert all(0 <= row.accuracy <= 1 and row.count for row in result.rows)
        return
    if isinstance(result, Unmaskings):
        assert all(0 <= row.accuracy <= 1 for row in result.rows)
        return
    if isinstance(result, Searches):
        assert all(row.excess > 0 and min(row.runs) > 0 for row in result.rows)
        return
    if isinstance(result, Detections):
        for found in result.rows:
            assert found.auc_interval[0] <= found.auc <= found.auc_interval[1]
            assert 0 <= found.p_e <= 0.5
        return
    if isinstance(result, Placements):
        for placed in result.rows:
            assert placed.exact <= placed.pictures
            assert result.method == PUBLISHED or not placed.wrong, "reveal returned something that was not hidden"
        return
    if isinstance(result, Coding):
        assert all(max(row.kept.values()) <= row.pictures for row in result.rows)
        return
    if isinstance(result, Agreements):
        assert all(max(row.kept.values()) <= row.pictures for row in result.rows)
        return
    if isinstance(result, Flips):
        assert all(max(row.flips.values()) <= row.pictures for row in result.rows)
        return
    if isinstance(result, Revealed):
        assert all(like is None or like.psnr > 10 for row in result.rows for like in (row.cover, row.secret))
        assert all((row.secret is None) == (row.bits is not None) for row in result.rows)
        return
    assert isinstance(result, Result)
    if result.table in GRIDS:
        met = [quality for quality in result.quality if quality.nominal is not None]
        assert [quality.psnr for quality in met] == list(PSNRS)
        assert all(abs(quality.psnr_mean - quality.psnr) <= TOLERANCE for quality in met), "compared at equal PSNR"
    for row in result.rows:
        assert str(parse(row.channel)) == row.channel
        assert 0 <= row.exact + row.refused + row.false <= row.sent
        assert row.false == 0, "reveal returned something that was not hidden"


def test_no_private_place_is_tracked() -> None:
    found = []
    for file in tracked():
        try:
            text = file.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        if file != Path(__file__):
            found += [f"{file.relative_to(ROOT)}: {match.group()}" for match in PRIVATE.finditer(text)]
    assert not found


def test_modules_are_short() -> None:
    modules = [file for file in tracked() if file.suffix == ".py"]
    lengths = {str(file.relative_to(ROOT)): len(file.read_text(encoding="utf-8").splitlines()) for file in modules}
    too_long = {name: length for name, length in lengths.items() if length >= LONGEST_MODULE}
    assert not too_long


def test_every_channel_is_described() -> None:
    page = (ROOT / "docs" / "reference" / "channels.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `.+", page, re.MULTILINE)
    bar = r"\|"
    expected = [f"| `{each.usage().replace('|', bar)}` | {each.summary()} |" for each in CHANNELS.values()]
    assert rows == expected


def test_samples_are_the_ones_described() -> None:
    described = (samples.FOLDER / "README.md").read_text(encoding="utf-8")
    for name in samples.names():
        file = samples.path(name)
        assert f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}" in described
    assert sum(file.stat().st_size for file in samples.FOLDER.iterdir() if file.is_file()) < 1_200_000


def test_every_package_is_pinned() -> None:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines)
    pinned = {line.partition("==")[0].lower().replace("_", "-") for line in lines}
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    needed = set(re.findall(r'"([a-z-]+)>=', project))
    assert needed <= pinned
