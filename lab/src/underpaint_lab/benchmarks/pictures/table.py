"""The table of pictures in pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from underpaint_lab.benchmarks.core.table import Shown, origins

if TYPE_CHECKING:
    from collections.abc import Sequence

    from underpaint_lab.benchmarks.pictures.rows import Hidden, Likeness, Revealed

#: How the columns are to be read.
_READ_AS = (
    "Means over pairs, after rounding to 8 bits: PSNR and, in brackets, its 95 % interval; SSIM; MS-SSIM where "
    "pictures are large enough; average pixel discrepancy (APD) in levels. lsb-4 is the control: the secret's upper "
    "four bits in the cover's lower four. basn hides the secret compressed, exactly. The paper on PixInPix reports no "
    "numbers. robust-picture is measured as it was hidden and behind codecs, the cover against what arrives; refused "
    "are pairs that were not hidden, or not revealed. The paper on robust hiding has an APD of 9.13 for covers and of "
    "8.54 for secrets, by one network for JPEG, WebP and JPEG 2000, whose settings and sizes it leaves open. "
    "Where bits were hidden instead, three in each pixel, it is said what an ideal Reed–Solomon code leaves."
)


def by_pictures(results: Sequence[Revealed]) -> Shown:
    """A line for each kind of pictures and method, the best containers first."""
    header = ["pictures", "method", "pairs"]
    header += [f"{what} {metric}" for what in ("cover", "secret") for metric in ("PSNR", "SSIM", "MS-SSIM", "APD")]
    rows = sorted(
        ((row, result.method) for result in results for row in result.rows),
        key=lambda each: (
            each[0].secret is None,
            each[0].pictures,
            -each[0].cover.psnr - (each[0].secret.psnr if each[0].secret else 0),
        ),
    )
    lines = [
        [
            row.pictures,
            ", ".join(
                [method, *([row.trained] if row.trained else []), *([f"after {row.after}"] if row.after else [])]
            ),
            _pairs(row),
            *_likeness(row.cover),
            *(_likeness(row.secret) if row.secret else [f"{row.bits:.2f} bits per pixel", "–", "–", "–"]),
        ]
        for row, method in rows
    ]
    return Shown([header, *lines], " ".join([*origins(result.source for result in results), _READ_AS]))


def _named(row: Hidden, method: str) -> str:
    trained, after = row.trained and f", {row.trained}", row.after and f", after {row.after}"
    return f"{method}{trained or ''}{after or ''}"


def _pairs(row: Hidden) -> str:
    return f"{row.pairs} ({row.refused} refused)" if row.refused else str(row.pairs)


def _likeness(likeness: Likeness) -> list[str]:
    scales = "–" if likeness.ms_ssim is None else f"{likeness.ms_ssim:.4f}"
    return [
        f"{likeness.psnr:.2f} dB (±{likeness.psnr_within:.2f})",
        f"{likeness.ssim:.4f}",
        scales,
        f"{likeness.apd:.2f}",
    ]
