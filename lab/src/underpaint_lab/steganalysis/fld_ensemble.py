"""Ensemble classifier: majority vote of Fisher linear discriminants on random subspaces of the features.

J. Kodovský, J. Fridrich and V. Holub, "Ensemble classifiers for steganalysis of digital media" (IEEE TIFS 7(2), 2012)::

    pairs ─► a bootstrap sample ─► a random subspace ─► Fisher's linear discriminant ─► one vote
             pairs left out     ─► votes of the discriminants without them in training ─► out-of-bag error

The out-of-bag error determines the number of discriminants and the dimension of their subspaces.

Deviations: a tie counts as half an error instead of a random decision, and no discriminant is inverted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import UsageError
from underpaint.types import strips

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class _Settings:
    """Settings of the training."""

    min_learners: int = 25  # discriminants
    max_learners: int = 500  # discriminants
    averaged: int = 5  # successive out-of-bag errors in a moving average
    window: int = 50  # latest errors whose moving average must stand still
    max_range: float = 0.005  # of the moving average, for "stands still"
    step: int = 200  # features by which the search for the subspace dimension proceeds
    relative_tolerance: float = 0.02  # of the error, in the search
    absolute_tolerance: float = 0.005  # of the error, in the search
    min_relative_step: float = 0.05  # of the dimension: smaller steps end the search
    ridge: float = 1e-10  # first term added to the diagonal of the scatter matrix; raised tenfold as needed
    max_pivot_ratio: float = 1e7  # of a Cholesky factor's diagonal; the condition number is about its square
    block: int = 64  # rows of a triangular system that are solved at once
    rows: int = 256  # pictures that are classified at once


_SETTINGS = _Settings()


@dataclass(frozen=True, eq=False)
class Ensemble:
    """A trained ensemble."""

    #: Indices of the features of each discriminant, ``(L, d_sub)``, and their weights.
    subspaces: NDArray[np.intp]
    weights: NDArray[np.float64]
    #: A discriminant votes for stego above its threshold, ``(L,)``.
    thresholds: NDArray[np.float64]
    #: Number of all features.
    size: int
    #: Mean of false-positive and false-negative rate, 0–1, of pairs by the discriminants not trained on them.
    out_of_bag_error: float

    @classmethod
    def fit(cls, cover: NDArray[np.floating], stego: NDArray[np.floating], seed: int) -> Ensemble:
        """Train on pairs of cover and stego image.

        The same seed gives the same ensemble, up to rounding differences of the linear algebra between machines.

        Args:
            cover: features of covers, ``(n, d)``.
            stego: features of the stego images of the same pictures, in the same order, ``(n, d)``.
            seed: of subspaces and bootstrap samples.

        Raises:
            UsageError: shapes differ, less than two pairs, or features that are not finite.
        """
        if cover.shape != stego.shape or cover.ndim != 2 or len(cover) < 2 or not cover.shape[1]:
            raise UsageError(f"expected as many features of covers as of stegos, not {cover.shape} and {stego.shape}")
        if not (np.isfinite(cover).all() and np.isfinite(stego).all()):
            raise UsageError("not all features are finite")
        rng = np.random.default_rng(seed)
        most = cover.shape[1]
        step = max(1, min(_SETTINGS.step, most // 4))
        tried: dict[int, Ensemble] = {}
        candidates = [size for size in (step, 2 * step, 3 * step) if size <= most]
        while candidates:
            tried |= {size: cls._of_size(size, cover, stego, rng) for size in candidates}
            errors = {size: tried[size].out_of_bag_error for size in sorted(tried)}
            step, candidates = next_sizes(errors, step, most)
        return min(tried.values(), key=lambda found: (found.out_of_bag_error, found.subspaces.shape[1]))

    @classmethod
    def _of_size(
        cls, size: int, cover: NDArray[np.floating], stego: NDArray[np.floating], rng: np.random.Generator
    ) -> Ensemble:
        """Add discriminants of *size* features each until the out-of-bag error stands still."""
        pairs, most = cover.shape
        learners: list[tuple[NDArray[np.intp], NDArray[np.float64], float]] = []
        votes = np.zeros(
            (2, pairs), np.int64
        )  # for stego minus those for cover, by discriminants not trained on the pair
        errors: list[float] = []
        while not _enough(errors):
            subspace = rng.permutation(most)[:size]
            drawn = np.bincount(rng.integers(pairs, size=pairs), minlength=pairs)
            both = np.stack([cover[:, subspace], stego[:, subspace]]).astype(np.float64)
            weights = fisher_direction(both, drawn)
            scores = both @ weights
            threshold = best_threshold(scores, drawn)
            learners.append((subspace, weights, threshold))
            votes += np.where(scores > threshold, 1, -1) * (drawn == 0)
            wrong = votes * np.array([[1], [-1]])
            errors.append(float((wrong > 0).mean() + (wrong == 0).mean() / 2))
        subspaces, all_weights, thresholds = zip(*learners, strict=True)
        return cls(np.stack(subspaces), np.stack(all_weights), np.array(thresholds), most, errors[-1])

    def votes(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the share of discriminants that vote for stego, for each row of *features* ``(n, d)``.

        Returns:
            ``float64 (n,)``, 0–1.

        Raises:
            UsageError: the number of features is not that of training.
        """
        if features.ndim != 2 or features.shape[1] != self.size:
            raise UsageError(f"expected features (n, {self.size}), not {features.shape}")
        # One product with mostly zeros is faster than a selection of features for each discriminant.
        weights = np.zeros((self.size, len(self.weights)))
        np.put_along_axis(weights, self.subspaces.T, self.weights.T, axis=0)
        shares = np.zeros(len(features))
        for start in range(0, len(features), _SETTINGS.rows):
            rows = slice(start, start + _SETTINGS.rows)
            shares[rows] = (features[rows].astype(np.float64) @ weights > self.thresholds).mean(1)
        return shares


