"""Detection of a payload: present or absent, with a bound on the false-positive rate."""

from __future__ import annotations

import numpy as np
import pytest

from support.run_cli import PASSPHRASE, run
from underpaint import api, media
from underpaint.channels import parse
from underpaint.embedding.blind_detection import MAX_FALSE_POSITIVE_RATE
from underpaint.errors import UsageError
from underpaint.media import samples
from underpaint.types import Image, Payload

pytestmark = pytest.mark.usefixtures("cheap_keys")

COVER = media.read(samples.path("coffee")).pixels[100:228, 200:328].copy()
MESSAGE = Payload.from_text("hi")


@pytest.fixture(scope="module", params=["stdm", "lsb", "robust-picture"])
def marked(request: pytest.FixtureRequest) -> tuple[str, Image]:
    psnr = None if request.param == "lsb" else 34
    survive = None if request.param == "lsb" else "none"
    return request.param, api.hide(COVER, MESSAGE, method=request.param, psnr=psnr, survive=survive)


def test_a_payload_is_present_upright_and_turned(marked: tuple[str, Image]) -> None:
    method, container = marked
    for image in (container, np.ascontiguousarray(container.transpose(1, 0, 2))):
        found = api.detect(image, method=method)
        assert (found.present, found.method, found.searched) == (True, method, (method,))
        assert found.false_positive_rate < MAX_FALSE_POSITIVE_RATE
        assert api.reveal(image, method=method) == MESSAGE
    assert not api.detect(container, method=method, passphrase=PASSPHRASE).present


def test_a_moved_watermark_is_present() -> None:
    cover = media.read(samples.path("coffee")).pixels
    container = api.hide(cover, "hi", psnr=40, method="robust", survive="none")
    found = api.detect(np.rot90(parse("jpeg:75")(container, 0)).copy())
    assert (found.present, found.method) == (True, "robust")


def test_nothing_is_present_in_an_unmarked_picture_or_one_that_is_too_small() -> None:
    for image in (COVER[:64, :64], COVER[:20]):
        found = api.detect(image)
        assert (found.present, found.method) == (False, None)
        assert found.false_positive_rate > 0.01
        assert "miais" not in found.searched


def test_a_method_without_a_bound_is_refused() -> None:
    with pytest.raises(UsageError, match="miais has no bound") as caught:
        api.detect(COVER, method="miais")
    assert "recognise" in (caught.value.hint or "")


@pytest.mark.usefixtures("example_files")
def test_the_exit_status_says_present_or_absent() -> None:
    done = run("detect", "message.png")
    assert done.status == 0
    assert done.stdout.decode().startswith("present, by robust; false-positive rate below 1e-")
    done = run("detect", "cover.jpg", "--method", "stdm")
    assert done.status == 3
    assert done.stdout.decode() == "absent: no payload of this passphrase by stdm\n"
    assert not api.detect_file("locked.png", method="basn").present
    assert api.detect_file("locked.png", passphrase=PASSPHRASE).method == "basn"
