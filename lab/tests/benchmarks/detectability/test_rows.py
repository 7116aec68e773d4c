"""Rows on detectors: areas, rates, and intervals that draw whole photographs."""

from __future__ import annotations

import numpy as np
import pytest

from underpaint_lab.benchmarks.detectability.rows import (
    FALSE_POSITIVE_RATES,
    DetectorRow,
)


def test_intervals_draw_photographs() -> None:
    rng = np.random.default_rng(0)
    levels, pictures = np.repeat(rng.normal(size=20), 30), np.repeat(np.arange(20), 30)
    covers, containers = levels + rng.normal(size=600) / 50, levels + rng.normal(size=600) / 50 + 1

    def width(together: bool) -> float:
        row = DetectorRow.of(
            *(covers, containers, 0),
            detector="toy",
            asked=0.3,
            payload=0.3,
            pictures=(pictures, pictures) if together else None,
        )
        return row.auc_interval[1] - row.auc_interval[0]

    assert width(True) > 3 * width(False), "crops of one photograph are not independent"


def test_a_row_says_how_well_a_detector_tells() -> None:
    covers, containers = np.arange(200) / 200, np.arange(200) / 200 + 0.5
    row = DetectorRow.of(covers, containers, 0, detector="toy", asked=0.3, payload=0.299, trained="basn")
    assert row.pairs == 200
    assert (row.auc, row.p_e, row.tpr) == pytest.approx((0.875, 0.25, 0.5), abs=0.011)
    assert row.auc_interval[0] < row.auc < row.auc_interval[1]
    assert len(row.curve) == len(FALSE_POSITIVE_RATES)
    assert row.curve[0] == row.tpr
    assert list(row.curve) == sorted(row.curve)
    assert row.per_value == pytest.approx(0.1, abs=0.001)
