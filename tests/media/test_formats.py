"""Formats: exact round trips of lossless ones, close ones of lossy ones, warnings for what is dropped."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.picture_files import ALPHA, PIXELS, SRGB, exif, tags
from underpaint import media
from underpaint.errors import ImageError, UsageError
from underpaint.media import FORMATS, Picture

EXACT = [name for name in FORMATS if media.is_exact(name)]


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    height, width = draw(st.integers(1, 40)), draw(st.integers(1, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    return Picture(
        pixels=rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
        alpha=rng.integers(0, 256, (height, width), dtype=np.uint8) if draw(st.booleans()) else None,
        icc=draw(st.sampled_from([None, SRGB])),
        exif=draw(st.sampled_from([None, exif()])),
    )


@pytest.mark.parametrize("name", EXACT)
@settings(max_examples=25, deadline=None)
@given(picture=pictures())
def test_lossless_formats_keep_everything(name: str, picture: Picture) -> None:
    if not FORMATS[name].alpha:
        picture = Picture(picture.pixels, None, picture.icc, picture.exif)
    back = media.decode(media.encode(picture, name))
    np.testing.assert_array_equal(back.pixels, picture.pixels)
    assert (back.alpha is None) == (picture.alpha is None)
    if picture.alpha is not None:
        np.testing.assert_array_equal(back.alpha, picture.alpha)
    assert back.format == name
    assert back.warnings == ()
    if FORMATS[name].metadata:
        assert back.icc == picture.icc
        assert tags(back.exif) == tags(picture.exif)
        assert back.exif == picture.exif or name == "tiff"  # TIFF has EXIF among its own tags, not as a block
    else:
        assert len(media.unwritable(picture, name)) == bool(picture.icc) + bool(picture.exif)
    bare = media.decode(media.encode(picture, name, metadata=False))
    assert bare.icc is None
    assert bare.exif is None


@pytest.mark.parametrize("name", [name for name in FORMATS if FORMATS[name].lossy])
def test_lossy_formats_come_close_and_keep_metadata(name: str) -> None:
    smooth = np.add.outer(np.arange(64), np.arange(80))[..., None].repeat(3, axis=2).astype(np.uint8)
    alpha = np.full((64, 80), 200, np.uint8) if FORMATS[name].alpha else None
    picture = Picture(smooth, alpha, SRGB, exif())
    sizes = []
    for quality in (30, 50, 90):
        assert not media.is_exact(name, quality)
        data = media.encode(picture, name, quality=quality)
        back = media.decode(data)
        assert back.pixels.shape == smooth.shape
        assert np.abs(back.pixels.astype(int) - smooth).mean() < 12
        assert back.icc == (SRGB if FORMATS[name].metadata else None)
        assert tags(back.exif) == ({0x010F: "a camera"} if FORMATS[name].metadata else {})
        sizes.append(len(data))
    assert sizes == sorted(sizes)
    assert np.abs(media.decode(media.encode(picture, name)).pixels.astype(int) - smooth).mean() < 2


def test_jpeg_keeps_chroma_resolution_from_quality_90() -> None:
    def sampling(quality: int | None) -> int:
        with PIL.Image.open(io.BytesIO(media.encode(Picture(PIXELS), "jpeg", quality=quality))) as file:
            return int(file.layer[0][1])  # type: ignore[attr-defined]

    assert [sampling(quality) for quality in (89, 90, None)] == [2, 1, 1]


def test_colours_of_transparent_pixels_are_kept() -> None:
    picture = Picture(PIXELS, np.zeros_like(ALPHA))
    for name in (name for name in EXACT if FORMATS[name].alpha):
        np.testing.assert_array_equal(media.decode(media.encode(picture, name)).pixels, PIXELS)


@pytest.mark.parametrize("name", ["jpeg", "bmp"])
def test_transparency_is_not_dropped_without_an_error(name: str) -> None:
    with pytest.raises(ImageError, match="transparency") as caught:
        media.encode(Picture(PIXELS, ALPHA), name)
    assert caught.value.hint is not None
    assert media.decode(media.encode(Picture(PIXELS, np.full_like(ALPHA, 255)), name)).alpha is None


@pytest.mark.parametrize(
    ("name", "quality", "reason"),
    [("png", 90, "takes no quality"), ("jpeg", 0, "1–100"), ("webp", 101, "1–100"), ("gif", None, "unknown")],
)
def test_invalid_formats_and_qualities_are_refused(name: str, quality: int | None, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        media.encode(Picture(PIXELS), name, quality=quality)


def test_a_picture_too_large_for_its_format_is_refused() -> None:
    with pytest.raises(ImageError, match="as webp: "):
        media.encode(Picture(np.zeros((1, 20000, 3), np.uint8)), "webp")
    with pytest.raises(ImageError, match="as jpeg: "):
        media.encode(Picture(PIXELS, exif=exif() + bytes(70000)), "jpeg")


def test_the_format_follows_the_extension() -> None:
    assert media.format_of("a/B.JPG").name == "jpeg"
    assert media.format_of(Path("x.jp2")).name == "jpeg2000"
    for name in ("x", "x.gif", "png"):
        with pytest.raises(UsageError, match="extension") as caught:
            media.format_of(name)
        assert ".png" in str(caught.value.hint)


def test_with_pixels_keeps_metadata_and_checks_the_size() -> None:
    picture = Picture(PIXELS, ALPHA, SRGB)
    changed = picture.with_pixels(PIXELS[::-1])
    assert changed.alpha is ALPHA
    assert changed.icc is SRGB
    with pytest.raises(UsageError, match="size"):
        picture.with_pixels(PIXELS[1:])
    with pytest.raises(UsageError, match="RGB image"):
        Picture(PIXELS).with_pixels(ALPHA)
