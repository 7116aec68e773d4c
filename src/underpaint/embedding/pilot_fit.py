"""Fine alignment of a straightened picture by its pilots, where the synchronisation pattern is not exact enough.

Lattices are read well only if the picture lies within half a pixel of its place on the canvas. The pilots tell more:
the projection of each is nearly linear in a small displacement of the picture, so the displacement at which most pilots
lie on their lattice points is found without transforming the picture again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint.embedding import lapped, watermark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.coding.keys import Key
    from underpaint.embedding.blind_detection import Detection
    from underpaint.embedding.canvas import Canvas
    from underpaint.embedding.lapped import Array
    from underpaint.embedding.placement import Matrix
    from underpaint.embedding.sync import Floats
    from underpaint.types import Image


@dataclass(frozen=True)
class _Fit:
    """Settings of the fit. Lengths are in pixels of a canvas of 512 pixels, at the edge of the picture."""

    starts: int = 300  # random displacements that are improved
    steps: int = 12  # Gauss–Newton steps of each
    deviations: tuple[float, ...] = (0.9, 0.5, 0.3)  # expected displacement, in each round


_FIT = _Fit()
_PIXELS = 512.0


def displacement(image: Image, canvas: Canvas, key: Key, detections: Sequence[Detection], round_: int) -> Matrix:
    """Return a projective map ``(3, 3)`` of the unit square by which the picture is to be moved.

    Args:
        image: the straightened picture, ``uint8 (side, side, 3)``.
        canvas: the canvas and the part of it that the picture covers.
        key: of this canvas.
        detections: frame sizes and lattice steps to try; the one whose pilots agree best after the move counts.
        round_: number of the fit, from 0; later ones look nearer.
    """
    spread, count = watermark.pilots(canvas, key), canvas.counts[0]
    luma = canvas.luma(image)
    covered = np.isfinite(canvas.analyse(image, count))

    def project(plane: Floats | Array) -> Floats:
        coefficients = lapped.transform(np.array(plane, np.float32), count)
        return spread.project(np.where(covered, coefficients, np.float32(np.nan)))

    at = (np.arange(canvas.side, dtype=np.float32) + 0.5) / canvas.side - 0.5
    x, y = at[None, :], at[:, None]
    down, across = (gradient * canvas.side for gradient in np.gradient(luma))
    radial = across * x + down * y
    slopes = [across, across * x, across * y, down, down * x, down * y, radial * x, radial * y]
    values = project(luma)
    received = np.isfinite(values)
    system = np.stack([project(np.asarray(slope))[received] for slope in slopes], axis=1)
    deviation = _FIT.deviations[min(round_, len(_FIT.deviations) - 1)] / _PIXELS
    scales = deviation * np.array([1, 2, 2, 1, 2, 2, 4, 4])
    fits = []
    for each in detections:
        pattern = watermark.pilot(canvas, key, each.size, each.copies)
        phases = values[received] / each.step - spread.dither[received] - pattern[received] / 2
        fits.append(_best(phases, system / each.step, scales))
    return _map(max(fits, key=lambda each: each[0])[1])


def _best(
    phases: Floats,
    system: Floats,
    scales: Floats,
) -> tuple[float, Floats]:
    """Return the parameters at which the most phases are near to whole numbers, after their agreement.

    The parameters have a Gaussian prior of these *scales*.
    """
    rng = np.random.default_rng(0)
    turned = 2 * np.pi * system * scales  # phases in radians, parameters in deviations
    found = rng.standard_normal((_FIT.starts, len(scales))) * 0.7
    found[0] = 0
    curvature = np.linalg.inv(turned.T @ turned + np.eye(len(scales)))
    for _ in range(_FIT.steps):
        sine = np.sin(2 * np.pi * phases + found @ turned.T)
        found = found - (sine @ turned + found) @ curvature
    agreement = np.cos(2 * np.pi * phases + found @ turned.T).sum(axis=1) - np.square(found).sum(axis=1) / 2
    return float(agreement.max()), np.asarray(found[agreement.argmax()] * scales)


def _map(parameters: Floats) -> Matrix:
    """Return the map of the unit square that moves points, from its centre, by these parameters."""
    moved = np.eye(3)
    moved[0] += parameters[[1, 2, 0]]
    moved[1] += parameters[[4, 5, 3]]
    moved[2, :2] -= parameters[6:8]
    centre = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, 1]])
    return np.asarray(np.linalg.inv(centre) @ moved @ centre)
