"""Detectors: training and test stay apart, results repeat, tables come from result files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lab_support.results import CITATION, RESULTS, SOURCE
from underpaint import media
from underpaint.errors import UsageError
from underpaint.media import samples
from underpaint.steganalysis import detectors
from underpaint.types import Image
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.core.result_file import PAPER, ResultFile
from underpaint_lab.benchmarks.detectability import lsb_replacement
from underpaint_lab.benchmarks.detectability import measure as analyst
from underpaint_lab.benchmarks.detectability.measure import (
    CLEAN,
    METHODS_TO_DETECT,
    OTHER,
    Measured,
    Pairs,
    PictureTask,
    Trial,
    detect,
    fits,
    measure,
    trials,
)
from underpaint_lab.benchmarks.detectability.rows import (
    ANALYST,
    FALSE_POSITIVE_RATES,
    STATISTICS,
    DetectorRow,
    PublishedDetector,
)
from underpaint_lab.benchmarks.detectability.table import analyst_table, plot_roc, statistics_table
from underpaint_lab.benchmarks.run import run
from underpaint_lab.provenance import Source

PUBLISHED = ResultFile(
    ANALYST,
    PAPER,
    CITATION,
    (
        PublishedDetector("Min-LSM-1", "srm", 0.7, 0.36, 0.3),
        PublishedDetector("Min-LSM-1", "stegexpose-compat", 0.53, 0.47),
    ),
)


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small crops, one payload, one feature of a few numbers: how far neighbours differ."""

    def spread(picture: Image, feature: str) -> np.ndarray:
        steps = np.abs(np.diff(picture.astype(float), axis=1))
        return np.array([steps.mean(), (picture % 2).mean(), steps.std(), picture.mean()])

    monkeypatch.setattr(analyst, "CROP", 32)
    monkeypatch.setattr(analyst, "PAYLOADS", (2.4,))
    monkeypatch.setattr(analyst, "FEATURES", ("spam",))
    monkeypatch.setattr(analyst, "MIN_PICTURES", 12)
    monkeypatch.setattr(analyst, "of_colour", spread)
    monkeypatch.setattr(detectors, "scores", lambda picture: {"grey": picture.mean() / 255, "blind": None})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Smooth pictures, not much larger than a crop."""
    where = tmp_path_factory.mktemp("pictures")
    pixels = media.read(samples.path("chelsea")).pixels
    for number in range(24):
        y, x = divmod(number, 6)
        media.write(media.Picture(pixels[40 * y : 40 * y + 36, 60 * x : 60 * x + 40]), where / f"{number:02}.png")
    return where


def test_trials_are_what_was_asked_for() -> None:
    assert trials(["basn", CLEAN]) == (*(Trial("basn", bpp) for bpp in (0.3, 0.6, 0.9, 1.2)), Trial(CLEAN, 0.0))
    published = trials(["published"])
    assert len(published) == 20
    assert {trial.strategy for trial in published} == {"Min-LSM-1", "Min-LSM-2", "Mean-LSM-1", "Mean-LSM-2"}
    assert {trial.payload for trial in published} == {0.3, 0.6, 0.9, 1.2, None}
    assert {"basn", "basn-stc", "lsb", "replacement", "matching", "hill", "s-uniward", "wow"} < set(METHODS_TO_DETECT)
    assert [trial.payload for trial in trials(["basn"], [0.5])] == [0.5]
    assert {trial.payload for trial in trials(["published"], [0.5])} == {0.5}
    with pytest.raises(UsageError, match="statistics has payloads of its own"):
        run(STATISTICS, payloads=[0.5])
    with pytest.raises(UsageError, match="'stdm' has no containers to classify"):
        trials(["stdm"])


def test_few_pictures_are_refused() -> None:
    with pytest.raises(UsageError, match="2 pictures cannot tell") as caught:
        detect(["matching"])
    assert "--images" in str(caught.value.hint)


@pytest.mark.parametrize("method", [name for name in METHODS_TO_DETECT if name != CLEAN])
def test_containers_are_made_of_the_middle_and_of_equal_payload(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Image] = []

    def look(picture: Image) -> Measured:
        seen.append(picture.copy())
        return Measured({}, {})

    monkeypatch.setattr(analyst, "measure_picture", look)
    monkeypatch.setattr(analyst, "CROP", 64)
    asked = tuple(trial for trial in trials([method]) if trial.payload in (0.3, 0.6))
    found = measure(PictureTask(samples.path("coffee"), 3, 0, asked))
    cover, *containers = seen
    whole = media.read(samples.path("coffee")).pixels
    top, left = (whole.shape[0] - 64) // 2, (whole.shape[1] - 64) // 2
    assert (cover == whole[top : top + 64, left : left + 64]).all()
    assert len(containers) == len(asked)
    for trial, container, each in zip(asked, containers, found.containers, strict=True):
        assert each is not None
        assert trial.payload is not None
        assert trial.payload * (0.5 if trial.strategy else 0.99) <= each[1] <= trial.payload, "attention may allow less"
        assert 0.003 < (container != cover).mean() < 0.3
    first, second = containers[:2]
    assert (first != cover).mean() < (second != cover).mean()


def test_the_seed_and_the_picture_make_the_container(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        analyst, "measure_picture", lambda picture: Measured({"sum": float(np.sum(picture * np.arange(3)))}, {})
    )
    monkeypatch.setattr(analyst, "CROP", 32)
    asked = trials(["replacement", "s-uniward"])

    def containers(number: int, seed: int, which: tuple[Trial, ...] = asked) -> list[float]:
        found = measure(PictureTask(folder / "00.png", number, seed, which)).containers
        return [each[0].scores["sum"] for each in found if each is not None]

    assert containers(0, 0) == containers(0, 0)
    assert containers(0, 0, asked[2:]) == containers(0, 0)[2:], "whatever else is asked for"
    assert containers(0, 0) != containers(1, 0)
    assert containers(0, 0) != containers(0, 1)


def test_no_picture_is_both_trained_on_and_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    def looks(kind: int) -> list[Measured]:
        return [Measured({}, {"spam": np.array([kind, number], np.float32)}) for number in range(40)]

    one, other = Trial("one", 0.3), Trial(OTHER, 0.3)
    pairs = {trial: Pairs(0.3, np.arange(40), looks(0), looks(1)) for trial in (one, other, Trial(OTHER, 0.6))}
    training = set(range(0, 40, 3))
    ensembles = list(fits("spam", [one], pairs, training, 0))
    assert [(fit.trained, fit.tested) for fit in ensembles] == [(one, (one,)), (other, (one,))]
    for fit in ensembles:
        numbers = [set(covers[:, 1]) for covers, _ in (fit.train, *fit.test)]
        assert numbers == [training, set(range(40)) - training]
        for covers, containers in (fit.train, *fit.test):
            assert (covers[:, 1] == containers[:, 1]).all(), "pairs stay together"
            assert (covers[:, 0].max(), containers[:, 0].min()) == (0, 1)


def test_detections_repeat_are_written_shown_and_read(
    toys: None, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    run(ANALYST, "replacement", CLEAN, images=folder, results=tmp_path, jobs=1)
    assert "replacement" in capsys.readouterr().out
    found = report.read(tmp_path / ANALYST / "replacement.json")
    assert isinstance(found.source, Source)
    assert found.source.command == f"underpaint-lab bench analyst replacement clean --images {folder.name} --seed 0"
    assert [(row.detector, row.trained, row.pairs) for row in found.rows] == [
        ("grey", None, 24),
        ("stegexpose-compat", None, 24),
        ("spam", "replacement", 12),
        ("spam", OTHER, 12),
    ], "the blind one is left out"
    assert all(row.payload == pytest.approx(2.4, abs=0.01) for row in found.rows)
    clean = report.read(tmp_path / ANALYST / f"{CLEAN}.json")
    assert detect(["replacement", CLEAN], images=folder, jobs=1) == [found, clean]
    (alone,) = detect(["replacement"], images=folder, payloads=[2.4], jobs=1)
    assert alone.rows == found.rows, "whatever else is asked for"
    assert isinstance(alone.source, Source)
    assert alone.source.command == f"underpaint-lab bench analyst replacement --images {folder.name} --seed 0 --bpp 2.4"
    assert {row.trained for row in clean.rows} == {None, CLEAN}
    assert clean.rows[0].pairs == 12
    assert (tmp_path / ANALYST / "roc.svg").exists()
    assert "| replacement | 2.40 bpp | 0.80 |" in report.fill_page(
        "<!-- results: analyst -->\n<!-- end of results -->", tmp_path
    )


def test_what_does_not_fit_is_left_out(toys: None, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = {number for number in range(24) if number % 3}

    def made(task: PictureTask) -> analyst.SampleResult:
        found = measure(task)
        return found if task.number in taken else found._replace(containers=(None,) * len(task.trials))

    monkeypatch.setattr(analyst, "measure", made)
    (found,) = detect(["matching"], images=folder, jobs=1)
    assert found.rows[0].pairs == len(taken)
    taken.clear()
    with pytest.raises(UsageError, match=r"2.4 bits per pixel by matching fit into no picture"):
        detect(["matching"], images=folder, jobs=1)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """Four pieces of one photograph, some upright."""
    (tmp_path / "photographs").mkdir()
    pixels = media.read(samples.path("coffee")).pixels
    for number in range(4):
        piece = pixels[60 * number : 60 * number + 130, 80 * number : 80 * number + 200]
        turned = piece.swapaxes(0, 1).copy() if number == 2 else piece
        media.write(media.Picture(turned), tmp_path / "photographs" / f"{number}.png")
    return tmp_path / "photographs"


def test_estimators_tell_crops_apart(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setattr(lsb_replacement, "SIZES", ((64, 48),))
    monkeypatch.setattr(lsb_replacement, "MIN_PICTURES", 4)
    run(STATISTICS, images=photographs, results=tmp_path, jobs=1)
    assert "sample pairs" in capsys.readouterr().out
    clean, replaced = (report.read(tmp_path / STATISTICS / f"{name}.json") for name in (CLEAN, "replacement"))
    assert [row.detector for row in replaced.rows] == [
        *("primary-sets", "sample-pairs", "chi-square", "rs"),
        *("stegexpose", "stegexpose-compat", "weighted-stego"),
    ]
    assert {(row.pairs, row.asked, row.variant) for row in replaced.rows} == {(3 * 2 * 4 + 3 * 2, 0.3, "64×48")}
    assert {row.pairs for row in clean.rows} == {(3 * 2 * 4 + 3 * 2) // 2}
    assert lsb_replacement.estimate("replacement", images=photographs, jobs=1) == replaced
    assert not (tmp_path / STATISTICS / "roc.svg").exists()
    shown = statistics_table([clean, replaced])
    assert shown.cells[0] == ["estimator", "clean, 64×48", "replacement, 64×48"]
    assert len(shown.cells) == 8
    with pytest.raises(UsageError, match="look for replacement, not for 'matching'"):
        lsb_replacement.estimate("matching", images=photographs)
    monkeypatch.setattr(lsb_replacement, "SIZES", ((130, 200),))
    with pytest.raises(UsageError, match="no two crops of 130×200"):
        lsb_replacement.estimate(CLEAN, images=photographs, jobs=1)
    with pytest.raises(UsageError, match="2 photographs are too few"):
        lsb_replacement.estimate(CLEAN)


def test_intervals_draw_photographs() -> None:
    rng = np.random.default_rng(0)
    levels, pictures = np.repeat(rng.normal(size=20), 30), np.repeat(np.arange(20), 30)
    covers, containers = levels + rng.normal(size=600) / 50, levels + rng.normal(size=600) / 50 + 1

    def width(together: bool) -> float:
        row = DetectorRow.of(
            *(covers, containers, 0),
            detector="toy",
            asked=0.3,
            payload=0.3,
            pictures=(pictures, pictures) if together else None,
        )
        return row.auc_interval[1] - row.auc_interval[0]

    assert width(True) > 3 * width(False), "crops of one photograph are not independent"


def test_a_row_says_how_well_a_detector_tells() -> None:
    covers, containers = np.arange(200) / 200, np.arange(200) / 200 + 0.5
    row = DetectorRow.of(covers, containers, 0, detector="toy", asked=0.3, payload=0.299, trained="basn")
    assert row.pairs == 200
    assert (row.auc, row.p_e, row.tpr) == pytest.approx((0.875, 0.25, 0.5), abs=0.011)
    assert row.auc_interval[0] < row.auc < row.auc_interval[1]
    assert len(row.curve) == len(FALSE_POSITIVE_RATES)
    assert row.curve[0] == row.tpr
    assert list(row.curve) == sorted(row.curve)
    assert row.per_value == pytest.approx(0.1, abs=0.001)


def test_methods_stand_beside_the_paper(tmp_path: Path) -> None:
    def row(detector: str, asked: float | None, strategy: str | None = None, trained: str | None = None) -> DetectorRow:
        scores = np.arange(20.0)
        return DetectorRow.of(
            scores, scores + 1, 0, detector=detector, asked=asked, payload=0.3, variant=strategy, trained=trained
        )

    ours = [
        ResultFile(ANALYST, "basn", SOURCE, (row("srmq1", 0.3, trained="basn"), row("srmq1", 0.3, trained=OTHER))),
        ResultFile(ANALYST, OTHER, SOURCE, (row("weighted-stego", 0.3), row("srmq1", 0.3, trained=OTHER))),
        ResultFile(ANALYST, "published", SOURCE, (row("stegexpose-compat", None, "Min-LSM-1"),)),
    ]
    cells = analyst_table([*ours, PUBLISHED]).cells
    assert cells[0] == [
        *("method", "payload", "per value", "mean, as StegExpose", "weighted stego", "SRM, q = 1"),
        f"SRM, q = 1, trained on {OTHER}",
    ]
    assert [line[:3] for line in cells[1:]] == [
        ["paper, Min-LSM-1", "0.30 bpp", "0.10"],
        ["paper, Min-LSM-1", "full", "–"],
        ["published, Min-LSM-1", "0.30 bpp", "0.10"],
        ["basn", "0.30 bpp", "0.10"],
        [OTHER, "0.30 bpp", "0.10"],
    ]
    assert cells[1][3:] == ["–", "–", "0.700 · 0.360", "–"]
    assert cells[2][3:] == ["0.530 · 0.470", "–", "–", "–"]
    assert cells[4][5].startswith("0.549 (")
    assert cells[4][6] == cells[4][5]
    assert cells[5][6] == "–", "who knows the method is not surprised by it"
    assert [line[0] for line in analyst_table([PUBLISHED, *ours[:1]]).cells[1:]] == ["paper, Min-LSM-1"] * 2 + ["basn"]
    for name in ("plot", "again"):
        plot_roc(ours, tmp_path / f"{name}.svg")
    assert (tmp_path / "plot.svg").read_text() == (tmp_path / "again.svg").read_text()
    assert all(name in (tmp_path / "plot.svg").read_text() for name in ("basn", OTHER, "weighted stego", "SRM, q = 1"))


def test_published_figures_are_the_papers() -> None:
    paper = report.read(RESULTS / ANALYST / "paper.json")
    found = {(row.strategy, row.detector, row.asked): (row.auc, row.p_e) for row in paper.rows}
    assert len(found) == 4 * (4 + 4 + 1)
    assert found["Mean-LSM-1", "srm", 0.3] == (0.834, 0.241)
    assert found["Min-LSM-2", "spam", 1.2] == (0.55, 0.451)
    assert found["Mean-LSM-1", "stegexpose-compat", None] == (0.596, 0.409)
