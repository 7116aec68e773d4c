"""Embedding costs against a public implementation, and simulated embedding at a given rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from underpaint.errors import UsageError
from underpaint.media import read, samples
from underpaint_lab.steganalysis.costs import hugo, wavelets
from underpaint_lab.steganalysis.simulate import COSTS, simulate_embedding

#: Pieces of the sample photographs and what conseal 2025.11 returns for them: tests/make_analyst_vectors.py.
VECTORS = np.load(Path(__file__).parents[1] / "data_files" / "steganalysis_vectors.npz")
PHOTO = read(samples.path("chelsea")).pixels[:120, 100:240]


@pytest.mark.parametrize("number", range(2))
def test_costs_agree_with_conseal(number: int) -> None:
    plane = VECTORS[f"plane_{number}"]
    # Channels are planes of their own.
    image = np.stack([plane, np.zeros_like(plane), plane], axis=2)
    for ours, name in ((wavelets.compute_uniward_cost(image), "s-uniward"), (wavelets.compute_wow_cost(image), "wow")):
        for channel in (0, 2):
            np.testing.assert_allclose(ours[..., channel], VECTORS[f"{name}_{number}"], rtol=1e-4)
    up, down = hugo.compute_cost(image)[..., 0]
    wanted_up, wanted_down = VECTORS[f"hugo_{number}"]
    np.testing.assert_allclose(up[plane < 255], wanted_up[plane < 255], rtol=1e-5)
    np.testing.assert_allclose(down[plane > 0], wanted_down[plane > 0], rtol=1e-5)


@pytest.mark.parametrize("name", [name for name in COSTS if name != "matching"])
def test_flat_regions_cost_most(name: str) -> None:
    half = np.full((60, 60, 3), 90, np.uint8)
    half[:, 30:] = np.random.default_rng(0).integers(0, 256, (60, 30, 3))
    costs = COSTS[name](half)
    assert costs.dtype == np.float32
    assert costs[..., :10, :].min() > 5 * costs[..., 45:, :].max()


@pytest.mark.parametrize("name", COSTS)
@pytest.mark.parametrize("rate", [0.05, 0.4, 1.2])
def test_changes_are_as_many_as_the_rate_needs(name: str, rate: float) -> None:
    costs = COSTS[name](PHOTO)
    container = simulate_embedding(PHOTO, costs, rate, 0)
    change = container.astype(int) - PHOTO
    assert set(np.unique(change)) <= {-1, 0, 1}
    assert abs(change.mean()) < 0.01
    # Of all ways to carry so much, equal chances of change are the one with the fewest changes.
    fewest = (simulate_embedding(PHOTO, np.ones(PHOTO.shape, np.float32), rate, 1) != PHOTO).mean()
    assert (change != 0).mean() >= fewest - 0.005
    up, down = np.broadcast_to(costs, (2, *PHOTO.shape))
    assert np.where(change > 0, up, down)[change != 0].mean() <= costs.mean() * 1.01


def test_the_entropy_of_changes_is_the_rate() -> None:
    share = (simulate_embedding(PHOTO, np.ones(PHOTO.shape, np.float32), 0.4, 0) != PHOTO).mean()
    assert -share * np.log2(share / 2) - (1 - share) * np.log2(1 - share) == pytest.approx(0.4, abs=0.01)


def test_the_cheaper_sign_is_more_frequent() -> None:
    costs = np.stack([np.ones(PHOTO.shape, np.float32), np.full(PHOTO.shape, 3, np.float32)])
    change = simulate_embedding(PHOTO, costs, 0.4, 0).astype(int) - PHOTO
    assert (change == 1).sum() > 3 * (change == -1).sum() > 0


@pytest.mark.parametrize(("value", "neighbour"), [(0, 1), (255, 254)])
def test_no_value_leaves_its_range(value: int, neighbour: int) -> None:
    flat = np.full((40, 40, 3), value, np.uint8)
    container = simulate_embedding(flat, np.ones(flat.shape, np.float32), 0.9, 0)
    assert set(np.unique(container)) == {value, neighbour}
    with pytest.raises(UsageError, match=r"1.1 bits"):
        simulate_embedding(flat, np.ones(flat.shape, np.float32), 1.1, 0)


def test_the_seed_decides() -> None:
    costs = COSTS["s-uniward"](PHOTO)
    assert (simulate_embedding(PHOTO, costs, 0.4, 3) == simulate_embedding(PHOTO, costs, 0.4, 3)).all()
    assert (simulate_embedding(PHOTO, costs, 0.4, 3) != simulate_embedding(PHOTO, costs, 0.4, 4)).any()
    assert (simulate_embedding(PHOTO, costs, 0, 3) == PHOTO).all()
