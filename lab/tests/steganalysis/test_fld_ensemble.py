"""FLD ensemble on normal distributions a known distance apart, and its parts."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest
from numpy.typing import NDArray

from underpaint.errors import UsageError
from underpaint_lab.steganalysis.fld_ensemble import (
    Ensemble,
    best_threshold,
    fisher_direction,
    next_sizes,
    solve_cholesky,
)

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]


def normal(seed: int, pairs: int, size: int, apart: float, telling: int) -> Pair:
    """Features of covers and stego images: the first *telling* differ, by *apart* in all."""
    rng = np.random.default_rng(seed)
    cover, stego = rng.normal(size=(2, pairs, size))
    stego[:, :telling] += apart / telling**0.5
    return cover, stego


def error(trained: Ensemble, cover: NDArray[np.floating], stego: NDArray[np.floating]) -> float:
    return float((trained.votes(cover) > 0.5).mean() + (trained.votes(stego) <= 0.5).mean()) / 2


def test_the_error_is_close_to_the_bayes_error() -> None:
    cover, stego = normal(0, 400, 60, 2, 10)
    trained = Ensemble.fit(cover, stego, 0)
    least = NormalDist().cdf(-1)
    measured = error(trained, *normal(1, 4000, 60, 2, 10))
    assert least - 0.01 < measured < least + 0.03
    assert trained.out_of_bag_error == pytest.approx(measured, abs=0.03)


def test_linear_mixing_of_features_does_not_matter() -> None:
    mix = np.random.default_rng(5).normal(size=(60, 60))
    cover, stego = normal(0, 400, 60, 2.5, 60)
    trained = Ensemble.fit(cover @ mix, stego @ mix, 0)
    cover, stego = normal(1, 2000, 60, 2.5, 60)
    assert error(trained, cover @ mix, stego @ mix) < 0.2


def test_equal_distributions_give_chance() -> None:
    trained = Ensemble.fit(*normal(0, 200, 6, 0, 1), 0)
    assert error(trained, *normal(1, 2000, 6, 0, 1)) == pytest.approx(0.5, abs=0.04)
    assert trained.out_of_bag_error == pytest.approx(0.5, abs=0.08)


def test_the_search_ends_at_error_0() -> None:
    trained = Ensemble.fit(*normal(0, 100, 40, 60, 40), 0)
    assert trained.out_of_bag_error == 0
    assert trained.subspaces.shape[1] == 10, "the smallest dimension that is tried"
    assert error(trained, *normal(1, 100, 40, 60, 40)) == 0


def test_the_seed_decides() -> None:
    cover, stego = normal(0, 60, 4, 4, 3)
    one, again, other = (Ensemble.fit(cover, stego, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one.subspaces, again.subspaces)
    np.testing.assert_array_equal(one.votes(cover), again.votes(cover))
    assert one.subspaces.shape != other.subspaces.shape or (one.subspaces != other.subspaces).any()


def test_votes_are_shares_of_single_votes() -> None:
    cover, stego = normal(0, 300, 30, 1.5, 5)
    trained = Ensemble.fit(cover.astype(np.float32), stego.astype(np.float32), 0)
    single = [
        cover[:, s] @ w > t for s, w, t in zip(trained.subspaces, trained.weights, trained.thresholds, strict=True)
    ]
    np.testing.assert_allclose(trained.votes(cover), np.mean(single, axis=0))


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_few_features(size: int) -> None:
    trained = Ensemble.fit(*normal(0, 100, size, 3, 1), 0)
    assert error(trained, *normal(1, 1000, size, 3, 1)) < 0.15


@pytest.mark.parametrize("scale", [1e-4, 1, 1e4, 1e9])
def test_linearly_dependent_features(scale: float) -> None:
    cover, stego = normal(0, 100, 8, 4, 8)
    same = np.ones((100, 2))
    both = np.stack([np.hstack([each, scale * each, each, same]) for each in (cover, stego)])
    weights = fisher_direction(both, np.ones(100, np.intp))
    assert np.isfinite(weights).all()
    scores = both @ weights
    assert (scores[0] > scores.mean()).mean() < 0.1
    assert (scores[1] < scores.mean()).mean() < 0.1


def test_more_features_than_pairs() -> None:
    both = 1e6 * np.stack(normal(0, 10, 40, 30, 40))
    weights = fisher_direction(both, np.ones(10, np.intp))
    assert np.isfinite(weights).all()
    scores = both @ weights
    assert scores[0].max() < scores[1].min()


def test_equal_pairs_give_chance() -> None:
    cover, _ = normal(0, 30, 6, 0, 1)
    trained = Ensemble.fit(cover, cover, 0)
    assert trained.out_of_bag_error == pytest.approx(0.5)


@pytest.mark.parametrize("size", [3, 64, 150])
def test_cholesky_systems_are_solved(size: int) -> None:
    rng = np.random.default_rng(size)
    half = rng.normal(size=(size, size))
    square = half @ half.T + np.eye(size)
    right = rng.normal(size=size)
    factor = np.linalg.cholesky(square).astype(np.float64)
    solved = solve_cholesky(factor, right)
    np.testing.assert_allclose(square @ solved, right, atol=1e-8)


def test_the_threshold_makes_the_fewest_errors() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        scores = rng.integers(0, 12, (2, 9)).astype(float)
        scores[0, 0], scores[1, 0] = -1, 12
        drawn = np.r_[1, rng.integers(0, 3, 8)]

        def errors(threshold: float) -> int:
            return int(drawn[scores[0] > threshold].sum() + drawn[scores[1] <= threshold].sum())  # noqa: B023

        found = best_threshold(scores, drawn)
        assert errors(found) == min(errors(cut) for cut in np.arange(-1.5, 13))


def test_the_search_ends_where_it_is_flat() -> None:
    step, most = 200, 3000
    errors: dict[int, float] = {}
    sizes = [200, 400, 600]
    while sizes:
        errors |= {size: 0.2 + ((size - 1300) / 3000) ** 2 for size in sizes}
        errors = dict(sorted(errors.items()))
        step, sizes = next_sizes(errors, step, most)
    assert min(errors, key=lambda size: errors[size]) == pytest.approx(1300, abs=200)
    assert max(errors) <= 1800
    assert len(errors) < 15


@pytest.mark.parametrize(
    ("cover", "stego"),
    [
        (np.zeros((4, 3)), np.zeros((4, 2))),
        (np.zeros((1, 3)), np.zeros((1, 3))),
        (np.zeros((4, 0)), np.zeros((4, 0))),
        (np.zeros(4), np.zeros(4)),
        (np.full((4, 3), np.nan), np.zeros((4, 3))),
    ],
)
def test_invalid_training_data_is_refused(cover: NDArray[np.float64], stego: NDArray[np.float64]) -> None:
    with pytest.raises(UsageError):
        Ensemble.fit(cover, stego, 0)


def test_another_number_of_features_is_refused() -> None:
    trained = Ensemble.fit(*normal(0, 20, 4, 1, 1), 0)
    with pytest.raises(UsageError, match=r"expected features \(n, 4\), not \(20, 3\)"):
        trained.votes(np.zeros((20, 3)))
