"""What else one does with pictures: what fits, what arrives, how far two lie apart; and what may be written over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from underpaint import metrics
from underpaint.channels import Chain, parse
from underpaint.errors import UsageError
from underpaint.media import Picture, encode, format_of, is_exact, read, unwritable, write_bytes
from underpaint.methods import METHODS
from underpaint.methods.basn import BASN, PLANES
from underpaint.models import classifiers
from underpaint.types import SMALLEST_SIDE, as_cover, as_image

if TYPE_CHECKING:
    from underpaint.types import Capacity, Image


#: Quality in dB that a picture of where data hides is made for.
MAP_PSNR = 44.0


def capacity(cover: Image) -> dict[str, Capacity]:
    """Return what fits into *cover*, by each method.

    Raises:
        UsageError: *cover* is too small.
    """
    return {name: method.capacity(as_cover(cover)) for name, method in METHODS.items()}


def capacity_file(path: str | Path, out: str | Path | None = None, *, force: bool = False) -> dict[str, Capacity]:
    """Return what fits into a picture file, by each method; write *out*, if it is named, of where.

    *out* is a picture of the bits that each value carries where ``basn`` hides what leaves :data:`MAP_PSNR`, 0 black to
    4 white.

    Raises:
        ImageError: a file cannot be read or written.
        UsageError: the picture is too small, or *out* may not be written over.
    """
    if out is not None:
        kind = target_format(out)
        check_target(out, path, force=force)
    pixels = read(path).pixels
    found = capacity(pixels)
    if out is not None:
        planes = BASN().capacity_map(pixels, BASN().payload_at(pixels, MAP_PSNR))
        write_bytes(encode(Picture(planes * np.uint8(255 // PLANES)), kind), out)
    return found


def attack(image: Image, chain: str | Chain, *, seed: int = 0) -> Image:
    """Return what arrives of *image* after *chain*, such as ``"jpeg:50 | resize:0.5"``.

    Raises:
        UsageError: no such channel.
    """
    return (parse(chain) if isinstance(chain, str) else chain)(as_image(image), seed)


def attack_file(
    path: str | Path, chain: str | Chain, out: str | Path, *, seed: int = 0, force: bool = False
) -> tuple[str, ...]:
    """Write what arrives of a picture file after *chain*; return warnings. Transparency stays if the size does.

    Raises:
        UsageError: no such channel, or *out* may not be written over.
        ImageError: a file cannot be read or written.
    """
    chain = parse(chain) if isinstance(chain, str) else chain
    kind = target_format(out)
    check_target(out, path, force=force)
    picture = read(path)
    pixels = chain(picture.pixels, seed)
    warnings = picture.warnings + unwritable(picture, kind)
    if not is_exact(kind):
        warnings += (f"{kind} is not exact: writing it changed the picture once more",)
    if picture.alpha is not None and picture.alpha.shape != pixels.shape[:2]:
        warnings += ("transparency was dropped, for the picture's size changed",)
        picture = replace(picture, alpha=None)
    write_bytes(encode(picture.with_pixels(pixels), kind), out)
    return warnings


def compare(cover: Image, container: Image) -> dict[str, Any]:
    """Return how far two pictures of one size lie apart, by name.

    MS-SSIM is None where they are too small for it. ``machine`` has for each classifier, by name, the relative
    ``change`` of its features and whether its label is ``kept``; none below 32 pixels a side.

    Raises:
        UsageError: their sizes differ.
        ModelError: a classifier is altered.
    """
    a, b = as_image(cover), as_image(container)
    if a.shape != b.shape:
        sizes = " and ".join(f"{width}×{height}" for height, width, _ in (a.shape, b.shape))
        raise UsageError(f"the pictures differ in size: {sizes}", hint="compare pictures of one size")
    change = np.abs(a.astype(np.int16) - b)
    return {
        "psnr": metrics.psnr(a, b),
        "ssim": metrics.ssim(a, b),
        "ms_ssim": metrics.ms_ssim(a, b) if min(a.shape[:2]) >= metrics.MS_SSIM_SMALLEST_SIDE else None,
        "apd": metrics.apd(a, b),
        "changed": float(np.mean(change > 0)),
        "largest": float(change.max()),
        "machine": {name: seen._asdict() for name, seen in classifiers.responses(a, b).items()}
        if min(a.shape[:2]) >= SMALLEST_SIDE
        else {},
    }


def compare_files(cover: str | Path, container: str | Path) -> dict[str, Any]:
    """Return how far two picture files lie apart, as :func:`compare`.

    Raises:
        ImageError: a file cannot be read.
        UsageError, ModelError: as for :func:`compare`.
    """
    return compare(read(cover).pixels, read(container).pixels)


def check_target(target: str | Path, *sources: str | Path, force: bool = False) -> None:
    """Refuse to write *target* over one of the *sources*, or without *force* over any file.

    Raises:
        UsageError: it would be lost.
    """
    path = Path(target)
    if str(target) == "-" or not path.is_file():  # devices and pipes lose nothing
        return
    if any(str(source) != "-" and Path(source).exists() and path.samefile(source) for source in sources):
        raise UsageError(f"the output is the input: {target}", hint="write to another file")
    if not force:
        raise UsageError(f"there is a file already: {target}", hint="--force replaces it")


def target_format(target: str | Path) -> str:
    """Return the format that *target* names; standard output takes PNG."""
    return "png" if str(target) == "-" else format_of(target).name
