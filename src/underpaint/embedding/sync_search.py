"""Search of the synchronisation pattern in a received picture: orientation, angle, size, place and perspective.

::

    luma, Cr ─► whitened ─► Fourier transform ─► 13,800 linear maps, scored by power at the sinusoids' frequencies
                                                    └─► best maps: position from the phases ─► distinct candidates
    candidate ─► displacement of 6×6 parts ─► projective fit ─► Gauss–Newton on the correlation ─► ratio of the sides

A candidate says where a marked picture may lie. Only pilots and authentication tag say that it is there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from underpaint.embedding import sync
from underpaint.embedding.placement import Matrix, Placement, corners, transform
from underpaint.embedding.sync import PATTERN, Floats, Sinusoids
from underpaint.types import luma as luma_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from underpaint.embedding.lapped import Array
    from underpaint.types import Image


@dataclass(frozen=True)
class _Whitening:
    """Settings of the planes that are searched. Lengths are in pixels of the reduced picture."""

    longest: int = 512  # longest side of the reduced picture
    longest_in_window: int = 288  # the same for a window of it
    smallest_window: int = 128  # least side of a window, in pixels of the picture
    luma_mean: float = 6.0  # side of the squares whose mean is subtracted from the luma
    cr_mean: float = 8.0  # the same for Cr
    deviation: float = 8.0  # side of the squares over which the standard deviation is taken
    clip: float = 2.0  # standard deviations at which values are clipped


@dataclass(frozen=True)
class _Look:
    """Settings of the search among linear maps."""

    max_angle: float = math.radians(12.0)  # from each of the four orientations
    angle_step: float = math.radians(0.8)
    smallest: float = 0.38  # side of the marked picture over that of the received one, both roots of areas
    largest: float = 1.95
    size_step: float = 0.0145  # of the logarithm
    power_window: float = 24.0  # side of the squares of the spectrum whose mean power is 1, in bins
    max_power: float = 5.0  # powers are clipped here
    upright: int = 8  # of these, maps that neither turn nor mirror
    places: int = 256  # positions tried along each side
    same: float = 0.02  # candidates whose corners differ by less, in units, are one
    min_score: float = 4.2  # standard deviations; candidates below are dropped
    sure_score: float = 6.0  # candidates above are refined first; of 23 pictures without a pattern none had one


@dataclass(frozen=True)
class _Refinement:
    """Settings of the refinement of a candidate."""

    coarse: int = 256  # samples per unit of the grid for the displacements of parts
    fine: int = 384  # the same for the Gauss–Newton steps
    parts: int = 6  # parts along each side of the picture
    reaches: tuple[float, ...] = (0.012, 0.012, 0.006)  # largest displacement in each round, in units
    shifts: int = 9  # displacements tried along each direction
    few_shifts: int = 5  # the same where candidates are only ranked
    steps: int = 3  # Gauss–Newton steps
    max_step: float = 0.006  # largest displacement at the edge in a step, in units
    aspects: int = 3  # ratios of the sides that are tried
    other_aspect: float = 0.02  # least distance of their logarithms


_WHITENING, _LOOK, _REFINEMENT = _Whitening(), _Look(), _Refinement()
#: Orientations whose spectra differ: plain, a quarter turn, and both mirrored. A half turn only conjugates it.
_ORIENTATIONS = np.array([[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, 1]], [[0, 1], [1, 0]]], float)
#: Phase of the pattern in luma and in Cr.
_QUARTER = (1.0, 1j)


class Candidate(NamedTuple):
    """A map from pixels of the reduced picture, from its centre, to units of the marked one, and its score."""

    score: float
    matrix: Matrix


class Received:
    """Whitened luma and Cr of a received picture, reduced to sides of at most *longest* pixels."""

    def __init__(self, image: Image, longest: int) -> None:
        from PIL import Image as Pillow

        pixels = Pillow.fromarray(image)
        self.full_size = pixels.size
        ratio = min(1.0, longest / max(pixels.size))
        size = tuple(max(1, round(length * ratio)) for length in pixels.size)
        if size != pixels.size:
            pixels = pixels.resize(size, Pillow.Resampling.BICUBIC, reducing_gap=3.0)
        self.width, self.height = size
        colours = np.asarray(pixels, np.float32)
        luma = luma_of(colours)
        cr = (colours[..., 0] - luma) * np.float32(0.713)
        #: Luma and Cr, ``float32 (height, width)`` each.
        self.planes = (_whitened(luma, _WHITENING.luma_mean), _whitened(cr, _WHITENING.cr_mean))

    @property
    def unit(self) -> float:
        """Root of the area in pixels."""
        return math.sqrt(self.width * self.height)

    @property
    def corners(self) -> Matrix:
        """The corners in pixels from the centre, ``(4, 2)``."""
        return corners(self.width, self.height) - [self.width / 2, self.height / 2]

    def placement(self, matrix: Matrix, log_aspect: float) -> Placement:
        """Return the place in the received picture of a marked one with this logarithm of width / height."""
        stretch = math.exp(log_aspect / 2)
        to_units = np.array([[stretch, 0, -stretch / 2], [0, 1 / stretch, -1 / stretch / 2], [0, 0, 1]])
        to_full = np.diag([self.full_size[0] / self.width, self.full_size[1] / self.height, 1.0])
        to_full[:2, 2] = self.full_size[0] / 2, self.full_size[1] / 2
        return Placement(to_full @ np.linalg.inv(matrix) @ to_units)


@dataclass(frozen=True)
class Effort:
    """Extent of a search."""

    maps: int  # linear maps whose phases are read
    window_maps: int  # the same in a window
    ranked: int  # uncertain candidates that are ranked by the correlation of parts of the picture
    starts: int  # of these, and of those in windows, candidates that are refined
    min_agreement: float  # least sum of the correlations of parts at which the refinement goes on


#: No picture without a pattern, of 23, had an agreement above 320 among its best three.
NORMAL = Effort(maps=40, window_maps=16, ranked=16, starts=3, min_agreement=320)
THOROUGH = Effort(maps=300, window_maps=80, ranked=120, starts=12, min_agreement=0)


def search(image: Image, effort: Effort = NORMAL) -> Iterator[Placement]:
    """Yield places where a marked picture may lie, the likeliest first.

    Args:
        image: the received picture, ``uint8 (H, W, 3)``.
        effort: extent of the search.
    """
    whole = Received(image, _WHITENING.longest)
    found = candidates(whole, effort.maps)
    sure = [each for each in found if each.score > _LOOK.sure_score]
    for candidate in sure:
        yield from _placements(whole, candidate, 0)
    for candidate in _ranked(whole, found[len(sure) :], effort):
        yield from _placements(whole, candidate, effort.min_agreement)
    in_windows = []
    for corner, window in _windows(image):
        received = Received(window, _WHITENING.longest_in_window)
        in_windows += [(each, received, corner) for each in candidates(received, effort.window_maps)]
    for candidate, received, (left, top) in sorted(in_windows, key=lambda each: -each[0].score)[: effort.starts]:
        shift = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], float)
        placements = _placements(received, candidate, effort.min_agreement)
        yield from (Placement(shift @ each.matrix) for each in placements)


def _placements(received: Received, candidate: Candidate, min_agreement: float) -> Iterator[Placement]:
    """Yield places of a candidate, with the likeliest ratios of sides, if it agrees well enough after refinement."""
    refined = _refined(received, candidate.matrix, min_agreement)
    if refined is not None:
        yield from (received.placement(refined, each) for each in _log_aspects(received, refined))


def _ranked(received: Received, found: list[Candidate], effort: Effort) -> list[Candidate]:
    """Return the best of *found* by the correlation of parts of the picture.

    It tells more than that of the whole, which the map fits only roughly.
    """
    reach, shifts = _REFINEMENT.reaches[0], _REFINEMENT.few_shifts
    fitted = [
        _fitted(received, each.matrix, reach, shifts=shifts, projective=False) for each in found[: effort.ranked]
    ]
    return sorted(fitted, reverse=True, key=_score)[: effort.starts]


def _windows(image: Image) -> Iterator[tuple[tuple[int, int], Image]]:
    """Yield nine windows of half the sides that overlap by half, each after its left and top edge."""
    height, width = image.shape[0] // 4, image.shape[1] // 4
    if min(height, width) < _WHITENING.smallest_window // 2:
        return
    for row, column in product(range(3), range(3)):
        top, left = row * height, column * width
        yield (left, top), image[top : top + 2 * height, left : left + 2 * width]


def candidates(received: Received, count: int) -> list[Candidate]:
    """Return distinct candidates, the highest score first.

    The score is the correlation with the pattern in standard deviations of that with noise.
    """
    if min(received.width, received.height) < 2 * _WHITENING.deviation:
        return []
    spectra = [_spectrum(plane) for plane in received.planes]
    powers = np.minimum(spectra[0][1], _LOOK.max_power) + np.minimum(spectra[1][1], _LOOK.max_power)
    maps = _linear_maps() / received.unit
    bins = _Bins(_moved_frequencies() / np.float32(received.unit), received)
    scores = np.where(bins.outside, 2.0, powers[bins.rows, bins.columns]).sum(axis=1)
    # Most pictures are received upright, so these maps get a chance of their own.
    upright = np.flatnonzero(_upright())
    best = upright[np.argpartition(-scores[upright], _LOOK.upright)[: _LOOK.upright]]
    found = []
    for each in np.union1d(np.argpartition(-scores, count)[:count], best):
        for turned in (maps[each], -maps[each]):
            found.append(_placed(turned, received, [values for values, _ in spectra]))
    return _distinct(
        sorted((each for each in found if each.score > _LOOK.min_score), reverse=True, key=_score), received
    )


def _score(candidate: Candidate) -> float:
    return candidate.score


def _distinct(found: list[Candidate], received: Received) -> list[Candidate]:
    """Return *found* without those whose corners lie where those of a better one do."""
    kept: list[tuple[Candidate, Matrix]] = []
    for each in found:
        at = transform(each.matrix, 0.6 * received.corners)
        if all(np.abs(at - other).max() > _LOOK.same for _, other in kept):
            kept.append((each, at))
    return [each for each, _ in kept]


@cache
def _linear_maps() -> Floats:
    """Return the maps that are tried, ``(n, 2, 2)``, from a picture with an area of 1 to units of the marked one."""
    steps = round(_LOOK.max_angle / _LOOK.angle_step)
    angles = _LOOK.angle_step * np.arange(-steps, steps + 1)
    sizes = np.exp(np.arange(math.log(_LOOK.smallest), math.log(_LOOK.largest), _LOOK.size_step))
    rotations = np.array([[np.cos(angles), -np.sin(angles)], [np.sin(angles), np.cos(angles)]]).transpose(2, 0, 1)
    turned = np.einsum("oij,ajk->oaik", _ORIENTATIONS, rotations)[:, :, None] / sizes[:, None, None]
    return turned.reshape(-1, 2, 2)


@cache
def _upright() -> NDArray[np.bool_]:
    """Return which of the linear maps neither turn nor mirror, ``(n,)``."""
    maps = _linear_maps()
    return np.asarray((np.abs(maps[:, 0, 1]) < 1e-9) & (maps[:, 0, 0] > 0) & (maps[:, 1, 1] > 0))


@cache
def _moved_frequencies() -> Array:
    """Return the frequencies of the sinusoids after each of the linear maps, ``float32 (maps, sinusoids, 2)``."""
    moved = np.einsum("mij,ki->mkj", _linear_maps(), sync.searched().frequencies)
    return moved.astype(np.float32)


class _Bins:
    """Bins of the padded Fourier transform nearest to *frequencies*, ``(..., 2)``, in cycles per pixel."""

    def __init__(self, frequencies: Floats, received: Received) -> None:
        rows, columns = _padded(received.height), _padded(received.width)
        #: True where the transform has the conjugate only.
        self.negative = frequencies[..., 0] < 0
        sign = np.where(self.negative, -1.0, 1.0)
        across = np.rint(frequencies[..., 0] * (sign * columns)).astype(np.int32)
        down = np.rint(frequencies[..., 1] * (sign * rows)).astype(np.int32)
        #: True above half a cycle per pixel.
        self.outside = (across > columns // 2) | (np.abs(down) > rows // 2)
        self.columns = np.where(self.outside, 0, across)
        self.rows = np.where(self.outside, 0, down % rows)
        #: Phase that moves the origin from the first pixel to the centre, in cycles.
        self.centring = down * ((received.height - 1) / 2 / rows) + across * ((received.width - 1) / 2 / columns)


def _padded(length: int) -> int:
    """Return twice *length*, rounded up to a multiple of 16: a fast size for the Fourier transform."""
    return -(-2 * length // 16) * 16


def _spectrum(plane: Array) -> tuple[NDArray[np.complex64], Array]:
    """Return the Fourier transform of *plane*, padded to twice its size, and its power; both relative to neighbours."""
    height, width = plane.shape
    values = np.fft.rfft2(plane, (_padded(height), _padded(width)))
    power = np.square(values.real) + np.square(values.imag)
    mean = np.maximum(_local_mean(power, _LOOK.power_window), 1e-6 * power.mean() + 1e-12)
    return values / np.sqrt(mean), power / mean


def _placed(linear: Floats, received: Received, spectra: list[NDArray[np.complex64]]) -> Candidate:
    """Return the candidate of a *linear* map with the position that the phases agree with best."""
    pattern = sync.searched()
    bins = _Bins(pattern.frequencies @ linear, received)
    agreement, power = np.zeros(len(pattern.phases), complex), 0.0
    for spectrum, quarter in zip(spectra, _QUARTER, strict=True):
        values = spectrum[bins.rows, bins.columns] * np.exp(2j * np.pi * bins.centring)
        values = np.where(bins.outside, 0, np.where(bins.negative, values.conj(), values))
        values = values / np.maximum(np.abs(values) / _WHITENING.clip, 1)
        power += float(np.sum(np.abs(values) ** 2))
        agreement += values.conj() * np.exp(1j * pattern.phases) * quarter
    places = np.zeros((_LOOK.places, _LOOK.places // 2 + 1), np.complex64)
    across, down = pattern.frequencies.astype(np.intp).T  # across is never negative
    places[down % _LOOK.places, across] = agreement
    places[-down[across == 0], 0] = agreement[across == 0].conj()
    correlation = np.fft.irfft2(places, (_LOOK.places, _LOOK.places))
    row, column = divmod(int(correlation.argmax()), _LOOK.places)
    matrix = np.eye(3)
    matrix[:2, :2] = linear
    matrix[:2, 2] = (np.array([column, row]) / _LOOK.places + 0.5) % 1.0 - 0.5
    score = float(correlation[row, column]) * _LOOK.places**2 / 2 / math.sqrt(power / 2 + 1e-9)
    return Candidate(score, matrix)


# ── refinement ───────────────────────────────────────────────────────────────────────────────────────────────────────


class _Grid:
    """Samples of the plane of the marked picture, in units, that a received picture covers by a map."""

    def __init__(self, received: Received, matrix: Matrix, samples: int) -> None:
        from PIL import Image as Pillow

        reached = transform(matrix, received.corners)
        first = np.maximum(np.floor(reached.min(axis=0) * samples), -samples).astype(int)
        last = np.minimum(np.ceil(reached.max(axis=0) * samples), samples).astype(int)
        #: Coordinates in units, and places in the tables of :func:`_table`.
        self.across, self.down = (np.arange(*ends) / samples for ends in zip(first, last, strict=True))
        self.columns, self.rows = (np.arange(*ends) % samples for ends in zip(first, last, strict=True))
        step = 1 / samples
        to_units = np.array([[step, 0, (first[0] - 0.5) * step], [0, step, (first[1] - 0.5) * step], [0, 0, 1]])
        to_pixels = np.array([[1, 0, received.width / 2], [0, 1, received.height / 2], [0, 0, 1]])
        inverse = to_pixels @ np.linalg.inv(matrix) @ to_units
        data = tuple((inverse / inverse[2, 2]).ravel()[:8])
        size, how = (len(self.across), len(self.down)), Pillow.Transform.PERSPECTIVE
        #: Luma and Cr, ``float32 (down, across)`` each.
        self.planes = [
            np.asarray(Pillow.fromarray(plane).transform(size, how, data, Pillow.Resampling.BILINEAR), np.float32)
            for plane in received.planes
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


def _refined(received: Received, matrix: Matrix, min_agreement: float) -> Matrix | None:
    """Return a projective map near to *matrix* that agrees better with the pattern; None if none does well enough."""
    for number, reach in enumerate(_REFINEMENT.reaches):
        agreement, matrix = _fitted(received, matrix, reach, shifts=_REFINEMENT.shifts, projective=number > 0)
        if agreement < min_agreement or not _plausible(received, matrix):
            return None
    for _ in range(_REFINEMENT.steps):
        matrix = _stepped(received, matrix)
        if not _plausible(received, matrix):
            return None
    return matrix


def _plausible(received: Received, matrix: Matrix) -> bool:
    """Return True if the map is finite and no line of the received picture lies at infinity."""
    depth = received.corners @ matrix[2, :2] + matrix[2, 2]
    return bool(np.isfinite(matrix).all() and depth.min() > 0.5 * depth.max() > 0)


def _fitted(received: Received, matrix: Matrix, reach: float, *, shifts: int, projective: bool) -> Candidate:
    """Move the map by the displacements of parts of the picture at which they correlate best with the pattern.

    The score of the result is the sum of these correlations.
    """
    samples, parts = _REFINEMENT.coarse, _REFINEMENT.parts
    grid = _Grid(received, matrix, samples)
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
    scores = _pooled(scores / np.sqrt(energy + 1e-6)).reshape(shifts**2, parts**2)
    down, across = np.divmod(scores.argmax(axis=0), shifts)
    moves = np.stack([moves_tried[across], moves_tried[down]]) / samples
    at_row = grid.down[0] + (np.arange(parts) + 0.5) * high / samples
    at_column = grid.across[0] + (np.arange(parts) + 0.5) * wide / samples
    rows, columns = (each.ravel() for each in np.meshgrid(at_row, at_column, indexing="ij"))
    weights = np.square(np.maximum(scores.max(axis=0), 0))
    displacement = _least_squares(columns, rows, moves, weights, 0.15 * reach, projective=projective)
    return Candidate(float(scores.max(axis=0).sum()), displacement @ matrix)


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
    grid = _Grid(received, matrix, _REFINEMENT.fine)
    places = np.ix_(grid.rows, grid.columns)
    luma, cr, luma_across, cr_across, luma_down, cr_down = (table[places] for table in _table(_REFINEMENT.fine))
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
    return _displacement(step * min(1.0, _REFINEMENT.max_step / max(reach, 1e-12))) @ matrix


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
    return matrix + 1e-6 * np.trace(matrix) / len(matrix) * np.eye(len(matrix))


def _log_aspects(received: Received, matrix: Matrix) -> list[float]:
    """Return logarithms of width / height that the pattern of the refined map may carry, the likeliest first."""
    grid = _Grid(received, matrix, _REFINEMENT.coarse)
    tried = np.linspace(-PATTERN.max_log_aspect, PATTERN.max_log_aspect, 4001)
    frequencies, phases = sync.aspect_carriers(tried)
    by_column = np.exp(-2j * np.pi * np.outer(grid.across, frequencies[:, 0])).astype(np.complex64)
    by_row = np.exp(-2j * np.pi * np.outer(frequencies[:, 1], grid.down)).astype(np.complex64)
    plane = grid.planes[0] - 1j * grid.planes[1]
    values = np.einsum("kd,dk->k", by_row, plane.astype(np.complex64) @ by_column)
    scores = (np.exp(-1j * phases) @ values).real
    found = []
    for _ in range(_REFINEMENT.aspects):
        found.append(float(tried[scores.argmax()]))
        scores[np.abs(tried - found[-1]) < _REFINEMENT.other_aspect] = -np.inf
    return found


# ── planes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _local_mean(plane: Array, side: float) -> Array:
    """Return a smooth local mean: the plane reduced to means of squares of this *side*, and enlarged again."""
    from PIL import Image as Pillow

    height, width = plane.shape
    small = (max(1, round(width / side)), max(1, round(height / side)))
    reduced = Pillow.fromarray(plane).resize(small, Pillow.Resampling.BOX)
    return np.asarray(reduced.resize((width, height), Pillow.Resampling.BICUBIC), np.float32)


def _whitened(plane: Array, side: float) -> Array:
    """Return *plane* without its local mean, divided by its local variance and clipped.

    Divided by the standard deviation once it is white; divided again it is weighted for a pattern of constant amplitude.
    """
    rest = plane - _local_mean(plane, side)
    deviation = np.sqrt(np.maximum(_local_mean(np.square(rest), _WHITENING.deviation), 0) + 1)
    return np.asarray(np.clip(rest / deviation, -_WHITENING.clip, _WHITENING.clip) / deviation, np.float32)
