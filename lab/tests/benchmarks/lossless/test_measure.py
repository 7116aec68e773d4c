"""BASN's strategies: payloads are equal, counts add up, tables come from result files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lab_support.results import CITATION, RESULTS, SOURCE
from underpaint import media
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.errors import CapacityError, UsageError
from underpaint.media import samples
from underpaint.models import classifiers
from underpaint.types import Image
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.core.result_file import PAPER, ResultFile
from underpaint_lab.benchmarks.lossless import measure as basn
from underpaint_lab.benchmarks.lossless.measure import CROP, DESIGNS, PUBLISHED, DesignTask, designs, measure
from underpaint_lab.benchmarks.lossless.published_basn import STRATEGIES
from underpaint_lab.benchmarks.lossless.rows import BASN, PublishedStrategy, SampleResult, StrategyRow
from underpaint_lab.benchmarks.lossless.table import basn_table
from underpaint_lab.benchmarks.run import run
from underpaint_lab.provenance import Source
from underpaint_lab.steganalysis.costs import hill

CLAIMS = ResultFile(BASN, PAPER, CITATION, (PublishedStrategy("one", 1.29, 0.0106),))


@pytest.fixture(scope="module")
def cover() -> Image:
    return media.read(samples.path("coffee")).pixels[100:196, 150:270].copy()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two strategies, one payload, two classifiers, and a simple attention."""
    two = {name: STRATEGIES[name] for name in ("Mean-LSM-2", "Min-LSM-1-PS-0.6")}
    monkeypatch.setattr(basn, "STRATEGIES", two)
    monkeypatch.setattr(basn, "PAYLOADS", (0.5,))
    responses = {"old": classifiers.Response(0.5, True), "vgg": classifiers.Response(0.25, False)}
    monkeypatch.setattr(classifiers, "responses", lambda before, after: responses)
    monkeypatch.setattr(basn, "attention_maps", lambda picture: [np.float32(0.6) - picture / np.float32(600)] * 2)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One picture, not much larger than a crop."""
    (tmp_path / "pictures").mkdir()
    pixels = media.read(samples.path("chelsea")).pixels[:240, 100:340]
    media.write(media.Picture(pixels), tmp_path / "pictures" / "cat.png")
    return tmp_path / "pictures"


def test_hill_is_its_formula(cover: Image) -> None:
    small = cover[:20, :24]

    def filtered(plane: np.ndarray, kernel: np.ndarray) -> np.ndarray:
        reach = len(kernel) // 2
        padded = np.pad(plane, reach, mode="reflect")
        places = np.ndindex(*plane.shape)
        found = [(padded[y : y + len(kernel), x : x + len(kernel)] * kernel).sum() for y, x in places]
        return np.array(found).reshape(plane.shape)

    high_pass = np.array([[-1, 2, -1], [2, -4, 2], [-1, 2, -1]])
    for channel in range(3):
        plane = small[..., channel].astype(np.float64)
        suitable = filtered(np.abs(filtered(plane, high_pass)), np.full((3, 3), 1 / 9))
        wanted = filtered(1 / np.maximum(suitable, 1e-10), np.full((15, 15), 1 / 225))
        np.testing.assert_allclose(hill.compute_cost(small)[..., channel], wanted, rtol=1e-4)


def test_hill_avoids_flat_regions() -> None:
    half = np.full((60, 60, 3), 90, np.uint8)
    half[:, 30:] = np.random.default_rng(0).integers(0, 256, (60, 30, 3))
    costs = hill.compute_cost(half)
    assert costs[:, :20].min() > 1e6 * costs[:, 40:].max()


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("count", [1, 900, 4000])
def test_designs_carry_any_payload(design: str, count: int, cover: Image) -> None:
    data = np.random.default_rng(1).bytes(count)
    sent = DESIGNS[design].embed(cover, data, Key(bytes(KEY_SIZE)))
    assert sent.container.shape == cover.shape
    assert not sent.wrong
    assert sent.differing == (0 if design == "basn" else None)
    assert (sent.container != cover).mean() > 0


@pytest.mark.parametrize("design", DESIGNS)
def test_designs_refuse_too_much(design: str, cover: Image) -> None:
    with pytest.raises(CapacityError):
        DESIGNS[design].embed(cover, np.random.default_rng(1).bytes(cover.size + 1), Key(bytes(KEY_SIZE)))


def test_payloads_are_equal(few: None, folder: Path) -> None:
    samples = {
        name: measure(DesignTask(name, folder / "cat.png", 0, 0, None)) for name in (PUBLISHED, "matching", "basn")
    }
    published, matching, ours = samples.values()
    assert len(published) == 2, "the published design has no payloads of its own"
    assert len(matching) == len(ours) == 3
    for theirs, *each in zip(published, matching, ours, strict=False):
        assert theirs is not None
        for sample in each:
            assert sample is not None
            assert (sample.bits, sample.pixels, sample.wrong) == (theirs.bits, CROP**2, 0)
    assert {
        (sample.seen, sample.unseen, sample.kept, sample.judged)
        for each in samples.values()
        for sample in each
        if sample
    } == {(0.5, 0.25, 1, 2)}
    limited = published[1]
    assert limited is not None
    assert limited.bits <= 0.6 * CROP**2
    assert ours[2] is not None
    assert ours[2].bits == 8 * (240 * 240 // 16)


def test_attention_is_the_published_network(cover: Image) -> None:
    pair = basn.attention_maps(cover)
    assert [found.shape for found in pair] == [cover.shape] * 2
    assert all(0 <= found.min() < found.max() <= 1 for found in pair)
    moved = basn.attention_maps(cover[8:])
    np.testing.assert_allclose(moved[0][8:-8], pair[0][16:-8], atol=1e-4, err_msg="a network of small reach")


def test_results_of_pictures_add_up() -> None:
    one, two = (
        SampleResult(100, 50, 5, 40.0, 0.9, 10, 0.1, 0.3, 3, 4),
        SampleResult(100, 150, 0, 44.0, 0.8, 0, 0.2, 0.1, 4, 4),
    )
    far = two._replace(psnr=36.0, seen=0.9)
    assert StrategyRow.of("one", "crops", [one, two, far]).seen == 0.2, "the median"
    assert StrategyRow.of("one", "crops", [one, two, far]).psnr == 40.0, "the mean"
    row = StrategyRow.of("one", "crops", [one, None, two])
    assert (row.pictures, row.refused, row.exact, row.kept, row.judged) == (2, 1, 1, 7, 8)
    assert (row.payload, row.ber, row.bser) == (1.0, 0.025, 0.05)
    assert (row.psnr, row.ssim, row.seen, row.unseen) == (42.0, 0.85, 0.15, 0.2)
    assert StrategyRow.of("one", "crops", [one, two._replace(differing=None)]).bser is None
    nowhere = StrategyRow.of("one", "crops", [None])
    assert (nowhere.payload, nowhere.ber, nowhere.bser, nowhere.psnr, nowhere.exact_interval) == (None,) * 5


def test_a_design_is_measured_shown_and_written(
    few: None, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    payload = tmp_path / "novel.bin"
    payload.write_bytes(np.random.default_rng(0).bytes(40_000))
    run(BASN, "matching", images=folder, payload=payload, results=tmp_path)
    assert "whole pictures" in capsys.readouterr().out
    found = report.read(tmp_path / BASN / "matching.json")
    assert isinstance(found.source, Source)
    assert found.source.command == "underpaint-lab bench basn matching --images pictures --seed 0 --payload novel.bin"
    assert [(row.strategy, row.covers) for row in found.rows] == [
        ("Mean-LSM-2", "crops"),
        ("Min-LSM-1-PS-0.6", "crops"),
        ("0.5 bpp", "whole"),
    ]
    assert found.write(tmp_path / "again").read_bytes() == (tmp_path / BASN / "matching.json").read_bytes()
    assert found == designs("matching", images=folder, payload=payload, jobs=1)
    assert "| 0.5 bpp, whole pictures | matching |" in report.fill_page(
        "<!-- results: basn -->\n<!-- end of results -->", tmp_path
    )


def test_a_payload_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch, few: None, folder: Path) -> None:
    monkeypatch.setattr(basn, "PAYLOADS", (30.0,))
    *_, row = designs("basn", images=folder, jobs=1).rows
    assert (row.pictures, row.refused, row.bits, row.psnr) == (0, 1, 0, None)


def test_strategies_stand_in_blocks() -> None:
    sample = SampleResult(100, 129, 4, 40.0, 0.9, 5, 0.1, 0.2, 3, 4)
    rows = StrategyRow.of("one", "crops", [sample]), StrategyRow.of("8 bpp", "whole", [None])
    columns = [ResultFile(BASN, name, SOURCE, rows[: 1 + (name != PUBLISHED)]) for name in ("basn", PUBLISHED)]
    shown = basn_table([*columns, CLAIMS])
    assert [line[:3] for line in shown.cells[1:]] == [
        ["one", "paper", "1.29 bpp"],
        ["", "published", "1.29 bpp"],
        ["", "basn", "1.29 bpp"],
        ["8 bpp, whole pictures", "basn", "does not fit"],
    ]
    assert len({len(line) for line in shown.cells}) == 1
    assert shown.cells[2][3:] == ["3.9", "3.1", "0 of 1", "40.0 dB", "0.9000", "10.0", "20.0", "3 of 4"]
    assert shown.cells[1][3:5] == ["1.1", "–"]
    assert "A. Uthor, table 7" in shown.caption
    assert basn_table(columns).cells[1][1] == PUBLISHED
    assert [line[1] for line in basn_table([CLAIMS]).cells[1:]] == ["paper"]


def test_wrong_use(few: None, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no design is called 'stdm'"):
        designs("stdm")
    (tmp_path / "short.txt").write_text("short")
    with pytest.raises(UsageError, match="too short"):
        designs("matching", images=folder, payload=tmp_path / "short.txt", jobs=1)
    with pytest.raises(UsageError, match="messages takes no payload"):
        run("messages", "stdm", payload=tmp_path / "short.txt")
    media.write(media.Picture(np.zeros((CROP, CROP - 1, 3), np.uint8)), tmp_path / "small.png")
    with pytest.raises(UsageError, match="too small for a crop"):
        designs("matching", images=tmp_path, jobs=1)


def test_published_numbers_are_those_of_the_paper() -> None:
    paper: ResultFile[PublishedStrategy] = report.read(RESULTS / BASN / "paper.json")
    assert [row.strategy for row in paper.rows] == list(STRATEGIES)
    assert [round(100 * row.bser, 2) for row in paper.rows] == [1.06, 0.67, 2.22, 3.14, 0.74, 0.66, 0.82, 0.93]
    assert [row.payload for row in paper.rows] == [1.29, 0.42, 3.89, 2.21, 0.6, 0.8, 1.2, 1.2]
    limits = [strategy.payload for strategy in STRATEGIES.values()]
    assert all(limit in (None, row.payload) for limit, row in zip(limits, paper.rows, strict=True))
