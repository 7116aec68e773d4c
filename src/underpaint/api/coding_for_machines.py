"""Coding for machines: the smallest file of a picture that classifiers still label as they label the picture.

A lossy format gets the lowest quality that keeps the labels. Then values move within the just noticeable difference
of machine vision, towards a picture that compresses better: a smoother one, or one of fewer levels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from underpaint.media import FORMATS, decode, encode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from underpaint.media import Picture
    from underpaint.models.classifiers import Classifier
    from underpaint.types import Image

#: Lower qualities of a lossy format that are searched.
_QUALITIES = tuple(range(5, 100, 5))
#: Shares of the threshold that values may move by, tried in turn until all labels are kept.
_THRESHOLD_SHARES = (1.0, 0.7, 0.5, 0.3, 0.15)
#: Rounds of smoothing.
_SMOOTHING_ROUNDS = 6


@dataclass(frozen=True)
class Saving:
    """Sizes of a picture's plain file and of its file for machines, in one format."""

    #: Bytes of the plain file, and of the file for machines.
    before: int
    after: int
    #: Quality of the file for machines, 1–100; None for a format that is always exact.
    quality: int | None
    #: Classifiers that label the plain file, and the file for machines, as they label the picture; and all of them.
    kept_before: int
    kept_after: int
    classifiers: int

    @property
    def share(self) -> float:
        """Share of the bytes that is saved, 0–1."""
        return 1 - self.after / self.before


def compress_for_machines(
    picture: Picture, threshold: Image, format_name: str, quality: int, classifiers: Mapping[str, Classifier]
) -> tuple[bytes, Saving]:
    """Return the smallest file of *picture* that keeps the labels that its plain file keeps.

    Args:
        picture: picture to compress.
        threshold: levels that each value may change by, ``uint8 (H, W, 3)``.
        format_name: key of :data:`underpaint.media.FORMATS`.
        quality: highest quality of a lossy format, 1–100, that of the plain file.
        classifiers: functions from an image to its label, by name.

    Returns:
        Bytes of the file, and its saving against the plain file; the plain file if nothing is saved.
    """
    highest = quality if FORMATS[format_name].lossy else None
    search = MachineCoder(picture, format_name, classifiers)
    plain = search.encode(picture.pixels, highest)
    required = search.kept(plain)
    chosen, _ = search.lowest_quality(highest, required) if highest is not None else (None, plain)
    data = search.within_threshold(threshold, chosen, required)
    if len(data) >= len(plain):
        chosen, data = highest, plain
    return data, Saving(len(plain), len(data), chosen, len(required), len(search.kept(data)), len(classifiers))


class MachineCoder:
    """Search for a small file of one picture in one format, with classifiers in the loop.

    Args:
        picture: picture to compress.
        format_name: key of :data:`underpaint.media.FORMATS`.
        classifiers: functions from an image to its label, by name.
    """

    def __init__(self, picture: Picture, format_name: str, classifiers: Mapping[str, Classifier]) -> None:
        self._picture, self._format, self._classifiers = picture, format_name, classifiers
        self._labels = {name: label(picture.pixels) for name, label in classifiers.items()}

    def encode(self, pixels: Image, quality: int | None) -> bytes:
        """Return a file of *pixels*, with the transparency and metadata of the picture."""
        return encode(self._picture.with_pixels(pixels), self._format, quality=quality)

    def kept(self, data: bytes) -> set[str]:
        """Return the names of the classifiers that label the file *data* as they label the picture."""
        pixels = decode(data).pixels
        return {name for name, label in self._classifiers.items() if label(pixels) == self._labels[name]}

    def lowest_quality(self, quality: int, required: set[str]) -> tuple[int, bytes]:
        """Search by bisection for the lowest quality at which all *required* classifiers keep their label.

        Returns:
            The quality, at most *quality*, and the file. Labels are not monotonic in quality, so a lower one may exist.
        """
        grades = [each for each in _QUALITIES if each < quality]
        low, high, found = 0, len(grades), (quality, self.encode(self._picture.pixels, quality))
        while low < high:
            middle = (low + high) // 2
            data = self.encode(self._picture.pixels, grades[middle])
            if self.kept(data) >= required:
                high, found = middle, (grades[middle], data)
            else:
                low = middle + 1
        return found

    def within_threshold(self, threshold: Image, quality: int | None, required: set[str]) -> bytes:
        """Return the smallest file of pixels within *threshold* of the picture's that keeps the *required* labels.

        The largest share of the threshold that keeps them is used; the plain file is returned if nothing is saved.
        """
        plain = self.encode(self._picture.pixels, quality)
        for share in _THRESHOLD_SHARES:
            allowed = (share * threshold).astype(threshold.dtype)
            prepared = smooth(self._picture.pixels, allowed), reduce_levels(self._picture.pixels, allowed)
            data = min((self.encode(pixels, quality) for pixels in prepared), key=len)
            if len(data) < len(plain) and self.kept(data) >= required:
                return data
        return plain


def smooth(image: Image, threshold: Image) -> Image:
    """Return a smooth picture whose values are within *threshold* levels of those of *image*.

    Each round moves values to a weighted mean of their neighbourhood (1, 2, 1), as far as the threshold allows.

    Args:
        image: ``uint8 (H, W, 3)``.
        threshold: levels, of the same shape.
    """
    low = image.astype(np.int16) - threshold
    high = image.astype(np.int16) + threshold
    found: NDArray[np.float32] = image.astype(np.float32)
    for _ in range(_SMOOTHING_ROUNDS):
        for axis in (0, 1):
            ends = [(1, 1) if axis == other else (0, 0) for other in range(3)]
            padded = np.pad(found, ends, mode="edge")
            before, after = (padded.take(range(start, start + image.shape[axis]), axis) for start in (0, 2))
            found = (before + 2 * found + after) / np.float32(4)
        found = found.clip(low, high).astype(np.float32)
    result: Image = np.rint(found).clip(0, 255).astype(np.uint8)
    return result


def reduce_levels(image: Image, threshold: Image) -> Image:
    """Round each value to a multiple of the largest power of two that is at most twice its threshold.

    This is a quantiser whose step is at most twice the threshold, so no value moves by more than the threshold.

    Args:
        image: ``uint8 (H, W, 3)``.
        threshold: levels, of the same shape.
    """
    step = np.left_shift(1, np.log2(np.maximum(2 * threshold.astype(np.int16), 1)).astype(np.int16))
    nearest = (image + step // 2) // step * step
    rounded: Image = np.where(nearest > 255, nearest - step, nearest).astype(np.uint8)
    return np.where(np.abs(rounded.astype(np.int16) - image) <= threshold, rounded, image)
