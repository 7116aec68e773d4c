"""A picture in a picture: all numbers arrive, at the cost that is expected, and nothing else is ever revealed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from support.picture_models import model
from underpaint import media, metrics
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.embedding.residues import BLOCK
from underpaint.errors import DamagedError, UsageError
from underpaint.media import Picture
from underpaint.methods import METHODS, ImageCarrier, pixinpix
from underpaint.methods.lossless import HeaderPlaces
from underpaint.types import Payload

if TYPE_CHECKING:
    from underpaint.types import Image

KEY = Key(bytes(KEY_SIZE))


def noise(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("sides", [(32, 32), (40, 33), (71, 300), (300, 64)])
def test_a_picture_is_revealed(sides: tuple[int, int]) -> None:
    cover, secret = noise(*sides), noise(*sides, seed=1)
    container = pixinpix.hide(cover, secret, model=model())
    assert container.shape == cover.shape
    assert metrics.psnr(cover, container) > 30
    revealed = pixinpix.reveal(container, model=model())
    if not (sides[0] % BLOCK or sides[1] % BLOCK):
        assert np.abs(revealed.astype(int) - secret).max() <= 8
    assert revealed.shape == secret.shape


def test_a_secret_keeps_its_shape() -> None:
    container = pixinpix.hide(noise(64, 48), np.full((20, 90, 3), 77, np.uint8), model=model())
    revealed = pixinpix.reveal(container, model=model())
    assert revealed.shape == (20, 90, 3)
    assert np.abs(revealed.astype(int) - 77).max() <= 8


def test_what_is_altered_is_not_revealed() -> None:
    container = pixinpix.hide(noise(64, 64), noise(64, 64, seed=1), model=model())
    places = set(pixinpix.HEADER.places(container.size).tolist())
    free = next(place for place in range(5000, 6000) if place not in places)
    container.reshape(-1)[free] ^= 1
    with pytest.raises(DamagedError, match="altered"):
        pixinpix.reveal(container, model=model())


def test_a_bomb_is_not_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    container = pixinpix.hide(noise(64, 64), noise(64, 64, seed=1), model=model())
    monkeypatch.setattr(pixinpix, "MAX_PIXELS", 64 * 64 - 1)
    with pytest.raises(DamagedError, match="64×64"):
        pixinpix.reveal(container, model=model())


def test_a_cover_must_be_large_enough() -> None:
    with pytest.raises(UsageError, match="too small"):
        pixinpix.hide(noise(31, 64), noise(31, 64), model=model())
    with pytest.raises(UsageError, match="too large"):
        pixinpix.hide(noise(32, 32), np.zeros((1, 70_000, 3), np.uint8), model=model())


def test_as_a_method_it_takes_the_file_of_a_picture() -> None:
    cover, secret = noise(64, 96), np.full((40, 24, 3), 90, np.uint8)
    method = METHODS[pixinpix.NAME]
    assert isinstance(method, ImageCarrier)
    payload = Payload(media.encode(Picture(secret), "png"), "picture")
    container = method.hide(cover, payload, "passphrase", psnr=None, survive=None)
    assert method.holds(container, "passphrase")
    assert not method.holds(container, None)
    revealed = method.reveal(container, "passphrase")
    assert revealed.kind == "picture"
    pixels = media.decode(revealed.data).pixels
    assert pixels.shape == secret.shape
    assert np.abs(pixels.astype(int) - secret).max() <= 4
    assert method.capacity(cover).payload_bytes == cover.size


def test_it_hides_nothing_but_pictures_and_has_no_settings() -> None:
    method, payload = METHODS[pixinpix.NAME], Payload(media.encode(Picture(noise(8, 8)), "png"), "picture")
    with pytest.raises(UsageError, match="hides pictures"):
        method.hide(noise(32, 32), Payload(b"no picture"), None, psnr=None, survive=None)
    with pytest.raises(UsageError, match="no quality or survival"):
        method.hide(noise(32, 32), payload, None, psnr=40, survive=None)


def test_its_salt_lies_where_that_of_the_others_does() -> None:
    for size in (3072, 3 * 10**6):
        places = pixinpix.HEADER.places(size)
        assert len(set(places.tolist())) == pixinpix.HEADER.bits
        assert places.max() < size
        plain = HeaderPlaces().places(size)
        np.testing.assert_array_equal(places[: len(plain)], plain)
