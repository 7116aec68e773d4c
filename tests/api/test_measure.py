"""Capacity, channels and comparison, as functions on arrays and on files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageCms

from support.run_cli import run
from underpaint import api, media
from underpaint.coding import template
from underpaint.errors import UsageError
from underpaint.methods import METHODS
from underpaint.models import classifiers
from underpaint.types import Image

SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()

pytestmark = pytest.mark.usefixtures("cheap_keys", "example_files")


@pytest.fixture
def cover(example_files: Path) -> Image:
    return media.read("cover.png").pixels


def test_a_payload_of_the_capacity_fits(cover: Image) -> None:
    cover = cover[:112, :128]
    media.write(media.Picture(cover), "part.png")
    found = api.capacity_file("part.png")
    assert found == api.capacity(cover)
    assert set(found) == set(METHODS)
    assert found.pop("pixinpix").payload_bytes == cover.size
    assert found.pop("miais").payload_bytes == template.size(template.FINE)
    for name, each in found.items():
        payload = os.urandom(each.payload_bytes)
        assert api.reveal(api.hide(cover, payload, method=name)).data == payload


def test_the_capacity_map_shows_bits_per_value() -> None:
    assert run("capacity", "cover.png", "--map", "map.png").status == 0
    shown, cover = media.read("map.png").pixels, media.read("cover.png").pixels
    assert shown.shape == cover.shape
    assert set(np.unique(shown)) <= {0, 63, 126, 189, 252}
    assert shown.std() > 20


def test_the_capacity_map_overwrites_a_file_only_if_forced_and_never_the_cover() -> None:
    assert run("capacity", "cover.png", "--map", "map.png").status == 0
    before = Path("map.png").read_bytes()
    assert run("capacity", "cover.png", "--map", "map.png").status == 2
    assert run("capacity", "cover.png", "--map", "cover.png", "--force").status == 2
    assert run("capacity", "cover.png", "--map", "map.png", "--force").status == 0
    assert Path("map.png").read_bytes() == before


def test_a_random_channel_repeats_with_its_seed(cover: Image) -> None:
    assert (api.attack(cover, "noise:0.1", seed=1) == api.attack(cover, "noise:0.1", seed=1)).all()
    assert (api.attack(cover, "noise:0.1", seed=1) != api.attack(cover, "noise:0.1", seed=2)).any()


def test_attack_moves_transparency_with_the_picture() -> None:
    faded = media.read("faded.png").alpha
    assert faded is not None
    expected = {
        "jpeg:50": faded,
        "cut:0.5,left": faded[:, round(faded.shape[1] / 2) :],
        "flip | rotate:90,expand": np.rot90(faded[:, ::-1]),
        "pad:0.5,white": np.pad(faded, [(side // 2, side // 2) for side in faded.shape], constant_values=255),
    }
    for number, (chain, alpha) in enumerate(expected.items()):
        assert api.attack_file("faded.png", chain, f"{number}.png") == ()
        np.testing.assert_array_equal(media.read(f"{number}.png").alpha, alpha)


def test_attack_warns_of_a_lossy_file() -> None:
    assert "jpeg is lossy" in api.attack_file("cover.png", "blur:1", "blurred.jpg")[0]


def test_attack_moves_transparency_by_a_chain(cover: Image) -> None:
    alpha = np.zeros(cover.shape[:2], np.uint8)
    alpha[:, :96] = 255
    media.write(media.Picture(np.where(alpha[..., None] > 0, cover, 0).astype(np.uint8), alpha), "half.png")
    assert api.attack_file("half.png", "flip | rescale:0.5 | rotate:90,expand | crop:0.5", "moved.png", seed=3) == ()
    moved = media.read("moved.png")
    assert moved.alpha is not None
    assert moved.alpha.shape == moved.pixels.shape[:2] == (68, 68)
    shown = moved.pixels.max(axis=2) > 0
    assert np.mean(shown == (moved.alpha > 0)) > 0.97
    api.attack_file("half.png", "rotate:45", "turned.png")
    turned = media.read("turned.png").alpha
    assert turned is not None
    assert turned[0, 0] == 255, "what a channel adds is opaque"
    assert (turned == 0).any(), "what was transparent stays so"


def test_attack_flattens_transparency_on_a_background() -> None:
    faded = media.read("faded.png")
    assert faded.alpha is not None
    for colour, level in (("white", 255), ("black", 0)):
        assert api.attack_file("faded.png", f"flatten:{colour} | rescale:1", f"{colour}.png") == ()
        flat = media.read(f"{colour}.png")
        assert flat.alpha is None
        expected = (faded.pixels * (faded.alpha[..., None] / 255) + level * (1 - faded.alpha[..., None] / 255)).round()
        assert np.abs(flat.pixels - expected).max() <= 1


def test_attack_drops_the_profile_that_icc_converts(cover: Image) -> None:
    media.write(media.Picture(cover, icc=SRGB), "tagged.png")
    api.attack_file("tagged.png", "blur:1", "kept.png")
    api.attack_file("tagged.png", "icc:p3", "converted.png")
    assert media.read("kept.png").icc == SRGB
    assert media.read("converted.png").icc is None


def test_equal_pictures_do_not_differ(cover: Image) -> None:
    assert api.compare(cover, cover) == {
        "psnr": float("inf"),
        "local_psnr": float("inf"),
        "visible": 0.0,
        "ssim": 1.0,
        "ms_ssim": 1.0,
        "apd": 0.0,
        "changed": 0.0,
        "largest": 0.0,
        "machine": {name: {"change": 0.0, "kept": True} for name in classifiers.names()},
    }


def test_compare_measures_one_changed_value(cover: Image) -> None:
    other = cover.copy()
    other[0, 0, 0] ^= 128
    found = api.compare(cover, other)
    assert (found["largest"], found["changed"]) == (128, 1 / cover.size)
    assert found["visible"] == 1 / 24**2
    assert found["local_psnr"] == pytest.approx(found["psnr"] - 10 * np.log10(24**2 / 6))
    assert api.compare(cover[:64], other[:64])["ms_ssim"] is None


def test_compare_refuses_pictures_of_two_sizes(cover: Image) -> None:
    with pytest.raises(UsageError, match="192×192 and 192×64"):
        api.compare(cover, cover[:64])
