"""The one path for the command line and for Python: hide, reveal, capacity, attack, compare.

Each comes twice: on pictures in memory, and on files, where ``-`` is a standard stream::

    hide_file    read ─► method.hide ─► encode ─► decode ─► reveal again ─► write, whole or not at all
    reveal_file  read ─► every method is asked; exactly one may answer
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from underpaint import metrics
from underpaint.channels import Chain, arrivals, parse
from underpaint.errors import AmbiguousError, DamagedError, NotFoundError, PayloadError, SurvivalError, UsageError
from underpaint.image import FORMATS, decode, encode, format_of, is_exact, read, unwritable, write_bytes
from underpaint.methods import METHODS, Method
from underpaint.types import SMALLEST_SIDE, Payload, PayloadKind, as_cover, as_image

if TYPE_CHECKING:
    from collections.abc import Iterable

    from underpaint.image import Picture
    from underpaint.types import Capacity, Image

#: What a container goes through that goes through nothing.
NOTHING = parse("none")
#: The method for each kind of payload unless one is named: a message should arrive, a file should fit.
DEFAULT_METHOD: dict[PayloadKind, str] = {"text": "stdm", "file": "lsb"}


@dataclass(frozen=True)
class HideReport:
    """What :func:`hide_file` did."""

    container: str
    method: str
    payload_bytes: int
    #: Quality of the container as it is read back from its file, in dB.
    psnr: float
    #: The chain that the payload was seen to survive; None if the container must stay exactly as it is.
    survives: str | None
    seconds: float
    warnings: tuple[str, ...]


def hide(
    cover: Image,
    payload: bytes | str | Payload,
    *,
    method: str | None = None,
    passphrase: str | None = None,
    psnr: float | None = None,
    survive: str | Chain | None = None,
) -> Image:
    """Hide *payload* in a copy of *cover*, ``uint8 (H, W, 3)``, and see that it can be revealed.

    Args:
        cover: the picture to hide it in.
        payload: bytes, a text message, or either with its name.
        method: key of :data:`METHODS`; None takes :data:`DEFAULT_METHOD`.
        passphrase: without one the payload is framed and checked, only not secret.
        psnr: quality to aim at, in dB; None leaves it to the method.
        survive: channels after which the payload must still be exact, such as ``"jpeg:50 | resize:0.5"``; None asks
            for the method's own ``default_survive``.

    Raises:
        UsageError: an unknown method or channel, a setting the method does not have, a cover too small for it.
        CapacityError: the payload does not fit.
        SurvivalError: it would not survive.
    """
    payload = _payload(payload)
    by = _method(DEFAULT_METHOD[payload.kind] if method is None else method)
    chain = _survive(survive, by)
    container = by.hide(as_cover(cover), payload, passphrase, psnr=psnr, survive=chain)
    _verify(container, payload, by, passphrase, chain)
    return container


def hide_file(
    cover: str | Path,
    container: str | Path,
    payload: bytes | str | Payload,
    *,
    method: str | None = None,
    passphrase: str | None = None,
    psnr: float | None = None,
    survive: str | Chain | None = None,
    quality: int | None = None,
    metadata: bool = True,
    force: bool = False,
) -> HideReport:
    """Hide *payload* in the picture file *cover* and write *container*, in the format its extension names.

    The bytes of the container are decoded and revealed before they are written; on any failure there is no new file,
    and an old one is as it was. A container on standard output is PNG.

    Args:
        cover: picture file.
        container: file to write.
        payload: as in :func:`hide`, and so the four that follow.
        method: key of :data:`METHODS`.
        passphrase: what it takes to reveal.
        psnr: quality to aim at, in dB, before a lossy file compresses it.
        survive: channels after which the payload must still be exact.
        quality: 1–100 for a lossy file; None is exact where the format can be.
        metadata: keep the cover's EXIF data and ICC profile.
        force: replace an existing file.

    Raises:
        UsageError, CapacityError, SurvivalError: as in :func:`hide`, or *container* may not be written over.
        ImageError: *cover* cannot be read or *container* not be written.
    """
    started = time.perf_counter()
    payload = _payload(payload)
    by = _method(DEFAULT_METHOD[payload.kind] if method is None else method)
    chain = _survive(survive, by)
    kind = _target_format(container)
    written = _written(kind, quality)
    if not is_exact(kind, quality) and by.needs_lossless:
        robust = ", ".join(f"--method {name}" for name, each in METHODS.items() if not each.needs_lossless)
        hint = f"write a .png without a quality, or hide less with what survives: {robust}"
        raise UsageError(f"{by.name} needs an exact file, and {written} is not", hint=hint)
    check_target(container, cover, force=force)
    picture = read(cover)
    held = [name for _, name in _ask(as_cover(picture.pixels), passphrase, METHODS.values())[0]]
    passage = chain if is_exact(kind, quality) or chain is None else _Filed(picture, kind, quality, chain)
    marked = picture.with_pixels(by.hide(picture.pixels, payload, passphrase, psnr=psnr, survive=passage))
    data = encode(marked, kind, quality=quality, metadata=metadata)
    arrived = decode(data).pixels
    _verify(arrived, payload, by, passphrase, chain, written)
    write_bytes(data, container)
    reached = metrics.psnr(picture.pixels, arrived)
    missed = () if psnr is None or reached >= psnr else (f"{written} brought {psnr:g} dB down to {reached:.1f}",)
    lost = tuple(f"the cover held a payload by {name}, which may be lost" for name in held)
    return HideReport(
        container=str(container),
        method=by.name,
        payload_bytes=len(payload.data),
        psnr=reached,
        survives=str(chain) if chain else None,
        seconds=time.perf_counter() - started,
        warnings=picture.warnings + (unwritable(picture, kind) if metadata else ()) + missed + lost,
    )


def reveal(container: Image, *, passphrase: str | None = None, method: str | None = None) -> Payload:
    """Return exactly what was hidden in *container*, by whatever method or by the one named.

    Raises:
        NotFoundError: nothing was found, which a wrong passphrase cannot be told from.
        DamagedError: a payload is there, but beyond repair.
        AmbiguousError: there is more than one payload.
        UsageError: no such method.
    """
    return _reveal(as_image(container), passphrase, METHODS.values() if method is None else [_method(method)])[0]


def reveal_file(
    path: str | Path, *, passphrase: str | None = None, method: str | None = None
) -> tuple[Payload, str, tuple[str, ...]]:
    """Return what was hidden in a picture file, the method that found it, and what the reader warned of.

    Raises:
        ImageError: the file cannot be read.
        NotFoundError, DamagedError, AmbiguousError, UsageError: as in :func:`reveal`.
    """
    named = None if method is None else [_method(method)]
    picture = read(path)
    # What needs every bit has no chance in a JPEG file; asking it costs time, and a key derivation.
    possible = [each for each in METHODS.values() if FORMATS[picture.format].lossless or not each.needs_lossless]
    return *_reveal(picture.pixels, passphrase, named or possible), picture.warnings


def capacity(cover: Image) -> dict[str, Capacity]:
    """Return what fits into *cover*, by each method.

    Raises:
        UsageError: *cover* is too small.
    """
    return {name: method.capacity(as_cover(cover)) for name, method in METHODS.items()}


def capacity_file(path: str | Path) -> dict[str, Capacity]:
    """Return what fits into a picture file, by each method.

    Raises:
        ImageError: the file cannot be read.
        UsageError: the picture is too small.
    """
    return capacity(read(path).pixels)


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
    kind = _target_format(out)
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


def compare(cover: Image, container: Image) -> dict[str, float | None]:
    """Return how far two pictures of one size lie apart, by name; MS-SSIM is None where they are too small for it.

    Raises:
        UsageError: their sizes differ.
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
    }


