"""Files and pictures: exact round trips, every kind of file, nothing half-read and nothing half-written."""

from __future__ import annotations

import io
import os
import resource
import stat
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageCms

from underpaint import image
from underpaint.errors import ImageError, UsageError
from underpaint.image import FORMATS, Picture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

EXACT = [name for name in FORMATS if image.is_exact(name)]
RNG = np.random.default_rng(1)
PIXELS = RNG.integers(0, 256, (12, 17, 3), dtype=np.uint8)
ALPHA = RNG.integers(0, 256, (12, 17), dtype=np.uint8)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def exif(orientation: int = 1) -> bytes:
    block = PIL.Image.Exif()
    block[0x010F] = "a camera"
    block[0x0112] = orientation
    return block.tobytes()


def tags(block: bytes | None) -> dict[int, Any]:
    """What an EXIF block says, save that it is upright."""
    read = PIL.Image.Exif()
    read.load(block or b"")
    return {tag: value for tag, value in read.items() if (tag, value) != (0x0112, 1)}


def saved(picture: PIL.Image.Image, format: str, **options: Any) -> bytes:  # noqa: A002
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width: int, height: int, bits: int, colour: int, rows: bytes, *extra: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(pixels: NDArray[Any], photometric: int, bits: int = 0, *, float_: bool = False) -> bytes:
    """A little-endian, uncompressed TIFF of (H, W) or (H, W, 3) values, which Pillow cannot always write."""
    height, width, *depth = pixels.shape
    samples, body = (depth or [1])[0], pixels.astype(pixels.dtype.newbyteorder("<")).tobytes()
    bits = bits or pixels.dtype.itemsize * 8
    entries = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 277: samples, 278: height, 279: len(body)}
    entries |= {273: 8 + 2 + 12 * 10 + 4 + 6, 339: 3 if float_ else 1}
    fields = b""
    for tag, value in sorted(entries.items()):
        if tag == 258 and samples == 3:
            fields += struct.pack("<HHII", tag, 3, 3, 8 + 2 + 12 * 10 + 4)
        else:
            fields += struct.pack("<HHII", tag, 4, 1, value)
    ifd = struct.pack("<H", 10) + fields + struct.pack("<I", 0)
    return b"II*\0\x08\0\0\0" + ifd + struct.pack("<HHH", bits, bits, bits) + body


def profile(space: bytes, tag: bytes, body: bytes) -> bytes:
    """The smallest ICC profile that littleCMS takes: a header and one tag, grey curve or CMYK table."""
    header = struct.pack(
        ">I4sI4s4s4s", 0, b"lcms", 0x02400000, b"prtr" if space == b"CMYK" else b"mntr", space, b"Lab "
    )
    header = header.ljust(36, b"\0") + b"acsp".ljust(32, b"\0") + struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)
    white = b"XYZ \0\0\0\0" + struct.pack(">III", 0xF6D6, 0x10000, 0xD32D)
    entries = struct.pack(">I4sII4sII", 2, b"wtpt", 156, len(white), tag, 156 + len(white), len(body))
    whole = bytearray(header.ljust(128, b"\0") + entries + white + body)
    whole[:4] = struct.pack(">I", len(whole))
    return bytes(whole)


