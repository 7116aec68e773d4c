"""What is seen of pictures that carry others: how like they are to what they were, and what StegExpose says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint import metrics
from underpaint.steganalysis.stegexpose import stegexpose
from underpaint_lab.benchmarks.faces.rows import Alike
from underpaint_lab.metrics import detection, papers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.types import Image

#: What StegExpose calls suspicious.
SUSPICIOUS = 0.2
#: PSNR in dB that counts for a picture that is the same.
_SAME = 100.0


def alike(before: Sequence[Image], after: Sequence[Image]) -> Alike:
    """How like pictures of one size are to others, pair by pair, at as many scales as fit."""
    pairs = list(zip(before, after, strict=True))
    side = min(before[0].shape[:2])
    scales = min(5, int(np.log2(side // metrics.SSIM_WINDOW)) + 1)
    error = float(np.mean([papers.mse(*pair) for pair in pairs]))
    return Alike(
        mse=error,
        pooled_psnr=papers.pooled_psnr(pairs) if error else None,
        psnr=float(np.mean([min(metrics.psnr(*pair), _SAME) for pair in pairs])) if error else None,
        ms_ssim_as_coded=float(np.mean([papers.ms_ssim_normalised(*pair, scales) for pair in pairs])),
        ms_ssim=float(np.mean([metrics.ms_ssim(*pair, scales) for pair in pairs])),
        scales=scales,
        ssim=float(np.mean([metrics.ssim(*pair) for pair in pairs])),
    )


def detected(covers: Sequence[Image], containers: Sequence[Image]) -> dict[str, float]:
    """What StegExpose makes of *containers*: fields of a row. Who has no estimate is not suspected."""
    clean, marked = (np.array([stegexpose(each).mean or 0.0 for each in some]) for some in (covers, containers))
    shares = {"detected": marked, "false_alarms": clean}
    found = {name: float((scores > SUSPICIOUS).mean()) for name, scores in shares.items()}
    return found | {"detected_auc": detection.auc(clean, marked)}
