"""Verification: no container is delivered from which the payload is not revealed."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from support.fake_method import FakeMethod
from underpaint import api, media
from underpaint.api.payloads import Prepared
from underpaint.api.verify import ArrayDelivery, FileDelivery, FileFormat, verify
from underpaint.channels import parse
from underpaint.coding.template import NUMBERS, Template, pack
from underpaint.errors import DamagedError, NotFoundError, SurvivalError, UnderpaintError, UsageError
from underpaint.methods import METHODS
from underpaint.methods.miais import MIAIS, MIN_SIMILARITY
from underpaint.types import Image, Payload

pytestmark = pytest.mark.usefixtures("cheap_keys", "example_files")


@pytest.fixture
def cover(example_files: Path) -> Image:
    return media.read("cover.png").pixels


@pytest.mark.parametrize(
    "answer", [NotFoundError("none"), DamagedError("lost"), Payload(b"else"), Payload(b"x", "text")]
)
def test_another_payload_or_none_is_refused(
    monkeypatch: pytest.MonkeyPatch, cover: Image, answer: Payload | UnderpaintError
) -> None:
    monkeypatch.setitem(METHODS, "fake", FakeMethod(answer))
    with pytest.raises(SurvivalError):
        api.hide(cover, b"x", method="fake")
    with pytest.raises(SurvivalError):
        api.hide_file("cover.png", "out.png", b"x", method="fake")
    assert not Path("out.png").exists()


def test_a_payload_that_is_lost_after_the_chain_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(METHODS, "fake", FakeMethod(Payload(b"x"), NotFoundError("none")))
    with pytest.raises(SurvivalError, match="blur"):
        api.hide_file("cover.png", "out.png", b"x", method="fake", survive="blur:1")
    assert not Path("out.png").exists()


def test_a_random_channel_is_tried_several_times(monkeypatch: pytest.MonkeyPatch, cover: Image) -> None:
    passed = [Payload(b"x")] * 8  # as it is, and seven of eight trials
    monkeypatch.setitem(METHODS, "fake", FakeMethod(*passed, NotFoundError("none")))
    with pytest.raises(SurvivalError, match="noise"):
        api.hide(cover, b"x", method="fake", survive="noise:0.02")
    monkeypatch.setitem(METHODS, "fake", FakeMethod(*passed, Payload(b"x"), NotFoundError("none")))
    api.hide(cover, b"x", method="fake", survive="noise:0.02")


@pytest.mark.parametrize(
    ("chain", "reason"),
    [("fit:31", "pixels"), ("brightness:0 | jpeg:50", "one colour"), ("crop:0.4 | cut:0.5,top", "20% of the picture")],
)
def test_a_chain_that_leaves_nothing_is_refused_before_embedding(cover: Image, chain: str, reason: str) -> None:
    with pytest.raises(SurvivalError, match=f"no payload survives.*{reason}"):
        api.hide(cover, "hello", survive=chain)


@pytest.mark.parametrize("method", ["stdm", "robust-picture"])
def test_methods_that_need_pixels_in_their_places_refuse_another_size(cover: Image, method: str) -> None:
    with pytest.raises(SurvivalError, match="the size changes"):
        api.hide(cover, b"hello", method=method, survive="pad:0.1")


@pytest.mark.parametrize("method", ["lsb", "basn"])
def test_methods_that_need_exact_values_refuse_a_chain(cover: Image, method: str) -> None:
    with pytest.raises(UsageError, match="no quality or survival setting"):
        api.hide(cover, b"hello", method=method, survive="jpeg:99")


class FixedTemplate(MIAIS):
    """``miais`` that reveals the same template from every picture."""

    def __init__(self, template: Template) -> None:
        self.template = template

    def reveal(self, container: Image, passphrase: str | None) -> Payload:
        return Payload(pack(self.template), "template")


@pytest.mark.parametrize(("above", "refused"), [(0.01, False), (-0.01, True)])
def test_a_template_is_revealed_if_it_is_similar_enough(cover: Image, above: float, refused: bool) -> None:
    hidden, other = np.linalg.qr(np.random.default_rng(6).standard_normal((NUMBERS, 2)))[0].T * NUMBERS**0.5
    angle = np.arccos(MIN_SIMILARITY + above)
    method = FixedTemplate((np.cos(angle) * hidden + np.sin(angle) * other).astype(np.float32))
    prepared = Prepared(method, Payload(pack(hidden.astype(np.float32)), "template"))
    with pytest.raises(SurvivalError) if refused else nullcontext():
        assert verify(cover, prepared, None, None, ArrayDelivery()) == method.reveal(cover, None)


def test_an_array_is_delivered_as_it_is(cover: Image) -> None:
    delivery, chain = ArrayDelivery(), parse("jpeg:50")
    assert delivery.deliver(cover).pixels is cover
    assert delivery.channel(chain) is chain


def test_a_file_is_delivered_as_it_is_decoded(cover: Image) -> None:
    chain = parse("blur:1")
    exact = FileDelivery(media.Picture(cover), FileFormat("png"))
    assert (exact.deliver(cover).pixels == cover).all()
    assert exact.channel(chain) is chain
    lossy = FileDelivery(media.Picture(cover), FileFormat("jpeg", quality=30))
    delivered = lossy.deliver(cover)
    assert (media.decode(delivered.file).pixels == delivered.pixels).all()
    assert lossy.channel(None) is None
    channel = lossy.channel(chain)
    assert channel is not None
    assert (channel(cover, 0) == chain(delivered.pixels)).all()
    assert (str(channel), channel.random) == ("jpeg at quality 30 | blur:1", False)


def test_a_quality_out_of_range_is_refused() -> None:
    with pytest.raises(UsageError, match="quality"):
        assert FileFormat("jpeg", quality=0).exact