def grey_profile(gamma: float) -> bytes:
    data = profile(b"GRAY", b"kTRC", b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0")
    return data.replace(b"Lab ", b"XYZ ", 1)


def cmyk_profile() -> bytes:
    """Any ink at all is grey, none is white."""
    grid = bytes([255, 128, 128]) + bytes([128, 128, 128]) * 15
    ramp = bytes(range(256))
    matrix = struct.pack(">9I", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    return profile(b"CMYK", b"A2B0", b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + ramp * 4 + grid + ramp * 3)


# ── round trips ──────────────────────────────────────────────────────────────────────────────────────────────────────


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
def test_exact_formats_give_everything_back(name: str, picture: Picture) -> None:
    if not FORMATS[name].alpha:
        picture = Picture(picture.pixels, None, picture.icc, picture.exif)
    back = image.decode(image.encode(picture, name))
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
        assert len(image.unwritable(picture, name)) == bool(picture.icc) + bool(picture.exif)
    bare = image.decode(image.encode(picture, name, metadata=False))
    assert bare.icc is None
    assert bare.exif is None


@pytest.mark.parametrize("name", [name for name in FORMATS if FORMATS[name].lossy])
def test_lossy_formats_come_close_and_keep_the_rest(name: str) -> None:
    smooth = np.add.outer(np.arange(64), np.arange(80))[..., None].repeat(3, axis=2).astype(np.uint8)
    alpha = np.full((64, 80), 200, np.uint8) if FORMATS[name].alpha else None
    picture = Picture(smooth, alpha, SRGB, exif())
    sizes = []
    for quality in (30, 50, 90):
        assert not image.is_exact(name, quality)
        data = image.encode(picture, name, quality=quality)
        back = image.decode(data)
        assert back.pixels.shape == smooth.shape
        assert np.abs(back.pixels.astype(int) - smooth).mean() < 12
        assert back.icc == (SRGB if FORMATS[name].metadata else None)
        assert tags(back.exif) == ({0x010F: "a camera"} if FORMATS[name].metadata else {})
        sizes.append(len(data))
    assert sizes == sorted(sizes)
    assert np.abs(image.decode(image.encode(picture, name)).pixels.astype(int) - smooth).mean() < 2


def test_jpeg_keeps_colour_resolution_from_90_on() -> None:
    def sampling(quality: int | None) -> int:
        with PIL.Image.open(io.BytesIO(image.encode(Picture(PIXELS), "jpeg", quality=quality))) as file:
            return int(file.layer[0][1])  # type: ignore[attr-defined]

    assert [sampling(quality) for quality in (89, 90, None)] == [2, 1, 1]


def test_colours_beneath_transparent_pixels_stay() -> None:
    picture = Picture(PIXELS, np.zeros_like(ALPHA))
    for name in (name for name in EXACT if FORMATS[name].alpha):
        np.testing.assert_array_equal(image.decode(image.encode(picture, name)).pixels, PIXELS)


@pytest.mark.parametrize("name", ["jpeg", "bmp"])
def test_transparency_is_never_dropped_silently(name: str) -> None:
    with pytest.raises(ImageError, match="transparency") as caught:
        image.encode(Picture(PIXELS, ALPHA), name)
    assert caught.value.hint is not None
    assert image.decode(image.encode(Picture(PIXELS, np.full_like(ALPHA, 255)), name)).alpha is None


@pytest.mark.parametrize(
    ("name", "quality", "reason"),
    [("png", 90, "takes no quality"), ("jpeg", 0, "1–100"), ("webp", 101, "1–100"), ("gif", None, "unknown")],
)
def test_what_cannot_be_meant_is_a_usage_error(name: str, quality: int | None, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        image.encode(Picture(PIXELS), name, quality=quality)


def test_a_picture_too_large_for_its_format_is_refused() -> None:
    with pytest.raises(ImageError, match="as webp: "):
        image.encode(Picture(np.zeros((1, 20000, 3), np.uint8)), "webp")
    with pytest.raises(ImageError, match="as jpeg: "):
        image.encode(Picture(PIXELS, exif=exif() + bytes(70000)), "jpeg")


def test_format_of() -> None:
    assert image.format_of("a/B.JPG").name == "jpeg"
    assert image.format_of(Path("x.jp2")).name == "jpeg2000"
    for name in ("x", "x.gif", "png"):
        with pytest.raises(UsageError, match="extension") as caught:
            image.format_of(name)
        assert ".png" in str(caught.value.hint)


def test_with_pixels() -> None:
    picture = Picture(PIXELS, ALPHA, SRGB)
    changed = picture.with_pixels(PIXELS[::-1])
    assert changed.alpha is ALPHA
    assert changed.icc is SRGB
    with pytest.raises(UsageError, match="size"):
        picture.with_pixels(PIXELS[1:])
    with pytest.raises(UsageError, match="RGB image"):
        Picture(PIXELS).with_pixels(ALPHA)


# ── every kind of file ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["PNG", "WEBP", "TIFF"])
def test_orientation_is_applied_once(name: str, orientation: int) -> None:
    options = {"lossless": True, "exact": True} if name == "WEBP" else {}
    source = PIL.Image.fromarray(np.dstack((PIXELS, ALPHA)))
    picture = image.decode(saved(source, name, exif=exif(orientation), **options))
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
    again = image.decode(image.encode(picture, "png"))
    np.testing.assert_array_equal(again.pixels, picture.pixels)


@pytest.mark.parametrize("name", ["JPEG", "AVIF"])
def test_orientation_of_lossy_files(name: str) -> None:
    half = np.zeros((32, 48, 3), np.uint8)
    half[:, :24] = 255  # white on the left; after a quarter turn clockwise, on top
    picture = image.decode(saved(PIL.Image.fromarray(half), name, exif=exif(6)))
    assert picture.pixels.shape == (48, 32, 3)
    assert picture.pixels[:20].min() > 200
    assert picture.pixels[28:].max() < 50


@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_in_either_byte_order_and_width(order: str) -> None:
    mark = b"II*\0" if order == "<" else b"MM\0*"
    for kind, layout in ((3, "H2x"), (4, "I")):
        block = mark + struct.pack(order + "IHHHI" + layout + "I", 8, 1, 0x0112, kind, 1, 6, 0)
        picture = image.decode(saved(PIL.Image.fromarray(PIXELS), "PNG", exif=block))
        assert picture.pixels.shape == (17, 12, 3)
        assert image.decode(image.encode(picture, "jpeg")).pixels.shape == (17, 12, 3)


@pytest.mark.parametrize("block", [b"rubbish", b"II*\0\xff\xff\xff\x7f", b"MM\0*\0\0\0\x08\0\x05\x01"])
def test_damaged_exif_is_dropped_with_a_warning(block: bytes) -> None:
    picture = image.decode(saved(PIL.Image.fromarray(PIXELS), "PNG", exif=block))
    np.testing.assert_array_equal(picture.pixels, PIXELS)
    assert picture.exif is None
    assert picture.warnings == ("damaged EXIF data was dropped",)


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "LA", "PA", "RGBA"])
def test_modes_that_lose_nothing(mode: str) -> None:
    source = PIL.Image.fromarray(PIXELS if mode == "P" else np.dstack((PIXELS, ALPHA))).convert(mode)
    picture = image.decode(saved(source, "TIFF" if mode == "PA" else "PNG"))
    expected = np.asarray(source.convert("RGBA"))
    np.testing.assert_array_equal(picture.pixels, expected[..., :3])
    if mode in ("LA", "PA", "RGBA"):
        np.testing.assert_array_equal(picture.alpha, expected[..., 3])
    else:
        assert picture.alpha is None
    assert picture.warnings == ()


def test_palette_transparency() -> None:
    source = PIL.Image.fromarray(PIXELS).quantize(16)
    index = np.asarray(source)
    one = image.decode(saved(source, "PNG", transparency=3))
    np.testing.assert_array_equal(one.alpha, np.where(index == 3, 0, 255))
    many = image.decode(saved(source, "PNG", transparency=bytes(range(16))))
    np.testing.assert_array_equal(many.alpha, index)
    np.testing.assert_array_equal(many.pixels, np.asarray(source.convert("RGB")))


def test_transparent_colour_of_png() -> None:
    def alpha(*arguments: Any) -> list[int]:
        decoded = image.decode(png(*arguments)).alpha
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
        picture = image.decode(data)
        np.testing.assert_array_equal(picture.pixels, np.dstack((eight, eight, eight)))
        assert picture.warnings == ("values up to 65535 were reduced to 8 bits",)
    for data in (png(6, 4, 16, 2, rows), tiff(colour, 2)):
        picture = image.decode(data)
        assert np.abs(picture.pixels[..., 0].astype(int) - eight).max() <= 1
        assert picture.warnings == ("16 bits per colour were reduced to 8",)


def test_floats_and_wide_integers_are_scaled_with_a_warning() -> None:
    ramp = np.linspace(0, 1, 24, dtype=np.float32).reshape(4, 6)
    eight = (ramp * 255).round().astype(np.uint8)
    for white in (1, 255, 65535, 1e6):
        picture = image.decode(tiff((ramp * white).astype(np.float32), 1, float_=True))
        np.testing.assert_array_equal(picture.pixels[..., 0], eight)
        assert "reduced" in picture.warnings[0]
    odd = ramp.copy()
    odd[0] = [-1, np.nan, np.inf, -np.inf, 0, 1]
    assert image.decode(tiff(odd, 1, float_=True)).pixels[0, :, 0].tolist() == [0, 0, 255, 0, 0, 255]
    wide = saved(PIL.Image.fromarray((ramp * 65535).astype(np.int32)), "TIFF")
    assert np.abs(image.decode(wide).pixels[..., 0].astype(int) - eight).max() <= 1
    assert image.decode(tiff(np.zeros((4, 6), np.float32), 1, float_=True)).pixels.max() == 0


def test_colour_models() -> None:
    ink = PIL.Image.fromarray(PIXELS).convert("CMYK")
    plain = image.decode(saved(ink, "TIFF"))
    np.testing.assert_array_equal(plain.pixels, np.asarray(ink.convert("RGB")))
    assert plain.warnings == ("CMYK colours were converted to RGB",)
    data = np.zeros((4, 4, 4), np.uint8)
    data[0, 0, 0] = 255
    managed = image.decode(saved(PIL.Image.fromarray(data, "CMYK"), "TIFF", icc_profile=cmyk_profile()))
    assert managed.icc is None
    assert managed.warnings == ("CMYK colours were converted to RGB",)
    assert managed.pixels[1, 1].min() > 250
    assert np.ptp(managed.pixels[0, 0]) <= 2  # grey, where without the profile it would be cyan
    assert managed.pixels[0, 0].max() < 120
    lab = image.decode(saved(PIL.Image.fromarray(PIXELS).convert("RGB").convert("LAB"), "TIFF"))
    assert lab.warnings == ("LAB colours were converted to RGB",)


def test_profiles_that_are_not_rgb() -> None:
    grey = PIL.Image.fromarray(ALPHA)
    picture = image.decode(saved(grey, "PNG", icc_profile=grey_profile(1.0)))
    assert picture.icc is None
    assert picture.warnings == ("grey values were converted to sRGB by their ICC profile",)
    assert (picture.pixels[..., 0] >= ALPHA).all()  # linear light is brighter in sRGB's numbers
    assert image.decode(saved(grey, "PNG", icc_profile=SRGB)).icc == SRGB
    for profile_ in (b"rubbish", grey_profile(1.0)):
        picture = image.decode(saved(PIL.Image.fromarray(PIXELS), "PNG", icc_profile=profile_))
        np.testing.assert_array_equal(picture.pixels, PIXELS)
        assert picture.icc is None
        assert picture.warnings == ("a damaged or unfitting ICC profile was dropped",)
    broken = bytearray(grey_profile(1.0))
    broken[128:132] = b"\xff\xff\xff\xff"
    picture = image.decode(saved(grey, "PNG", icc_profile=bytes(broken)))
    assert picture.warnings == ("the ICC profile could not be applied and was dropped",)


def test_only_the_first_frame_is_kept_with_a_warning() -> None:
    frames = [PIL.Image.fromarray(PIXELS), PIL.Image.fromarray(PIXELS[::-1].copy())]
    for name, options in (("PNG", {}), ("TIFF", {}), ("WEBP", {"lossless": True})):
        picture = image.decode(saved(frames[0], name, save_all=True, append_images=frames[1:], **options))
        np.testing.assert_array_equal(picture.pixels, PIXELS)
        assert picture.warnings == ("only the first of 2 frames is kept",)
    mpo = image.decode(saved(frames[0], "MPO", save_all=True, append_images=frames[1:]))
    assert (mpo.format, len(mpo.warnings)) == ("jpeg", 1)


# ── malformed files ──────────────────────────────────────────────────────────────────────────────────────────────────


def malformed() -> Iterator[tuple[str, bytes]]:
    yield "empty", b""
    yield "text", b"this is no picture\n"
    yield "gif", saved(PIL.Image.fromarray(ALPHA), "GIF")
    noisy = Picture(RNG.integers(0, 256, (80, 90, 3), dtype=np.uint8))
    for name in FORMATS:
        whole = image.encode(noisy, name)
        for share in (0.02, 0.3, 0.6, 0.95):
            yield f"{name} cut to {share:.0%}", whole[: int(len(whole) * share)]
        yield f"{name} of zeros", whole[:12] + bytes(len(whole) - 12)
    good = image.encode(noisy, "png")
    middle = len(good) // 2
    yield "png, corrupt chunk", good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]
    yield "png, no pixels", png(0, 0, 8, 2, b"")
    yield "png, huge", png(2**31 - 1, 2**31 - 1, 8, 2, b"\0")
    yield "png, 400 megapixels", png(20000, 20000, 8, 2, b"\0")
    yield "bmp, no pixels", image.encode(noisy, "bmp")[:18] + bytes(8) + image.encode(noisy, "bmp")[26:]


