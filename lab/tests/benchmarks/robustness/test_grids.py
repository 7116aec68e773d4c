"""Grids are written as channels write themselves."""

from __future__ import annotations

import pytest

from underpaint.channels import parse
from underpaint_lab.benchmarks.robustness.grids import (
    ABLATION_CHANNELS,
    CASES,
    GRID,
    GRIDS,
    NETWORK_CHANNELS,
    PICTURE_CHANNELS,
)
from underpaint_lab.benchmarks.robustness.roads import ROADS


@pytest.mark.parametrize(
    "chains",
    [
        *(GRID, ABLATION_CHANNELS, NETWORK_CHANNELS, PICTURE_CHANNELS),
        *(grid.chains for grid in GRIDS.values()),
        *(case.chains for case in CASES),
        *(case.chains for cases in ROADS.values() for case in cases),
    ],
)
def test_channels_are_written_in_full_and_once(chains: tuple[str, ...]) -> None:
    assert [str(parse(chain)) for chain in chains] == list(chains)
    assert len(set(chains)) == len(chains)


def test_plotted_channels_are_measured() -> None:
    assert all(set(grid.plotted) <= set(grid.chains) for grid in GRIDS.values())


def test_rates_of_jpeg_2000_are_the_papers() -> None:
    x1000 = [1000 / float(chain.partition(":")[2]) for chain in GRIDS["robust-jpeg2000"].chains]
    assert x1000 == pytest.approx([900, 750, 500, 250, 100])
