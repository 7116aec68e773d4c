"""Containers written by version 0.1 from the sample photograph ``chelsea``: every version reads them.

``robust-512`` was written again when pilots and synchronisation of that canvas changed, before format v1. From v1 on
they are never written again, and a new format adds files here.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from underpaint import api, media, metrics
from underpaint.coding import keys
from underpaint.coding.template import COARSE, cosine_similarity, pack, unpack
from underpaint.embedding import watermark
from underpaint.embedding.canvas import Canvas
from underpaint.errors import NotFoundError
from underpaint.media import samples
from underpaint.methods import METHODS, robust, stdm
from underpaint.types import Payload

FOLDER = Path(__file__).parent / "containers"


def random_bytes(count: int) -> bytes:
    """Return bytes that cannot be compressed."""
    return np.random.default_rng(1).bytes(count)


@pytest.mark.parametrize(
    ("name", "payload", "passphrase"),
    [
        ("stdm-7", Payload.from_text("no. one"), None),
        ("stdm-14", Payload(b"\x00\x01 bytes, version 1"), "drawing"),
        ("stdm-35", Payload.from_text("a longer message of 40 letters, version 1"), "drawing"),
        ("lsb", Payload(b"version 1" * 50, "file", "one.bin"), "drawing"),
        ("basn", Payload(random_bytes(700), "file", "one.bin"), "drawing"),
        ("basn-stc-2", Payload(random_bytes(500), "file", "one.bin"), "drawing"),
        ("basn-stc-4", Payload(random_bytes(12_000), "file", "one.bin"), "drawing"),
        ("robust-512", Payload.from_text("no. one"), None),
        ("robust-256", Payload(b"\x00\x01 v1"), "drawing"),
        ("robust-small", Payload.from_text("v1"), "drawing"),
    ],
)
def test_a_container_of_version_1_is_revealed(
    name: str, payload: Payload, passphrase: str | None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    # A later version may derive new keys at another cost; old containers are still read.
    monkeypatch.setitem(keys.COSTS, 9, keys.Cost(8, 1, 1))
    monkeypatch.setattr(keys, "DEFAULT_COST", 9)
    assert api.reveal_file(FOLDER / f"{name}.png", passphrase=passphrase)[0] == payload
    chains = {"stdm": "jpeg:60", "robust-512": "jpeg:60 | crop:0.8 | rescale:0.9", "robust-256": "jpeg:60"}
    chain = chains.get(name) or chains.get(name.partition("-")[0])
    if chain:
        api.attack_file(FOLDER / f"{name}.png", chain, tmp_path / "arrived.png")
        assert api.reveal_file(tmp_path / "arrived.png", passphrase=passphrase)[0] == payload


@pytest.mark.parametrize("method", ["lsb", "stdm"])
def test_the_cost_of_new_keys_may_change(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full frames are read at each known cost; compact frames have one cost for ever."""
    cover = media.read(samples.path("chelsea")).pixels[:128, :128]
    monkeypatch.setitem(keys.COSTS, 9, keys.Cost(8, 1, 1))
    with monkeypatch.context() as later:
        later.setattr(keys, "DEFAULT_COST", 9)
        assert keys.Key.derive("drawing", keys.SALT) == keys.Key.derive("drawing", keys.SALT, 9)
        container = METHODS[method].hide(cover, Payload(b"v1"), "drawing", psnr=None, survive=None)
    assert METHODS[method].reveal(container, "drawing") == Payload(b"v1")
    monkeypatch.delitem(keys.COSTS, 9)
    if method == "stdm":
        assert METHODS[method].reveal(container, "drawing") == Payload(b"v1")
    else:
        with pytest.raises(NotFoundError):
            METHODS[method].reveal(container, "drawing")


def test_a_picture_hidden_by_version_1_is_restored() -> None:
    payload, by, _ = api.reveal_file(FOLDER / "pixinpix.png", passphrase="drawing")
    coffee = PIL.Image.fromarray(media.read(samples.path("coffee")).pixels).resize((60, 40))
    assert by == "pixinpix"
    assert metrics.psnr(media.decode(payload.data).pixels, np.asarray(coffee)) == pytest.approx(40.31, abs=0.1)


def test_a_template_of_version_1_is_read() -> None:
    numbers = np.sqrt(2) * np.cos(np.arange(64))
    found = METHODS["miais"].reveal(media.read(FOLDER / "miais.png").pixels, "drawing")
    assert cosine_similarity(unpack(found.data), numbers) > 0.999
    assert unpack(pack(numbers.astype(np.float32), COARSE)) == pytest.approx(numbers, abs=1 / 16)
    assert pack(np.full(64, 4 / 64, np.float32), COARSE)[:3] == bytes([0b10000010, 0b00001000, 0b00100000])


def test_sizes_and_costs_that_a_reader_tries_are_part_of_the_format() -> None:
    assert watermark.SIZES[:12] == (11, 13, 16, 19, 23, 27, 32, 38, 45, 54, 64, 76)
    assert (len(watermark.SIZES), watermark.SIZES[-1]) == (39, 8192)
    assert (watermark.PILOTS, stdm.COUNTS, keys.COMPACT_COST) == (64, (7, 14, 35), 1)
    assert (robust.SIDES, Canvas.counts, Canvas.copies) == ((128, 256, 512), (2, 5, 9, 14), (1, 3))
    assert [Canvas(side).pilots for side in robust.SIDES] == [64, 64, 128]
    assert keys.COSTS[1] == (64 * 1024, 3, 4)
