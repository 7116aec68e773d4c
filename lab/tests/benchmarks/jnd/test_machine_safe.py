"""Labels that hiding changes, with and without classifiers in the loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from underpaint import media
from underpaint.errors import UsageError
from underpaint.media import samples
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.jnd.machine_safe import FREE, SAFE, WEIGHTED, label_changes


@pytest.mark.parametrize(("method", "side"), [("basn-stc", 64), pytest.param("robust", 96, marks=pytest.mark.slow)])
def test_classifiers_in_the_loop_keep_their_labels(method: str, side: int, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    picture = media.read(samples.path("coffee")).pixels
    for left in (0, 200):
        media.write(media.Picture(np.ascontiguousarray(picture[:side, left : left + side])), folder / f"{left}.png")
    found = label_changes(method, images=folder, jobs=1)
    rows = {row.way: row for row in found.rows}
    assert list(rows) == [FREE, WEIGHTED, SAFE]
    assert all(row.pictures + row.refused == 2 for row in rows.values())
    assert rows[SAFE].flips["resnet"] == rows[SAFE].flips["mobile"] == 0
    assert rows[FREE].psnr > 35
    assert report.read(found.write(tmp_path)) == found
    assert report.render([found]).cells[0][:6] == [method, "containers", "refused", "PSNR", "mixer", "mobile"]
    with pytest.raises(UsageError, match="'lsb' has no choice to make"):
        label_changes("lsb", images=folder)
