"""Spread-transform dither modulation (STDM): bits on keyed lattices of a picture's coefficients.

::

    coefficients ──project──► one projection per bit ──soft_bits──► log-likelihood ratios        (decoder)
    coefficients ◄──spread─── moves of the projections ◄──quantise── bits                       (encoder)

A bit is embedded in the projection of many coefficients on a keyed direction. The bit decides which of two interleaved
lattices the projection is quantised to. Directions, order and dither depend on the key: without it the projections of a
container look like those of a cover.

Source: Chen and Wornell, "Quantization index modulation", IEEE Trans. Inf. Theory 47(4), 2001.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.coding.keys import Key
    from underpaint.types import Bits, SoftBits

    Array = NDArray[np.float32]


@dataclass(frozen=True)
class _BlindDecoding:
    """Prior of the channel's gain and noise, for bits without pilots."""

    #: Gains that are tried; the first is none.
    gains: NDArray[np.float64] = field(default_factory=lambda: np.append(1.0, np.geomspace(0.6, 1.6, 197)))
    unchanged: float = 0.85  # prior probability that the gain is 1
    log_gain_scale: float = 0.08  # scale of the Laplace prior of the logarithm of a changed gain
    concentrations: tuple[float, ...] = (0.7, 1.5, 3.0, 6.0, 12.0, 24.0)  # of von Mises noise around a lattice point
    max_belief: float = 1 - 1e-9  # limit of |P(1) - P(0)|, so that ratios stay finite


_BLIND = _BlindDecoding()


class SpreadTransform:
    """Keyed directions of a number of bits: coefficients, signs and lattice of each bit.

    Attributes:
        order: indices of the coefficients of each bit, ``(coefficients per bit, bits)``.
        signs: sign of each of these in the projection, +1 or -1, ``float32``, same shape.
        dither: offset of each bit's lattice in steps, 0–1, ``(bits,)``.
    """

    def __init__(
        self, key: Key, label: str, pool: NDArray[np.intp], count: int, places: NDArray[np.intp] | None = None
    ) -> None:
        """Draw the directions.

        Args:
            key: decides order, signs and dither.
            label: separates the uses of one key.
            pool: indices of the coefficients that may be used, ``(n,)``.
            count: number of bits, at most n.
            places: position of each coefficient of the pool along a space-filling curve, ``(n,)``. With it the
                coefficients of a bit are neighbours, without it they are spread over the whole pool.
        """
        share = len(pool) // count
        keyed = key.permutation(f"{label} order", len(pool))
        if places is None:
            self.order = pool[keyed][: share * count].reshape(share, count)
        else:
            # Neighbours on the curve share a bit. The key decides which bit, and which coefficients are left out.
            used = keyed[: share * count]
            along = used[np.argsort(places[used], kind="stable")].reshape(count, share)
            self.order = pool[along[key.permutation(f"{label} bits", count)].T]
        signs = np.unpackbits(key.stream(f"{label} signs", -(-share * count // 8)))[: share * count]
        self.signs = (1 - 2 * signs.astype(np.float32)).reshape(share, count)
        self.dither = key.words(f"{label} dither", count) / 2.0**32

    def project(self, coefficients: Array) -> NDArray[np.float64]:
        """Return the projection of *coefficients*, ``float32 (all,)``, for each bit: ``float64 (count,)``."""
        share = len(self.order)
        total = np.einsum("sc,sc->c", self.signs, coefficients[self.order], dtype=np.float64)
        return np.asarray(total / np.sqrt(share))

    def spread(self, moves: NDArray[np.float64], weights: Array) -> Array:
        """Return the cheapest change of the coefficients that moves the projections by *moves*.

        Args:
            moves: wanted change of each projection, ``(count,)``.
            weights: allowed change of each coefficient, relative to the others, ``float32 (all,)``. Changing a
                coefficient of weight w by x costs x²/w.

        Returns:
            Change of all coefficients, ``float32 (all,)``; 0 outside this transform.
        """
        own = weights[self.order]
        change = np.zeros_like(weights)
        change[self.order] = own * self.signs * (moves * np.sqrt(len(self.order)) / own.sum(axis=0))
        return change

    def quantise(self, projections: NDArray[np.float64], bits: Bits, step: float) -> NDArray[np.float64]:
        """Return the lattice point of each bit that is nearest to its projection.

        Args:
            projections: ``(count,)``.
            bits: message bits, ``(count,)``.
            step: distance of neighbouring lattice points of one bit value; those of 0 and 1 are half a step apart.
        """
        offset = self.dither + bits / 2
        return np.asarray(step * (np.rint(projections / step - offset) + offset))

    def residues(self, projections: NDArray[np.float64], steps: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the distance of each projection from the nearest lattice point of bit 0, for several steps.

        Args:
            projections: ``(count,)``.
            steps: lattice steps to try, ``(n,)``.

        Returns:
            ``float32 (n, count)`` in steps, -1/2 to 1/2. Near 0 the bit is 0, near ±1/2 it is 1.
        """
        cells = projections / steps[:, None] - self.dither
        return (cells - np.rint(cells)).astype(np.float32)

    def soft_bits(self, projections: NDArray[np.float64], step: float) -> SoftBits:
        """Return log-likelihood ratios, positive for 1, with the noise estimated from the projections themselves.

        The noise wraps around the lattice cell, so it is modelled by the von Mises distribution. A projection that is
        NaN was not received and gives 0.

        Args:
            projections: ``(count,)``.
            step: lattice step of the container.
        """
        cosine = np.cos(2 * np.pi * self.residues(projections, np.array([step]))[0])
        # Both lattices together have half the step. The spread of the projections around it gives the noise level:
        # the fourth root of a wrapped Gaussian's mean resultant length there is that of the bit's own lattice, which
        # gives the concentration (Banerjee et al., J. Mach. Learn. Res. 6, 2005, eq. 4.4).
        received = np.isfinite(cosine)
        length = np.clip(np.mean(2 * cosine**2 - 1, where=received), 0.01, 0.99) ** 0.25 if received.any() else 0.0
        concentration = length * (2 - length**2) / (1 - length**2)
        return np.asarray(-2 * concentration * np.where(received, cosine, 0), np.float32)

    def blind_bits(self, projections: NDArray[np.float64], step: float) -> SoftBits:
        """Return log-likelihood ratios, positive for 1, of bits that were sent without pilots: the gain is unknown.

        The posterior of each bit is averaged over gains and noise levels, weighted by how well all bits agree with
        them. The mean makes fewer errors than the likeliest gain and noise where these are in doubt.

        Args:
            projections: ``(count,)``.
            step: lattice step at embedding.
        """
        cosines = np.cos(2 * np.pi * self.residues(projections, _BLIND.gains * step), dtype=np.float64)  # (gains, bits)
        changed = np.exp(-np.abs(np.log(_BLIND.gains[1:])) / _BLIND.log_gain_scale)
        prior = np.log(np.append(_BLIND.unchanged, (1 - _BLIND.unchanged) * changed / changed.sum()))
        # Residues scatter around 0 for a 0 and around half a step for a 1.
        agreement = [
            prior + np.logaddexp(each * cosines, -each * cosines).sum(axis=1) - len(projections) * np.log(np.i0(each))
            for each in _BLIND.concentrations
        ]
        weights = np.exp(agreement - np.max(agreement))
        belief = (
            sum(weight @ np.tanh(-each * cosines) for weight, each in zip(weights, _BLIND.concentrations, strict=True))
            / weights.sum()
        )
        return np.asarray(2 * np.arctanh(np.clip(belief, -_BLIND.max_belief, _BLIND.max_belief)), np.float32)
