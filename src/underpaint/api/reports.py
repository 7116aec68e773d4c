"""Report of :func:`underpaint.hide_file`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from underpaint.api.inspect import Finding
    from underpaint.api.payloads import PictureCompression


@dataclass(frozen=True)
class HideReport:
    """Result of :func:`underpaint.hide_file`."""

    #: Path of the container.
    container: str
    #: Method that hid the payload.
    method: str
    #: Size of the payload before compression and framing.
    payload_bytes: int
    #: PSNR in dB of the container as decoded from its file; of luma for a video.
    psnr: float
    #: Channel that the payload was revealed after; None if the container has to stay exactly as it is.
    survives: str | None
    #: Time that hiding took.
    seconds: float
    warnings: tuple[str, ...]
    #: Loss of a hidden picture; None for other payloads.
    compression: PictureCompression | None
    #: Result of each steganalysis detector, by name; None unless ``check`` was set.
    findings: dict[str, Finding] | None
    #: PSNR in dB of the worst hundredth of the blocks of 8×8 pixels; None for a video.
    local_psnr: float | None = None
    #: Share of these blocks whose change can be seen (:func:`underpaint.metrics.visible_share`); None for a video.
    visible: float | None = None