@pytest.mark.parametrize(("name", "data"), [pytest.param(*case, id=case[0]) for case in malformed()])
def test_malformed_files_are_refused_in_one_sentence(
    name: str, data: bytes, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.png"
    path.write_bytes(data)
    with pytest.raises(ImageError) as caught:
        image.read(path)
    message = str(caught.value)
    assert message.startswith(f"cannot read {path}: ")
    assert "\n" not in message
    assert caught.value.hint or not data
    assert capfd.readouterr() == ("", "")


@settings(max_examples=150, deadline=None)
@given(name=st.sampled_from(sorted(FORMATS)), seed=st.integers(0, 2**32))
def test_damage_is_an_image_error_or_a_picture(name: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    data = bytearray(image.encode(Picture(PIXELS, None, SRGB, exif(6)), name))
    for place in rng.integers(0, min(len(data), 400), rng.integers(1, 6)):
        data[place] = rng.integers(0, 256)
    try:
        picture = image.decode(bytes(data), max_pixels=10**6)
    except ImageError as error:
        assert "\n" not in str(error)  # noqa: PT017
    else:
        assert picture.pixels.ndim == 3


def test_the_pixel_limit_is_the_callers() -> None:
    data = image.encode(Picture(PIXELS), "png")
    assert image.decode(data, max_pixels=12 * 17).pixels.shape == PIXELS.shape
    with pytest.raises(ImageError, match="17×12 pixels, more than the 203"):
        image.decode(data, max_pixels=12 * 17 - 1)


def test_pillows_own_limit_hardly_interferes(monkeypatch: pytest.MonkeyPatch) -> None:
    files = {name: image.encode(Picture(PIXELS), name) for name in FORMATS}
    monkeypatch.setattr(PIL.Image, "MAX_IMAGE_PIXELS", 50)
    for name in ("webp", "tiff"):
        with pytest.raises(ImageError, match="too many pixels"):
            image.decode(files.pop(name))
    for data in files.values():
        assert image.decode(data).pixels.shape == PIXELS.shape


def test_unreadable_sources(tmp_path: Path) -> None:
    for source in (tmp_path, tmp_path / "missing.png", tmp_path / "a" / "b.png", "nul\0.png"):
        with pytest.raises(ImageError, match="cannot read"):
            image.read(source)


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_files(tmp_path: Path) -> None:
    target = tmp_path / "x.webp"
    image.write(Picture(PIXELS, ALPHA), target)
    assert image.read(str(target)).format == "webp"
    image.write(Picture(PIXELS), tmp_path / "x.dat", format="bmp")
    np.testing.assert_array_equal(image.read(tmp_path / "x.dat").pixels, PIXELS)
    with pytest.raises(UsageError, match="extension"):
        image.write(Picture(PIXELS), tmp_path / "x.gif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.dat", "x.webp"]


def test_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
    image.write(Picture(PIXELS), "-")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(out.getvalue())))
    picture = image.read("-")
    np.testing.assert_array_equal(picture.pixels, PIXELS)
    assert picture.format == "png"


