"""``underpaint demo``: it prints what is true, and leaves the pictures it names."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pytest

from underpaint import api, media
from underpaint.cli import demo
from underpaint.errors import UsageError
from underpaint.media import samples

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

#: Printed lines.
PRINTED = r"""
message     Meet me at dawn\.  \(16 bytes, with a passphrase, by robust\)
cover       chelsea\.png, 451×300
container   \d\d\.\d dB PSNR, 0\.9\d+ SSIM
compressed  Meet me at dawn\.  \(from 451×300, JPEG at quality 50, \d+ kB\)
resized     Meet me at dawn\.  \(from 226×150, JPEG at quality 75, \d+ kB\)
cropped     Meet me at dawn\.  \(from 377×251, JPEG at quality 75, \d+ kB\)
took        \d+\.\d s to hide, check, send and reveal
pictures    in .*; see cover-container-difference\.png

"""


def test_the_message_comes_back_from_every_copy_and_the_pictures_are_left(
    tmp_path: Path, run_watched: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    out = tmp_path / "new" / "folder"
    out.mkdir(parents=True)
    (out / "container.png").write_bytes(b"of a demo before")
    done = run_watched("demo", "-o", str(out))
    assert (done.returncode, done.stderr) == (0, "")
    printed = done.stdout
    assert printed.count(demo.MESSAGE) == 1 + len(demo.COPIES), "hidden, and revealed from every copy"
    assert re.fullmatch(PRINTED, printed), printed

    for name in ("container.png", *(f"{copy}.jpg" for copy in demo.COPIES)):
        payload, method, _ = api.reveal_file(out / name, passphrase=demo.PASSPHRASE)
        assert (payload.text, method) == (demo.MESSAGE, "robust")
    cover, resized, cropped = (
        media.read(path).pixels for path in (samples.path(demo.COVER), out / "resized.jpg", out / "cropped.jpg")
    )
    assert resized.size == pytest.approx(0.25 * cover.size, rel=0.02)
    assert cropped.size == pytest.approx(0.7 * cover.size, rel=0.02)
    assert (api.compare_files(samples.path(demo.COVER), out / "container.png")["psnr"] or 0) > 35


def test_the_picture_shows_cover_container_and_difference() -> None:
    cover = np.full((40, 60, 3), 100, np.uint8)
    sheet = demo.side_by_side(cover, cover + np.uint8(3))
    assert sheet.dtype == np.uint8
    assert sheet.shape == (40 + 24, 3 * 60 + 2 * 8, 3)
    assert [tuple(sheet[-1, x]) for x in (0, 68, 136)] == [(100,) * 3, (103,) * 3, (158,) * 3]


def test_the_samples_are_large_enough_and_found_by_name() -> None:
    assert samples.names() == ("chelsea", "coffee")
    for name in samples.names():
        assert min(media.read(samples.path(name)).pixels.shape[:2]) >= 300
    with pytest.raises(UsageError, match="lena"):
        samples.path("lena")
