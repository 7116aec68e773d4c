"""Many weak classifiers, each of a few features of many, and their vote.

J. Kodovský, J. Fridrich and V. Holub, "Ensemble classifiers for steganalysis of digital media" (IEEE TIFS 7(2), 2012)::

    pairs ─► a bootstrap sample ─► some features at random ─► Fisher's linear discriminant ─► one vote
             pairs left out     ─► votes of the discriminants that never saw them ─► out-of-bag error

The out-of-bag error says when there are discriminants enough, and how many features each should have.

Deviations: a tie counts as half an error instead of being drawn by lot, and a discriminant is never turned round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FEWEST, _MOST = 25, 500  # discriminants
_AVERAGED, _MEMORY, _STILL = 5, 50, 0.005  # enough: means of 5 successive errors, of the last 50, within this
_STEP = 200  # features more in each step of the search
_TOLERANCE, _PRECISION, _FINEST = 0.02, 0.005, 0.05  # of the error relative and absolute, of the number of features
_RIDGE = 1e-10
_WORST = 1e7  # of a Cholesky factor's diagonal, largest by least: the condition number is about its square
_BLOCK = 64
_ROWS = 256


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Fisher's discriminants, each of features drawn at random, and the votes they cast."""

    #: Which features each discriminant has, ``(L, d_sub)``, and their weights.
    subspaces: NDArray[np.intp]
    weights: NDArray[np.float64]
    #: Above which a discriminant votes for stego, ``(L,)``.
    thresholds: NDArray[np.float64]
    #: How many features there are.
    size: int
    #: Mean of false alarms and misses, 0–1, of pairs by the discriminants that were not trained on them.
    out_of_bag_error: float

    @classmethod
    def fit(cls, cover: NDArray[np.floating], stego: NDArray[np.floating], seed: int) -> Ensemble:
        """Train on features ``(n, d)`` of *cover* and *stego*, row by row of the same pictures.

        The same seed gives the same ensemble, but for what the linear algebra of another machine rounds differently.

        Raises:
            UsageError: they have different shapes, are less than two pairs, or not all are finite.
        """
        if cover.shape != stego.shape or cover.ndim != 2 or len(cover) < 2 or not cover.shape[1]:
            raise UsageError(f"expected as many features of covers as of stegos, not {cover.shape} and {stego.shape}")
        if not (np.isfinite(cover).all() and np.isfinite(stego).all()):
            raise UsageError("not all features are finite")
        rng = np.random.default_rng(seed)
        most = cover.shape[1]
        step = max(1, min(_STEP, most // 4))
        tried: dict[int, Ensemble] = {}
        candidates = [size for size in (step, 2 * step, 3 * step) if size <= most]
        while candidates:
            tried |= {size: cls._of_size(size, cover, stego, rng) for size in candidates}
            errors = {size: tried[size].out_of_bag_error for size in sorted(tried)}
            step, candidates = _next(errors, step, most)
        return min(tried.values(), key=lambda found: (found.out_of_bag_error, found.subspaces.shape[1]))

    @classmethod
    def _of_size(
        cls, size: int, cover: NDArray[np.floating], stego: NDArray[np.floating], rng: np.random.Generator
    ) -> Ensemble:
        """Discriminants of *size* features each, until their error stands still."""
        pairs, most = cover.shape
        learners: list[tuple[NDArray[np.intp], NDArray[np.float64], float]] = []
        votes = np.zeros((2, pairs), np.int64)  # for stego less those for cover, by discriminants that left a pair out
        errors: list[float] = []
        while not _enough(errors):
            subspace = rng.permutation(most)[:size]
            drawn = np.bincount(rng.integers(pairs, size=pairs), minlength=pairs)
            both = np.stack([cover[:, subspace], stego[:, subspace]]).astype(np.float64)
            weights = _fisher(both, drawn)
            scores = both @ weights
            threshold = _threshold(scores, drawn)
            learners.append((subspace, weights, threshold))
            votes += np.where(scores > threshold, 1, -1) * (drawn == 0)
            wrong = votes * np.array([[1], [-1]])
            errors.append(float((wrong > 0).mean() + (wrong == 0).mean() / 2))
        subspaces, all_weights, thresholds = zip(*learners, strict=True)
        return cls(np.stack(subspaces), np.stack(all_weights), np.array(thresholds), most, errors[-1])

    def votes(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Which share of the discriminants takes each row of *features* ``(n, d)`` for stego, ``(n,)``, 0–1.

        Raises:
            UsageError: there are not as many features as in training.
        """
        if features.ndim != 2 or features.shape[1] != self.size:
            raise UsageError(f"expected features (n, {self.size}), not {features.shape}")
        # One product with mostly zeros is faster than to pick the features of each discriminant.
        weights = np.zeros((self.size, len(self.weights)))
        np.put_along_axis(weights, self.subspaces.T, self.weights.T, axis=0)
        shares = np.zeros(len(features))
        for start in range(0, len(features), _ROWS):
            rows = slice(start, start + _ROWS)
            shares[rows] = (features[rows].astype(np.float64) @ weights > self.thresholds).mean(1)
        return shares


def _enough(errors: list[float]) -> bool:
    """Whether more discriminants would change little."""
    if len(errors) < _FEWEST:
        return False
    means = np.convolve(errors[-_MEMORY:], np.full(_AVERAGED, 1 / _AVERAGED), mode="valid")
    return len(errors) >= _MOST or bool(np.ptp(means) < _STILL)


def _next(errors: dict[int, float], step: int, most: int) -> tuple[int, list[int]]:
    """Step of the search and sizes to try next; none when the best of *errors*, by rising size, is good enough.

    First to the right as long as that helps, then on both sides of the best, with steps halved.
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
    flat = around - found[best] < max(_PRECISION, _TOLERANCE * around)
    # Left of the smallest nothing was tried yet, so nothing says that it is flat there.
    if best > 0 and (flat or step < _FINEST * sizes[best]):
        return step, []
    near: list[int] = []
    while step > 1 and not near:
        step //= 2
        near = [size for size in (sizes[best] - step, sizes[best] + step) if 0 < size <= most and size not in errors]
    return step, near


def _fisher(both: NDArray[np.float64], drawn: NDArray[np.intp]) -> NDArray[np.float64]:
    """Fisher's direction for features *both* ``(2, pairs, d)``, each pair *drawn* so often: towards stego."""
    chosen = drawn > 0
    often = drawn[chosen] / drawn.sum()
    samples = both[:, chosen]
    means = often @ samples
    deviations = (samples - means[:, None]) * np.sqrt(often)[:, None]
    stacked = deviations.reshape(-1, both.shape[2])
    scatter = stacked.T @ stacked
    ridge, added = _RIDGE, 0.0
    while True:
        scatter[np.diag_indices_from(scatter)] += ridge - added
        try:
            factor = np.linalg.cholesky(scatter)
        except np.linalg.LinAlgError:
            factor = np.zeros_like(scatter)
        pivots = factor.diagonal()
        if pivots.max() <= _WORST * pivots.min() and pivots.min() > 0:
            return _solved(factor, means[1] - means[0])
        ridge, added = 10 * ridge, ridge


def _solved(factor: NDArray[np.float64], right: NDArray[np.float64]) -> NDArray[np.float64]:
    """Solve L Lᵀ x = *right* for a lower triangle L, block by block: NumPy has no solver for triangles."""
    blocks = [slice(start, start + _BLOCK) for start in range(0, len(right), _BLOCK)]
    x = right.copy()
    for block in blocks:
        x[block] = np.linalg.solve(factor[block, block], x[block] - factor[block, : block.start] @ x[: block.start])
    for block in reversed(blocks):
        x[block] = np.linalg.solve(factor[block, block].T, x[block] - factor[block.stop :, block].T @ x[block.stop :])
    return x


def _threshold(scores: NDArray[np.float64], drawn: NDArray[np.intp]) -> float:
    """Above which *scores* ``(2, pairs)`` of covers and stegos are called stego with the fewest errors."""
    order = np.argsort(scores, axis=None)
    ascending = scores.ravel()[order]
    # Each score that comes to lie below the threshold is a miss more, or a false alarm less.
    errors = np.cumsum(np.concatenate([-drawn, drawn])[order])[:-1]
    errors[ascending[1:] == ascending[:-1]] = drawn.sum()
    cut = int(np.argmin(errors))
    return float((ascending[cut] + ascending[cut + 1]) / 2)
