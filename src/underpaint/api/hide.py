"""Hiding: method.hide, encode, decode, reveal again, and only then a file."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from underpaint import metrics
from underpaint.api.inspect import Finding, inspect
from underpaint.api.machine_safe import TOLERANT_METHODS, ClassifierGuard
from underpaint.api.measure import check_target, target_format
from underpaint.api.payloads import PIXINPIX, FacePayload, PictureCompression, PicturePayload
from underpaint.api.reveal import named
from underpaint.channels import Chain, parse, received
from underpaint.coding.template import cosine_similarity, unpack
from underpaint.errors import CapacityError, PayloadError, SurvivalError, UsageError
from underpaint.media import decode, encode, is_exact, read, unwritable, write_bytes
from underpaint.media.video import is_video
from underpaint.methods import METHODS, ImageCarrier, Method
from underpaint.methods.miais import LIKE, MIAIS
from underpaint.types import Payload, PayloadKind, as_cover

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from underpaint.media import Picture
    from underpaint.types import Image

Result = TypeVar("Result")

#: What a container goes through that goes through nothing.
NOTHING = parse("none")
#: The methods for each kind of payload unless one is named, in the order they are tried: a message should arrive, a
#: file lie where it shows least, or else fit, and a picture leave the container its quality, or else survive. Where the
#: container will not stay as it is, those that need that are passed over.
DEFAULT_METHODS: dict[PayloadKind, tuple[str, ...]] = {
    "text": ("robust", "stdm"),
    "file": ("basn", "lsb"),
    "template": ("basn", "robust"),
    "picture": ("basn", "robust-picture"),
}


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
    #: How a hidden picture was compressed; None of other payloads.
    compression: PictureCompression | None
    #: What each detector makes of the container, by name; None unless it was asked for.
    findings: dict[str, Finding] | None


def hide(
    cover: Image,
    payload: bytes | str | Payload | PicturePayload | FacePayload,
    *,
    method: str | None = None,
    passphrase: str | None = None,
    psnr: float | None = None,
    survive: str | Chain | None = None,
    machine_safe: bool = False,
) -> Image:
    """Hide *payload* in a copy of *cover*, ``uint8 (H, W, 3)``, and see that it can be revealed.

    Args:
        cover: the picture to hide it in.
        payload: bytes, a text message, either with its name, a picture, or somebody in one.
        method: key of :data:`METHODS`; None leaves it to :func:`candidates`.
        passphrase: without one the payload is framed and checked, only not secret.
        psnr: quality to aim at, in dB; None leaves it to the method, or to :data:`DEFAULT_PSNR` of a picture.
        survive: channels after which the payload must still be exact, such as ``"jpeg:50 | resize:0.5"``; None asks
            for the method's own ``default_survive``.
        machine_safe: the classifiers of the zoo shall take the container for what they take the cover for.

    Raises:
        UsageError: an unknown method or channel, a setting the method does not have, a cover too small for it.
        CapacityError: the payload does not fit.
        SurvivalError: it would not survive, or classifiers would notice.
    """
    payload, cover = _payload(payload), as_cover(cover)
    watched = ClassifierGuard(cover) if machine_safe else None

    def attempt(by: Method, chain: Chain | None) -> Image:
        def hidden(aim: float | None) -> tuple[Image, Image]:
            content, rest, _ = _content(payload, cover, by, aim)
            container = by.hide(cover, content, passphrase, psnr=rest, survive=chain)
            if isinstance(payload, FacePayload):
                container = payload.beside(container)
            _verify(container, content, by, passphrase, chain)
            if isinstance(payload, FacePayload) and payload.restorable is not None:
                payload.restored(container)
            return container, container

        return watched.unnoticed(hidden, by, psnr) if watched else hidden(psnr)[0]

    return _first(candidates(payload, method, survive, machine_safe=machine_safe), survive, attempt)


def hide_file(
    cover: str | Path,
    container: str | Path,
    payload: bytes | str | Payload | PicturePayload | FacePayload,
    *,
    method: str | None = None,
    passphrase: str | None = None,
    psnr: float | None = None,
    survive: str | Chain | None = None,
    quality: int | None = None,
    metadata: bool = True,
    machine_safe: bool = False,
    check: bool = False,
    force: bool = False,
    progress: Callable[[str, float], None] | None = None,
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
        machine_safe: as in :func:`hide`; classifiers look at the container as it is written.
        check: ask the detectors of :func:`inspect` about the container as it is written.
        force: replace an existing file.
        progress: is told what takes long, and which share of it is done.

    A *cover* that is a video goes to :func:`underpaint.api.video.hide_video`.

    Raises:
        UsageError, CapacityError, SurvivalError: as in :func:`hide`, or *container* may not be written over.
        ImageError: *cover* cannot be read or *container* not be written.
    """
    started = time.perf_counter()
    payload = _payload(payload)
    if is_video(cover) or is_video(container):
        from underpaint.api import video

        video.refuse(method=method not in (None, video.METHOD), survive=survive, quality=quality)
        video.refuse(machine_safe=machine_safe, check=check)
        if isinstance(payload, FacePayload):
            raise UsageError("a video takes no template", hint="take a picture for a cover")
        return video.hide_video(
            cover,
            container,
            payload,
            passphrase=passphrase,
            psnr=psnr,
            metadata=metadata,
            force=force,
            progress=progress,
        )
    methods = candidates(payload, method, survive, machine_safe=machine_safe)
    kind = target_format(container)
    written, exact = _written(kind, quality), is_exact(kind, quality)
    if isinstance(payload, FacePayload) and payload.restorable is not None and not exact:
        raise UsageError(f"a picture that comes back needs an exact file, and {written} is not", hint="write a .png")
    if not exact:
        methods = [by for by in methods if not by.needs_lossless] or methods
        if methods[0].needs_lossless:
            robust = ", ".join(f"--method {name}" for name, each in METHODS.items() if not each.needs_lossless)
            hint = f"write a .png without a quality, or hide less with what survives: {robust}"
            raise UsageError(f"{methods[0].name} needs an exact file, and {written} is not", hint=hint)
    check_target(container, cover, force=force)
    picture = read(cover)
    before = as_cover(picture.pixels)

    watched = ClassifierGuard(before) if machine_safe else None

    def attempt(by: Method, chain: Chain | None) -> tuple[HideReport, bytes]:
        def hidden(aim: float | None) -> tuple[tuple[HideReport, bytes], Image]:
            content, rest, compression = _content(payload, picture.pixels, by, aim)
            bare: tuple[str, ...] = ()
            passage = chain if exact or chain is None else _Filed(picture, kind, quality, chain)
            marked = by.hide(picture.pixels, content, passphrase, psnr=rest, survive=passage)
            if isinstance(payload, FacePayload):
                marked = payload.beside(marked)
            data = encode(picture.with_pixels(marked), kind, quality=quality, metadata=metadata)
            arrived = decode(data).pixels
            revealed = _verify(arrived, content, by, passphrase, chain, written)
            if isinstance(payload, FacePayload) and payload.restorable is not None:
                compression = PictureCompression(PIXINPIX.name, None, payload.restored(arrived))
            if isinstance(payload, PicturePayload) and compression is None:
                compression = PictureCompression(
                    by.name, None, metrics.psnr(payload.picture.pixels, decode(revealed).pixels)
                )
                bare = ("the hidden picture loses its transparency",) if payload.picture.alpha is not None else ()
            reached = metrics.psnr(picture.pixels, arrived)
            missed = (
                () if rest is None or reached >= rest else (f"{written} brought {rest:g} dB down to {reached:.1f}",)
            )
            lost = tuple(f"the cover held a payload by {name}, which may be lost" for name in held.result())
            report = HideReport(
                container=str(container),
                method=by.name,
                payload_bytes=len(content.data),
                psnr=reached,
                survives=str(chain) if chain else None,
                seconds=0.0,
                warnings=picture.warnings + (unwritable(picture, kind) if metadata else ()) + missed + lost + bare,
                compression=compression,
                findings=None,
            )
            return (report, data), arrived

        return watched.unnoticed(hidden, by, psnr) if watched else hidden(psnr)[0]

    with ThreadPoolExecutor(1) as pool:  # what lies in the cover is looked for meanwhile: keys take long to derive
        held = pool.submit(lambda: [by.name for by in METHODS.values() if by.holds(before, passphrase)])
        report, data = _first(methods, survive, attempt)
    findings = inspect(decode(data).pixels) if check else None
    write_bytes(data, container)
    return replace(report, findings=findings, seconds=time.perf_counter() - started)


