"""From what a detector computes to the share it reports."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def mean(shares: Sequence[float | None]) -> float | None:
    """The mean of the *shares* there are, brought within 0–1; None where there are none."""
    found = [share for share in shares if share is not None]
    return min(1.0, max(0.0, float(sum(found) / len(found)))) if found else None


def sterile(shares: Sequence[float]) -> float | None:
    """What StegExpose makes of *shares*: the magnitude of their mean, at most 1; None if one is no number."""
    share = sum(shares) / len(shares)
    return None if math.isnan(share) else min(1.0, abs(float(share)))
