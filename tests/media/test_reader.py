"""Reading: orientation, colour models, deep files with warnings; malformed files are refused."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.picture_files import ALPHA, PIXELS, SRGB, chunk, cmyk_profile, exif, grey_profile, png, saved, tags, tiff
from underpaint import media
from underpaint.errors import ImageError
from underpaint.media import FORMATS, Picture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_once(name: str, orientation: int) -> None:
    options = {"lossless": True, "exact": True} if name == "WEBP" else {}
    source = PIL.Image.fromarray(np.dstack((PIXELS, ALPHA)))
    picture = media.decode(saved(source, name, exif=exif(orientation), **options))
    transpose = PIL.Image.Transpose
    turn = {
        2: transpose.FLIP_LEFT_RIGHT,
        3: transpose.ROTATE_180,
        4: transpose.FLIP_TOP_BOTTOM,
        5: transpose.TRANSPOSE,
        6: transpose.ROTATE_270,
        7: transpose.TRANSVERSE,
        8: transpose.ROTATE_90,
    }
    upright = np.asarray(source.transpose(turn[orientation]) if orientation in turn else source)
    np.testing.assert_array_equal(picture.pixels, upright[..., :3])
    np.testing.assert_array_equal(picture.alpha, upright[..., 3])
    assert tags(picture.exif) == {0x010F: "a camera"}
    again = media.decode(media.encode(picture, "png"))
    np.testing.assert_array_equal(again.pixels, picture.pixels)


@pytest.mark.parametrize("name", ["JPEG", "AVIF"])
def test_orientation_of_lossy_files(name: str) -> None:
    half = np.zeros((32, 48, 3), np.uint8)
    half[:, :24] = 255  # white on the left; after a quarter turn clockwise, on top
    picture = media.decode(saved(PIL.Image.fromarray(half), name, exif=exif(6)))
    assert picture.pixels.shape == (48, 32, 3)
    assert picture.pixels[:20].min() > 200
    assert picture.pixels[28:].max() < 50


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_in_either_byte_order_and_width(order: str) -> None:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    for kind, layout in ((3, "H2x"), (4, "I")):
        block = mark + struct.pack(order + "IHHHI" + layout + "I", 8, 1, 0x0112, kind, 1, 6, 0)
        picture = media.decode(saved(PIL.Image.fromarray(PIXELS), "PNG", exif=block))
        assert picture.pixels.shape == (17, 12, 3)
        assert media.decode(media.encode(picture, "jpeg")).pixels.shape == (17, 12, 3)


@pytest.mark.parametrize("block", [b"rubbish", b"II*\0\xff\xff\xff\x7f", b"MM\0*\0\0\0\x08\0\x05\x01"])
def test_damaged_exif_is_dropped_with_a_warning(block: bytes) -> None:
    picture = media.decode(saved(PIL.Image.fromarray(PIXELS), "PNG", exif=block))
    np.testing.assert_array_equal(picture.pixels, PIXELS)
    assert picture.exif is None
    assert picture.warnings == ("damaged EXIF data was dropped",)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "LA", "PA", "RGBA"])
def test_modes_that_fit_into_8_bit_rgb_are_exact(mode: str) -> None:
    source = PIL.Image.fromarray(PIXELS if mode == "P" else np.dstack((PIXELS, ALPHA))).convert(mode)
    picture = media.decode(saved(source, "TIFF" if mode == "PA" else "PNG"))
    expected = np.asarray(source.convert("RGBA"))
    np.testing.assert_array_equal(picture.pixels, expected[..., :3])
    if mode in ("LA", "PA", "RGBA"):
        np.testing.assert_array_equal(picture.alpha, expected[..., 3])
    else:
        assert picture.alpha is None
    assert picture.warnings == ()


def test_transparency_of_palettes_is_kept() -> None:
    source = PIL.Image.fromarray(PIXELS).quantize(16)
    index = np.asarray(source)
    one = media.decode(saved(source, "PNG", transparency=3))
    np.testing.assert_array_equal(one.alpha, np.where(index == 3, 0, 255))
    many = media.decode(saved(source, "PNG", transparency=bytes(range(16))))
    np.testing.assert_array_equal(many.alpha, index)
    np.testing.assert_array_equal(many.pixels, np.asarray(source.convert("RGB")))


def test_the_transparent_colour_of_png_becomes_alpha() -> None:
    def alpha(*arguments: Any) -> list[int]:
        decoded = media.decode(png(*arguments)).alpha
        assert decoded is not None
        return [int(value) for value in decoded.ravel()]

    trns = chunk(b"tRNS", struct.pack(">H", 5))
    assert alpha(2, 1, 8, 0, bytes([0, 5, 6]), trns) == [0, 255]
    assert alpha(2, 1, 4, 0, bytes([0, 0x56]), trns) == [0, 255]  # Pillow leaves it on the 4-bit scale
    assert alpha(2, 1, 1, 0, bytes([0, 0x40]), chunk(b"tRNS", b"\0\1")) == [255, 0]
    assert alpha(2, 1, 16, 0, b"\0" + struct.pack(">2H", 5, 6), trns) == [0, 255]
    assert alpha(2, 1, 8, 2, bytes([0, 1, 2, 3, 1, 2, 4]), chunk(b"tRNS", struct.pack(">3H", 1, 2, 3))) == [0, 255]
    deep = b"\0" + struct.pack(">6H", 256, 512, 768, 256, 512, 1024)
    assert alpha(2, 1, 16, 2, deep, chunk(b"tRNS", struct.pack(">3H", 256, 512, 768))) == [0, 255]


def test_deep_files_are_reduced_with_a_warning() -> None:
    ramp = np.linspace(0, 65535, 24).round().astype(np.uint16).reshape(4, 6)
    eight = (ramp / 257).round().astype(np.uint8)
    colour = np.dstack((ramp, ramp[::-1], ramp))
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in colour)
    for data in (saved(PIL.Image.fromarray(ramp), "PNG"), tiff(ramp, 1), saved(PIL.Image.fromarray(ramp), "JPEG2000")):
        picture = media.decode(data)
        np.testing.assert_array_equal(picture.pixels, np.dstack((eight, eight, eight)))
        assert picture.warnings == ("values up to 65535 were reduced to 8 bits",)
    for data in (png(6, 4, 16, 2, rows), tiff(colour, 2)):
        picture = media.decode(data)
        assert np.abs(picture.pixels[..., 0].astype(int) - eight).max() <= 1
        assert picture.warnings == ("16 bits per colour were reduced to 8",)


def test_white_of_a_tiff_with_12_bits_is_4095() -> None:
    ramp = np.linspace(0, 3000, 24).round().astype(np.uint16).reshape(4, 6)
    picture = media.decode(tiff(ramp, 1, 12))
    np.testing.assert_array_equal(picture.pixels[..., 0], (ramp / 4095 * 255).round())
    assert picture.warnings == ("values up to 4095 were reduced to 8 bits",)


def test_floats_and_wide_integers_are_scaled_with_a_warning() -> None:
    ramp = np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6)
    eight = (ramp * 255).round().astype(np.uint8)
    for white in (1, 255, 65535, 1e6):
        picture = media.decode(tiff((ramp * white).astype(np.float32), 1, float_=True))
        np.testing.assert_array_equal(picture.pixels[..., 0], eight)
        assert "reduced" in picture.warnings[0]
    odd = ramp.copy()
    odd[0] = [-1, np.nan, np.inf, -np.inf, 0, 1]
    assert media.decode(tiff(odd, 1, float_=True)).pixels[0, :, 0].tolist() == [0, 0, 255, 0, 0, 255]
    wide = saved(PIL.Image.fromarray((ramp * 65535).astype(np.int32)), "TIFF")
    assert np.abs(media.decode(wide).pixels[..., 0].astype(int) - eight).max() <= 1
    assert media.decode(tiff(np.zeros((4, 6), np.float32), 1, float_=True)).pixels.max() == 0


def test_colour_models_are_converted_with_a_warning() -> None:
    ink = PIL.Image.fromarray(PIXELS).convert("CMYK")
    plain = media.decode(saved(ink, "TIFF"))
    np.testing.assert_array_equal(plain.pixels, np.asarray(ink.convert("RGB")))
    assert plain.warnings == ("CMYK colours were converted to RGB",)
    data = np.zeros((4, 4, 4), np.uint8)
    data[0, 0, 0] = 255
    managed = media.decode(saved(PIL.Image.fromarray(data, "CMYK"), "TIFF", icc_profile=cmyk_profile()))
    assert managed.icc is None
    assert managed.warnings == ("CMYK colours were converted to RGB",)
    assert managed.pixels[1, 1].min() > 250
    assert np.ptp(managed.pixels[0, 0]) <= 2  # grey, where without the profile it would be cyan
    assert managed.pixels[0, 0].max() < 120
    lab = media.decode(saved(PIL.Image.fromarray(PIXELS).convert("RGB").convert("LAB"), "TIFF"))
    assert lab.warnings == ("LAB colours were converted to RGB",)


def test_profiles_that_are_not_rgb_are_applied_or_dropped() -> None:
    grey = PIL.Image.fromarray(ALPHA)
    picture = media.decode(saved(grey, "PNG", icc_profile=grey_profile(1.0)))
    assert picture.icc is None
    assert picture.warnings == ("grey values were converted to sRGB by their ICC profile",)
    assert (picture.pixels[..., 0] >= ALPHA).all()  # linear light is brighter in sRGB's numbers
    assert media.decode(saved(grey, "PNG", icc_profile=SRGB)).icc == SRGB
    for profile_ in (b"rubbish", grey_profile(1.0)):
        picture = media.decode(saved(PIL.Image.fromarray(PIXELS), "PNG", icc_profile=profile_))
        np.testing.assert_array_equal(picture.pixels, PIXELS)
        assert picture.icc is None
        assert picture.warnings == ("a damaged or unfitting ICC profile was dropped",)
    broken = bytearray(grey_profile(1.0))
    broken[128:132] = b"\xff\xff\xff\xff"
    picture = media.decode(saved(grey, "PNG", icc_profile=bytes(broken)))
    assert picture.warnings == ("the ICC profile could not be applied and was dropped",)


def test_only_the_first_frame_is_kept_with_a_warning() -> None:
    frames = [PIL.Image.fromarray(PIXELS), PIL.Image.fromarray(PIXELS[::-1].copy())]
    for name, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        picture = media.decode(saved(frames[0], name, save_all=True, append_images=frames[1:], **options))
        np.testing.assert_array_equal(picture.pixels, PIXELS)
        assert picture.warnings == ("only the first of 2 frames is kept",)
    mpo = media.decode(saved(frames[0], "MPO", save_all=True, append_images=frames[1:]))
    assert (mpo.format, len(mpo.warnings)) == ("jpeg", 1)


def malformed() -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "text", b"this is no picture\n"
    yield "gif", saved(PIL.Image.fromarray(ALPHA), "GIF")
    noisy = Picture(np.random.default_rng(2).integers(0, 256, (80, 90, 3), dtype=np.uint8))
    for name in FORMATS:
        whole = media.encode(noisy, name)
        for share in (0.02, 0.3, 0.6, 0.95):
            yield f"{name} cut to {share:.0%}", whole[: int(len(whole) * share)]
        yield f"{name} of zeros", whole[:12] + bytes(len(whole) - 12)
    good = media.encode(noisy, "png")
    middle = len(good) // 2
    yield "png, corrupt chunk", good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]
    yield "png, no pixels", png(0, 0, 8, 2, b"")
    yield "png, huge", png(2**31 - 1, 2**31 - 1, 8, 2, b"\0")
    yield "png, 400 megapixels", png(20000, 20000, 8, 2, b"\0")
    yield "bmp, no pixels", media.encode(noisy, "bmp")[:18] + bytes(8) + media.encode(noisy, "bmp")[26:]


@pytest.mark.parametrize(("name", "data"), [pytest.param(*case, id=case[0]) for case in malformed()])
def test_malformed_files_are_refused_in_one_sentence(
    name: str, data: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(data)
    with pytest.raises(ImageError) as caught:
        media.read(path)
    message = str(caught.value)
    assert message.startswith(f"cannot read {path}: ")
    assert "\n" not in message
    assert caught.value.hint or not data
    assert capfd.readouterr() == ("", "")


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(sorted(FORMATS)), seed=st.integers(0, 2**32))
def test_damaged_bytes_give_an_image_error_or_a_picture(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(media.encode(Picture(PIXELS, None, SRGB, exif(6)), name))
    for place in rng.integers(0, min(len(data), 400), rng.integers(1, 6)):
        data[place] = rng.integers(0, 256)
    try:
        picture = media.decode(bytes(data), max_pixels=10**6)
    except ImageError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert picture.pixels.ndim == 3


def test_the_pixel_limit_is_an_argument() -> None:
    data = media.encode(Picture(PIXELS), "png")
    assert media.decode(data, max_pixels=12 * 17).pixels.shape == PIXELS.shape
    with pytest.raises(ImageError, match="17×12 pixels, more than the 203"):
        media.decode(data, max_pixels=12 * 17 - 1)


def test_pillows_own_pixel_limit_is_an_image_error(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {name: media.encode(Picture(PIXELS), name) for name in FORMATS}
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 50)
    for name in ("webp", "tiff"):
        with pytest.raises(ImageError, match="too many pixels"):
            media.decode(files.pop(name))
    for data in files.values():
        assert media.decode(data).pixels.shape == PIXELS.shape


def test_unreadable_sources_are_refused(tmp_path: Path) -> None:
    for source in (tmp_path, tmp_path / "missing.png", tmp_path / "a" / "b.png", "nul\0.png"):
        with pytest.raises(ImageError, match="cannot read"):
            media.read(source)
