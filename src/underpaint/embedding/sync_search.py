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
from underpaint.embedding.placement import Placement, corners, transform
from underpaint.embedding.sync_planes import COARSE, FINE, Received, local_mean
from underpaint.embedding.sync_refinement import REFINEMENT, Candidate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from underpaint.embedding.lapped import Array
    from underpaint.embedding.placement import Matrix
    from underpaint.embedding.sync import Floats
    from underpaint.embedding.sync_planes import Resolution
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
    max_amplitude: float = 2.0  # and amplitudes here, when phases are read
    upright: int = 8  # of these, maps that neither turn nor mirror
    places: int = 192  # positions tried along each side
    same: float = 0.02  # candidates whose corners differ by less, in units, are one
    min_score: float = 4.2  # standard deviations; candidates below are dropped
    sure_score: float = 6.0  # candidates above are refined first; of 23 pictures without a pattern none had one
    most: float = 0.6  # share of the area above which a part of a picture is not taken out of it
    smallest_side: int = 48  # shorter side in pixels below which a picture or a window is not searched


_LOOK = _Look()
#: Orientations whose spectra differ: plain, a quarter turn, and both mirrored. A half turn only conjugates it.
_ORIENTATIONS = np.array([[[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, 1]], [[0, 1], [1, 0]]], float)
#: Phase of the pattern in luma and in Cr.
_QUARTER = (1.0, 1j)


@dataclass(frozen=True)
class Effort:
    """Extent of a search."""

    maps: int  # linear maps whose phases are read
    window_maps: int  # the same in all windows
    ranked: int  # uncertain candidates that are ranked by the correlation of parts of the picture
    starts: int  # of these, and of those in windows, candidates that are refined
    min_agreement: float  # least sum of the correlations of parts at which the refinement goes on


#: Of 23 pictures without a pattern two had an agreement above 205 among their best three.
NORMAL = Effort(maps=40, window_maps=128, ranked=16, starts=3, min_agreement=205)
#: Efforts by name.
EFFORTS = {"normal": NORMAL, "thorough": Effort(maps=300, window_maps=800, ranked=120, starts=20, min_agreement=190)}


def search(image: Image, effort: Effort = NORMAL) -> Iterator[Placement]:
    """Yield places where a marked picture may lie, the likeliest first.

    Args:
        image: the received picture, ``uint8 (H, W, 3)``.
        effort: extent of the search.
    """
    if min(image.shape[:2]) < _LOOK.smallest_side:
        return
    whole = Received(image, FINE if math.sqrt(image.shape[0] * image.shape[1]) > COARSE.unit else COARSE)
    found = [(each, whole) for each in candidates(whole, effort.maps)]
    sure = [each for each in found if each[0].score > _LOOK.sure_score]
    for candidate, received in sure:
        yield from _placements(image, received, candidate, 0)
    for candidate, received in _ranked(found[len(sure) :], effort):
        yield from _placements(image, received, candidate, effort.min_agreement)
    for candidate, received in _candidates_in_windows(image, effort.window_maps)[: effort.starts]:
        yield from _placements(image, received, candidate, effort.min_agreement)


def _placements(image: Image, received: Received, candidate: Candidate, min_agreement: float) -> Iterator[Placement]:
    """Yield places of a candidate, with the likeliest ratios of sides, if it agrees with the pattern well enough."""
    start = sync_refinement.recentred(received, candidate.matrix)
    agreement, matrix = sync_refinement.fitted(received, start, REFINEMENT.reach)
    if agreement < min_agreement:
        return
    near = _near(image, received, matrix)
    refined = sync_refinement.refined(near, matrix @ np.linalg.inv(received.to_whole) @ near.to_whole)
    if refined is not None:
        yield from (near.placement(refined, each) for each in sync_refinement.log_aspects(near, refined))


