"""Synchronisation pattern: its sinusoids are part of the format; planes of any shape; the ratio of the sides."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest

from underpaint.embedding import sync
from underpaint.embedding.sync import PATTERN


def test_the_sinusoids_are_frozen() -> None:
    every = sync.searched()
    assert every.frequencies.shape == (PATTERN.searched, 2)
    frozen = hashlib.sha256(every.frequencies.astype("<i4").tobytes() + every.phases.round(6).astype("<f8").tobytes())
    assert frozen.hexdigest()[:16] == "de2f884af73dda22"


def test_frequencies_are_whole_apart_and_within_the_band() -> None:
    carriers, _ = sync.aspect_carriers(np.zeros(1))
    frequencies = np.concatenate([sync.searched().frequencies, carriers])
    assert np.array_equal(frequencies, np.rint(frequencies))
    length = np.hypot(*frequencies.T)
    assert PATTERN.lowest <= length.min() <= length.max() <= PATTERN.highest
    for sign in (1, -1):
        distance = np.hypot(*(frequencies[:, None] - sign * frequencies).transpose(2, 0, 1))
        distance[distance == 0] = np.inf
        assert distance.min() >= PATTERN.spacing


@pytest.mark.parametrize("shape", [(512, 512), (300, 451), (1000, 250)])
def test_planes_have_unit_power_and_are_independent(shape: tuple[int, int]) -> None:
    luma, cr = sync.picture_planes(*shape, 256)
    assert luma.shape == cr.shape == (256, 256)
    assert luma.dtype == cr.dtype == np.float32
    for plane in (luma, cr):
        assert abs(plane.mean()) < 0.05
        assert plane.std() == pytest.approx(1, abs=0.05)
    assert abs(np.mean(luma * cr)) < 0.05


def test_the_pattern_of_a_square_follows_its_definition() -> None:
    """At a few points: the sum of the cosines, divided by the root of half their number; Cr a quarter period on."""
    luma, cr = sync.picture_planes(64, 64, 64)
    carriers, phases = sync.aspect_carriers(np.zeros(1))
    frequencies = np.concatenate([sync.searched().frequencies, carriers])
    angles = np.append(sync.searched().phases, phases[0])
    for row, column in ((0, 0), (17, 40), (63, 5)):
        at = 2 * np.pi * frequencies @ [(column + 0.5) / 64 - 0.5, (row + 0.5) / 64 - 0.5] + angles
        scale = math.sqrt(2 / len(angles))
        assert luma[row, column] == pytest.approx(scale * np.cos(at).sum(), abs=1e-3)
        assert cr[row, column] == pytest.approx(scale * np.cos(at + np.pi / 2).sum(), abs=1e-3)


def test_ratios_of_the_sides_have_different_phases() -> None:
    tried = np.linspace(-PATTERN.max_log_aspect, PATTERN.max_log_aspect, 201)
    _, phases = sync.aspect_carriers(tried)
    agreement = np.abs(np.exp(1j * phases) @ np.exp(-1j * phases).T) / phases.shape[1]
    near = np.abs(tried[:, None] - tried) < 0.05
    assert agreement[~near].max() < 0.75
