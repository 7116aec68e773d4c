"""StegExpose fusion: the mean of four estimators of LSB replacement.

The estimators see what replacement does to the values 2k and 2k + 1. Embedding by ±1 (LSB matching), as in ``lsb``,
hardly shows; a method that leaves the lowest bits alone does not show at all. The estimators follow the papers, not the
tool, which ``underpaint_lab.steganalysis.stegexpose_tool`` follows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from underpaint.steganalysis.chi_square import chi_square
from underpaint.steganalysis.rs import rs
from underpaint.steganalysis.spa import primary_sets, spa

if TYPE_CHECKING:
    from collections.abc import Iterable

    from underpaint.steganalysis.planes import Plane

#: The estimators that StegExpose fuses, in its order.
STEGEXPOSE = {
    "primary-sets": primary_sets,
    "sample-pairs": spa,
    "chi-square": chi_square,
    "rs": rs,
}


@dataclass(frozen=True)
class Fusion:
    """The estimates for one picture, and their mean."""

    #: Estimated payload by estimator, 0–1, with the names of :data:`STEGEXPOSE`; None where there is no estimate.
    estimates: dict[str, float | None]
    #: Mean of the estimates that are not None, 0–1; None if all are. The tool reports pictures above 0.2.
    mean: float | None


def stegexpose(image: Plane) -> Fusion:
    """Run the four estimators of StegExpose and take their mean.

    Example:
        ``stegexpose(stego).mean`` returns about 0.3 after LSB replacement in the first 30 % of the values.

    Args:
        image: ``uint8 (H, W, 3)`` or ``(H, W)``.

    Raises:
        UsageError: *image* is no picture.

    Source: B. Boehm, "StegExpose – a tool for detecting LSB steganography", 2014.
    """
    estimates = {name: estimate(image) for name, estimate in STEGEXPOSE.items()}
    return Fusion(estimates, fuse(estimates.values()))


def fuse(estimates: Iterable[float | None]) -> float | None:
    """Return the mean of the *estimates* that are not None; None if all are."""
    known = [each for each in estimates if each is not None]
    return sum(known) / len(known) if known else None
