"""Search of the synchronisation pattern in a received picture: orientation, angle, size, place and perspective.

::

    luma, Cr ─► whitened ─► Fourier transform ─► 13,800 linear maps, scored by power at the sinusoids' frequencies
                                                    └─► best maps: position from the phases ─► distinct candidates
    candidate ─► refinement ─► place of the marked picture

A candidate says where a marked picture may lie. Only pilots and authentication tag say that it is there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from underpaint.embedding import sync, sync_refinement
from underpaint.embedding.placement import Placement, transform
from underpaint.embedding.sync_planes import WHITENING, Received, local_mean
from underpaint.embedding.sync_refinement import REFINEMENT, Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from underpaint.embedding.lapped import Array
    from underpaint.embedding.placement import Matrix
    from underpaint.embedding.sync import Floats
    from underpaint.types import Image


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


_LOOK = _Look()
#: Orientations whose spectra differ: plain, a quarter turn, and both mirrored. A half turn only conjugates it.
_ORIENTATIONS = np.array([[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, 1]], [[0, 1], [1, 0]]], float)
#: Phase of the pattern in luma and in Cr.
_QUARTER = (1.0, 1j)


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
    whole = Received(image, WHITENING.longest)
    found = candidates(whole, effort.maps)
    sure = [each for each in found if each.score > _LOOK.sure_score]
    for candidate in sure:
        yield from _placements(whole, candidate, 0)
    for candidate in _ranked(whole, found[len(sure) :], effort):
        yield from _placements(whole, candidate, effort.min_agreement)
    in_windows = []
    for corner, window in _windows(image):
        received = Received(window, WHITENING.longest_in_window)
        in_windows += [(each, received, corner) for each in candidates(received, effort.window_maps)]
    for candidate, received, (left, top) in sorted(in_windows, key=lambda each: -each[0].score)[: effort.starts]:
        shift = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], float)
        placements = _placements(received, candidate, effort.min_agreement)
        yield from (Placement(shift @ each.matrix) for each in placements)


def _placements(received: Received, candidate: Candidate, min_agreement: float) -> Iterator[Placement]:
    """Yield places of a candidate, with the likeliest ratios of sides, if it agrees well enough after refinement."""
    refined = sync_refinement.refined(received, candidate.matrix, min_agreement)
    if refined is not None:
        yield from (received.placement(refined, each) for each in sync_refinement.log_aspects(received, refined))


def _ranked(received: Received, found: list[Candidate], effort: Effort) -> list[Candidate]:
    """Return the best of *found* by the correlation of parts of the picture.

    It tells more than that of the whole, which the map fits only roughly.
    """
    reach, shifts = REFINEMENT.reaches[0], REFINEMENT.few_shifts
    fitted = [
        sync_refinement.fitted(received, each.matrix, reach, shifts=shifts, projective=False)
        for each in found[: effort.ranked]
    ]
    return sorted(fitted, reverse=True, key=_score)[: effort.starts]


def _windows(image: Image) -> Iterator[tuple[tuple[int, int], Image]]:
    """Yield nine windows of half the sides that overlap by half, each after its left and top edge."""
    height, width = image.shape[0] // 4, image.shape[1] // 4
    if min(height, width) < WHITENING.smallest_window // 2:
        return
    for row, column in product(range(3), range(3)):
        top, left = row * height, column * width
        yield (left, top), image[top : top + 2 * height, left : left + 2 * width]


def candidates(received: Received, count: int) -> list[Candidate]:
    """Return distinct candidates, the highest score first.

    The score is the correlation with the pattern in standard deviations of that with noise.
    """
    if min(received.width, received.height) < 2 * WHITENING.deviation:
        return []
    spectra = [_spectrum(plane) for plane in received.planes]
    powers = np.minimum(spectra[0][1], _LOOK.max_power) + np.minimum(spectra[1][1], _LOOK.max_power)
    maps = _linear_maps() / received.unit
    bins = _Bins(_moved_frequencies() / received.unit, received)
    scores = np.where(bins.outside, 2.0, powers[bins.rows, bins.columns]).sum(axis=1)
    # Most pictures are received upright, so these maps get a chance of their own.
    upright = np.flatnonzero(_upright())
    best = upright[np.argpartition(-scores[upright], _LOOK.upright)[: _LOOK.upright]]
    chosen = maps[np.union1d(np.argpartition(-scores, count)[:count], best)]
    found = [_placed(each, received, [values for values, _ in spectra]) for each in np.concatenate([chosen, -chosen])]
    found = [each for each in found if each.score > _LOOK.min_score]
    return _distinct(sorted(found, reverse=True, key=_score), received)


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
    return np.asarray(turned.reshape(-1, 2, 2))


@cache
def _upright() -> NDArray[np.bool_]:
    """Return which of the linear maps neither turn nor mirror, ``(n,)``."""
    maps = _linear_maps()
    return np.asarray((np.abs(maps[:, 0, 1]) < 1e-9) & (maps[:, 0, 0] > 0) & (maps[:, 1, 1] > 0))


@cache
def _moved_frequencies() -> Array:
    """Return the frequencies of the sinusoids after each of the linear maps, ``float32 (maps, sinusoids, 2)``."""
    moved = np.einsum("mij,ki->mkj", _linear_maps(), sync.searched().frequencies)
    return np.asarray(moved, np.float32)


class _Bins:
    """Bins of the padded Fourier transform nearest to *frequencies*, ``(..., 2)``, in cycles per pixel."""

    def __init__(self, frequencies: NDArray[np.floating], received: Received) -> None:
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
    mean = np.maximum(local_mean(power, _LOOK.power_window), 1e-6 * power.mean() + 1e-12)
    return values / np.sqrt(mean), power / mean


def _placed(linear: Floats, received: Received, spectra: list[NDArray[np.complex64]]) -> Candidate:
    """Return the candidate of a *linear* map with the position that the phases agree with best."""
    pattern = sync.searched()
    bins = _Bins(pattern.frequencies @ linear, received)
    agreement, power = np.zeros(len(pattern.phases), complex), 0.0
    for spectrum, quarter in zip(spectra, _QUARTER, strict=True):
        values = spectrum[bins.rows, bins.columns] * np.exp(2j * np.pi * bins.centring)
        values = np.where(bins.outside, 0, np.where(bins.negative, values.conj(), values))
        values = values / np.maximum(np.abs(values) / WHITENING.clip, 1)
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
