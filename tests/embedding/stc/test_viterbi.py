"""Viterbi search: the cheapest word of syndrome zero, against exhaustive search."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from underpaint.embedding.stc.viterbi import search

HEIGHT = 3
BLOCKS = [(5, 7), (5,), (7, 5, 7)]


def syndrome_is_zero(word: tuple[int, ...]) -> bool:
    state, bits = 0, iter(word)
    for block in BLOCKS:
        for column in block:
            state ^= column * next(bits)
        if state & 1:
            return False
        state >>= 1
    return True


WORDS = [word for word in itertools.product((0, 1), repeat=6) if syndrome_is_zero(word)]


@pytest.mark.parametrize("kind", [np.int16, np.float64])
def test_the_cheapest_word_of_syndrome_zero_is_found(kind: type[np.generic]) -> None:
    charges: NDArray[np.generic] = np.random.default_rng(0).integers(-100, 100, (6, 300)).astype(kind)
    words, reached = search(BLOCKS, HEIGHT, charges)
    assert reached.all()
    costs = np.array(WORDS) @ charges.astype(np.float64)
    assert (words * charges.astype(np.float64)).sum(0) == pytest.approx(costs.min(0))
    assert all(syndrome_is_zero(tuple(word)) for word in words.T.tolist())
