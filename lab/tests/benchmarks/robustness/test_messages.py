"""Whole messages are hidden, sent and revealed as by the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from underpaint.errors import UsageError
from underpaint_lab.benchmarks.core import report
from underpaint_lab.benchmarks.robustness.grids import Case
from underpaint_lab.benchmarks.robustness.messages import messages
from underpaint_lab.benchmarks.robustness.rows import qualities


def test_messages_are_read_exactly_or_not_at_all(two_crops: Path) -> None:
    result = messages("stdm", images=two_crops, cases=[Case(2, 40, ("none", "jpeg:50", "crop:0.5"))], jobs=1)
    assert [(row.channel, row.exact, row.false, row.refused, row.sent) for row in result.rows] == [
        *(("none", 1, 0, 0, 1), ("jpeg:50", 1, 0, 0, 1), ("crop:0.5", 0, 0, 0, 1)),
    ]
    assert qualities(result)[0].psnr_min > 39


def test_covers_are_the_middle_of_pictures_and_survive_what_was_asked_for(two_crops: Path) -> None:
    case = Case(2, 40, ("jpeg:90", "jpeg:75"), asked=True, window=128)
    result = messages("stdm", images=two_crops, cases=[case], table="messages-longer", jobs=1)
    assert result.table == "messages-longer"
    assert [row.exact for row in result.rows] == [1, 1]


def test_refused_covers_count_as_failed(two_crops: Path) -> None:
    result = messages("stdm", images=two_crops, cases=[Case(100_000, 40, ("none",))], jobs=1)
    assert [(row.exact, row.refused, row.sent) for row in result.rows] == [(0, 1, 1)]
    assert qualities(result) == ()
    assert report.render([result]).cells[1][:5] == ["none", "100000 bytes", "–", "–", "0 of 1 (1 refused)"]


def test_unknown_methods_and_channels_are_refused() -> None:
    with pytest.raises(UsageError, match="no method is called 'none'"):
        messages("none")
    with pytest.raises(UsageError, match="telex"):
        messages("stdm", cases=[Case(8, 40, ("telex",))])
