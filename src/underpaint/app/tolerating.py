"""How far a picture may change for machines: as a map, as a changed picture, and as a file that takes fewer bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from underpaint import machine
from underpaint.app.tools import check_target, target_format
from underpaint.errors import UsageError
from underpaint.image import FORMATS, Picture, decode, encode, is_exact, read, unwritable, write_bytes
from underpaint.methods import dmvjnd
from underpaint.methods.dmvjnd import DEFAULT_PSNR, Tolerance

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from underpaint.machine import Judge
    from underpaint.types import Image

#: Quality of what is compressed for machines, unless another is asked for.
DEFAULT_QUALITY = 75
#: Formats whose sizes are compared.
COMPARED = ("jpeg", "webp", "png")
#: How much of what is tolerated is made use of, in turn, until no judge changes its mind.
_SHARES = (1.0, 0.7, 0.5, 0.3, 0.15)


@dataclass(frozen=True)
class Saving:
    """What a picture takes in one format, as it is and prepared for machines, at one quality."""

    before: int
    after: int
    #: Judges that take the decoded file for what they took the picture for, as it is and prepared, of how many.
    kept_before: int
    kept_after: int
    judges: int

    @property
    def share(self) -> float:
        """How much of the bytes is saved; 0 where nothing is."""
        return 1 - self.after / self.before


@dataclass(frozen=True)
class ToleranceReport:
    """How far a picture may change before machines notice."""

    #: Of the changed picture, in dB; infinite where nothing may change.
    psnr: float
    #: Levels that a value may change by: at most, and in the mean.
    largest: int
    mean: float
    #: Each judge's label of the picture, and of the changed one.
    labels: dict[str, tuple[int, int]]
    #: By format, if something was to be compressed.
    savings: dict[str, Saving]
    warnings: tuple[str, ...]


def jnd(image: Image, psnr: float = DEFAULT_PSNR) -> Tolerance:
    """How far *image* may change before a classifier of the zoo does not take it any more for what it did.

    Args:
        image: ``uint8 (H, W, 3)``, of any size of at least 32×32.
        psnr: the least in dB that is to be left, 8–60.

    Raises:
        UsageError: no image, one that is too small, or *psnr* is out of range.
        ModelError: a network is missing or altered.
    """
    return dmvjnd.jnd(image, psnr)


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
) -> ToleranceReport:
    """Say how far a picture file may change before machines notice, and write what is asked for.

    Args:
        path: the picture.
        out: picture to write of by how many levels each value may change.
        apply: the changed picture.
        attention: picture of where the panel of classifiers looks, white where it does.
        compress: the picture, changed within what is tolerated so that it takes few bytes, in the format of its name.
        psnr: the least in dB that is to be left, 8–60.
        quality: of lossy formats, 1–100.
        classifiers: ONNX files of judges beside those of the zoo: :func:`underpaint.machine.judge`.
        force: replace existing files.

    Raises:
        UsageError: nothing is to be written, a file may not be written over, or a value is out of range.
        ImageError: a file cannot be read or written.
        ModelError: a network is missing, altered or no classifier.
    """
    targets = [target for target in (out, apply, attention, compress) if target is not None]
    if not targets:
        raise UsageError("there is nothing to write", hint="name a picture file after -o")
    if len({str(target) for target in targets}) < len(targets):
        raise UsageError("two outputs are one file", hint="name a file for each")
    for target in targets:
        target_format(target)
        check_target(target, path, *classifiers, force=force)
    if not 1 <= quality <= 100:
        raise UsageError(f"quality must be 1–100, not {quality}")
    picture = read(path)
    judges = machine.judges() | {Path(file).name: machine.judge(Path(file)) for file in classifiers}
    found = dmvjnd.jnd(picture.pixels, psnr, judges=judges)
    changed = found.applied(picture.pixels)
    warnings, savings = picture.warnings, {}
    files: dict[str | Path, bytes] = {}
    if out is not None:
        files[out] = encode(Picture(found.threshold), target_format(out))
    if attention is not None:
        files[attention] = encode(Picture(found.attention[:, :, None].repeat(3, axis=2)), target_format(attention))
    if apply is not None:
        kind = target_format(apply)
        warnings += unwritable(picture, kind)
        if not is_exact(kind):
            warnings += (f"{kind} is not exact: writing it changed the picture once more",)
        files[apply] = encode(picture.with_pixels(changed), kind)
    if compress is not None:
        kind = target_format(compress)
        for name in dict.fromkeys((*COMPARED, kind)):
            data, savings[name] = compressed(picture, found.threshold, name, quality, judges)
            if name == kind:
                files[compress] = data
        warnings += unwritable(picture, kind)
    for target, data in files.items():
        write_bytes(data, target)
    return ToleranceReport(
        found.psnr,
        int(found.threshold.max()),
        float(found.threshold.mean()),
        {name: (judge(picture.pixels), judge(changed)) for name, judge in judges.items()},
        savings,
        warnings,
    )


def compressed(
    picture: Picture, threshold: Image, kind: str, quality: int, judges: Mapping[str, Judge]
) -> tuple[bytes, Saving]:
    """The file of *picture* that takes the fewest bytes while its values stay within *threshold* of what they were.

    Judges see what is decoded. As much of the threshold is made use of as nobody minds who did not mind the plain
    file, so that no more change their minds than over that; if nothing is gained, it is the plain file.

    Args:
        picture: to be written.
        threshold: levels, ``uint8 (H, W, 3)``.
        kind: of file.
        quality: of a lossy format, 1–100; a format that is always exact has none.
        judges: by name.
    """
    grade = quality if FORMATS[kind].lossy else None
    plain = encode(picture, kind, quality=grade)
    labels = {name: judge(picture.pixels) for name, judge in judges.items()}

    def keeping(data: bytes) -> set[str]:
        pixels = decode(data).pixels
        return {name for name, judge in judges.items() if judge(pixels) == labels[name]}

    least = keeping(plain)
    for share in _SHARES:
        room = (share * threshold).astype(threshold.dtype)
        prepared = [dmvjnd.smoothed(picture.pixels, room), dmvjnd.snapped(picture.pixels, room)]
        files = [encode(picture.with_pixels(pixels), kind, quality=grade) for pixels in prepared]
        data = min(files, key=len)
        kept = keeping(data)
        if len(data) < len(plain) and kept >= least:
            return data, Saving(len(plain), len(data), len(least), len(kept), len(judges))
    return plain, Saving(len(plain), len(plain), len(least), len(least), len(judges))