def candidates(
    payload: Payload | PicturePayload | FacePayload,
    method: str | None,
    survive: str | Chain | None,
    *,
    machine_safe: bool = False,
) -> list[Method]:
    """Return the methods to try in turn for *payload*: the one named, or those of :data:`DEFAULT_METHODS`.

    Where all that a message has to survive leaves pixels in their place, ``stdm`` comes first: it changes less. A
    picture that may be had back is hidden in the container of a template, which only ``miais`` reads afterwards.

    Raises:
        UsageError: no such method or channel, or none that such a picture can be hidden by.
    """
    methods = TOLERANT_METHODS if machine_safe else METHODS
    if isinstance(payload, FacePayload) and payload.restorable is not None:
        if method not in (None, MIAIS.name) or survive is not None:
            raise UsageError("a picture that may be had back lies beside miais, and survives nothing")
        method = MIAIS.name
    if method is not None:
        return [methods[named(method).name]]
    chain = parse(survive) if isinstance(survive, str) else survive
    names = DEFAULT_METHODS[payload.kind]
    if chain is not None and not chain.geometric:
        names = tuple(sorted(names, key=lambda name: name != "stdm"))
    if chain is not None:
        names = tuple(name for name in names if not methods[name].needs_lossless) or names
    return [methods[name] for name in names]


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


