"""Hiding a payload: embed, deliver, decode and reveal again, and only then write a file."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from underpaint import metrics
from underpaint.api.choice import (
    EXACT_METHOD,
    candidates,
    first_success,
    methods_for,
    methods_for_lossy_file,
    refuse_settings,
)
from underpaint.api.inspect import inspect
from underpaint.api.machine_safe import ClassifierGuard
from underpaint.api.payloads import BytesPayload, FacePayload, as_source
from underpaint.api.reports import HideReport
from underpaint.api.transparency import too_transparent, views
from underpaint.api.verify import (
    ArrayDelivery,
    FileDelivery,
    FileFormat,
    OnBackground,
    check_survivable,
    verify,
)
from underpaint.api.video import METHOD as VIDEO_METHOD
from underpaint.api.video import hide_video
from underpaint.channels import parse
from underpaint.errors import CapacityError, SurvivalError, UsageError
from underpaint.media import check_target, read, target_format, unwritable, write_bytes
from underpaint.media.video import is_video
from underpaint.methods import FOUND_BY_NETWORK, METHODS
from underpaint.methods.robust import Robust
from underpaint.methods.watermarking import WatermarkMethod
from underpaint.types import as_cover, check_psnr

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from underpaint.api.payloads import PayloadSource, Prepared
    from underpaint.api.transparency import Transparent
    from underpaint.api.verify import Delivered, Delivery
    from underpaint.channels import Chain
    from underpaint.methods import Method
    from underpaint.types import Image, Payload

#: Share of visible blocks beyond which a container is warned of.
MAX_VISIBLE = 0.01
#: Share of hardly visible pixels from which on transparency is named as the cause of an error.
MIN_BLAMED: dict[type[Exception], float] = {CapacityError: 0.1, SurvivalError: 0.005}


def hide(
    cover: Image,
    payload: bytes | str | Payload | PayloadSource,
    *,
    method: str | None = None,
    passphrase: str | None = None,
    psnr: float | None = None,
    survive: str | Chain | None = None,
    machine_safe: bool = False,
) -> Image:
    """Hide *payload* in a copy of *cover*, and check that it can be revealed.

    Args:
        cover: ``uint8 (H, W, 3)``, both sides at least 32 pixels.
        payload: bytes, a text message, a :class:`Payload`, a :class:`PicturePayload` or a :class:`FacePayload`.
        method: key of :data:`underpaint.methods.METHODS`; None chooses by :func:`underpaint.api.choice.candidates`.
        passphrase: None hides the payload without encryption: anybody can reveal it.
        psnr: quality of the container to aim at, 30–60 dB; None leaves it to the method.
        survive: channels that the payload must survive exactly, such as ``"jpeg:50 | resize:0.5"``; None for the
            method's own ``default_survive``.
        machine_safe: keep the label of every classifier of the zoo.

    Returns:
        The container, ``uint8 (H, W, 3)``, of the size of *cover*.

    Raises:
        UsageError: unknown method or channel, a setting that the method does not have, or a cover that is too small.
        CapacityError: the payload does not fit.
        SurvivalError: the payload would not survive, or a classifier changes its label.
        ModelError: the network of a method or a classifier is missing or altered.
    """
    request = _request(payload, method, passphrase, psnr, survive, machine_safe)
    return _embed(request, request.methods(), as_cover(cover), ArrayDelivery()).delivered.pixels


def hide_file(
    cover: str | Path,
    container: str | Path,
    payload: bytes | str | Payload | PayloadSource,
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
    """Hide *payload* in the picture or video file *cover*, and write *container* once it has been revealed again.

    Args:
        cover: picture or video file; ``-`` is standard input.
        container: file to write, in the format of its extension; ``-`` writes PNG to standard output.
        payload: as in :func:`hide`.
        method: as in :func:`hide`.
        passphrase: as in :func:`hide`.
        psnr: as in :func:`hide`, before a lossy file compresses the container.
        survive: as in :func:`hide`.
        quality: 1–100 for a lossy file; None is exact where the format can be. A JPEG file of a JPEG cover then takes
            the quantisation tables of the cover, unless the payload does not survive these.
        metadata: keep the cover's EXIF data and ICC profile.
        machine_safe: as in :func:`hide`, for the container as it is written.
        check: run the detectors of :func:`inspect` on the container.
        force: replace an existing file, which stays as it was on any failure.
        progress: for a video, called with the current step and its completed share, 0–1.

    Raises:
        UsageError: as in :func:`hide`, or *container* must not be overwritten.
        CapacityError, SurvivalError, ModelError: as in :func:`hide`.
        ImageError, MissingExtraError: *cover* cannot be read, *container* not be written, or PyAV is not installed.
    """
    started = time.perf_counter()
    request = _request(payload, method, passphrase, psnr, survive, machine_safe)
    output = _Output(container, quality, metadata, check, force)
    in_video = is_video(cover) or is_video(container)
    report = _hide_in_video(request, cover, output, progress) if in_video else _hide_in_picture(request, cover, output)
    return replace(report, seconds=time.perf_counter() - started)


@dataclass(frozen=True)
class _Request:
    """A payload and the way it is to be hidden."""

    payload: PayloadSource
    method: str | None
    passphrase: str | None
    psnr: float | None
    survive: str | Chain | None
    machine_safe: bool

    def methods(self, *, lossy: bool = False) -> list[Method]:
        return candidates(self.payload, self.method, self.survive, machine_safe=self.machine_safe, lossy=lossy)


@dataclass(frozen=True)
class _Output:
    """The container file to write."""

    path: str | Path
    quality: int | None
    metadata: bool
    check: bool
    force: bool


@dataclass(frozen=True)
class _Embedded:
    """A verified container."""

    prepared: Prepared
    delivered: Delivered
    chain: Chain | None


def _request(
    payload: bytes | str | Payload | PayloadSource,
    method: str | None,
    passphrase: str | None,
    psnr: float | None,
    survive: str | Chain | None,
    machine_safe: bool,
) -> _Request:
    check_psnr(psnr)
    return _Request(as_source(payload), method, passphrase, psnr, survive, machine_safe)


def _embed(request: _Request, methods: list[Method], cover: Image, delivery: Delivery) -> _Embedded:
    """Embed by the first of *methods* whose container, as it is delivered, gives the payload back."""
    if request.survive is not None:
        check_survivable(cover, parse(request.survive) if isinstance(request.survive, str) else request.survive)
    guard = ClassifierGuard(cover) if request.machine_safe else None

    def attempt(method: Method, chain: Chain | None) -> _Embedded:
        def at(psnr: float | None) -> tuple[_Embedded, Image]:
            transparent = None if method.needs_lossless else delivery.transparent(boxed=isinstance(method, Robust))
            if transparent:
                prepared, marked = _mark_transparent(request, method, transparent, psnr, chain, delivery)
            else:
                prepared = request.payload.prepare(cover, method, psnr)
                channel = delivery.channel(chain)
                marked = method.hide(cover, prepared.payload, request.passphrase, psnr=prepared.psnr, survive=channel)
            delivered = delivery.deliver(request.payload.finish(marked))
            for view in views(delivered.pixels, delivered.alpha) if transparent else [delivered.pixels]:
                revealed = verify(view, prepared, request.passphrase, chain, delivery)
            prepared = request.payload.check(delivered.pixels, revealed, prepared)
            return _Embedded(prepared, delivered, chain), delivered.pixels

        return guard.accept(at, method, request.psnr) if guard else at(request.psnr)[0]

    try:
        return first_success(methods, request.survive, attempt)
    except CapacityError as error:
        raise _with_exact_method(error, request, cover) from None


def _with_exact_method(error: CapacityError, request: _Request, cover: Image) -> CapacityError:
    """Return *error* with a hint at the exact method that holds most, if it would hold the message or file."""
    payload = request.payload
    if error.capacity is not None and isinstance(payload, BytesPayload):
        held = METHODS[EXACT_METHOD].capacity(cover).payload_bytes
        if held >= len(payload.payload.data):
            error.hint = f"{error.hint}; a PNG by --method {EXACT_METHOD} holds {held:,} bytes, but survives no change"
    return error


def _mark_transparent(
    request: _Request,
    method: Method,
    transparent: Transparent,
    psnr: float | None,
    chain: Chain | None,
    delivery: Delivery,
) -> tuple[Prepared, Image]:
    """Embed in what is shown of a cover, to survive on every background; return all pixels of the container."""
    prepared = request.payload.prepare(transparent.cover, method, psnr)
    if isinstance(method, WatermarkMethod):
        method = method.within(transparent.visible)
    assert isinstance(delivery, FileDelivery)  # noqa: S101 - for the type checker: an array has no transparency
    channel = OnBackground(delivery, chain or parse("none"), transparent)
    try:
        marked = method.hide(
            transparent.cover, prepared.payload, request.passphrase, psnr=prepared.psnr, survive=channel
        )
    except (CapacityError, SurvivalError) as error:
        if transparent.share < MIN_BLAMED[type(error)]:
            raise
        raise too_transparent(transparent.share) from error
    return prepared, transparent.coloured(marked)


def _hide_in_picture(request: _Request, cover: str | Path, output: _Output) -> HideReport:
    form = FileFormat(target_format(output.path), output.quality, output.metadata)
    methods = request.methods(lossy=not form.exact)
    if not form.exact:
        methods = methods_for_lossy_file(request.payload, methods, str(form))
    check_target(output.path, cover, force=output.force)
    picture = read(cover)
    pixels = as_cover(picture.pixels)
    as_cover_is_coded = picture.jpeg if form.name == "jpeg" and form.quality is None else None
    delivery = FileDelivery(picture, form, as_cover_is_coded)
    with ThreadPoolExecutor(1) as pool:  # the cover is searched meanwhile: deriving keys takes long
        present = pool.submit(_methods_present, pixels, request.passphrase, methods_for(picture))
        try:
            embedded = _embed(request, methods, pixels, delivery)
        except SurvivalError:
            if not as_cover_is_coded:
                raise
            delivery = FileDelivery(picture, form)
            embedded = _embed(request, methods, pixels, delivery)
    report = _report(embedded, delivery, output, present.result())
    write_bytes(embedded.delivered.file, output.path)
    return report


def _hide_in_video(
    request: _Request, cover: str | Path, output: _Output, progress: Callable[[str, float], None] | None
) -> HideReport:
    refuse_settings(
        method=request.method not in (None, VIDEO_METHOD),
        survive=request.survive,
        quality=output.quality,
        machine_safe=request.machine_safe,
        check=output.check,
    )
    if isinstance(request.payload, FacePayload):
        raise UsageError("a video takes no template", hint="take a picture for a cover")
    return hide_video(
        cover,
        output.path,
        request.payload,
        passphrase=request.passphrase,
        psnr=request.psnr,
        metadata=output.metadata,
        force=output.force,
        progress=progress,
    )


def _methods_present(cover: Image, passphrase: str | None, methods: list[Method]) -> list[str]:
    """Return those of *methods* by which *cover* seems to hold a payload already; no network is run for this."""
    looked_for = (method for method in methods if method.name not in FOUND_BY_NETWORK)
    return [method.name for method in looked_for if method.holds(cover, passphrase)]


def _report(embedded: _Embedded, delivery: FileDelivery, output: _Output, present: list[str]) -> HideReport:
    picture, prepared, pixels = delivery.picture, embedded.prepared, embedded.delivered.pixels
    wanted, cover = prepared.psnr, picture.pixels
    if not prepared.method.needs_lossless:  # as they are shown
        cover, pixels = views(cover, picture.alpha)[0], views(pixels, embedded.delivered.alpha)[0]
    reached = metrics.psnr(cover, pixels)
    warnings = [*picture.warnings]
    if output.metadata:
        warnings += unwritable(picture, delivery.format.name)
    if delivery.format.name == "jpeg" and picture.jpeg and not (delivery.jpeg or output.quality):
        warnings.append("the payload does not survive the cover's JPEG quality: a higher one makes the file larger")
    if wanted is not None and reached < wanted:
        warnings.append(f"{delivery} brought {wanted:g} dB down to {reached:.1f}")
    visible = metrics.visible_share(cover, pixels)
    if visible > MAX_VISIBLE:
        loss = "" if delivery.format.exact else f", with the loss by {delivery}"
        warnings.append(f"the change can be seen in {visible:.1%} of the picture{loss}")
    warnings += [f"the cover held a payload by {name}, which may be lost" for name in present]
    return HideReport(
        container=str(output.path),
        method=prepared.method.name,
        payload_bytes=len(prepared.payload.data),
        psnr=reached,
        local_psnr=metrics.local_psnr(cover, pixels),
        visible=visible,
        survives=str(embedded.chain) if embedded.chain else None,
        seconds=0.0,
        warnings=(*warnings, *prepared.warnings),
        compression=prepared.compression,
        findings=inspect(embedded.delivered.pixels) if output.check else None,
    )
