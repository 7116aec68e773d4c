"""Pictures in pictures: how far containers are from covers, and what is revealed from what was hidden."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from underpaint import metrics
from underpaint_lab.benchmarks.core.result_file import ResultFile, given, valued

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from underpaint.types import Image
    from underpaint_lab.benchmarks.core.source import Source

#: The tables: of photographs, and of pictures of 32×32.
PICTURES, SMALL = "pictures", "pictures-small"


@dataclass(frozen=True)
class Likeness:
    """How like two sets of pictures are: means over pairs."""

    #: In dB, and half of the width of its 95 % interval.
    psnr: float
    psnr_within: float
    ssim: float
    apd: float
    #: None of pictures below 176 pixels.
    ms_ssim: float | None = None

    @classmethod
    def of(cls, before: Sequence[Image], after: Sequence[Image]) -> Likeness:
        """Measure pairs of pictures."""
        pairs = list(zip(before, after, strict=True))
        decibels = np.array([min(metrics.psnr(*pair), 100.0) for pair in pairs])
        within = 1.96 * decibels.std() / max(len(pairs) - 1, 1) ** 0.5
        large = min(before[0].shape[:2]) >= metrics.MS_SSIM_SMALLEST_SIDE
        return cls(
            float(decibels.mean()),
            float(within),
            _mean([metrics.ssim(*pair) for pair in pairs]),
            _mean([metrics.apd(*pair) for pair in pairs]),
            _mean([metrics.ms_ssim(*pair) for pair in pairs]) if large else None,
        )


@dataclass(frozen=True)
class Hidden:
    """What came of some pairs."""

    #: What lies in what.
    pictures: str
    #: Height and width.
    sides: tuple[int, int]
    pairs: int
    #: Pairs that it refused.
    refused: int
    cover: Likeness
    #: None where bits were hidden.
    secret: Likeness | None
    #: How it was trained, where that is no model of the zoo.
    trained: str | None = None
    #: What an ideal Reed–Solomon code leaves of the bits hidden in a pixel, D (2 · accuracy - 1): SteganoGAN's RS-BPP.
    bits: float | None = None
    #: The channel that containers went through, where that is measured.
    after: str | None = None


@dataclass(frozen=True)
class Revealed(ResultFile):
    """What comes of pictures in pictures by one method."""

    source: Source
    rows: tuple[Hidden, ...]

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows, likenesses as fields of their own."""
        return {"rows": [_flat(row) for row in self.rows]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take the rows."""
        return {"rows": tuple(_row(row) for row in lists["rows"])}


def _mean(values: Sequence[float] | NDArray[np.float64]) -> float:
    return float(np.mean(values))


def _flat(row: Hidden) -> dict[str, Any]:
    fields = asdict(row)
    for what in ("cover", "secret"):
        fields |= {f"{what}_{name}": value for name, value in (fields.pop(what) or {}).items()}
    return valued(fields)


def _row(fields: dict[str, Any]) -> Hidden:
    parts: dict[str, Likeness | None] = {}
    for what in ("cover", "secret"):
        own = {name.removeprefix(f"{what}_"): value for name, value in fields.items() if name.startswith(f"{what}_")}
        parts[what] = Likeness(**given(own, Likeness)) if own else None
    return Hidden(**given(fields, Hidden) | parts | {"sides": tuple(fields["sides"])})
