"""Just noticeable difference (JND) of machine vision: as a map, as a changed picture, and as a smaller file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from underpaint.api.coding_for_machines import Saving, compress_for_machines
from underpaint.errors import UsageError
from underpaint.media import Picture, check_target, encode, is_exact, read, target_format, unwritable, write_bytes
from underpaint.models import classifiers as zoo
from underpaint.models import jnd as model
from underpaint.models.jnd import DEFAULT_PSNR, Jnd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from underpaint.models.classifiers import Judge
    from underpaint.types import Image

#: Highest quality of a file for machines, unless another is asked for.
DEFAULT_QUALITY = 75
#: Formats whose sizes are compared.
COMPARED = ("jpeg", "webp", "png")


@dataclass(frozen=True)
class JndReport:
    """Result of :func:`jnd_file`."""

    #: PSNR in dB of the changed picture; infinite if nothing may change.
    psnr: float
    #: Levels that a value may change by: maximum and mean.
    largest: int
    mean: float
    #: Label of the picture and of the changed picture, by the name of each classifier.
    labels: dict[str, tuple[int, int]]
    #: Saving by the name of each format; empty unless a file for machines was asked for.
    savings: dict[str, Saving]
    warnings: tuple[str, ...]


def jnd(image: Image, psnr: float = DEFAULT_PSNR) -> Jnd:
    """Return the largest change of *image* that no classifier of the zoo answers with another label.

    Args:
        image: ``uint8 (H, W, 3)``, both sides at least 32 pixels.
        psnr: lowest PSNR of the changed picture, 8–60 dB.

    Raises:
        UsageError: *image* is no image or too small, or *psnr* is out of range.
        ModelError: a network is missing or altered.

    Source: J. Jin et al., "Just Noticeable Difference for Deep Machine Vision", arXiv:2102.08168.
    """
    return model.jnd(image, psnr)


def jnd_file(
    path: str | Path,
    out: str | Path | None = None,
    *,
    apply: str | Path | None = None,
    attention: str | Path | None = None,
    compress: str | Path | None = None,
    psnr: float = DEFAULT_PSNR,
    quality: int = DEFAULT_QUALITY,
    classifiers: Sequence[str | Path] = (),
    force: bool = False,
) -> JndReport:
    """Compute the just noticeable difference of a picture file, and write the files that are asked for.

    Args:
        path: picture file; ``-`` is standard input.
        out: picture to write of the number of levels that each value may change by.
        apply: the changed picture.
        attention: picture of the classifiers' class activation maps, white where they look.
        compress: the picture as a small file for machines: changed within the just noticeable difference, and at a
            lower quality if all labels are kept.
        psnr: lowest PSNR of the changed picture, 8–60 dB.
        quality: highest quality of a lossy file for machines, 1–100.
        classifiers: ONNX files of further classifiers, see :func:`underpaint.models.classifiers.load_classifier`.
        force: replace existing files.

    Raises:
        UsageError: no file to write, a file that must not be overwritten, or a value out of range.
        ImageError: a file cannot be read or written.
        ModelError: a network is missing, altered or no classifier.
    """
    targets = [target for target in (out, apply, attention, compress) if target is not None]
    _check_targets(targets, [path, *classifiers], force=force)
    if not 1 <= quality <= 100:
        raise UsageError(f"quality must be 1–100, not {quality}")
    picture = read(path)
    labelling = zoo.classifiers_for_check() | {Path(file).name: zoo.load_classifier(Path(file)) for file in classifiers}
    found = model.jnd(picture.pixels, psnr, judges=labelling)
    changed = found.applied(picture.pixels)
    files: dict[str | Path, bytes] = {}
    savings: dict[str, Saving] = {}
    if out is not None:
        files[out] = encode(Picture(found.threshold), target_format(out))
    if attention is not None:
        files[attention] = encode(Picture(found.attention[:, :, None].repeat(3, axis=2)), target_format(attention))
    if apply is not None:
        files[apply] = encode(picture.with_pixels(changed), target_format(apply))
    if compress is not None:
        files[compress], savings = _compressed(picture, found, target_format(compress), quality, labelling)
    for target, data in files.items():
        write_bytes(data, target)
    labels = {name: (label(picture.pixels), label(changed)) for name, label in labelling.items()}
    largest, mean = int(found.threshold.max()), float(found.threshold.mean())
    return JndReport(found.psnr, largest, mean, labels, savings, _warnings(picture, apply, compress))


def _check_targets(targets: Sequence[str | Path], sources: Sequence[str | Path], *, force: bool) -> None:
    if not targets:
        raise UsageError("there is nothing to write", hint="name a picture file after -o")
    if len({str(target) for target in targets}) < len(targets):
        raise UsageError("two outputs are one file", hint="name a file for each")
    for target in targets:
        target_format(target)
        check_target(target, *sources, force=force)


def _compressed(
    picture: Picture, found: Jnd, format_name: str, quality: int, classifiers: Mapping[str, Judge]
) -> tuple[bytes, dict[str, Saving]]:
    """Return the file for machines in one format, and the savings in all formats that are compared."""
    files, savings = {}, {}
    for name in dict.fromkeys((*COMPARED, format_name)):
        files[name], savings[name] = compress_for_machines(picture, found.threshold, name, quality, classifiers)
    return files[format_name], savings


def _warnings(picture: Picture, apply: str | Path | None, compress: str | Path | None) -> tuple[str, ...]:
    warnings = picture.warnings
    if apply is not None:
        format_name = target_format(apply)
        warnings += unwritable(picture, format_name)
        if not is_exact(format_name):
            warnings += (f"{format_name} is lossy: writing it changed the picture again",)
    if compress is not None:
        warnings += unwritable(picture, target_format(compress))
    return warnings
