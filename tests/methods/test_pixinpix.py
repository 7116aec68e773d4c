"""A picture in a picture: all numbers arrive, at the cost that is expected, and nothing else is ever revealed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from support.picture_models import model
from underpaint import media, metrics
from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.embedding.bit_planes import squared_change
from underpaint.embedding.residues import BLOCK, VALUES, embed, extract
from underpaint.errors import DamagedError, ModelError, NotFoundError, UsageError
from underpaint.media import Picture
from underpaint.methods import METHODS, ImageCarrier, pixinpix
from underpaint.methods.lossless import HeaderPlaces
from underpaint.methods.pixinpix import KINDS
from underpaint.types import Payload

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Image

KEY = Key(bytes(KEY_SIZE))


def noise(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(256, size=(height, width, 3), dtype=np.uint8)


def blocks(count: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Values, levels by kind, and kinds."""
    rng = np.random.default_rng(seed)
    levels = np.maximum(1, rng.lognormal(1.2, 1.2, (KINDS, VALUES))).astype(np.int64)
    return rng.integers(256, size=(count, VALUES), dtype=np.uint8), levels, rng.integers(KINDS, size=count)


def test_numbers_and_kinds_arrive() -> None:
    values, levels, kinds = blocks(60)
    rng = np.random.default_rng(1)
    numbers = rng.integers(levels[kinds])
    free = np.ones(values.shape, bool)
    free[:30, rng.choice(VALUES, 25, replace=False)] = False
    marked = embed(values, numbers, kinds, levels, free, KEY)
    assert (marked[~free] == values[~free]).all()
    found, told = extract(marked, levels, free, KEY)
    assert (told == kinds).all()
    assert (found == numbers).all()


@pytest.mark.parametrize("levels", [2, 3, 4, 6, 8, 11])
def test_equal_levels_cost_what_low_bits_cost(levels: int) -> None:
    values = np.random.default_rng(2).integers(64, 192, size=(200, VALUES), dtype=np.uint8)
    table = np.full((KINDS, VALUES), levels)
    numbers = np.random.default_rng(3).integers(levels, size=values.shape)
    kinds = np.zeros(len(values), np.int64)
    marked = embed(values, numbers, kinds, table, np.ones(values.shape, bool), KEY)
    change = np.square(marked.astype(int) - values).mean()
    # All but the few values that have the kind: those make the periods of others a little longer.
    assert change == pytest.approx((levels**2 - 1 + 3 * (levels % 2 == 0)) / 12, rel=0.12)
    if levels in (2, 4, 8):
        assert change == pytest.approx(squared_change(levels.bit_length() - 1), rel=0.12)


def test_uneven_levels_cost_hardly_more_than_their_mean_rate_says() -> None:
    values, levels, kinds = blocks(400)
    values = values // 2 + 64
    numbers = np.random.default_rng(4).integers(levels[kinds])
    marked = embed(values, numbers, kinds, levels, np.ones(values.shape, bool), KEY)
    least = ((4 ** np.log2(levels).mean(axis=1)[kinds] - 1) / 12).mean()
    assert least < np.square(marked.astype(int) - values).mean() < 1.1 * least + 0.2


def test_values_stay_within_eight_bits() -> None:
    table = np.full((KINDS, VALUES), 9)
    values = np.repeat(np.array([[0], [255]], np.uint8), VALUES, axis=1)
    numbers = np.random.default_rng(5).integers(9, size=values.shape)
    kinds = np.zeros(2, np.int64)
    marked = embed(values, numbers, kinds, table, np.ones(values.shape, bool), KEY)
    assert marked[0].max() <= 10
    assert marked[1].min() >= 245
    assert (extract(marked, table, np.ones(values.shape, bool), KEY)[0] == numbers).all()


def test_too_many_levels_are_refused() -> None:
    values, _, kinds = blocks(2)
    table = np.full((KINDS, VALUES), 300)
    with pytest.raises(ModelError, match="more levels than a block can take"):
        embed(values, np.zeros(values.shape, np.int64), kinds, table, np.ones(values.shape, bool), KEY)


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


def test_it_takes_the_passphrase() -> None:
    cover, secret = noise(32, 40), noise(32, 40, seed=1)
    container = pixinpix.hide(cover, secret, "right", model=model())
    assert pixinpix.holds(container, "right")
    for wrong in ("wrong", None):
        assert not pixinpix.holds(container, wrong)
        with pytest.raises(NotFoundError):
            pixinpix.reveal(container, wrong, model=model())
    assert pixinpix.reveal(container, "right", model=model()).shape == secret.shape


def test_residues_follow_from_the_key() -> None:
    values, levels, kinds = blocks(4)
    free = np.ones(values.shape, bool)
    numbers = np.zeros(values.shape, np.int64)
    one, other = (embed(values, numbers, kinds, levels, free, Key(bytes([n]) * KEY_SIZE)) for n in (1, 2))
    assert (one != other).mean() > 0.3
    assert (extract(one, levels, free, Key(bytes([2]) * KEY_SIZE))[0] != numbers).any()


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


def test_nothing_is_found_in_a_cover_or_a_tiny_picture() -> None:
    for picture in (noise(64, 64), noise(8, 8)):
        assert not pixinpix.holds(picture)
        with pytest.raises(NotFoundError):
            pixinpix.reveal(picture, model=model())


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
