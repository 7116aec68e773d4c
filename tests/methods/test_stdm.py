"""STDM from payload to payload: what it survives, what it refuses, and that it never returns anything else."""

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
from underpaint.embedding.watermark import MAX_FALSE_POSITIVE_RATE
from underpaint.errors import CapacityError, DamagedError, NotFoundError, SurvivalError, UsageError
from underpaint.media import samples
from underpaint.methods import METHODS, stdm
from underpaint.methods.stdm import COUNTS, STDM, Grid
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


def test_it_is_a_method() -> None:
    assert METHODS["stdm"].name == "stdm"


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


def test_quality_is_what_was_asked_for(container: Image) -> None:
    assert 42 <= metrics.psnr(COFFEE, container) < 42.2
    assert 46 <= metrics.psnr(COFFEE, hide(COFFEE)) < 46.3


def test_quality_gives_way_to_survival_unless_it_was_asked_for() -> None:
    cover, long = COFFEE[:128, :128], Payload(bytes(range(12)))
    with pytest.raises(SurvivalError, match="at 46 dB"):
        hide(cover, long, psnr=46)
    container = hide(cover, long)
    assert 38 <= metrics.psnr(cover, container) < 46
    assert METHOD.reveal(parse("jpeg:50")(container), PASSPHRASE) == long


def test_harder_channels_can_be_asked_for() -> None:
    assert METHOD.reveal(parse("jpeg:10")(hide(COFFEE, survive=parse("jpeg:10"))), PASSPHRASE) == MESSAGE
    with pytest.raises(SurvivalError, match="crop") as error:
        hide(COFFEE, survive=parse("crop:0.5"))
    assert "in its place" in str(error.value.hint)
    with pytest.raises(SurvivalError) as error:
        hide(COFFEE[:64, :64], survive=parse("blur:9"))
    assert "shorten" in str(error.value.hint)


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
@pytest.mark.parametrize("tile", ["black", "white", "grey", "clipped", "noise"])
def test_hard_pictures(tile: str, passphrase: str | None) -> None:
    rng = np.random.default_rng(0)
    cover = {
        "black": np.zeros((256, 256, 3), np.uint8),
        "white": np.full((256, 256, 3), 255, np.uint8),
        "grey": np.full((256, 256, 3), 128, np.uint8),
        "clipped": np.where(COFFEE[:256, :256] > 90, 255, 0).astype(np.uint8),
        "noise": rng.integers(0, 256, (256, 256, 3), dtype=np.uint8),
    }[tile]
    container = hide(cover, passphrase=passphrase)
    assert METHOD.reveal(parse("jpeg:50")(container), passphrase) == MESSAGE


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=120), st.integers(96, 300), st.integers(96, 300), st.sampled_from([None, "p", "q"]))
def test_what_capacity_promises_fits(data: bytes, height: int, width: int, passphrase: str | None) -> None:
    cover = COFFEE[:height, :width]
    if len(data) > METHOD.capacity(cover).payload_bytes:
        return
    container = hide(cover, Payload(data), passphrase)
    assert METHOD.reveal(container, passphrase) == Payload(data)
    with pytest.raises(NotFoundError):
        METHOD.reveal(container, "another")


def test_files_of_kilobytes() -> None:
    payload = Payload(np.random.default_rng(1).bytes(400))
    assert METHOD.capacity(COFFEE).payload_bytes > 400
    assert METHOD.reveal(parse("jpeg:50")(hide(COFFEE, payload)), PASSPHRASE) == payload


def test_text_comes_back_as_text(container: Image) -> None:
    assert METHOD.reveal(container, PASSPHRASE).kind == "text"


def test_too_much_and_too_small() -> None:
    with pytest.raises(CapacityError, match="do not fit, about"):
        hide(COFFEE, Payload(np.random.default_rng(0).bytes(20000)))
    assert METHOD.capacity(COFFEE[:40, :40]).payload_bytes == 0
    with pytest.raises(CapacityError):
        hide(COFFEE[:40, :40])
    with pytest.raises(NotFoundError):
        METHOD.reveal(COFFEE[:8, :8], None)
    assert METHOD.detect(COFFEE[:8, :8], None) is None


@pytest.mark.parametrize("psnr", [float("nan"), 5, 99])
def test_impossible_quality(psnr: float) -> None:
    with pytest.raises(UsageError, match="out of range"):
        hide(COFFEE, psnr=psnr)


