"""Obfuscations of table V: each changes what its paper describes, by its key."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint.errors import UsageError
from underpaint.media import read, samples
from underpaint.types import Image
from underpaint_lab.metrics.papers import mse
from underpaint_lab.papers.miais.obfuscations import OBFUSCATIONS

PHOTO = read(samples.path("chelsea")).pixels[100:164, 200:264]


def obfuscated(name: str, picture: Image = PHOTO, seed: int = 0) -> Image:
    return OBFUSCATIONS[name](picture, np.random.default_rng(seed))


def blocks(picture: Image, side: int) -> np.ndarray:
    tiles = picture.reshape(64 // side, side, 64 // side, side, 3).swapaxes(1, 2)
    return tiles.reshape(-1, side**2, 3)


def rows(values: np.ndarray) -> list[list[int]]:
    return sorted(map(list, values.tolist()))


@pytest.mark.parametrize("name", OBFUSCATIONS)
def test_obfuscation_keeps_the_shape_and_depends_on_the_key(name: str) -> None:
    before = PHOTO.copy()
    found = obfuscated(name)
    assert found.shape == PHOTO.shape
    assert found.dtype == np.uint8
    assert np.array_equal(PHOTO, before)
    assert np.array_equal(found, obfuscated(name))
    assert np.array_equal(found, obfuscated(name, seed=1)) == (name == "DIO")
    assert mse(PHOTO, found) > 0.001


def test_bws_keeps_the_pixels_of_each_block() -> None:
    for before, after in zip(blocks(PHOTO, 4), blocks(obfuscated("BWS"), 4), strict=True):
        assert rows(before) == rows(after)


def test_le_has_one_key_for_all_blocks_and_ele_one_for_each() -> None:
    tile = np.tile(PHOTO[:4, :4], (16, 16, 1))
    assert len(np.unique(blocks(obfuscated("LE", tile), 4), axis=0)) == 1
    assert len(np.unique(blocks(obfuscated("ELE", tile), 4), axis=0)) > 100


def test_le_inverts_and_permutes_half_bytes() -> None:
    black = obfuscated("LE", np.zeros_like(PHOTO))
    assert set(np.unique(np.stack([black >> 4, black & 15]))) == {0, 15}
    # What is inverted once more is back.
    assert np.array_equal(obfuscated("LE", 255 - PHOTO), 255 - obfuscated("LE"))


def test_pbie_keeps_each_pixel_up_to_inversion_and_order() -> None:
    def folded(picture: Image) -> np.ndarray:
        return np.sort(np.minimum(picture, 255 - picture), axis=2)

    assert np.array_equal(folded(PHOTO), folded(obfuscated("PBIE")))
    assert 0.4 < (obfuscated("PBIE", np.zeros_like(PHOTO)) == 255).mean() < 0.6


@pytest.mark.parametrize("name", ["EtC", "EM-HOG"])
def test_etc_keeps_blocks_up_to_order_rotation_and_inversion(name: str) -> None:
    def kept(picture: Image) -> list[list[int]]:
        grey = picture if name == "EtC" else np.rint(picture @ [0.299, 0.587, 0.114])[..., None].repeat(3, axis=2)
        values = np.sort(blocks(grey.astype(np.uint8), 8).reshape(64, -1), axis=1)
        return rows(np.minimum(values, 255 - values[:, ::-1]))

    assert kept(PHOTO) == kept(obfuscated(name))


def test_em_hog_is_grey() -> None:
    found = obfuscated("EM-HOG")
    assert (found == found[..., :1]).all()


def test_ppfr_is_inverted_by_the_same_key() -> None:
    assert np.array_equal(obfuscated("PPFR", obfuscated("PPFR")), PHOTO)
    assert not np.array_equal(obfuscated("PPFR", obfuscated("PPFR"), seed=1), PHOTO)


def test_ccm_is_uniform_and_spreads_changes() -> None:
    found = obfuscated("CCM")
    assert np.bincount(found.ravel(), minlength=256).max() < 100
    changed = PHOTO.copy()
    changed[0, 0, 0] ^= 1
    assert (found != obfuscated("CCM", changed)).mean() > 0.01
    with pytest.raises(UsageError, match="square"):
        obfuscated("CCM", PHOTO[:32])


def test_dio_removes_means_and_large_coefficients() -> None:
    flat = np.full_like(PHOTO, 200)
    assert np.array_equal(obfuscated("DIO", flat), np.full_like(PHOTO, 128))
    # Little contrast is left, and details stay.
    assert obfuscated("DIO").std() < PHOTO.std()
    assert obfuscated("DIO").std() > 3


@pytest.mark.parametrize("name", ["BWS", "LE", "ELE", "EtC", "EM-HOG", "DIO"])
def test_sides_that_are_no_multiple_of_the_block_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match="multiples"):
        obfuscated(name, PHOTO[:62])
