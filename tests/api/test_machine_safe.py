"""Hiding from machines: classifiers are asked, and the payload is hidden again while one has changed its mind."""

from __future__ import annotations

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
from underpaint.types import Image, Payload

COVER = np.ascontiguousarray(media.read(samples.path("coffee")).pixels[:160, 100:260])
PAYLOAD = Payload(bytes(range(200)))


#: In stripes of 16 pixels: robust lays each bit into blocks close together, and can only choose among these.
STRIPES = np.arange(160) // 16 % 2 == 0


def striped(cover: Image) -> Any:
    """Room for change that is sixteen times as large in the stripes as between them."""
    return np.broadcast_to(np.where(STRIPES, 4, 0.25), cover.shape[:2]).astype(np.float32)


def share_in_stripes(container: Image) -> float:
    change = np.square(container.astype(float) - COVER)
    return float(change[:, STRIPES].sum() / change.sum())


@pytest.mark.parametrize("make", [Robust, BASNSTC])
def test_change_goes_where_it_is_tolerated_and_the_payload_comes_back(make: Any) -> None:
    payload = Payload.from_text("hi") if make is Robust else PAYLOAD
    free, sparing = make(), make(striped)
    shares = [share_in_stripes(each.hide(COVER, payload, "pass", psnr=None, survive=None)) for each in (free, sparing)]
    assert shares[1] > shares[0] + 0.08
    container = sparing.hide(COVER, payload, "pass", psnr=None, survive=None)
    assert free.reveal(container, "pass") == payload


def test_every_method_can_be_asked_to_spare() -> None:
    assert set(TOLERANT_METHODS) == set(METHODS)
    assert [name for name in METHODS if TOLERANT_METHODS[name] is not METHODS[name]] == ["robust", "basn-stc"]


def attempts(*outcomes: Any) -> Any:
    """An attempt that has these outcomes in turn, and the qualities that it was asked for."""
    asked: list[float | None] = []

    def attempt(psnr: float | None) -> tuple[int, Image]:
        asked.append(psnr)
        found = outcomes[len(asked) - 1]
        if isinstance(found, Exception):
            raise found
        return len(asked), found

    return attempt, asked


def brightest(picture: Image) -> int:
    return int(picture.max())


def test_hidden_again_in_better_quality_until_nobody_minds() -> None:
    noticed = COVER.copy()
    noticed[0, 0] = 255 - COVER.max() // 2
    watched = ClassifierGuard(COVER, {"first": brightest, "second": np.ptp})
    seen = np.full_like(COVER, 7)
    attempt, asked = attempts(seen, seen, COVER)
    assert watched.unnoticed(attempt, METHODS["robust"], 40.0) == 3
    better = metrics.psnr(COVER, seen) + 2
    assert asked == [40.0, better, better]
    attempt, asked = attempts(seen, COVER)
    assert watched.unnoticed(attempt, METHODS["basn"], None) == 2
    assert asked == [None, None], "it has no such setting"


def test_who_notices_is_named() -> None:
    watched = ClassifierGuard(COVER, {"brightest": brightest, "nobody": lambda _: 0})
    seen = np.full_like(COVER, 7)
    attempt, asked = attempts(*[seen] * 9)
    with pytest.raises(SurvivalError, match=r"^brightest would take the container for something else"):
        watched.unnoticed(attempt, METHODS["lsb"], None)
    assert len(asked) == 5
    attempt, _ = attempts(seen, CapacityError("at a quality that nobody asked for"))
    with pytest.raises(SurvivalError, match="brightest"):
        watched.unnoticed(attempt, METHODS["robust"], None)
    attempt, _ = attempts(CapacityError("too much"))
    with pytest.raises(CapacityError, match="too much"):
        watched.unnoticed(attempt, METHODS["robust"], None)


def test_labels_are_those_of_the_cover(tmp_path: Any) -> None:
    judges = classifiers.classifiers_for_check()
    container = api.hide(COVER, PAYLOAD, method="basn-stc", machine_safe=True)
    assert {name: judge(container) for name, judge in judges.items()} == {
        name: judge(COVER) for name, judge in judges.items()
    }
    assert api.reveal(container).data == PAYLOAD.data
    media.write(media.Picture(COVER), tmp_path / "cover.png")
    report = api.hide_file(tmp_path / "cover.png", tmp_path / "out.png", "hello", machine_safe=True)
    written = media.read(tmp_path / "out.png").pixels
    assert report.method == "robust"
    assert api.reveal(written).text == "hello"
    assert {name: judge(written) for name, judge in judges.items()} == {
        name: judge(COVER) for name, judge in judges.items()
    }
