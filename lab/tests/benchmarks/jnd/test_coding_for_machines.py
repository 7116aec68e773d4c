"""Coding for machines: fewer bytes, labels that judges in the loop keep, a control without any JND."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.machine_models import Generator, generator
from underpaint import media
from underpaint_lab import benchmarks
from underpaint_lab.benchmarks.core.report import markdown
from underpaint_lab.benchmarks.jnd import coding_for_machines
from underpaint_lab.benchmarks.jnd.coded import BOTH, LOWER, PLAIN, PREPARED
from underpaint_lab.benchmarks.robustness.rows import read

__all__ = ["generator"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    found = tmp_path / "pictures"
    found.mkdir()
    for name, low in (("a.png", 30), ("b.png", 90)):
        media.write(media.Picture(rng.integers(low, low + 90, (64, 80, 3), dtype=np.uint8)), found / name)
    return found


def test_fewer_bytes_for_the_same_labels(generator: Generator, folder: Path, tmp_path: Path) -> None:
    found = benchmarks.savings(images=folder, jobs=1)
    rows = {(row.format, row.quality, row.way): row for row in found.rows}
    for kind, quality in coding_for_machines.TARGETS:
        plain, prepared = (rows[kind, quality, way] for way in (PLAIN, PREPARED))
        assert prepared.size < plain.size
        assert all(prepared.kept[name] >= plain.kept[name] for name in ("mobile", "resnet")), "judges in the loop"
        if kind != "png":
            lower, both = (rows[kind, quality, way] for way in (LOWER, BOTH))
            assert both.size <= lower.size <= plain.size
            assert all(way.kept[name] >= plain.kept[name] for way in (lower, both) for name in ("mobile", "resnet"))
    assert ("png", 100, LOWER) not in rows
    assert read(found.write(tmp_path)) == found
    table = markdown(found)
    assert "| jpeg 75 | as they are |" in table
    assert "In the loop are resnet, mobile" in table
