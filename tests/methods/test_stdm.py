"""The STDM method alone: channels that a message survives, and the statistics of its pilots."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from underpaint import media as files
from underpaint import metrics
from underpaint.channels import Chain, parse
from underpaint.coding.keys import SALT, Key
from underpaint.embedding import watermark
from underpaint.embedding.lapped import analyse
from underpaint.errors import NotFoundError, SurvivalError
from underpaint.media import samples
from underpaint.methods.stdm import STDM, Grid
from underpaint.types import Image, Payload

METHOD = STDM()
MESSAGE = Payload.from_text("12345678")
COFFEE = files.read(samples.path("coffee")).pixels
PASSPHRASE = "correct horse"
KEY = Key.derive(PASSPHRASE, SALT)


def hide(
    cover: Image,
    payload: Payload = MESSAGE,
    passphrase: str | None = PASSPHRASE,
    psnr: float | None = None,
    survive: Chain | None = None,
) -> Image:
    return METHOD.hide(cover, payload, passphrase, psnr=psnr, survive=survive)


@pytest.fixture(scope="module")
def container() -> Image:
    return hide(COFFEE, psnr=42)


@pytest.mark.parametrize(
    "chain",
    [
        *("none", "jpeg:50", "jpeg:25", "jpeg:10", "jpeg:50,subsampling=444", "webp:50", "avif:60", "jpeg2000:10"),
        *("contrast:0.8", "contrast:1.2", "brightness:0.9", "gamma:1.1", "noise:0.04", "blur:1", "resize:0.5"),
        *("dropout:0.1", "cropout:0.95", "quantise:4", "jpeg:75 | webp:75 | jpeg:50"),
    ],
)
def test_a_short_message_survives(container: Image, chain: str) -> None:
    assert METHOD.reveal(parse(chain)(container), PASSPHRASE) == MESSAGE


def test_a_requested_channel_is_survived_or_refused() -> None:
    assert METHOD.reveal(parse("jpeg:10")(hide(COFFEE, survive=parse("jpeg:10"))), PASSPHRASE) == MESSAGE
    with pytest.raises(SurvivalError, match="crop") as error:
        hide(COFFEE, survive=parse("crop:0.5"))
    assert "in its place" in str(error.value.hint)
    with pytest.raises(SurvivalError) as error:
        hide(COFFEE[:64, :64], survive=parse("blur:9"))
    assert "shorten" in str(error.value.hint)


@settings(max_examples=12, deadline=None)
@given(st.binary(max_size=120), st.integers(96, 128), st.integers(96, 128), st.sampled_from([None, "p", "q"]))
def test_a_message_of_the_stated_capacity_fits(data: bytes, height: int, width: int, passphrase: str | None) -> None:
    cover = COFFEE[:height, :width]
    data = data[: METHOD.capacity(cover).payload_bytes]
    container = hide(cover, Payload(data), passphrase)
    assert METHOD.reveal(container, passphrase) == Payload(data)
    with pytest.raises(NotFoundError):
        METHOD.reveal(container, "another")


def test_a_message_survives_where_half_of_any_change_is_clipped() -> None:
    """At the lowest PSNR that is tried, and only after more than one round of correction."""
    cover = np.where(COFFEE[:160, :160] > 90, 255, 0).astype(np.uint8)
    container = hide(cover)
    assert 38 <= metrics.psnr(cover, container) < 38.5
    assert METHOD.reveal(parse("jpeg:50")(container), PASSPHRASE) == MESSAGE


def test_a_change_of_contrast_needs_no_lower_psnr() -> None:
    """The receiver undoes the gain of a channel, so the embedding divides it out."""
    cover = COFFEE[100:228, 200:328]
    container = hide(cover, survive=parse("contrast:0.5"))
    assert metrics.psnr(cover, container) >= 44
    assert METHOD.reveal(parse("contrast:0.5")(container), PASSPHRASE) == MESSAGE


def test_files_of_kilobytes() -> None:
    payload = Payload(np.random.default_rng(1).bytes(400))
    assert METHOD.capacity(COFFEE).payload_bytes > 400
    assert METHOD.reveal(parse("jpeg:50")(hide(COFFEE, payload, psnr=38)), PASSPHRASE) == payload


def test_the_layout_of_version_1_is_frozen() -> None:
    """Pilots and message bits keep their places, so that every later version reads old containers."""
    layout = hashlib.sha256()
    count, pilots, message = watermark.layout(Grid.of(COFFEE[:128, :128]), KEY, 16)
    for spread in (pilots, message):
        for part in (spread.order.astype("<i4"), spread.signs.astype("i1"), (spread.dither * 2**32).astype("<u4")):
            layout.update(np.ascontiguousarray(part).tobytes())
    layout.update(watermark.pilot(Grid.of(COFFEE[:128, :128]), KEY, 16).tobytes())
    assert (count, layout.hexdigest()) == (14, "a582175a664cf8b36c0b96c006a11e3684ab206c6c7bd95845c7180139827811")


def test_channels_that_no_correction_helps_are_refused() -> None:
    """A cover in which a change below half a level leaves nothing, and channels that leave nothing of any."""
    for chain in ("jpeg:3", "brightness:0", "blur:5"):
        with pytest.raises(SurvivalError):
            hide(np.zeros((192, 192, 3), np.uint8), psnr=60, survive=parse(chain))
        with pytest.raises(SurvivalError):
            hide(COFFEE[:192, :192], psnr=45, survive=parse(chain))


def test_a_random_channel_is_survived_with_other_seeds_than_those_tried() -> None:
    cover, noise = COFFEE[:256, :256], parse("noise:0.06")
    container = hide(cover, survive=noise)
    exact = 0
    for seed in range(1, 31):
        try:
            exact += METHOD.reveal(noise(container, seed), PASSPHRASE) == MESSAGE
        except NotFoundError:
            continue
    assert exact >= 29


def test_the_largest_step_is_found_by_the_receiver() -> None:
    container = hide(COFFEE, Payload(b""), psnr=30, survive=parse("contrast:1.2"))
    assert METHOD.reveal(container, PASSPHRASE) == Payload(b"")


def test_pilots_of_unmarked_pictures_behave_as_the_bound_assumes() -> None:
    """The cosines are those of uniform phases: mean 0, mean square 1/2, so no sum of them is likelier than stated."""
    rng = np.random.default_rng(4)
    cosines = []
    for seed in range(200):
        top, left = rng.integers(0, 250, 2)
        crop = COFFEE[top : top + 128, left : left + 128]
        key = Key.derive(None, f"unmarked {seed:07}".encode())
        count, spread = watermark.layout(Grid.of(crop), key, 13)[:2]
        phases = spread.residues(spread.project(analyse(crop, count)), np.array([60.0]))
        cosines.append(np.cos(2 * np.pi * phases[0]))
    sums = np.sum(cosines, axis=1)
    assert abs(np.mean(cosines)) < 0.02
    assert np.mean(np.square(cosines)) == pytest.approx(0.5, abs=0.02)
    assert np.std(sums) == pytest.approx(np.sqrt(watermark.PILOTS / 2), rel=0.15)
    for level in (8, 12, 16):
        assert np.mean(sums >= level) <= np.exp(-(level**2) / watermark.PILOTS)


def test_a_picture_without_room_for_pilots_has_no_detection() -> None:
    assert METHOD.p_value(COFFEE[:8, :8], None) == 1


def test_the_reserve_is_a_third_of_what_the_code_corrects() -> None:
    assert watermark.MAX_RAW_BER == 0.04


@pytest.mark.parametrize("stronger", ["jpeg:20", "noise:0.05"])
def test_a_message_hidden_for_a_channel_survives_a_stronger_one(photograph: Image, stronger: str) -> None:
    cover = photograph[40:232, 100:292].copy()
    assert METHOD.reveal(parse(stronger)(hide(cover, survive=parse("jpeg:30"))), PASSPHRASE) == MESSAGE