def _enough(errors: list[float]) -> bool:
    """Return whether more discriminants would change little."""
    if len(errors) < _SETTINGS.min_learners:
        return False
    means = np.convolve(errors[-_SETTINGS.window :], np.full(_SETTINGS.averaged, 1 / _SETTINGS.averaged), mode="valid")
    return len(errors) >= _SETTINGS.max_learners or bool(np.ptp(means) < _SETTINGS.max_range)


def next_sizes(errors: dict[int, float], step: int, most: int) -> tuple[int, list[int]]:
    """Choose the subspace dimensions to try next: larger ones while that helps, then around the best in halved steps.

    Args:
        errors: out-of-bag error by dimension, in ascending order.
        step: of the search so far.
        most: number of all features.

    Returns:
        The next step, and dimensions to try; none if the search has ended.
    """
    sizes, found = list(errors), list(errors.values())
    best = int(np.argmin(found))
    beyond = sizes[-1] + step
    rising = len(found) > 2 and found[-1] > max(found[-3:-1])
    if beyond <= most and found[best] > 0 and (best == len(found) - 1 or (best == len(found) - 2 and not rising)):
        return step, [beyond]
    if found[best] == 0 or step == 1:
        return step, []
    around = float(np.mean([found[i] for i in (best - 1, best + 1) if 0 <= i < len(found)]))
    flat = around - found[best] < max(_SETTINGS.absolute_tolerance, _SETTINGS.relative_tolerance * around)
    # Below the smallest dimension nothing was tried yet, so that flatness there is unknown.
    if best > 0 and (flat or step < _SETTINGS.min_relative_step * sizes[best]):
        return step, []
    near: list[int] = []
    while step > 1 and not near:
        step //= 2
        near = [size for size in (sizes[best] - step, sizes[best] + step) if 0 < size <= most and size not in errors]
    return step, near


def fisher_direction(both: NDArray[np.float64], drawn: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return Fisher's linear discriminant, from cover to stego.

    Args:
        both: features of covers and stego images, ``(2, pairs, d)``.
        drawn: how often each pair is in the bootstrap sample, ``(pairs,)``.

    Returns:
        Weights, ``(d,)``.
    """
    chosen = drawn > 0
    often = drawn[chosen] / drawn.sum()
    samples = both[:, chosen]
    means = often @ samples
    deviations = (samples - means[:, None]) * np.sqrt(often)[:, None]
    stacked = deviations.reshape(-1, both.shape[2])
    scatter = stacked.T @ stacked
    ridge, added = _SETTINGS.ridge, 0.0
    while True:
        scatter[np.diag_indices_from(scatter)] += ridge - added
        try:
            factor = np.linalg.cholesky(scatter)
        except np.linalg.LinAlgError:
            factor = np.zeros_like(scatter)
        pivots = factor.diagonal()
        if pivots.max() <= _SETTINGS.max_pivot_ratio * pivots.min() and pivots.min() > 0:
            return solve_cholesky(factor, means[1] - means[0])
        ridge, added = 10 * ridge, ridge


def solve_cholesky(factor: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve L Lᵀ x = *right* for a lower triangular *factor* L, block by block: NumPy has no triangular solver."""
    blocks = list(strips(len(right), _SETTINGS.block))
    x = right.copy()
    for block in blocks:
        x[block] = np.linalg.solve(factor[block, block], x[block] - factor[block, : block.start] @ x[: block.start])
    for block in reversed(blocks):
        x[block] = np.linalg.solve(factor[block, block].T, x[block] - factor[block.stop :, block].T @ x[block.stop :])
    return x


def best_threshold(scores: NDArray[np.float64], drawn: NDArray[np.intp]) -> float:
    """Return the threshold with the fewest errors on a bootstrap sample.

    Args:
        scores: of covers and stego images, ``(2, pairs)``.
        drawn: how often each pair is in the sample, ``(pairs,)``.
    """
    order = np.argsort(scores, axis=None)
    ascending = scores.ravel()[order]
    # Each score that falls below the threshold adds a false negative or removes a false positive.
    errors = np.cumsum(np.concatenate([-drawn, drawn])[order])[:-1]
    errors[ascending[1:] == ascending[:-1]] = drawn.sum()
    cut = int(np.argmin(errors))
    return float((ascending[cut] + ascending[cut + 1]) / 2)
