"""Trials of a channel before a payload is said to survive it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint.channels import TRIALS, parse, received

if TYPE_CHECKING:
    from underpaint.types import Image


def test_a_random_channel_is_tried_eight_times_with_different_noise(noise: Image) -> None:
    copies = list(received(parse("noise:0.02"), noise))
    assert len(copies) == TRIALS == 8
    assert len({copy.tobytes() for copy in copies}) == TRIALS


def test_the_trials_are_the_same_each_time(noise: Image) -> None:
    first, second = (list(received(parse("jpeg:60 | noise:0.02"), noise)) for _ in range(2))
    assert np.array_equal(first, second)


def test_a_deterministic_channel_is_tried_once(noise: Image) -> None:
    (copy,) = received(parse("jpeg:60"), noise)
    assert np.array_equal(copy, parse("jpeg:60")(noise))
