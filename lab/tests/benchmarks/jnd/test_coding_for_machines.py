"""Coding for machines: fewer bytes, and the classifiers of the search keep their labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.machine_models import Generator, generator
from underpaint import media
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.jnd.coding_for_machines import BOTH, LOWER, PLAIN, PREPARED, TARGETS, coding_for_machines

__all__ = ["generator"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    found = tmp_path / "pictures"
    found.mkdir()
    for name, low in (("a.png", 30), ("b.png", 90)):
        media.write(media.Picture(rng.integers(low, low + 90, (64, 80, 3), dtype=np.uint8)), found / name)
    return found


def test_files_are_smaller_and_labels_are_kept(generator: Generator, folder: Path, tmp_path: Path) -> None:
    found = coding_for_machines(images=folder, jobs=1)
    rows = {(row.format, row.quality, row.way): row for row in found.rows}
    for kind, quality in TARGETS:
        plain, prepared = (rows[kind, quality, way] for way in (PLAIN, PREPARED))
        assert prepared.size < plain.size
        assert all(prepared.kept[name] >= plain.kept[name] for name in ("mobile", "resnet")), "asked by the search"
        if kind != "png":
            lower, both = (rows[kind, quality, way] for way in (LOWER, BOTH))
            assert both.size <= lower.size <= plain.size
            assert all(way.kept[name] >= plain.kept[name] for way in (lower, both) for name in ("mobile", "resnet"))
    assert ("png", 100, LOWER) not in rows
    assert report.read(found.write(tmp_path)) == found
    rendered = report.render([found])
    assert rendered.cells[1][:2] == ["jpeg 75", "as they are"]
    assert "The search asks resnet, mobile" in rendered.caption
