"""Rendering of the tables ``pictures`` and ``pictures-small``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from underpaint_lab.benchmarks.core.table import Rendered, provenance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint_lab.benchmarks.core.result_file import ResultFile
    from underpaint_lab.benchmarks.pictures.rows import PictureQuality, PictureRow

_CAPTION = (
    "Means over pairs, after rounding to 8 bits: PSNR with its 95 % interval in brackets; SSIM; MS-SSIM where "
    "pictures are large enough; average pixel discrepancy (APD) in levels. lsb-4 is the control: the secret's upper "
    "four bits in the cover's lower four. basn hides the compressed secret, exactly. The paper on PixInPix reports no "
    "numbers. robust-picture is measured without a channel and behind codecs, received container against cover; "
    "refused are pairs that were not hidden, or not revealed. The paper on robust hiding has an APD of 9.13 for "
    "covers and of 8.54 for secrets, by one network for JPEG, WebP and JPEG 2000, whose settings and sizes it leaves "
    "open. Where three bits per pixel were hidden instead, the payload after an ideal Reed–Solomon code is given."
)


def pictures_table(results: Sequence[ResultFile[PictureRow]]) -> Rendered:
    """Render a table: a line for each kind of pictures and method, the highest PSNRs first."""
    header = ["pictures", "method", "pairs"]
    header += [f"{what} {metric}" for what in ("cover", "secret") for metric in ("PSNR", "SSIM", "MS-SSIM", "APD")]
    rows = sorted(((row, each.method) for each in results for row in each.rows), key=lambda each: _rank(each[0]))
    lines = [
        [
            row.pictures,
            _label(row, method),
            f"{row.pairs} ({row.refused} refused)" if row.refused else str(row.pairs),
            *_quality(row.cover),
            *(_quality(row.secret) if row.secret else [f"{row.bits:.2f} bits per pixel", "–", "–", "–"]),
        ]
        for row, method in rows
    ]
    return Rendered([header, *lines], " ".join([*provenance(results), _CAPTION]))


def card_numbers(result: ResultFile[PictureRow]) -> dict[str, float]:
    """Return the PSNR of container and revealed picture for a model card."""
    row = result.rows[0]
    found = {"cover": row.cover, "secret": row.secret}
    return {f"{what}_psnr": quality.psnr for what, quality in found.items() if quality}


def _rank(row: PictureRow) -> tuple[bool, str, float]:
    return row.secret is None, row.pictures, -row.cover.psnr - (row.secret.psnr if row.secret else 0)


def _label(row: PictureRow, method: str) -> str:
    trained = row.trained and row.trained.replace("couples", "pairs")  # the word of older result files
    return ", ".join([method, *([trained] if trained else []), *([f"after {row.after}"] if row.after else [])])


def _quality(quality: PictureQuality) -> list[str]:
    ms_ssim = "–" if quality.ms_ssim is None else f"{quality.ms_ssim:.4f}"
    psnr = f"{quality.psnr:.2f} dB (±{quality.psnr_within:.2f})"
    return [psnr, f"{quality.ssim:.4f}", ms_ssim, f"{quality.apd:.2f}"]
