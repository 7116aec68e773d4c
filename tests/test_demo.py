"""The demo does what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from underpaint import app, demo, image, samples
from underpaint.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def test_demo(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "folder"
    demo.run(out)
    printed = capsys.readouterr().out
    assert printed.count(demo.MESSAGE) == 2, "hidden and revealed"
    assert len(printed.splitlines()) < 15

    for name in ("container.png", "container-q50.jpg"):
        payload, method, _ = app.reveal_file(out / name, passphrase=demo.PASSPHRASE)
        assert (payload.text, method) == (demo.MESSAGE, "stdm")
    assert (app.compare_files(samples.path(demo.COVER), out / "container.png")["psnr"] or 0) > 35

    demo.run(out)  # a second time, over its own files


def test_picture_of_the_demo_shows_cover_container_and_difference() -> None:
    cover = np.full((40, 60, 3), 100, np.uint8)
    sheet = demo._side_by_side(cover, cover + np.uint8(3))
    assert sheet.dtype == np.uint8
    assert sheet.shape == (40 + 24, 3 * 60 + 2 * 8, 3)
    assert [tuple(sheet[-1, x]) for x in (0, 68, 136)] == [(100,) * 3, (103,) * 3, (158,) * 3]


def test_samples() -> None:
    assert samples.names() == ("chelsea", "coffee")
    for name in samples.names():
        assert min(image.read(samples.path(name)).pixels.shape[:2]) >= 300
    with pytest.raises(UsageError, match="lena"):
        samples.path("lena")
