"""Rows of the tables on MIAIS: faces and objects that are recognised in containers, and steganalysis of these.

Published and measured rows have one shape. The paper's PSNR is that of the mean error of all pictures, and its MS-SSIM
is that of its code; both are kept apart from the usual definitions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Names of the tables: parts of the system, pools of covers, visual privacy, systems that also restore the secret.
ABLATION, COVERS, PRIVACY, MULTITASK = "miais-ablation", "miais-covers", "miais-privacy", "miais-multitask"
#: Names of the tables of recovery attacks and of trained steganalysers.
RECOVERY, STEGANALYSIS = "miais-recovery", "miais-steganalysis"


@dataclass(frozen=True)
class FaceQuality:
    """Distances of two sets of pictures, as far as they are known."""

    mse: float | None = None  #: mean squared error, full scale 1
    pooled_psnr: float | None = None  #: in dB, of the mean error over all pictures; None for identical pictures
    psnr: float | None = None  #: in dB, mean over pictures; None for identical pictures
    ms_ssim_as_coded: float | None = None  #: MS-SSIM by the paper's code (normalised values)
    ms_ssim: float | None = None  #: MS-SSIM as it was published
    scales: int | None = None  #: of MS-SSIM
    ssim: float | None = None


@dataclass(frozen=True)
class RecognitionRow:
    """One system: how well secrets are recognised in its containers."""

    name: str
    secrets: Literal["faces", "objects"]
    accuracy: float  #: of verification of pairs of faces, or of classification of objects; 0–1
    pool: str | None = None  #: pool of covers
    scale: str | None = None  #: data and length of the training
    count: int | None = None  #: pictures measured
    plain: float | None = None  #: accuracy on secrets without a container
    cover: FaceQuality | None = None  #: container against cover
    secret: FaceQuality | None = None  #: container (privacy) or restored picture (multitask) against secret
    spread: float | None = None  #: standard deviation of accuracy over ten folds
    auc: float | None = None  #: of verification
    eer: float | None = None  #: equal error rate
    tar: float | None = None  #: true-accept rate at 0.1 % false accepts
    rank_one: float | None = None  #: rank-one identification rate
    wrong_key: float | None = None  #: accuracy with a wrong key
    detected: float | None = None  #: share of containers above StegExpose's threshold
    false_alarms: float | None = None  #: share of covers above it
    detected_auc: float | None = None  #: AUC of StegExpose

    @property
    def gap(self) -> float | None:
        """Accuracy lost against plain secrets, in percentage points."""
        return None if self.plain is None else 100 * (self.plain - self.accuracy)


@dataclass(frozen=True)
class SteganalyserRow:
    """One trained steganalyser on the containers of one system."""

    analyser: str  #: ``ye`` or ``yedroudj``
    case: Literal[1, 2]  #: 1: trained on the same system; 2: on all others
    hider: str  #: system
    accuracy: float  #: share of covers and containers classified correctly
    pairs: int  #: pairs of cover and container tested
    trained_pairs: int  #: pairs trained on
    scale: str | None = None  #: steps of the training
