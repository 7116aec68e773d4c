"""Detectors: training and test stay apart, results repeat, tables come from result files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from underpaint import media
from underpaint.errors import UsageError
from underpaint.media import samples
from underpaint.steganalysis import detectors
from underpaint.types import Image
from underpaint_lab.benchmarks.core import report
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
    STATISTICS,
)
from underpaint_lab.benchmarks.run import run
from underpaint_lab.provenance import Source


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


def test_training_and_test_share_no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
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
