"""PixInPix alone: a picture of any size is restored, and an altered one is refused."""

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
def test_a_picture_is_restored(sides: tuple[int, int]) -> None:
    cover, secret = noise(*sides), noise(*sides, seed=1)
    container = pixinpix.hide(cover, secret, model=model())
    assert container.shape == cover.shape
    assert metrics.psnr(cover, container) > 30
    revealed = pixinpix.reveal(container, model=model())
    if not (sides[0] % BLOCK or sides[1] % BLOCK):
        assert np.abs(revealed.astype(int) - secret).max() <= 8
    assert revealed.shape == secret.shape


def test_a_secret_is_restored_in_its_own_size() -> None:
    container = pixinpix.hide(noise(64, 48), np.full((20, 90, 3), 77, np.uint8), model=model())
    revealed = pixinpix.reveal(container, model=model())
    assert revealed.shape == (20, 90, 3)
    assert np.abs(revealed.astype(int) - 77).max() <= 8


def test_one_altered_value_is_damaged() -> None:
    container = pixinpix.hide(noise(64, 64), noise(64, 64, seed=1), model=model())
    places = set(pixinpix.HEADER.places(container.size).tolist())
    free = next(place for place in range(5000, 6000) if place not in places)
    container.reshape(-1)[free] ^= 1
    with pytest.raises(DamagedError, match="altered"):
        pixinpix.reveal(container, model=model())


def test_a_secret_that_claims_too_many_pixels_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    container = pixinpix.hide(noise(64, 64), noise(64, 64, seed=1), model=model())
    monkeypatch.setattr(pixinpix, "MAX_PIXELS", 64 * 64 - 1)
    with pytest.raises(DamagedError, match="64×64"):
        pixinpix.reveal(container, model=model())


def test_a_small_cover_and_a_large_secret_are_refused() -> None:
    with pytest.raises(UsageError, match="too small"):
        pixinpix.hide(noise(31, 64), noise(31, 64), model=model())
    with pytest.raises(UsageError, match="too large"):
        pixinpix.hide(noise(32, 32), np.zeros((1, 70_000, 3), np.uint8), model=model())


def test_the_method_hides_and_reveals_image_files() -> None:
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


def test_other_kinds_of_payload_and_settings_are_refused() -> None:
    method, payload = METHODS[pixinpix.NAME], Payload(media.encode(Picture(noise(8, 8)), "png"), "picture")
    with pytest.raises(UsageError, match="hides pictures"):
        method.hide(noise(32, 32), Payload(b"no picture"), None, psnr=None, survive=None)
    with pytest.raises(UsageError, match="no quality or survival"):
        method.hide(noise(32, 32), payload, None, psnr=40, survive=None)


def test_the_salt_has_the_same_places_as_in_other_methods() -> None:
    for size in (3072, 3 * 10**6):
        places = pixinpix.HEADER.places(size)
        assert len(set(places.tolist())) == pixinpix.HEADER.bits
        assert places.max() < size
        plain = HeaderPlaces().places(size)
        np.testing.assert_array_equal(places[: len(plain)], plain)
