"""The robust method alone: channels that a message survives, cropping, and bits of any number."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from PIL import Image as Pillow

from underpaint import media as files
from underpaint import metrics
from underpaint.channels import Chain, parse
from underpaint.coding.keys import SALT, Key
from underpaint.embedding import watermark
from underpaint.embedding.canvas import Canvas
from underpaint.embedding.watermark import SIZES
from underpaint.errors import CapacityError, NotFoundError, SurvivalError, UsageError
from underpaint.media import samples
from underpaint.methods import robust
from underpaint.methods.robust import SIDES, Robust
from underpaint.types import Image, Payload

pytestmark = pytest.mark.usefixtures("cheap_keys")

METHOD = Robust()
MESSAGE = Payload.from_text("12345678")
PASSPHRASE = "correct horse"
KEY = Key.derive(None, SALT)
PICTURES = {name: files.read(samples.path(name)).pixels[20:276, 80:400] for name in samples.names()}
COFFEE = files.read(samples.path("coffee")).pixels
SMALL = COFFEE[100:300, 200:420]
NO_CHANNEL = parse("none")


def hide(
    cover: Image,
    payload: Payload = MESSAGE,
    passphrase: str | None = None,
    psnr: float | None = None,
    survive: Chain | None = None,
) -> Image:
    return METHOD.hide(cover, payload, passphrase, psnr=psnr, survive=survive)


def rescaled(image: Image, down: float, across: float) -> Image:
    height, width, _ = image.shape
    size = round(width * across), round(height * down)
    return np.asarray(Pillow.fromarray(image).resize(size, Pillow.Resampling.LANCZOS))


@pytest.fixture(scope="module", params=samples.names())
def container(request: pytest.FixtureRequest) -> Image:
    return hide(PICTURES[request.param], psnr=38)


@pytest.mark.parametrize(
    "chain",
    [
        *("none", "jpeg:50", "jpeg:10", "webp:25", "avif:50", "jpeg2000:20", "contrast:0.8", "brightness:1.2"),
        *("gamma:1.2", "noise:0.04", "blur:1.5", "jpeg:50 | resize:0.5 | jpeg:75", "rescale:0.4", "rescale:2"),
        *("crop:0.7", "jpeg:50 | crop:0.7", "crop:0.8 | rescale:0.8 | jpeg:75", "quantise:4", "dropout:0.1"),
    ],
)
def test_a_short_message_survives(container: Image, chain: str) -> None:
    assert METHOD.reveal(parse(chain)(container), None) == MESSAGE


@pytest.mark.parametrize("chain", ["h264:30", "mpeg4:8", "xvid:8"])
def test_a_short_message_survives_video(container: Image, chain: str) -> None:
    pytest.importorskip("av")
    assert METHOD.reveal(parse(chain)(container), None) == MESSAGE


@pytest.mark.parametrize(("down", "across"), [(0.5, 0.9), (1.3, 0.4)])
def test_a_short_message_survives_other_proportions(container: Image, down: float, across: float) -> None:
    assert METHOD.reveal(rescaled(container, down, across), None) == MESSAGE


def test_a_short_message_survives_cropping_anywhere(container: Image) -> None:
    height, width, _ = container.shape
    rows, columns = round(0.85 * height), round(0.85 * width)
    corners = [
        container[top : top + rows, left : left + columns]
        for top in (0, height - rows)
        for left in (0, width - columns)
    ]
    revealed = []
    for corner in corners:
        try:
            revealed.append(METHOD.reveal(corner, None))
        except NotFoundError:
            continue
    assert len(revealed) >= 3
    assert all(payload == MESSAGE for payload in revealed)


def test_channels_that_destroy_the_message_are_refused() -> None:
    for chain in ("brightness:0", "crop:0.05"):
        with pytest.raises(SurvivalError) as error:
            hide(COFFEE[:80, :80], psnr=40, survive=parse(chain))
        assert "shorten the message" in str(error.value.hint)
        assert chain in str(error.value)


def test_pictures_below_64_pixels_have_no_capacity() -> None:
    for shape in ((32, 32), (63, 63), (60, 500)):
        cover = COFFEE[: shape[0], : shape[1]]
        assert METHOD.capacity(cover).payload_bytes == 0
        with pytest.raises(CapacityError):
            hide(cover, Payload(b""))
    with pytest.raises(UsageError, match="too small"):
        hide(COFFEE[:31, :64])
    for picture in (COFFEE[:1, :1], COFFEE[:8, :9], COFFEE[:1, :400]):
        with pytest.raises(NotFoundError):
            METHOD.reveal(picture, None)


@pytest.mark.parametrize("data", [b"", np.random.default_rng(1).bytes(60), b"a" * 300], ids=["none", "random", "long"])
def test_messages_of_any_size(data: bytes) -> None:
    cover, chain = COFFEE[50:300, 100:350], parse("jpeg:75")
    container = hide(cover, Payload(data), psnr=38, survive=chain)
    assert METHOD.reveal(chain(container), None) == Payload(data)


def test_a_high_psnr_gives_a_container_or_an_error() -> None:
    """At 49 to 60 dB rounding decides what a change costs: the answer is a container or an error, not a crash."""
    for cover in (np.full((64, 64, 3), 128, np.uint8), COFFEE[:70, :90]):
        for psnr in (50, 60):
            try:
                container = hide(cover, Payload(b""), psnr=psnr, survive=NO_CHANNEL)
            except SurvivalError:
                continue
            assert metrics.psnr(cover, container) >= psnr


@pytest.mark.parametrize("count", [1, 8, 30, 64, 200])
def test_any_number_of_bits_survives(count: int) -> None:
    """All of them as sent; of many, refined for harsher codecs than these, nearly all behind others."""
    bits = np.random.default_rng(3).integers(0, 2, count, dtype=np.uint8)
    cover = COFFEE[200:328, 200:328]
    marked = METHOD.embed_bits(cover, bits, KEY, psnr=40)
    assert marked.shape == cover.shape
    assert metrics.psnr(cover, marked) > 37
    for chain in ("none", "jpeg:75", "webp:75", "jpeg:50", "resize:0.5", "rescale:2")[: 6 if count <= 30 else 2]:
        soft = METHOD.extract_bits(parse(chain)(marked), count, KEY, psnr=40)
        assert soft.dtype == np.float32
        assert soft.shape == (count,)
        assert np.mean((soft > 0) != bits) <= (0 if count <= 30 or chain == "none" else 0.05), chain


def test_thirty_bits_survive_more() -> None:
    bits = np.random.default_rng(4).integers(0, 2, 30, dtype=np.uint8)
    marked = METHOD.embed_bits(COFFEE[200:328, 200:328], bits, KEY, psnr=38)
    for chain in ("jpeg:25", "webp:50", "contrast:0.9", "contrast:1.1", "brightness:1.1", "noise:0.04"):
        assert np.array_equal(METHOD.extract_bits(parse(chain)(marked), 30, KEY, psnr=38) > 0, bits), chain


def test_the_layout_changes_only_on_purpose() -> None:
    """Pilots and message bits keep their places; before format v1 they may move, and CHANGELOG.md says so."""
    layout = hashlib.sha256()
    for side in SIDES:
        canvas = Canvas(side)
        key = robust.canvas_key(KEY, canvas)
        count, pilots, message = watermark.layout(canvas, key, 13)
        for spread in (pilots, message):
            for part in (spread.order.astype("<i4"), spread.signs.astype("i1"), (spread.dither * 2**32).astype("<u4")):
                layout.update(np.ascontiguousarray(part).tobytes())
        layout.update(watermark.pilot(canvas, key, 13).tobytes() + bytes([count]))
    assert layout.hexdigest() == "ef82d1ad9fa51afc56d4a4678baa1ce4914ff20f8c495a49d2acb6aa1501a615"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
def test_a_message_of_the_stated_capacity_fits(seed: int) -> None:
    rng = np.random.default_rng(seed)
    picture = files.read(samples.path(samples.names()[seed % 2])).pixels
    height, width = (int(rng.integers(100, side)) for side in picture.shape[:2])
    cover = picture[-height:, :width]
    payload = Payload(rng.bytes(METHOD.capacity(cover).payload_bytes))
    container = hide(cover, payload)
    assert metrics.psnr(cover, container) >= robust.QUALITIES[-1]
    assert METHOD.reveal(parse(METHOD.default_survive)(container), None) == payload


@pytest.mark.slow
@pytest.mark.parametrize("size", [size for size in SIZES if size <= 400])
def test_every_frame_size(size: int) -> None:
    payload = Payload(np.random.default_rng(size).bytes(size - 8))
    container = hide(COFFEE, payload, psnr=36, survive=NO_CHANNEL)
    assert METHOD.reveal(container, None) == payload


@pytest.mark.slow
def test_wrong_passphrases_reveal_nothing(container: Image) -> None:
    for number in range(300):
        with pytest.raises(NotFoundError):
            METHOD.reveal(container, f"guess {number}")


@pytest.mark.slow
def test_crops_of_unmarked_pictures_reveal_nothing() -> None:
    rng = np.random.default_rng(7)
    for number in range(400):
        cover = files.read(samples.path(samples.names()[number % 2])).pixels
        height, width = (int(rng.integers(64, side)) for side in cover.shape[:2])
        with pytest.raises(NotFoundError):
            METHOD.reveal(cover[:height, -width:], None)


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("page", ["white", "grey"])
def test_flat_blocks_change_by_at_most_three_levels(page: str) -> None:
    cover = np.full((256, 320, 3), 128 if page == "grey" else 255, np.uint8)
    container = Robust().hide(cover, Payload.from_text("noon"), None, psnr=None, survive=None)
    blocks = (image.reshape(32, 8, 40, 8, 3).swapaxes(1, 2).astype(int) for image in (cover, container))
    before, after = blocks
    flat = before.mean(axis=4).std(axis=(2, 3)) < 1
    assert np.abs(after - before)[flat].max() <= 3
    assert metrics.visible_share(cover, container) == 0