def compare_files(cover: str | Path, container: str | Path) -> dict[str, float | None]:
    """Return how far two picture files lie apart, as :func:`compare`.

    Raises:
        ImageError: a file cannot be read.
        UsageError: their sizes differ.
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


@dataclass(frozen=True)
class _Filed:
    """A lossy file of a picture, then a chain: what a container goes through that is written so."""

    picture: Picture
    format: str
    quality: int | None
    chain: Chain

    @property
    def random(self) -> bool:
        """Whether the seed matters."""
        return self.chain.random

    def __call__(self, image: Image, seed: int, /) -> Image:
        """Return what arrives of *image*."""
        data = encode(self.picture.with_pixels(image), self.format, quality=self.quality)
        return self.chain(decode(data).pixels, seed)

    def __str__(self) -> str:
        """Like a chain."""
        return f"{_written(self.format, self.quality)} | {self.chain}"


def _written(kind: str, quality: int | None) -> str:
    return kind if quality is None else f"{kind} at quality {quality}"


def _target_format(target: str | Path) -> str:
    return "png" if str(target) == "-" else format_of(target).name


def _payload(payload: bytes | str | Payload) -> Payload:
    if isinstance(payload, Payload):
        return payload
    if not isinstance(payload, str):
        return Payload(payload)
    try:
        return Payload.from_text(payload)
    except UnicodeEncodeError:
        raise UsageError("the message is not valid Unicode text", hint="hide it as a file") from None


def _method(name: str) -> Method:
    if name not in METHODS:
        raise UsageError(f"no method is called '{name}'", hint=f"the methods are {', '.join(METHODS)}")
    return METHODS[name]


def _survive(survive: str | Chain | None, method: Method) -> Chain | None:
    survive = method.default_survive if survive is None else survive
    return survive if survive is None or isinstance(survive, Chain) else parse(survive)


def _verify(
    container: Image,
    payload: Payload,
    method: Method,
    passphrase: str | None,
    chain: Chain | None,
    written: str = "rounding to 8 bits",
) -> None:
    """See that the container, which went through *written*, gives back the payload, as it is and after *chain*.

    Raises:
        SurvivalError: it does not.
    """
    for what, passage in ((written, NOTHING), *(((f"{written} | {chain}", chain),) if chain else ())):
        for arrived in arrivals(passage, container):
            try:
                revealed = method.reveal(arrived, passphrase)
            except PayloadError:
                revealed = None
            if revealed is None or (revealed.data, revealed.kind) != (payload.data, payload.kind):
                hint = "a higher quality of the file, a lower psnr, a milder chain or a larger cover may help"
                raise SurvivalError(f"the payload does not survive {what}", hint=hint)


def _reveal(container: Image, passphrase: str | None, methods: Iterable[Method]) -> tuple[Payload, str]:
    if min(container.shape[:2]) < SMALLEST_SIDE:
        raise NotFoundError(f"no payload found: the picture is smaller than {SMALLEST_SIDE}×{SMALLEST_SIDE}")
    answers, damages = _ask(container, passphrase, methods)
    if len(answers) > 1:
        found = " and ".join(name for _, name in answers)
        raise AmbiguousError(f"there is more than one payload, by {found}", hint="name one with --method")
    if answers:
        return answers[0]
    if damages:
        raise damages[0]
    if passphrase is None:
        hint = "if it was hidden with a passphrase, give that; else it is unmarked or has changed too much"
    elif any(_ask(container, None, methods)):
        hint = "a payload without a passphrase is here: run reveal without a passphrase"
    else:
        hint = "another passphrase, an unmarked picture, or one that has changed too much: they look the same"
    raise NotFoundError("no payload found", hint=hint)


def _ask(
    container: Image, passphrase: str | None, methods: Iterable[Method]
) -> tuple[list[tuple[Payload, str]], list[DamagedError]]:
    answers, damages = [], []
    for method in methods:
        try:
            answers.append((method.reveal(container, passphrase), method.name))
        except NotFoundError:
            continue
        except DamagedError as error:
            damages.append(error)
    return answers, damages