def test_beyond_repair_is_damaged_and_not_nothing() -> None:
    count, pilots, message = watermark.layout(Grid.of(COFFEE), KEY, 16)
    noise = np.random.default_rng(0).integers(0, 2, len(message.dither), dtype=np.uint8)
    plan = watermark.Embedding(Grid.of(COFFEE), COFFEE, count, ((pilots, watermark.pilot(KEY, 16)), (message, noise)))
    broken = METHOD.embed_at_quality(plan, COFFEE, 42, [parse("jpeg:50")])
    with pytest.raises(DamagedError, match="too much of it is lost"):
        METHOD.reveal(broken, PASSPHRASE)


def test_unmarked_pictures_have_no_mark() -> None:
    """The stated false-alarm probability holds: few reach 10 %, none comes near FALSE_ALARM."""
    rng = np.random.default_rng(2)
    chances = []
    for _ in range(150):
        top, left = rng.integers(0, 250, 2)
        mark = METHOD.detect(COFFEE[top : top + 128, left : left + 128], None)
        assert mark is not None
        chances.append(mark.p_value)
    assert min(chances) > MAX_FALSE_POSITIVE_RATE * 100
    assert np.mean(np.array(chances) <= 0.1) <= 0.1


def test_marks_are_found_with_the_right_key_only(container: Image) -> None:
    found, other = METHOD.detect(container, PASSPHRASE), METHOD.detect(container, None)
    assert found is not None
    assert other is not None
    assert found.size == 13  # eight digits, five by the dictionary, and eight bytes of frame
    assert found.p_value < 1e-20
    assert other.p_value > 1e-3


def test_bare_bits_survive() -> None:
    bits = np.random.default_rng(3).integers(0, 2, 30, dtype=np.uint8)
    cover = COFFEE[200:328, 200:328]
    marked = METHOD.embed_bits(cover, bits, KEY, psnr=40)
    assert metrics.psnr(cover, marked) == pytest.approx(40, abs=1.5)
    for chain in ("none", "jpeg:50", "jpeg:25", "webp:75", "contrast:0.9", "contrast:1.1"):
        soft = METHOD.extract_bits(parse(chain)(marked), 30, KEY, psnr=40)
        assert soft.dtype == np.float32
        assert np.array_equal(soft > 0, bits), chain
    with pytest.raises(CapacityError):
        METHOD.extract_bits(cover, 449, KEY, psnr=40)
    with pytest.raises(UsageError, match="bits, each 0 or 1"):
        METHOD.embed_bits(cover, bits + np.uint8(1), KEY, psnr=40)


def test_containers_of_version_1_stay_readable() -> None:
    """Where everything lies is frozen: readers of every later version have to look in the same places."""
    layout = hashlib.sha256()
    count, pilots, message = watermark.layout(Grid.of(COFFEE[:128, :128]), KEY, 16)
    for spread in (pilots, message):
        for part in (spread.order.astype("<i4"), spread.signs.astype("i1"), (spread.dither * 2**32).astype("<u4")):
            layout.update(np.ascontiguousarray(part).tobytes())
    layout.update(watermark.pilot(KEY, 16).tobytes())
    assert (count, layout.hexdigest()) == (14, "a582175a664cf8b36c0b96c006a11e3684ab206c6c7bd95845c7180139827811")


def test_what_no_mending_helps_is_refused() -> None:
    """A cover in which a change below half a level leaves nothing, and channels that leave nothing of any."""
    for chain in ("jpeg:3", "brightness:0", "blur:5"):
        with pytest.raises(SurvivalError):
            hide(np.zeros((192, 192, 3), np.uint8), psnr=60, survive=parse(chain))
        with pytest.raises(SurvivalError):
            hide(COFFEE[:192, :192], psnr=45, survive=parse(chain))


def test_random_channels_are_survived_beyond_the_draws_that_were_tried() -> None:
    cover, noise = COFFEE[:256, :256], parse("noise:0.06")
    container = hide(cover, survive=noise)
    exact = 0
    for seed in range(1, 31):
        try:
            exact += METHOD.reveal(noise(container, seed), PASSPHRASE) == MESSAGE
        except NotFoundError:
            continue
    assert exact >= 29


def test_the_strongest_mark_is_within_the_readers_search() -> None:
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
        spread = watermark._pilots(Grid.of(crop), key, COUNTS[0])
        phases = spread.residues(spread.project(analyse(crop, stdm.COUNTS[0])), np.array([60.0]))
        cosines.append(np.cos(2 * np.pi * phases[0]))
    sums = np.sum(cosines, axis=1)
    assert abs(np.mean(cosines)) < 0.02
    assert np.mean(np.square(cosines)) == pytest.approx(0.5, abs=0.02)
    assert np.std(sums) == pytest.approx(np.sqrt(watermark.PILOTS / 2), rel=0.15)
    for level in (8, 12, 16):
        assert np.mean(sums >= level) <= np.exp(-(level**2) / watermark.PILOTS)
