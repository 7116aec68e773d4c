"""Attention as published beside ours: payloads are equal, counts add up, whatever is shown comes from the files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from underpaint import media
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.errors import CapacityError, UsageError
from underpaint.media import samples
from underpaint.models import classifiers
from underpaint.types import Image
from underpaint_lab import benchmarks
from underpaint_lab.benchmarks import BASN, DESIGNS, PUBLISHED
from underpaint_lab.benchmarks.core import report
from underpaint_lab.provenance import Citation, Source
from underpaint_lab.benchmarks.lossless import measure as basn
from underpaint_lab.benchmarks.lossless.measure import CROP, Task, measure, placements
from underpaint_lab.benchmarks.lossless.published_basn import STRATEGIES
from underpaint_lab.benchmarks.lossless.rows import Claim, Fate, Placed, Placements, Published
from underpaint_lab.benchmarks.lossless.table import by_strategy
from underpaint_lab.benchmarks.robustness.rows import read
from underpaint_lab.benchmarks.robustness.table import side_by_side
from underpaint_lab.steganalysis.costs import hill

ROOT = Path(__file__).parents[4]
SOURCE = Source("underpaint-lab bench basn x", "0" * 12, 0, "pictures", 2, "0" * 64, {}, "a machine")
PAPER = Published(BASN, "paper", Citation("A. Uthor", "table 7", "pictures", "A note."), (Claim("one", 1.29, 0.0106),))


@pytest.fixture(scope="module")
def cover() -> Image:
    return media.read(samples.path("coffee")).pixels[100:196, 150:270].copy()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two strategies, one payload, and a machine that sees half of what there is."""
    two = {name: STRATEGIES[name] for name in ("Mean-LSM-2", "Min-LSM-1-PS-0.6")}
    monkeypatch.setattr(basn, "STRATEGIES", two)
    monkeypatch.setattr(basn, "PAYLOADS", (0.5,))
    noticed = {"old": classifiers.Response(0.5, True), "vgg": classifiers.Response(0.25, False)}
    monkeypatch.setattr(classifiers, "observe", lambda before, after: noticed)
    monkeypatch.setattr(basn, "attentions", lambda picture: [np.float32(0.6) - picture / np.float32(600)] * 2)


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
        np.testing.assert_allclose(hill.costs(small)[..., channel], wanted, rtol=1e-4)


def test_hill_leaves_flat_places_alone() -> None:
    half = np.full((60, 60, 3), 90, np.uint8)
    half[:, 30:] = np.random.default_rng(0).integers(0, 256, (60, 30, 3))
    costs = hill.costs(half)
    assert costs[:, :20].min() > 1e6 * costs[:, 40:].max()


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("count", [1, 900, 4000])
def test_designs_carry_what_they_are_given(design: str, count: int, cover: Image) -> None:
    data = np.random.default_rng(1).bytes(count)
    sent = DESIGNS[design].send(cover, data, Key(bytes(KEY_SIZE)))
    assert sent.container.shape == cover.shape
    assert not sent.wrong
    assert sent.differing == (0 if design == "basn" else None)
    assert (sent.container != cover).mean() > 0


@pytest.mark.parametrize("design", DESIGNS)
def test_designs_say_what_does_not_fit(design: str, cover: Image) -> None:
    with pytest.raises(CapacityError):
        DESIGNS[design].send(cover, np.random.default_rng(1).bytes(cover.size + 1), Key(bytes(KEY_SIZE)))


