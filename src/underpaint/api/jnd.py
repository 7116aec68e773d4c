"""How far a picture may change for machines: as a map, as a changed picture, and as a file that takes fewer bytes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from underpaint.api.measure import check_target, target_format
from underpaint.errors import UsageError
from underpaint.media import FORMATS, Picture, decode, encode, is_exact, read, unwritable, write_bytes
from underpaint.models import classifiers as machine
from underpaint.models import jnd as dmvjnd
from underpaint.models.jnd import DEFAULT_PSNR, Jnd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from underpaint.models.classifiers import Judge
    from underpaint.types import Image

#: The highest quality of what is compressed for machines, unless another is asked for.
DEFAULT_QUALITY = 75
#: Lower ones that are tried.
_LOWER = tuple(range(5, 100, 5))
#: Formats whose sizes are compared.
COMPARED = ("jpeg", "webp", "png")
#: How much of what is tolerated is made use of, in turn, until no judge changes its mind.
_SHARES = (1.0, 0.7, 0.5, 0.3, 0.15)


@dataclass(frozen=True)
class Saving:
    """What a picture takes in one format, as it is and for machines."""

    before: int
    after: int
    #: That of the file for machines; None where there is none to choose.
    quality: int | None
    #: Judges that take the decoded file for what they took the picture for: the plain one, that for machines, of all.
    kept_before: int
    kept_after: int
    judges: int

    @property
    def share(self) -> float:
        """How much of the bytes is saved; 0 where nothing is."""
        return 1 - self.after / self.before


@dataclass(frozen=True)
class JndReport:
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


def jnd(image: Image, psnr: float = DEFAULT_PSNR) -> Jnd:
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
) -> JndReport:
    """Say how far a picture file may change before machines notice, and write what is asked for.

    Args:
        path: the picture.
        out: picture to write of by how many levels each value may change.
        apply: the changed picture.
        attention: picture of where the panel of classifiers looks, white where it does.
        compress: the picture in few bytes: in the format of its name, changed within what is tolerated, and at a lower
            quality if no judge minds.
        psnr: the least in dB that is to be left, 8–60.
        quality: of lossy formats at most, 1–100.
        classifiers: ONNX files of judges beside those of the zoo: :func:`underpaint.models.classifiers.judge`.
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
    judges = machine.classifiers_for_check() | {
        Path(file).name: machine.load_classifier(Path(file)) for file in classifiers
    }
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
    return JndReport(
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
    """The file of *picture* for machines, which takes few bytes: its quality is lower, and it is :func:`prepared`.

    No judge takes it for something else that takes the plain file of *quality* for what *picture* is.

    Args:
        picture: to be written.
        threshold: levels, ``uint8 (H, W, 3)``, that values may change by.
        kind: of file.
        quality: of a lossy format at most, 1–100; a format that is always exact has none.
        judges: by name.
    """
    highest = quality if FORMATS[kind].lossy else None
    loop = Loop(picture, kind, judges)
    plain = loop.encoded(picture.pixels, highest)
    asked = loop.keeping(plain)
    grade, _ = loop.lower(highest, asked) if highest is not None else (None, plain)
    data = loop.prepared(threshold, grade, asked)
    if len(data) >= len(plain):
        grade, data = highest, plain
    return data, Saving(len(plain), len(data), grade, len(asked), len(loop.keeping(data)), len(judges))


class Loop:
    """A picture, a format, and those who judge what is decoded.

    Args:
        picture: to be written.
        kind: of file.
        judges: by name.
    """

    def __init__(self, picture: Picture, kind: str, judges: Mapping[str, Judge]) -> None:
        self._picture, self._kind, self._judges = picture, kind, judges
        self._labels = {name: judge(picture.pixels) for name, judge in judges.items()}

    def encoded(self, pixels: Image, quality: int | None) -> bytes:
        """A file of *pixels* in place of the picture's own."""
        return encode(self._picture.with_pixels(pixels), self._kind, quality=quality)

    def keeping(self, data: bytes) -> set[str]:
        """The judges who take a file for what they take the picture for."""
        pixels = decode(data).pixels
        return {name for name, judge in self._judges.items() if judge(pixels) == self._labels[name]}

    def lower(self, quality: int, asked: set[str]) -> tuple[int, bytes]:
        """The lowest quality that none of *asked* minds, as far as a search by halves finds it, and its file."""
        grades = [each for each in _LOWER if each < quality]
        low, high, found = 0, len(grades), (quality, self.encoded(self._picture.pixels, quality))
        while low < high:
            middle = (low + high) // 2
            data = self.encoded(self._picture.pixels, grades[middle])
            if self.keeping(data) >= asked:
                high, found = middle, (grades[middle], data)
            else:
                low = middle + 1
        return found

    def prepared(self, threshold: Image, quality: int | None, asked: set[str]) -> bytes:
        """The smallest file of pixels within *threshold* of the picture's own, of those that none of *asked* minds.

        As much of *threshold* is made use of as they let it; if nothing is gained, the picture is as it was.
        """
        plain = self.encoded(self._picture.pixels, quality)
        for share in _SHARES:
            room = (share * threshold).astype(threshold.dtype)
            ways = dmvjnd.smoothed(self._picture.pixels, room), dmvjnd.snapped(self._picture.pixels, room)
            data = min((self.encoded(pixels, quality) for pixels in ways), key=len)
            if len(data) < len(plain) and self.keeping(data) >= asked:
                return data
        return plain
