"""Mixed-radix residues: numbers and kinds are extracted exactly, at the expected change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from underpaint.coding.keys import KEY_SIZE, Key
from underpaint.embedding.bit_planes import squared_change
from underpaint.embedding.residues import VALUES, embed, extract
from underpaint.errors import ModelError

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEY = Key(bytes(KEY_SIZE))
KINDS = 20


def blocks(count: int, seed: int = 0) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Values, levels by kind, and kinds."""
    rng = np.random.default_rng(seed)
    levels = np.maximum(1, rng.lognormal(1.2, 1.2, (KINDS, VALUES))).astype(np.int64)
    return rng.integers(256, size=(count, VALUES), dtype=np.uint8), levels, rng.integers(KINDS, size=count)


def test_numbers_and_kinds_are_extracted() -> None:
    values, levels, kinds = blocks(60)
    rng = np.random.default_rng(1)
    numbers = rng.integers(levels[kinds])
    free = np.ones(values.shape, bool)
    free[:30, rng.choice(VALUES, 25, replace=False)] = False
    marked = embed(values, numbers, kinds, levels, free, KEY)
    assert (marked[~free] == values[~free]).all()
    found, found_kinds = extract(marked, levels, free, KEY)
    assert (found_kinds == kinds).all()
    assert (found == numbers).all()


@pytest.mark.parametrize("levels", [2, 3, 4, 6, 8, 11])
def test_equal_levels_change_values_as_much_as_low_bits(levels: int) -> None:
    values = np.random.default_rng(2).integers(64, 192, size=(200, VALUES), dtype=np.uint8)
    table = np.full((KINDS, VALUES), levels)
    numbers = np.random.default_rng(3).integers(levels, size=values.shape)
    kinds = np.zeros(len(values), np.int64)
    marked = embed(values, numbers, kinds, table, np.ones(values.shape, bool), KEY)
    change = np.square(marked.astype(int) - values).mean()
    # All but the few values that have the kind: those make the periods of others a little longer.
    assert change == pytest.approx((levels**2 - 1 + 3 * (levels % 2 == 0)) / 12, rel=0.12)
    if levels in (2, 4, 8):
        assert change == pytest.approx(squared_change(levels.bit_length() - 1), rel=0.12)


def test_uneven_levels_change_values_hardly_more_than_their_mean_rate_says() -> None:
    values, levels, kinds = blocks(400)
    values = values // 2 + 64
    numbers = np.random.default_rng(4).integers(levels[kinds])
    marked = embed(values, numbers, kinds, levels, np.ones(values.shape, bool), KEY)
    least = ((4 ** np.log2(levels).mean(axis=1)[kinds] - 1) / 12).mean()
    assert least < np.square(marked.astype(int) - values).mean() < 1.1 * least + 0.2


def test_values_stay_within_eight_bits() -> None:
    table = np.full((KINDS, VALUES), 9)
    values = np.repeat(np.array([[0], [255]], np.uint8), VALUES, axis=1)
    numbers = np.random.default_rng(5).integers(9, size=values.shape)
    kinds = np.zeros(2, np.int64)
    marked = embed(values, numbers, kinds, table, np.ones(values.shape, bool), KEY)
    assert marked[0].max() <= 10
    assert marked[1].min() >= 245
    assert (extract(marked, table, np.ones(values.shape, bool), KEY)[0] == numbers).all()


def test_too_many_levels_are_refused() -> None:
    values, _, kinds = blocks(2)
    table = np.full((KINDS, VALUES), 300)
    with pytest.raises(ModelError, match="more levels than a block can take"):
        embed(values, np.zeros(values.shape, np.int64), kinds, table, np.ones(values.shape, bool), KEY)


def test_residues_depend_on_the_key() -> None:
    values, levels, kinds = blocks(4)
    free = np.ones(values.shape, bool)
    numbers = np.zeros(values.shape, np.int64)
    one, other = (embed(values, numbers, kinds, levels, free, Key(bytes([n]) * KEY_SIZE)) for n in (1, 2))
    assert (one != other).mean() > 0.3
    assert (extract(one, levels, free, Key(bytes([2]) * KEY_SIZE))[0] != numbers).any()
