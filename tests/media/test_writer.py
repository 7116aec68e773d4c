"""Writing files atomically, and to streams and devices."""

from __future__ import annotations

import io
import os
import resource
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import PIL.Image
import pytest

from support.picture_files import ALPHA, PIXELS, exif, saved
from underpaint import media
from underpaint.errors import ImageError, UsageError
from underpaint.media import Picture


def test_a_written_file_reads_back(tmp_path: Path) -> None:
    target = tmp_path / "x.webp"
    media.write(Picture(PIXELS, ALPHA), target)
    assert media.read(str(target)).format == "webp"
    media.write(Picture(PIXELS), tmp_path / "x.dat", format="bmp")
    np.testing.assert_array_equal(media.read(tmp_path / "x.dat").pixels, PIXELS)
    with pytest.raises(UsageError, match="extension"):
        media.write(Picture(PIXELS), tmp_path / "x.gif")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.dat", "x.webp"]


def test_a_picture_passes_through_standard_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
    media.write(Picture(PIXELS), "-")
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(out.getvalue())))
    picture = media.read("-")
    np.testing.assert_array_equal(picture.pixels, PIXELS)
    assert picture.format == "png"


def test_a_closed_pipe_is_an_image_error(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "wb", buffering=0) as pipe:  # noqa: PTH123
        monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=pipe))
        with pytest.raises(ImageError, match="broken pipe"):
            media.write_bytes(b"x", "-")


def test_replacing_keeps_permissions_and_links(tmp_path: Path) -> None:
    target, link = tmp_path / "x.png", tmp_path / "link.png"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    media.write_bytes(b"new", link)
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    fresh = tmp_path / "fresh"
    mask = os.umask(0o027)
    try:
        media.write_bytes(b"x", fresh)
    finally:
        os.umask(mask)
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o640


@pytest.mark.parametrize("old", [None, b"old"])
def test_a_full_disk_leaves_the_old_file_and_no_other(tmp_path: Path, old: bytes | None) -> None:
    target = tmp_path / "x.png"
    if old is not None:
        target.write_bytes(old)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(ImageError, match="cannot write"):
            media.write_bytes(bytes(5000), target)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([] if old is None else [old])


def test_an_interrupt_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        media.write_bytes(b"x", tmp_path / "x.png")
    assert list(tmp_path.iterdir()) == []


def test_unwritable_targets_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    for target in (tmp_path / "missing" / "x.png", tmp_path, tmp_path / "file" / "x.png", "/proc/x.png", "nul\0.png"):
        with pytest.raises(ImageError, match="cannot write"):
            media.write_bytes(b"x", target)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    if os.geteuid() != 0:  # root may write everywhere
        with pytest.raises(ImageError, match="permission denied"):
            media.write_bytes(b"x", locked / "x.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "locked"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_devices_are_written_to_but_not_replaced() -> None:
    with pytest.raises(ImageError, match="no space left"):
        media.write_bytes(b"x", "/dev/full")
    media.write_bytes(b"x", "/dev/null")
    assert Path("/dev/full").is_char_device()
    assert Path("/dev/null").is_char_device()


def test_importing_media_loads_no_pillow_plugin() -> None:
    code = "import sys, underpaint.media; print([m for m in sys.modules if m.endswith('ImagePlugin')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


# ── the coding of another JPEG file ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_file_takes_the_coding_of_another(subsampling: str, *, progressive: bool) -> None:
    source = PIL.Image.fromarray(PIXELS)
    data = saved(source, "JPEG", quality=62, subsampling=subsampling, progressive=progressive)
    coding = media.decode(data).jpeg
    again = media.encode(Picture(PIXELS), "jpeg", jpeg=coding)
    assert media.decode(again).jpeg == coding
    assert coding
    assert (coding.subsampling, coding.progressive, coding.grey) == (subsampling, progressive, False)
    assert len(again) <= len(data)


def test_a_grey_jpeg_file_stays_grey_unless_it_gets_colours() -> None:
    coding = media.decode(saved(PIL.Image.fromarray(PIXELS).convert("L"), "JPEG", quality=62)).jpeg
    grey = np.repeat(PIXELS[..., :1], 3, axis=2)
    assert coding
    assert coding.grey
    assert media.decode(media.encode(Picture(grey), "jpeg", jpeg=coding)).jpeg == coding
    coloured = media.decode(media.encode(Picture(PIXELS), "jpeg", jpeg=coding))
    assert coloured.jpeg
    assert not coloured.jpeg.grey
    assert coloured.jpeg.tables[0] == coding.tables[0]


def test_quantisation_tables_are_turned_with_the_picture() -> None:
    table = list(range(1, 65))
    coding = media.decode(saved(PIL.Image.fromarray(PIXELS), "JPEG", qtables=[table, table], exif=exif(6))).jpeg
    assert coding
    assert coding.tables[0] == tuple(np.reshape(table, (8, 8)).T.ravel())


def test_other_files_have_no_jpeg_coding() -> None:
    cmyk = saved(PIL.Image.new("CMYK", (16, 16)), "JPEG")
    rgb = saved(PIL.Image.fromarray(PIXELS), "JPEG", keep_rgb=True)
    assert [media.decode(data).jpeg for data in (cmyk, rgb, media.encode(Picture(PIXELS), "png"))] == [None] * 3
