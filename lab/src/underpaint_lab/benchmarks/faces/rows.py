"""Secrets that are recognised without being restored: tables III to VI of the paper on MIAIS, beside ours.

The paper's rows and ours are of one shape. What the paper calls PSNR is of the mean error of all pictures, and its
MS-SSIM is that of its code: both are kept apart from what others call so.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Literal

from underpaint_lab.benchmarks.core.result_file import ResultFile, given, valued
from underpaint_lab.benchmarks.core.source import Citation, Source

#: The tables: parts of the system, pools of covers, rivals that hide from the eye, those that restore; and what can be
#: restored by whoever learns to.
ABLATION, COVERS, PRIVACY, MULTITASK = "miais-ablation", "miais-covers", "miais-privacy", "miais-multitask"
RECOVERY = "miais-recovery"
TABLES = (ABLATION, COVERS, PRIVACY, MULTITASK, RECOVERY)


@dataclass(frozen=True)
class Alike:
    """How like pictures are to others, where that is known."""

    #: Mean squared error, of the full scale.
    mse: float | None = None
    #: In dB: of the mean error over all pictures, and the mean over pictures; None where they are the same pictures.
    pooled_psnr: float | None = None
    psnr: float | None = None
    #: As in the paper's code, and as it was published, and at how many scales.
    ms_ssim_as_coded: float | None = None
    ms_ssim: float | None = None
    scales: int | None = None
    ssim: float | None = None


@dataclass(frozen=True)
class Recognition:
    """What one system comes to."""

    name: str
    secrets: Literal["faces", "objects"]
    #: Of pairs of faces told rightly, or of objects; 0–1.
    accuracy: float
    #: What covers are, if there are any.
    pool: str | None = None
    #: What it was trained on and for how long; and how many pictures judge it.
    scale: str | None = None
    count: int | None = None
    #: The same accuracy on plain secrets.
    plain: float | None = None
    #: Container and cover.
    cover: Alike | None = None
    #: What is seen of the secret, and the secret: of table V the container, of table VI what is restored.
    secret: Alike | None = None
    #: As of :class:`~underpaint_lab.metrics.verification.Verified`, and of its ``rank_one``.
    spread: float | None = None
    auc: float | None = None
    eer: float | None = None
    tar: float | None = None
    rank_one: float | None = None
    #: Accuracy by a wrong key.
    wrong_key: float | None = None
    #: Shares of containers and of covers that StegExpose calls containers, and the area under its curve.
    detected: float | None = None
    false_alarms: float | None = None
    detected_auc: float | None = None

    @property
    def gap(self) -> float | None:
        """Points of accuracy lost from plain secrets."""
        return None if self.plain is None else 100 * (self.plain - self.accuracy)


@dataclass(frozen=True)
class Recognitions(ResultFile):
    """Some rows of one of :data:`TABLES`."""

    rows: tuple[Recognition, ...]

    def lists(self) -> dict[str, list[dict[str, Any]]]:
        """Return the rows, likenesses as fields of their own."""
        return {"rows": [_flat(row) for row in self.rows]}

    @staticmethod
    def fields(lists: dict[str, Any]) -> dict[str, Any]:
        """Take the rows."""
        return {"rows": tuple(_row(row) for row in lists["rows"])}


@dataclass(frozen=True)
class Claims(Recognitions):
    """The paper's rows."""

    origin: ClassVar[type[Source | Citation]] = Citation


def _flat(row: Recognition) -> dict[str, Any]:
    fields = asdict(row)
    for what in ("cover", "secret"):
        fields |= {f"{what}_{name}": value for name, value in (fields.pop(what) or {}).items()}
    return valued(fields)


def _row(fields: dict[str, Any]) -> Recognition:
    parts: dict[str, Alike | None] = {}
    for what in ("cover", "secret"):
        own = {name.removeprefix(f"{what}_"): value for name, value in fields.items() if name.startswith(f"{what}_")}
        parts[what] = Alike(**given(own, Alike)) if own else None
    return Recognition(**given(fields, Recognition) | parts)
