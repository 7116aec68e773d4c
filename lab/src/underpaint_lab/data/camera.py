"""Camera simulation: variants of a photograph as other cameras and programs might have produced it.

A steganalysis detector that has seen one source of photographs takes the noise of any other for a message. Covers for
its training are therefore developed anew, each with its own noise, sharpness, tones and codec.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import PIL.Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from underpaint.types import Image

AnyLevel = TypeVar("AnyLevel", bound=np.generic)

#: Side of a cover in pixels.
SIDE = 128


@dataclass(frozen=True)
class Development:
    """Settings of :func:`developed`: probabilities of its steps, and their ranges."""

    #: Probability of each of noise, blur and a change of tones. Sharpening and chroma coding each have 1 minus this.
    probability: float = 0.7
    #: Probability of JPEG compression.
    jpeg_probability: float = 0.2
    #: Probability that tones are changed again after rounding to 8 bits.
    edit_probability: float = 0.2
    #: Smallest and largest standard deviation of the noise, in levels of 8 bits.
    noise_levels: tuple[float, float] = (0.4, 8.0)
    #: Radius of the blur kernel in pixels.
    blur_radius: int = 4
    #: Gains of luma and chroma: JPEG (full range), video (BT.601, limited range), and Photo CD.
    gains: tuple[tuple[float, float], ...] = ((1.0, 1.0), (255 / 219, 255 / 224), (1.3584, 2.0))
    #: Largest gains of luma and chroma drawn at random.
    max_gains: tuple[float, float] = (1.6, 2.4)


_SETTINGS = Development()
#: Luma and chroma from red, green and blue (BT.601, full range, ITU-T T.871); chroma is centred on 0.
YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])


def halved(picture: Image) -> Image:
    """Return *picture* at half its width and height (bicubic)."""
    size = (picture.shape[1] // 2, picture.shape[0] // 2)
    return np.asarray(PIL.Image.fromarray(picture).resize(size, PIL.Image.Resampling.BICUBIC))


def random_crop(planes: NDArray[AnyLevel], rng: np.random.Generator, side: int = SIDE) -> NDArray[AnyLevel]:
    """Return a random square of *planes*, ``(H, W, 3)``, of *side* pixels."""
    top, left = (rng.integers(length - side + 1) for length in planes.shape[:2])
    return planes[top : top + side, left : left + side]


def developed(picture: Image, rng: np.random.Generator) -> Image:
    """Return a random crop of *picture*, 128×128, developed at random.

    ::

        scaled to 1/2–1 ─► noise, shared by the colours or not ─► blur ─► sharpening ─► other tones
        ─► luma and chroma in 8 bits, with gains or subsampled ─► 8 bits ─► other tones again ─► JPEG

    Every step but the first is left out at random.

    Args:
        picture: ``uint8 (H, W, 3)``, at least 136×136.
        rng: draws all steps and their parameters.

    Returns:
        ``uint8 (128, 128, 3)``.
    """
    often, radius = _SETTINGS.probability, _SETTINGS.blur_radius
    cover = random_crop(_scaled(picture, rng), rng, SIDE + 2 * radius)
    if rng.random() < often:
        cover = _with_noise(cover, rng)
    if rng.random() < often:
        cover = _blurred(cover, rng.uniform(0.3, 0.9))
    if rng.random() < 1 - often:
        cover = cover + rng.uniform(0, 1.5) * (cover - _blurred(cover, rng.uniform(0.5, 1.5)))
    if rng.random() < often:
        cover = _toned(cover, rng)
    cover = cover[radius:-radius, radius:-radius]
    if rng.random() < 1 - often:
        known = rng.integers(2)
        gains = _SETTINGS.gains[rng.integers(len(_SETTINGS.gains))] if known else rng.uniform(1, _SETTINGS.max_gains)
        cover = _through_luma_and_chroma(cover, np.asarray(gains), subsampled=bool(rng.integers(2)))
    if rng.random() < _SETTINGS.edit_probability:
        cover = _toned(np.clip(np.rint(cover), 0, 255), rng)
    found = np.clip(np.rint(cover), 0, 255).astype(np.uint8)
    return _through_jpeg(found, rng) if rng.random() < _SETTINGS.jpeg_probability else found


def _scaled(picture: Image, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return *picture* scaled by a random factor of 1/2–1 with a random filter, never smaller than a crop."""
    filters = list(PIL.Image.Resampling)[1:]  # all but the nearest neighbour
    whole = min(picture.shape[:2])
    short = int(rng.integers(max(SIDE + 2 * _SETTINGS.blur_radius, whole // 2), whole + 1))
    size = (-(-picture.shape[1] * short // whole), -(-picture.shape[0] * short // whole))
    chosen = filters[rng.integers(len(filters))]
    planes = [
        PIL.Image.fromarray(plane).resize(size, chosen) for plane in np.moveaxis(picture.astype(np.float32), 2, 0)
    ]
    return np.stack([np.asarray(plane, np.float64) for plane in planes], axis=-1)


def _with_noise(cover: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Add noise whose standard deviation grows with brightness, as photon noise does."""
    shared = rng.choice([0, rng.random(), 1])
    grain = np.sqrt(shared) * rng.standard_normal((*cover.shape[:2], 1))
    grain = grain + np.sqrt(1 - shared) * rng.standard_normal(cover.shape)
    bright = (np.clip(cover, 0, 255) / 128) ** rng.uniform(0, 0.5)
    noisy: NDArray[np.float64] = cover + np.exp(rng.uniform(*np.log(_SETTINGS.noise_levels))) * bright * grain
    return noisy


def _toned(cover: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Apply a random exposure and a random gamma curve."""
    return rng.uniform(0.8, 1.1) * 255 * (np.clip(cover, 0, 255) / 255) ** rng.uniform(0.7, 1.4)


def _through_luma_and_chroma(
    cover: NDArray[np.float64], gains: NDArray[np.float64], *, subsampled: bool
) -> NDArray[np.float64]:
    """Return *cover* after rounding luma and chroma, divided by *gains*, to 8 bits, and multiplying them again."""
    factors = gains[[0, 1, 1]]
    planes = np.rint(np.clip(cover, 0, 255) @ YCC.T / factors)
    if subsampled:
        for plane in (1, 2):
            chroma = PIL.Image.fromarray(planes[..., plane].astype(np.float32))
            small = chroma.resize((chroma.width // 2, chroma.height // 2), PIL.Image.Resampling.BOX)
            rounded = PIL.Image.fromarray(np.rint(np.asarray(small)))
            planes[..., plane] = np.rint(np.asarray(rounded.resize(chroma.size, PIL.Image.Resampling.BILINEAR)))
    back: NDArray[np.float64] = (planes * factors) @ np.linalg.inv(YCC).T
    return back


def _through_jpeg(picture: Image, rng: np.random.Generator) -> Image:
    """Return *picture* after JPEG of a random quality of 70–98 and a random chroma subsampling."""
    file = io.BytesIO()
    quality, subsampling = int(rng.integers(70, 99)), int(rng.integers(3))
    PIL.Image.fromarray(picture).save(file, "JPEG", quality=quality, subsampling=subsampling)
    return np.asarray(PIL.Image.open(file).convert("RGB"))


def _blurred(planes: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
    """Return *planes*, ``(H, W, 3)``, blurred by a Gaussian of *deviation* pixels; edges are repeated."""
    radius = _SETTINGS.blur_radius
    weights = np.exp(-0.5 * (np.arange(-radius, radius + 1) / deviation) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        padded = np.pad(planes, [(radius, radius) if axis == each else (0, 0) for each in range(3)], mode="edge")
        parts = (padded.take(range(start, start + planes.shape[axis]), axis) for start in range(weights.size))
        planes = np.sum([weight * part for weight, part in zip(weights, parts, strict=True)], axis=0)
    return planes