def _near(image: Image, received: Received, matrix: Matrix) -> Received:
    """Return the part of *image* around the marked picture in full resolution; *received* if it is most of that."""
    reach = REFINEMENT.furthest
    ends = transform(received.to_whole @ np.linalg.inv(matrix), corners(2 * reach, 2 * reach) - reach)
    left, top = np.maximum(np.floor(ends.min(axis=0)), 0).astype(int)
    right, bottom = np.minimum(np.ceil(ends.max(axis=0)), image.shape[1::-1]).astype(int)
    part = image[top:bottom, left:right]
    if min(part.shape[:2]) < _LOOK.smallest_side or (
        received.resolution == FINE and part.size > _LOOK.most * image.size
    ):
        return received
    return Received(part, FINE, (left, top))


def _ranked(found: list[tuple[Candidate, Received]], effort: Effort) -> list[tuple[Candidate, Received]]:
    """Return the best of *found* by the correlation of parts of the picture.

    It tells more than that of the whole, which the map fits only roughly.
    """
    reach, shifts = REFINEMENT.reach, REFINEMENT.few_shifts
    starts = [(sync_refinement.recentred(each, candidate.matrix), each) for candidate, each in found[: effort.ranked]]
    fitted = [(sync_refinement.fitted(each, start, reach, shifts=shifts), each) for start, each in starts]
    return sorted(fitted, reverse=True, key=lambda each: each[0].score)[: effort.starts]


def _windows(image: Image) -> Iterator[Received]:
    """Yield nine windows of half the sides that overlap by half."""
    height, width = image.shape[0] // 4, image.shape[1] // 4
    if 2 * min(height, width) < _LOOK.smallest_side:
        return
    for row, column in product(range(3), range(3)):
        top, left = row * height, column * width
        yield Received(image[top : top + 2 * height, left : left + 2 * width], COARSE, (left, top))


def candidates(received: Received, count: int) -> list[Candidate]:
    """Return distinct candidates, the highest score first.

    The score is the correlation with the pattern in standard deviations of that with noise.

    Args:
        received: the picture to search.
        count: number of linear maps whose phases are read.
    """
    spectra = _Spectra(received)
    return _distinct(spectra.placed(_best(spectra.scores, count)), received)


def _candidates_in_windows(image: Image, count: int) -> list[tuple[Candidate, Received]]:
    """Return candidates in windows of *image*, the best first, with their window."""
    windows = [_Spectra(window) for window in _windows(image)]
    if not windows:
        return []
    window, number = np.divmod(_best(np.stack([each.scores for each in windows]), count), len(_linear_maps()))
    found = [
        (candidate, spectra.received)
        for index, spectra in enumerate(windows)
        for candidate in _distinct(spectra.placed(number[window == index]), spectra.received)
    ]
    return sorted(found, reverse=True, key=lambda each: each[0].score)


def _best(scores: Array, count: int) -> NDArray[np.intp]:
    """Return the places in *scores*, ``(..., maps)``, of the best maps, and of the best upright ones.

    Most pictures are received upright, so these maps get a chance of their own.
    """
    upright = np.flatnonzero(np.broadcast_to(_upright(), scores.shape))
    flat = scores.ravel()
    best = upright[np.argpartition(-flat[upright], _LOOK.upright)[: _LOOK.upright]]
    return np.union1d(np.argpartition(-flat, count)[:count], best)


def _score(candidate: Candidate) -> float:
    return candidate.score


def _distinct(found: list[Candidate], received: Received) -> list[Candidate]:
    """Return *found*, best first, without those whose corners lie where those of a better one do."""
    kept: list[tuple[Candidate, Matrix]] = []
    for each in sorted(found, reverse=True, key=_score):
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


