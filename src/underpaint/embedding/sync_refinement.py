"""Refinement of a place where a marked picture may lie, by the synchronisation pattern.

::

    candidate ─► displacement of 6×6 parts ─► projective fit ─► Gauss–Newton on the correlation ─► ratio of the sides
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from underpaint.embedding import sync
from underpaint.embedding.placement import Matrix, transform
from underpaint.embedding.sync import PATTERN, Floats, Sinusoids

if TYPE_CHECKING:
    from underpaint.embedding.lapped import Array
    from underpaint.embedding.sync_planes import Received


@dataclass(frozen=True)
class Refinement:
    """Settings of the refinement of a candidate."""

    coarse: int = 160  # samples per unit of the grid for the displacements of parts
    fine: int = 384  # the same for the Gauss–Newton steps
    core: float = 0.4  # from the centre, in units; most pictures cover this
    furthest: float = 0.75  # from the centre, in units; the sides of most pictures are not longer than twice this
    parts: int = 6  # parts along each side of the picture
    reach: float = 0.012  # largest displacement in the first fit, in units
    reaches: tuple[float, ...] = (0.016, 0.012, 0.006)  # the same in those that follow
    shifts: int = 9  # displacements tried along each direction
    few_shifts: int = 5  # the same where candidates are only ranked
    steps: int = 3  # Gauss–Newton steps
    max_step: float = 0.006  # largest displacement at the edge in a step, in units
    aspects: int = 3  # ratios of the sides that are tried
    other_aspect: float = 0.02  # least distance of their logarithms


REFINEMENT = Refinement()


class Candidate(NamedTuple):
    """A map from pixels of the reduced picture, from its centre, to units of the marked one, and its score."""

    score: float
    matrix: Matrix


class _Grid:
    """Samples of the plane of the marked picture, in units, that a received picture covers by a map."""

    def __init__(self, received: Received, matrix: Matrix, samples: int, furthest: float) -> None:
        from PIL import Image as Pillow

        reached = transform(matrix, received.corners)
        furthest *= samples
        first = np.maximum(np.floor(reached.min(axis=0) * samples), -furthest).astype(int)
        last = np.minimum(np.ceil(reached.max(axis=0) * samples), furthest).astype(int)
        #: Coordinates in units, and places in the tables of :func:`_table`.
        self.across, self.down = (np.arange(*ends) / samples for ends in zip(first, last, strict=True))
        self.columns, self.rows = (np.arange(*ends) % samples for ends in zip(first, last, strict=True))
        step = 1 / samples
        to_units = np.array([[step, 0, (first[0] - 0.5) * step], [0, step, (first[1] - 0.5) * step], [0, 0, 1]])
        inverse = np.linalg.inv(matrix)
        per_sample = math.sqrt(abs(np.linalg.det(inverse[:2, :2]))) / samples  # pixels along each side
        halved = per_sample > 2  # they are averaged first, so that no noise is folded in
        scale = 0.5 if halved else 1.0
        #: Number of samples whose noise is the same.
        self.oversampling = max(1.0, (per_sample * scale) ** -2)
        centre = [scale * received.width / 2, scale * received.height / 2]
        to_pixels = np.array([[scale, 0, centre[0]], [0, scale, centre[1]], [0, 0, 1]])
        data = to_pixels @ inverse @ to_units
        data = tuple((data / data[2, 2]).ravel()[:8])
        size, how = (len(self.across), len(self.down)), Pillow.Transform.PERSPECTIVE
        #: Luma and Cr, ``float32 (down, across)`` each.
        self.planes = [
            np.asarray(Pillow.fromarray(plane).transform(size, how, data, Pillow.Resampling.BILINEAR), np.float32)
            for plane in (received.halved if halved else received.planes)
        ]


@cache
def _table(samples: int) -> tuple[Array, ...]:
    """Return one period of the pattern: luma and Cr, and their derivatives across and down, ``(samples, samples)``."""
    at, pattern = np.arange(samples) / samples, sync.searched()
    luma, cr = sync.sampled(pattern, at, at)
    derivatives = []
    for direction in (0, 1):
        # The derivative of a cosine is the cosine a quarter of a period on, times the angular frequency.
        scaled = _weighted(pattern, 2 * np.pi * pattern.frequencies[:, direction], at)
        derivatives += scaled
    return luma, cr, *derivatives


def _weighted(pattern: Sinusoids, weights: Floats, at: Floats) -> list[Array]:
    """Return the derivatives of luma and Cr, whose sinusoids are turned by a quarter and multiplied by *weights*."""
    by_column = 2 * np.pi * np.outer(pattern.frequencies[:, 0], at) + pattern.phases[:, None]
    by_row = 2 * np.pi * np.outer(pattern.frequencies[:, 1], at)
    scale = math.sqrt(2 / len(weights))
    sine = (np.cos(by_row) * weights[:, None]).T @ np.sin(by_column) + (np.sin(by_row) * weights[:, None]).T @ np.cos(
        by_column
    )
    cosine = (np.cos(by_row) * weights[:, None]).T @ np.cos(by_column) - (np.sin(by_row) * weights[:, None]).T @ np.sin(
        by_column
    )
    return [np.asarray(-scale * sine, np.float32), np.asarray(-scale * cosine, np.float32)]


def recentred(received: Received, matrix: Matrix) -> Matrix:
    """Return the map with its origin in the marked picture.

    The pattern repeats after each unit. In a picture much larger than the marked one, the phases tell the position up
    to a whole number of units. The correlation is highest where the marked picture lies.
    """
    if np.abs(transform(matrix, received.corners)).max() < REFINEMENT.furthest:
        return matrix
    samples = REFINEMENT.coarse
    grid = _Grid(received, matrix, samples, 1 + REFINEMENT.furthest)
    luma, cr = (table[np.ix_(grid.rows, grid.columns)] for table in _table(samples)[:2])
    product = grid.planes[0] * luma + grid.planes[1] * cr
    scores = {
        (across, down): float(
            product[np.abs(grid.down - down) < REFINEMENT.core][:, np.abs(grid.across - across) < REFINEMENT.core].sum()
        )
        for across in (-1, 0, 1)
        for down in (-1, 0, 1)
    }
    across, down = max(scores, key=lambda shift: scores[shift])
    return np.array([[1, 0, -across], [0, 1, -down], [0, 0, 1]]) @ matrix


def refined(received: Received, matrix: Matrix) -> Matrix | None:
    """Return a projective map near to *matrix* that agrees better with the pattern; None if it runs away."""
    for reach in REFINEMENT.reaches:
        matrix = fitted(received, matrix, reach, projective=True).matrix
        if not _plausible(received, matrix):
            return None
    for _ in range(REFINEMENT.steps):
        matrix = _stepped(received, matrix)
        if not _plausible(received, matrix):
            return None
    return matrix


def _plausible(received: Received, matrix: Matrix) -> bool:
    """Return True if the map is finite and no line of the received picture lies at infinity."""
    depth = received.corners @ matrix[2, :2] + matrix[2, 2]
    return bool(np.isfinite(matrix).all() and depth.min() > 0.5 * depth.max() > 0)


def fitted(
    received: Received, matrix: Matrix, reach: float, *, shifts: int = REFINEMENT.shifts, projective: bool = False
) -> Candidate:
    """Move the map by the displacements of parts of the picture at which they correlate best with the pattern.

    The score of the result is the sum of these correlations.
    """
    samples, parts = REFINEMENT.coarse, REFINEMENT.parts
    grid = _Grid(received, matrix, samples, REFINEMENT.furthest)
    high, wide = len(grid.down) // parts, len(grid.across) // parts
    if min(high, wide) < parts:
        return Candidate(0.0, matrix)
    luma, cr = (plane[: high * parts, : wide * parts] for plane in grid.planes)
    moves_tried = np.rint(np.linspace(-reach, reach, shifts) * samples).astype(int)
    scores = np.empty((shifts, shifts, parts, parts), np.float32)
    for column, across in enumerate(moves_tried):
        moved = [np.roll(_table(samples)[plane], -across, axis=1)[:, grid.columns[: wide * parts]] for plane in (0, 1)]
        for row, down in enumerate(moves_tried):
            rows = (grid.rows[: high * parts] + down) % samples
            product = luma * moved[0][rows]
            product += cr * moved[1][rows]
            scores[row, column] = product.reshape(parts, high, parts, wide).sum(axis=(1, 3))
    energy = (np.square(luma) + np.square(cr)).reshape(parts, high, parts, wide).sum(axis=(1, 3))
    agreement = _pooled(scores / np.sqrt(energy * grid.oversampling + 1e-6)).reshape(shifts**2, parts**2)
    down, across = np.divmod(agreement.argmax(axis=0), shifts)
    moves = np.stack([moves_tried[across], moves_tried[down]]) / samples
    at_row = grid.down[0] + (np.arange(parts) + 0.5) * high / samples
    at_column = grid.across[0] + (np.arange(parts) + 0.5) * wide / samples
    rows, columns = (each.ravel() for each in np.meshgrid(at_row, at_column, indexing="ij"))
    weights = np.square(np.maximum(agreement.max(axis=0), 0))
    displacement = _least_squares(columns, rows, moves, weights, 0.15 * reach, projective=projective)
    return Candidate(float(agreement.max(axis=0).sum()), displacement @ matrix)


def _pooled(scores: Array) -> Array:
    """Add half of the scores of the four neighbouring parts, ``(..., parts, parts)``."""
    around = np.pad(scores, ((0, 0), (0, 0), (1, 1), (1, 1)))
    near = around[:, :, :-2, 1:-1] + around[:, :, 2:, 1:-1] + around[:, :, 1:-1, :-2] + around[:, :, 1:-1, 2:]
    return np.asarray(scores + near / 2)


def _least_squares(
    across: Floats, down: Floats, moves: Floats, weights: Floats, scale: float, *, projective: bool
) -> Matrix:
    """Return the map that moves points by *moves*, ``(2, n)``; moves that miss it by more than *scale* count little."""
    one, none = np.ones_like(across), np.zeros_like(across)
    columns = [[one, across, down, none, none, none], [none, none, none, one, across, down]]
    if projective:
        columns[0] += [across * across, across * down]
        columns[1] += [across * down, down * down]
    system, target = np.concatenate([np.stack(each, axis=1) for each in columns]), moves.ravel()
    reliable = weights
    for _ in range(8):
        root = np.sqrt(np.tile(reliable, 2))
        found = np.linalg.lstsq(system * root[:, None], target * root, rcond=None)[0]
        missed = np.square((system @ found - target).reshape(2, -1)).sum(axis=0)
        reliable = weights / (1 + missed / scale**2)
    return _displacement(found)


def _displacement(parameters: Floats) -> Matrix:
    """Return the map x + affine(x) + x (p · x) near the identity of 6 or 8 parameters."""
    matrix = np.eye(3)
    matrix[0] += parameters[[1, 2, 0]]
    matrix[1] += parameters[[4, 5, 3]]
    matrix[2, :2] -= parameters[6:8] if len(parameters) > 6 else 0
    return matrix


def _stepped(received: Received, matrix: Matrix) -> Matrix:
    """Return the map after one Gauss–Newton step towards a higher correlation with the pattern."""
    grid = _Grid(received, matrix, REFINEMENT.fine, REFINEMENT.furthest)
    places = np.ix_(grid.rows, grid.columns)
    luma, cr, luma_across, cr_across, luma_down, cr_down = (table[places] for table in _table(REFINEMENT.fine))
    values_luma, values_cr = grid.planes
    covered = ((values_luma != 0) | (values_cr != 0)).astype(np.float32)
    correlation = float(np.vdot(values_luma, luma) + np.vdot(values_cr, cr))
    amplitude = max(correlation, 1e-6) / (2 * max(float(covered.sum()), 1.0))
    across = values_luma * luma_across + values_cr * cr_across
    down = values_luma * luma_down + values_cr * cr_down
    x, y = grid.across.astype(np.float32), grid.down.astype(np.float32)

    def moments(plane: Array) -> Floats:
        """Sums of the plane times 1, x, y, x², xy, y²."""
        by_row = np.stack([plane.sum(axis=1), plane @ x, plane @ (x * x)])
        return np.array(
            [by_row[0].sum(), by_row[1].sum(), by_row[0] @ y, by_row[2].sum(), by_row[1] @ y, by_row[0] @ (y * y)]
        )

    a, d = moments(across), moments(down)
    gradient = np.array([a[0], a[1], a[2], d[0], d[1], d[2], a[3] + d[4], a[4] + d[5]])
    step = np.linalg.solve(amplitude * _information(covered, x, y), gradient)
    reach = np.abs(step[:6]).sum() / 2
    return _displacement(step * min(1.0, REFINEMENT.max_step / max(reach, 1e-12))) @ matrix


def _information(covered: Array, x: Array, y: Array) -> Floats:
    """Return the expected curvature of the correlation, ``(8, 8)``, for an amplitude of 1.

    The mean of the products of derivatives is the same everywhere, so only moments of the covered samples enter.
    """
    frequencies = sync.searched().frequencies
    slope = 2 * (2 * np.pi) ** 2 * frequencies.T @ frequencies / len(frequencies)
    powers = [np.stack([y**n for n in range(5)]) @ covered @ np.stack([x**n for n in range(5)], axis=1)][0]
    # Each parameter moves a sample by sums of monomials x^i y^j: (direction, i, j).
    terms = [[(0, 0, 0)], [(0, 1, 0)], [(0, 0, 1)], [(1, 0, 0)], [(1, 1, 0)], [(1, 0, 1)]]
    terms += [[(0, 2, 0), (1, 1, 1)], [(0, 1, 1), (1, 0, 2)]]
    matrix = np.array(
        [
            [sum(slope[p, q] * powers[j + n, i + m] for p, i, j in one for q, m, n in other) for other in terms]
            for one in terms
        ]
    )
    return np.asarray(matrix + 1e-6 * np.trace(matrix) / len(matrix) * np.eye(len(matrix)))


def log_aspects(received: Received, matrix: Matrix) -> list[float]:
    """Return logarithms of width / height that the pattern of the refined map may carry, the likeliest first."""
    grid = _Grid(received, matrix, REFINEMENT.coarse, REFINEMENT.furthest)
    tried = np.linspace(-PATTERN.max_log_aspect, PATTERN.max_log_aspect, 4001)
    frequencies, phases = sync.aspect_carriers(tried)
    by_column = np.exp(-2j * np.pi * np.outer(grid.across, frequencies[:, 0])).astype(np.complex64)
    by_row = np.exp(-2j * np.pi * np.outer(frequencies[:, 1], grid.down)).astype(np.complex64)
    plane = grid.planes[0] - 1j * grid.planes[1]
    values = np.einsum("kd,dk->k", by_row, plane.astype(np.complex64) @ by_column)
    scores = (np.exp(-1j * phases) @ values).real
    found = []
    for _ in range(REFINEMENT.aspects):
        found.append(float(tried[scores.argmax()]))
        scores[np.abs(tried - found[-1]) < REFINEMENT.other_aspect] = -np.inf
    return found
