"""What a plane looks like to a classifier: SPAM here, SRM in :mod:`underpaint_lab.steganalysis.srm`, and both for many pictures.

T. Pevný, P. Bas and J. Fridrich, "Steganalysis by subtractive pixel adjacency matrix" (IEEE TIFS 5(2), 2010)::

    plane ─► differences of neighbours, at most ±3 ─► triples of successive ones, eight directions ─► two means ─► 686

Deviation: the frequencies of triples are joint, as in public implementations; those of the paper are conditional.
"""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING

import numpy as np

from underpaint.errors import UsageError
from underpaint_lab.steganalysis.cooccurrence import as_plane, strips, triples
from underpaint_lab.steganalysis.srm import srm, srmq1

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_REACH = 3  # T of the paper, and how far a triple of differences spans
#: Along a row, down a column, and the diagonals: down and up.
_STEPS = ((0, 1), (1, 0), (1, 1), (-1, 1))


def spam(plane: NDArray[np.uint8]) -> NDArray[np.float64]:
    """SPAM of second order, ``float64 (686,)``, of a plane ``uint8 (H, W)``.

    First the mean over the four directions along rows and columns, then over the four along diagonals. Each 343 are
    shares that add up to 1: of d₁, d₂, d₃ = -3 … 3, successive differences, d₃ the fastest.

    Raises:
        UsageError: the plane is none, or a side is below 4 pixels.
    """
    plane = as_plane(plane, _REACH + 1)
    height, width = plane.shape
    counts = np.zeros((len(_STEPS), 7**3), np.int64)
    for top, bottom in strips(height, width):
        strip = plane[top : bottom + _REACH].astype(np.int16)
        for step, count in zip(_STEPS, counts, strict=True):
            # Of the rows that the next strip has too, triples that leave this strip need some; those in a row do not.
            count += _successive(strip if step[0] else strip[: bottom - top], step)
    shares = (counts / counts.sum(1, keepdims=True)).reshape(len(_STEPS), 7, 7, 7)
    # Who walks the other way meets the differences in reverse, with the opposite sign.
    shares = (shares + shares.transpose(0, 3, 2, 1)[:, ::-1, ::-1, ::-1]) / 2
    means: NDArray[np.float64] = shares.reshape(2, 2, 7**3).mean(1)
    return means.ravel()


#: By name, each of a plane ``uint8 (H, W)``.
FEATURES: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.floating]]] = {"spam": spam, "srm": srm, "srmq1": srmq1}


def of_colour(picture: NDArray[np.uint8], feature: str) -> NDArray[np.floating]:
    """A feature of a plane ``uint8 (H, W)``, or of a picture ``uint8 (H, W, 3)``: the mean over its three planes.

    Methods here change all three channels; the luminance would round most of that away, and three vectors one after
    the other would triple what a classifier has to learn from as many pictures.

    Raises:
        UsageError: there is no such feature, or the picture is none, or too small for it.
    """
    if feature not in FEATURES:
        raise UsageError(f"no feature is called {feature!r}", hint="there are " + ", ".join(FEATURES))
    if picture.ndim == 2:
        return FEATURES[feature](picture)
    if picture.ndim != 3 or picture.shape[2] != 3:
        raise UsageError(f"expected (H, W) or (H, W, 3), not {picture.shape}")
    planes = [FEATURES[feature](np.ascontiguousarray(picture[..., channel])) for channel in range(3)]
    mean: NDArray[np.floating] = np.mean(planes, axis=0)
    return mean


def extract(images: Sequence[NDArray[np.uint8]], feature: str, jobs: int | None = None) -> NDArray[np.floating]:
    """The feature of each image, as :func:`of_colour`, ``(n, d)``, by *jobs* processes (None: one per core).

    Raises:
        UsageError: there are no images; and as :func:`of_colour`.
    """
    if not len(images):
        raise UsageError("there are no images to take features of")
    work = partial(of_colour, feature=feature)
    jobs = min(jobs or os.cpu_count() or 1, len(images))
    if jobs <= 1:
        return np.stack([work(image) for image in images])
    # Spawned, not forked: a fork copies the locks of other threads in whatever state they are.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        return np.stack(list(pool.map(work, images, chunksize=4)))


def _successive(plane: NDArray[np.int16], step: tuple[int, int]) -> NDArray[np.int64]:
    """How often each three successive differences occur along *step*, ``(343,)``."""
    if step[0] < 0:
        plane, step = plane[::-1], (-step[0], step[1])
    ahead, behind = (tuple(slice(by * skip or None, None) for skip in step) for by in (1, 2))
    stop, far = (tuple(slice(None, -by * skip or None) for skip in step) for by in (1, 2))
    middle = tuple(slice(skip or None, -skip or None) for skip in step)
    differences = (np.clip(plane[stop] - plane[ahead], -_REACH, _REACH) + _REACH).astype(np.uint8)
    return triples(differences[far], differences[middle], differences[behind])
