"""Helpers of all tables: provenance, citation, percentages, order."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab_support.results import CITATION, SOURCE
from underpaint_lab.benchmarks.core.result_file import PAPER, ResultFile
from underpaint_lab.benchmarks.core.table import (
    citation,
    measured_in,
    paper_in,
    percent,
    provenance,
    short_channel,
)

ONE = ResultFile[object]("table", "one", replace(SOURCE, command="bench one"), ())
TWO = ResultFile[object]("table", "two", replace(SOURCE, command="bench two"), ())
PUBLISHED = ResultFile[object]("table", PAPER, CITATION, ())


def test_measurements_that_differ_by_the_command_share_a_sentence() -> None:
    assert provenance([ONE, TWO]) == [
        f"`bench one` and `bench two` on 2 pictures of pictures, commit {'0' * 12}, a machine."
    ]
    assert len(provenance([ONE, replace(TWO, source=replace(SOURCE, seed=1))])) == 2
    assert provenance([PUBLISHED]) == []


def test_a_paper_is_cited() -> None:
    assert citation(PUBLISHED) == ["Paper: A. Uthor, table 7; ten thousand pictures. PSNR is not stated."]
    assert citation(None) == []


def test_paper_and_measurements_are_told_apart_by_the_method() -> None:
    assert paper_in([ONE, PUBLISHED]) == PUBLISHED
    assert paper_in([ONE]) is None
    assert measured_in([ONE, PUBLISHED, TWO], ["two"]) == [TWO, ONE]


@pytest.mark.parametrize(
    ("share", "written"), [(0, "0"), (1, "100"), (0.00123, "0.12"), (0.5, "50.0"), (0.00995, "1.0"), (0.9996, "100")]
)
def test_percentages_have_as_many_decimals_as_matter(share: float, written: str) -> None:
    assert percent(share) == written


def test_channels_are_rounded() -> None:
    assert short_channel("jpeg2000:1.1111111111111112") == "jpeg2000:1.11"
    assert short_channel("resize:0.75 | jpeg:75") == "resize:0.75 | jpeg:75"