def _payload(payload: bytes | str | Payload | PicturePayload | FacePayload) -> Payload | PicturePayload | FacePayload:
    if isinstance(payload, Payload | PicturePayload | FacePayload):
        return payload
    if not isinstance(payload, str):
        return Payload(payload)
    try:
        return Payload.from_text(payload)
    except UnicodeEncodeError:
        raise UsageError("the message is not valid Unicode text", hint="hide it as a file") from None


def _content(
    payload: Payload | PicturePayload | FacePayload, cover: Image, by: Method, psnr: float | None
) -> tuple[Payload, float | None, PictureCompression | None]:
    """What of *payload* is hidden in *cover*, the quality that is left for *by* to reach, and how a picture fits."""
    if isinstance(payload, Payload):
        return payload, psnr, None
    if isinstance(payload, FacePayload):
        return payload.template(by), psnr, None
    if isinstance(by, ImageCarrier):
        return Payload(encode(replace(payload.picture, alpha=None, icc=None), "png"), "picture"), psnr, None
    content, compression = payload.fitted(cover, by, psnr)
    return content, None, compression


def _first(
    methods: list[Method], survive: str | Chain | None, attempt: Callable[[Method, Chain | None], Result]
) -> Result:
    """What the first of *methods* makes of an *attempt* that succeeds.

    Raises:
        CapacityError, SurvivalError: none does; the first one's reason.
    """
    reasons: list[CapacityError | SurvivalError] = []
    for by in methods:
        try:
            return attempt(by, _survive(survive, by))
        except (CapacityError, SurvivalError) as reason:
            reasons.append(reason)
    raise reasons[0]


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
) -> bytes:
    """See that the container, which went through *written*, gives back the payload, as it is and after *chain*.

    Returns:
        What it gives back at last: of an image carrier another file than the payload.

    Raises:
        SurvivalError: it does not.
    """
    data = b""
    for what, passage in ((written, NOTHING), *(((f"{written} | {chain}", chain),) if chain else ())):
        for arrived in received(passage, container):
            try:
                revealed = method.reveal(arrived, passphrase)
            except PayloadError:
                revealed = None
            if revealed is None or not _alike(revealed, payload, method):
                hint = "a higher quality of the file, a lower psnr, a milder chain or a larger cover may help"
                raise SurvivalError(f"the payload does not survive {what}", hint=hint)
            data = revealed.data
    return data


def _alike(revealed: Payload, payload: Payload, method: Method) -> bool:
    """Whether *revealed* is *payload*, as near as *method* promises."""
    if revealed.kind != payload.kind:
        return False
    if isinstance(method, MIAIS):
        return cosine_similarity(unpack(revealed.data), unpack(payload.data)) >= LIKE
    return isinstance(method, ImageCarrier) or revealed.data == payload.data