class _Bins:
    """Bins of the Fourier transform nearest to the sinusoids' frequencies after linear maps, ``(maps, sinusoids)``."""

    def __init__(self, maps: Floats, resolution: Resolution) -> None:
        side = resolution.transform
        frequencies = np.asarray(sync.searched().frequencies.T * side / resolution.unit, np.float32)
        across, down = np.einsum("mij->jmi", maps.astype(np.float32)) @ frequencies  # in bins
        #: True where the transform has the conjugate only.
        self.negative = across < 0
        #: Across and down.
        self.across = np.rint(np.abs(across)).astype(np.int32)
        self.down = np.rint(np.where(self.negative, -down, down)).astype(np.int32)
        outside = (self.across > side // 2) | (np.abs(self.down) > side // 2)
        #: Place in the transform, row by row; one past its end for a frequency above half a cycle per pixel.
        self.places = np.where(self.down < 0, side, 0).astype(np.int32)
        self.places = (self.places + self.down) * np.int32(side // 2 + 1) + self.across
        self.places[outside] = side * (side // 2 + 1)


@cache
def _places(resolution: Resolution) -> NDArray[np.int32]:
    """Return the bins of all linear maps, ``int32 (maps, sinusoids)``."""
    return _Bins(_linear_maps(), resolution).places


class _Spectra:
    """Fourier transforms of the planes of a received picture, and the scores of all linear maps."""

    def __init__(self, received: Received) -> None:
        self.received = received
        side = received.resolution.transform
        #: Fourier transforms, whitened, and a zero for frequencies above half a cycle per pixel.
        self._values = []
        powers = np.zeros(side * (side // 2 + 1) + 1, np.float32)
        for plane in received.planes:
            values = np.fft.rfft2(plane, (side, side))
            power = np.square(values.real) + np.square(values.imag)
            mean = np.maximum(local_mean(power, _LOOK.power_window), 1e-6 * power.mean() + 1e-12)
            self._values.append(np.append(values / np.sqrt(mean), np.complex64(0)))
            powers += np.append(np.minimum(power / mean, _LOOK.max_power), np.float32(1))
        sums = powers[_places(received.resolution)].sum(axis=1)
        #: Sum of the powers at the sinusoids' frequencies, standardised over all maps, ``(maps,)``.
        self.scores = (sums - sums.mean()) / (sums.std() + 1e-9)

    def placed(self, chosen: NDArray[np.intp]) -> list[Candidate]:
        """Return candidates of linear maps, by number, with the positions that the phases agree with best."""
        maps = np.concatenate([_linear_maps()[chosen], -_linear_maps()[chosen]])
        correlations, powers = self._correlations(maps)
        tried, found = _LOOK.places, []
        for linear, correlation, power in zip(maps, correlations, powers, strict=True):
            row, column = divmod(int(correlation.argmax()), tried)
            score = float(correlation[row, column]) * tried**2 / 2 / math.sqrt(power / 2 + 1e-9)
            if score > _LOOK.min_score:
                matrix = np.eye(3)
                matrix[:2, :2] = linear / self.received.resolution.unit
                matrix[:2, 2] = (np.array([column, row]) / tried + 0.5) % 1.0 - 0.5
                found.append(Candidate(score, matrix))
        return found

    def _correlations(self, maps: Floats) -> tuple[Array, Floats]:
        """Return the correlation with the pattern at each position, ``(maps, down, across)``, and the power read."""
        pattern, tried, received = sync.searched(), _LOOK.places, self.received
        bins, side = _Bins(maps, received.resolution), received.resolution.transform
        # The origin moves from the first pixel to the centre.
        turns = (bins.down * (received.height - 1) + bins.across * (received.width - 1)) / (2 * side)
        centring = np.exp(2j * np.pi * turns)
        agreement, power = np.zeros(turns.shape, complex), np.zeros(len(maps))
        for spectrum, quarter in zip(self._values, _QUARTER, strict=True):
            values = spectrum[bins.places] * centring
            values = np.where(bins.negative, values.conj(), values)
            values = values / np.maximum(np.abs(values) / _LOOK.max_amplitude, 1)
            power += np.square(np.abs(values)).sum(axis=1)
            agreement += values.conj() * np.exp(1j * pattern.phases) * quarter
        across, down = pattern.frequencies.astype(np.intp).T  # across is never negative
        transforms = np.zeros((len(maps), tried, tried // 2 + 1), np.complex64)
        transforms[:, down % tried, across] = agreement
        transforms[:, -down[across == 0], 0] = agreement[:, across == 0].conj()
        return np.asarray(np.fft.irfft2(transforms, (tried, tried)), np.float32), power