def test_payloads_are_equal(few: None, folder: Path) -> None:
    fates = {name: measure(Task(name, folder / "cat.png", 0, 0, None)) for name in (PUBLISHED, "matching", "basn")}
    published, matching, ours = fates.values()
    assert len(published) == 2, "what it carries is attention's own affair"
    assert len(matching) == len(ours) == 3
    for theirs, *each in zip(published, matching, ours, strict=False):
        assert theirs is not None
        for fate in each:
            assert fate is not None
            assert (fate.bits, fate.pixels, fate.wrong) == (theirs.bits, CROP**2, 0)
    assert {(fate.seen, fate.unseen, fate.kept, fate.judged) for each in fates.values() for fate in each if fate} == {
        (0.5, 0.25, 1, 2)
    }
    limited = published[1]
    assert limited is not None
    assert limited.bits <= 0.6 * CROP**2
    assert ours[2] is not None
    assert ours[2].bits == 8 * (240 * 240 // 16)


def test_attention_is_that_of_the_zoo(cover: Image) -> None:
    pair = basn.attentions(cover)
    assert [found.shape for found in pair] == [cover.shape] * 2
    assert all(0 <= found.min() < found.max() <= 1 for found in pair)
    moved = basn.attentions(cover[8:])
    np.testing.assert_allclose(moved[0][8:-8], pair[0][16:-8], atol=1e-4, err_msg="a network of small reach")


def test_fates_add_up() -> None:
    one, two = (
        Fate(100, 50, 5, 40.0, 0.9, 10, 0.1, 0.3, 3, 4),
        Fate(100, 150, 0, 44.0, 0.8, 0, 0.2, 0.1, 4, 4),
    )
    far = two._replace(psnr=36.0, seen=0.9)
    assert Placed.of("one", "crops", [one, two, far]).seen == 0.2, "the median"
    assert Placed.of("one", "crops", [one, two, far]).psnr == 40.0, "the mean"
    row = Placed.of("one", "crops", [one, None, two])
    assert (row.pictures, row.refused, row.exact, row.kept, row.judged) == (2, 1, 1, 7, 8)
    assert (row.payload, row.ber, row.bser) == (1.0, 0.025, 0.05)
    assert (row.psnr, row.ssim, row.seen, row.unseen) == (42.0, 0.85, 0.15, 0.2)
    assert Placed.of("one", "crops", [one, two._replace(differing=None)]).bser is None
    nowhere = Placed.of("one", "crops", [None])
    assert (nowhere.payload, nowhere.ber, nowhere.bser, nowhere.psnr, nowhere.exact_interval) == (None,) * 5


def test_placements_are_written_shown_and_read(
    few: None, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    payload = tmp_path / "novel.bin"
    payload.write_bytes(np.random.default_rng(0).bytes(40_000))
    benchmarks.run(BASN, "matching", images=folder, payload=payload, results=tmp_path)
    assert "whole pictures" in capsys.readouterr().out
    found = read(tmp_path / BASN / "matching.json")
    assert isinstance(found, Placements)
    assert found.source.command == "underpaint-lab bench basn matching --images pictures --seed 0 --payload novel.bin"
    assert [(row.strategy, row.covers) for row in found.rows] == [
        ("Mean-LSM-2", "crops"),
        ("Min-LSM-1-PS-0.6", "crops"),
        ("0.5 bpp", "whole"),
    ]
    assert found.write(tmp_path / "again").read_bytes() == (tmp_path / BASN / "matching.json").read_bytes()
    assert found == placements("matching", images=folder, payload=payload, jobs=1)
    assert "| 0.5 bpp, whole pictures | matching |" in report.sync(
        "<!-- results: basn -->\n<!-- end of results -->", tmp_path
    )
    with pytest.raises(UsageError, match="shown together"):
        report.markdown(found)


def test_a_design_that_has_no_room_says_so(monkeypatch: pytest.MonkeyPatch, few: None, folder: Path) -> None:
    monkeypatch.setattr(basn, "PAYLOADS", (30.0,))
    *_, row = placements("basn", images=folder, jobs=1).rows
    assert (row.pictures, row.refused, row.bits, row.psnr) == (0, 1, 0, None)


def test_strategies_stand_in_blocks() -> None:
    fate = Fate(100, 129, 4, 40.0, 0.9, 5, 0.1, 0.2, 3, 4)
    rows = Placed.of("one", "crops", [fate]), Placed.of("8 bpp", "whole", [None])
    columns = [Placements(BASN, name, SOURCE, rows[: 1 + (name != PUBLISHED)]) for name in ("basn", PUBLISHED)]
    shown = side_by_side([*columns, PAPER])
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
    assert by_strategy(None, columns).cells[1][1] == PUBLISHED
    assert [line[1] for line in side_by_side([PAPER]).cells[1:]] == ["paper"]


def test_wrong_use(few: None, folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no design is called 'stdm'"):
        placements("stdm")
    (tmp_path / "short.txt").write_text("short")
    with pytest.raises(UsageError, match="too short"):
        placements("matching", images=folder, payload=tmp_path / "short.txt", jobs=1)
    with pytest.raises(UsageError, match="messages takes no payload"):
        benchmarks.run("messages", "stdm", payload=tmp_path / "short.txt")
    media.write(media.Picture(np.zeros((CROP, CROP - 1, 3), np.uint8)), tmp_path / "small.png")
    with pytest.raises(UsageError, match="too small for a crop"):
        placements("matching", images=tmp_path, jobs=1)


def test_published_numbers_are_those_of_the_paper() -> None:
    paper = Published.read(ROOT / "results" / BASN / "paper.json")
    assert [row.strategy for row in paper.rows] == list(STRATEGIES)
    assert [round(100 * row.bser, 2) for row in paper.rows] == [1.06, 0.67, 2.22, 3.14, 0.74, 0.66, 0.82, 0.93]
    assert [row.payload for row in paper.rows] == [1.29, 0.42, 3.89, 2.21, 0.6, 0.8, 1.2, 1.2]
    limits = [strategy.payload for strategy in STRATEGIES.values()]
    assert all(limit in (None, row.payload) for limit, row in zip(limits, paper.rows, strict=True))
    assert read(ROOT / "results" / BASN / "paper.json") == paper


def test_all_are_shown_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = Placements(BASN, "hill", SOURCE, (Placed.of("one", "crops", [Fate(9, 8, 0, 40.0, 0.9)]),))
    report.publish(replace(found, method="basn"), tmp_path, Console(width=200))
    assert capsys.readouterr().out.split() == ["wrote", str(tmp_path / BASN / "basn.json")]
    report.publish_together(BASN, tmp_path, Console(width=200))
    assert "1 of 1" in capsys.readouterr().out
    assert [file.name for file in (tmp_path / BASN).iterdir()] == ["basn.json"], "nothing to be drawn"


def test_cards_say_what_was_measured_of_what_is_reported(tmp_path: Path) -> None:
    rows = tuple(Placed.of(name, "crops", [Fate(100, 50, 5, 40.0, 0.9, 10)]) for name in ("Min-LSM-1", "Min-LSM-2"))
    Placements(BASN, PUBLISHED, SOURCE, rows).write(tmp_path)
    card = '+++\nmethod = "basn-published"\n[reported]\n"bser_min_lsm_1" = 0.0106\n\n[measured]\n+++\n\ntext\n'
    filled = report.measured(card, tmp_path)
    assert filled == card.replace("[measured]\n", '[measured]\n"bser_min_lsm_1" = 0.200000\n')
    assert report.measured(filled, tmp_path) == filled