def test_a_closed_pipe_is_an_image_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as pipe:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=pipe))
        with pytest.raises(ImageError, match="broken pipe"):
            image.write_bytes(b"x", "-")


def test_replacing_keeps_permissions_and_links(tmp_path: Path) -> None:
    target, link = tmp_path / "x.png", tmp_path / "link.png"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    image.write_bytes(b"new", link)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    fresh = tmp_path / "fresh"
    mask = os.umask(0o027)
    try:
        image.write_bytes(b"x", fresh)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o640


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_full_disk_leaves_nothing_and_harms_nothing(tmp_path: Path, old: bytes | None) -> None:
    target = tmp_path / "x.png"
    if old is not None:
        target.write_bytes(old)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(ImageError, match="cannot write"):
            image.write_bytes(bytes(5000), target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([] if old is None else [old])


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        image.write_bytes(b"x", tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_unwritable_targets(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for target in (tmp_path / "missing" / "x.png", tmp_path, tmp_path / "file" / "x.png", "/proc/x.png", "nul\0.png"):
        with pytest.raises(ImageError, match="cannot write"):
            image.write_bytes(b"x", target)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if os.geteuid() != 0:  # root may write everywhere
        with pytest.raises(ImageError, match="permission denied"):
            image.write_bytes(b"x", locked / "x.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "locked"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_devices_are_written_to_and_never_replaced() -> None:
    with pytest.raises(ImageError, match="no space left"):
        image.write_bytes(b"x", "/dev/full")
    image.write_bytes(b"x", "/dev/null")
    assert Path("/dev/full").is_char_device()
    assert Path("/dev/null").is_char_device()


def test_importing_loads_no_plugin() -> None:
    code = "import sys, underpaint.image; print([m for m in sys.modules if m.endswith('ImagePlugin')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
