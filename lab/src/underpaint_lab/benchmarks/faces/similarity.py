"""Quality of pictures against others of the same size, and detection of containers by StegExpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from underpaint import metrics
from underpaint.steganalysis.stegexpose import stegexpose
from underpaint_lab.benchmarks.faces.rows import FaceQuality
from underpaint_lab.metrics import detection, papers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint.types import Image

#: Threshold of StegExpose on the mean of its estimates.
STEGEXPOSE_THRESHOLD = 0.2
#: PSNR in dB of identical pictures, in means.
_SAME = 100.0


def quality(before: Sequence[Image], after: Sequence[Image]) -> FaceQuality:
    """Measure pairs of pictures of one size, with as many scales of MS-SSIM as fit."""
    pairs = list(zip(before, after, strict=True))
    side = min(before[0].shape[:2])
    scales = min(5, int(np.log2(side // metrics.SSIM_WINDOW)) + 1)
    error = float(np.mean([papers.mse(*pair) for pair in pairs]))
    return FaceQuality(
        mse=error,
        pooled_psnr=papers.pooled_psnr(pairs) if error else None,
        psnr=float(np.mean([min(metrics.psnr(*pair), _SAME) for pair in pairs])) if error else None,
        ms_ssim_as_coded=float(np.mean([papers.ms_ssim_normalised(*pair, scales) for pair in pairs])),
        ms_ssim=float(np.mean([metrics.ms_ssim(*pair, scales) for pair in pairs])),
        scales=scales,
        ssim=float(np.mean([metrics.ssim(*pair) for pair in pairs])),
    )


def stegexpose_rates(covers: Sequence[Image], containers: Sequence[Image]) -> dict[str, float]:
    """Return detection rate, false-positive rate and AUC of StegExpose, by their field in a row.

    A missing estimate counts as 0.
    """
    clean, stego = (np.array([stegexpose(each).mean or 0.0 for each in some]) for some in (covers, containers))
    scores = {"detected": stego, "false_alarms": clean}
    found = {name: float((each > STEGEXPOSE_THRESHOLD).mean()) for name, each in scores.items()}
    return found | {"detected_auc": detection.auc(clean, stego)}
