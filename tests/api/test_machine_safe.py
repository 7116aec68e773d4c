"""Machine-safe embedding: classifiers label the container like the cover, else the payload is embedded again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from underpaint import api, media, metrics
from underpaint.api.machine_safe import TOLERANT_METHODS, ClassifierGuard
from underpaint.errors import CapacityError, SurvivalError
from underpaint.media import samples
from underpaint.methods import METHODS
from underpaint.methods.basn_stc import BASNSTC
from underpaint.methods.robust import Robust
from underpaint.models import classifiers
from underpaint.types import MAX_PSNR, Image, Payload

pytestmark = pytest.mark.usefixtures("cheap_keys")

COVER = np.ascontiguousarray(media.read(samples.path("coffee")).pixels[:160, 100:260])
PAYLOAD = Payload(bytes(range(200)))
#: A container that differs from the cover in every value.
GREY = np.full_like(COVER, 7)
#: In stripes of 16 pixels: robust lays each bit into blocks close together, and can only choose among these.
STRIPES = np.arange(160) // 16 % 2 == 0


def striped(cover: Image) -> Any:
    """A tolerance map that is sixteen times as large in the stripes as between them."""
    return np.broadcast_to(np.where(STRIPES, 4, 0.25), cover.shape[:2]).astype(np.float32)


def share_in_stripes(container: Image) -> float:
    change = np.square(container.astype(float) - COVER)
    return float(change[:, STRIPES].sum() / change.sum())


def attempts(*outcomes: Any) -> Any:
    """An attempt that has these outcomes in turn, and the list of PSNRs that it is asked for."""
    psnrs: list[float | None] = []

    def attempt(psnr: float | None) -> tuple[int, Image]:
        psnrs.append(psnr)
        found = outcomes[len(psnrs) - 1]
        if isinstance(found, Exception):
            raise found
        return len(psnrs), found

    return attempt, psnrs


def brightest(picture: Image) -> int:
    return int(picture.max())


@pytest.mark.parametrize("make", [Robust, BASNSTC])
def test_a_tolerance_map_moves_the_change_and_is_not_needed_to_reveal(make: Any) -> None:
    payload = Payload.from_text("hi") if make is Robust else PAYLOAD
    plain, tolerant = make(), make(striped)
    shares = [
        share_in_stripes(each.hide(COVER, payload, "pass", psnr=None, survive=None)) for each in (plain, tolerant)
    ]
    assert shares[1] > shares[0] + 0.08
    container = tolerant.hide(COVER, payload, "pass", psnr=None, survive=None)
    assert plain.reveal(container, "pass") == payload


def test_robust_and_basn_stc_have_a_tolerant_variant() -> None:
    assert set(TOLERANT_METHODS) == set(METHODS)
    assert [name for name in METHODS if TOLERANT_METHODS[name] is not METHODS[name]] == ["robust", "basn-stc"]


def test_a_changed_label_raises_the_psnr_of_the_next_attempt() -> None:
    guard = ClassifierGuard(COVER, {"first": brightest, "second": np.ptp})
    attempt, psnrs = attempts(GREY, GREY, COVER)
    assert guard.accept(attempt, METHODS["robust"], 40.0) == 3
    higher = metrics.psnr(COVER, GREY) + 2
    assert psnrs == [40.0, higher, higher]


def test_no_attempt_follows_above_the_highest_psnr() -> None:
    guard = ClassifierGuard(COVER, {"corner": lambda picture: int(picture[0, 0, 0])})
    near = COVER.copy()
    near[0, 0, 0] ^= 1
    assert metrics.psnr(COVER, near) > MAX_PSNR - 2
    attempt, psnrs = attempts(near)
    with pytest.raises(SurvivalError, match="changes the label of classifier corner"):
        guard.accept(attempt, METHODS["robust"], 60.0)
    assert psnrs == [60.0]


def test_a_method_without_a_psnr_setting_is_asked_again_without_one() -> None:
    guard = ClassifierGuard(COVER, {"first": brightest})
    attempt, psnrs = attempts(GREY, COVER)
    assert guard.accept(attempt, METHODS["basn"], None) == 2
    assert psnrs == [None, None]


def test_the_error_names_the_classifiers_whose_label_changes() -> None:
    guard = ClassifierGuard(COVER, {"brightest": brightest, "constant": lambda _: 0})
    attempt, psnrs = attempts(*[GREY] * 9)
    with pytest.raises(SurvivalError, match=r"^the container changes the label of classifier brightest$"):
        guard.accept(attempt, METHODS["lsb"], None)
    assert len(psnrs) == 5


def test_a_capacity_error_counts_only_at_the_psnr_that_was_asked_for() -> None:
    guard = ClassifierGuard(COVER, {"brightest": brightest})
    attempt, _ = attempts(GREY, CapacityError("too much at a higher PSNR"))
    with pytest.raises(SurvivalError, match="brightest"):
        guard.accept(attempt, METHODS["robust"], None)
    attempt, _ = attempts(CapacityError("too much"))
    with pytest.raises(CapacityError, match="too much"):
        guard.accept(attempt, METHODS["robust"], None)


def labels(image: Image) -> dict[str, int]:
    return {name: label(image) for name, label in classifiers.load_classifiers().items()}


def test_containers_get_the_labels_of_the_cover(tmp_path: Path) -> None:
    container = api.hide(COVER, PAYLOAD, method="basn-stc", machine_safe=True)
    assert labels(container) == labels(COVER)
    assert api.reveal(container).data == PAYLOAD.data
    media.write(media.Picture(COVER), tmp_path / "cover.png")
    report = api.hide_file(tmp_path / "cover.png", tmp_path / "out.png", "hello", machine_safe=True)
    written = media.read(tmp_path / "out.png").pixels
    assert report.method == "robust"
    assert api.reveal(written).text == "hello"
    assert labels(written) == labels(COVER)
