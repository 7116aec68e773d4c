"""Detection: present or absent, with a bound on the false-positive rate; no payload is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from underpaint.api.choice import method_named, methods_for, refuse_settings
from underpaint.api.reveal import turned
from underpaint.api.transparency import views
from underpaint.api.video import METHOD as VIDEO_METHOD
from underpaint.embedding.blind_detection import CERTAIN, MAX_FALSE_POSITIVE_RATE
from underpaint.errors import UsageError
from underpaint.media import read
from underpaint.media.video import frames, is_video, luma, open_video
from underpaint.methods import FOUND_TURNED, METHODS, Detectable
from underpaint.methods.video_message import VideoDecoder
from underpaint.methods.video_picture import PacketDecoder
from underpaint.types import SMALLEST_SIDE, as_image

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from underpaint.methods import Method
    from underpaint.types import Image


@dataclass(frozen=True)
class Detection:
    """Result of a search for a payload of one passphrase."""

    #: True if a payload is there: the false-positive rate is below a millionth.
    present: bool
    #: Name of the method that it was hidden by; None if there is none.
    method: str | None
    #: Bound on the probability that a picture without a payload of this passphrase looks as much like a container, over
    #: everything that was tried. 1 says nothing.
    false_positive_rate: float
    #: Names of the methods that were looked for.
    searched: tuple[str, ...]
    #: Warnings about the file.
    warnings: tuple[str, ...] = ()


def detect(image: Image, *, passphrase: str | None = None, method: str | None = None) -> Detection:
    """Say whether *image* holds a payload, without reading it.

    Face templates by ``miais`` have no such bound: :func:`recognise` looks for them.

    Args:
        image: ``uint8 (H, W, 3)``.
        passphrase: the one that the payload was hidden with; None if there was none.
        method: key of :data:`underpaint.methods.METHODS`; None looks for all but ``miais``.

    Raises:
        UsageError: no such method, one without a bound, or *image* is no image.
    """
    return _detect(as_image(image), passphrase, METHODS.values() if method is None else _named(method))


def detect_file(
    path: str | Path,
    *,
    passphrase: str | None = None,
    method: str | None = None,
) -> Detection:
    """Say whether a picture or video file holds a payload, without reading it.

    Args:
        path: picture or video file; ``-`` is standard input.
        passphrase: as in :func:`detect`.
        method: as in :func:`detect`; in a lossy file no method is looked for that needs a lossless one.

    Raises:
        ImageError: the file cannot be read.
        UsageError: as in :func:`detect`.
        MissingExtraError: a video, and PyAV is not installed.
    """
    named = None if method is None else _named(method)
    if is_video(path):
        refuse_settings(method=method not in (None, VIDEO_METHOD))
        return _detection({VIDEO_METHOD: _p_value_of_video(path, passphrase)})
    picture = read(path)
    shown = views(picture.pixels, picture.alpha)[0]
    return _detect(picture.pixels, passphrase, named or methods_for(picture), picture.warnings, shown=shown)


def _named(method: str) -> list[Method]:
    """Return the method of that name, which has to be detectable."""
    found = method_named(method)
    if not isinstance(found, Detectable):
        hint = "'underpaint recognise' looks for face templates"
        raise UsageError(f"{method} has no bound on the false-positive rate", hint=hint)
    return [found]


def _detect(
    image: Image,
    passphrase: str | None,
    methods: Iterable[Method],
    warnings: tuple[str, ...] = (),
    *,
    shown: Image | None = None,
) -> Detection:
    """Return the likeliest of *methods*; exact ones are asked first, for they answer fast and for certain.

    Watermarks lie in the picture as it is *shown*, others in the colours themselves.
    """
    found: dict[str, float] = {}
    for method in sorted(methods, key=lambda each: (not each.needs_lossless, each.name in FOUND_TURNED)):
        if isinstance(method, Detectable):
            found[method.name] = 1.0
            if min(image.shape[:2]) >= SMALLEST_SIDE and min(found.values()) >= CERTAIN:
                pixels = image if method.needs_lossless or shown is None else shown
                found[method.name] = _p_value(method, pixels, passphrase)
    return _detection(found, warnings)


def _p_value(method: Method, image: Image, passphrase: str | None) -> float:
    """Return the p-value of the likeliest orientation, corrected for all of them."""
    assert isinstance(method, Detectable)  # noqa: S101 - for the type checker
    if method.name in FOUND_TURNED:
        return method.p_value(image, passphrase)
    # Half of the false positives for the picture as it is, the rest for the seven other orientations.
    best = 2 * method.p_value(image, passphrase)
    for other in turned(image):
        if best < CERTAIN:
            break
        best = min(best, 14 * method.p_value(other, passphrase))
    return min(best, 1.0)


def _p_value_of_video(path: str | Path, passphrase: str | None) -> float:
    """Return the p-value of a message or a picture in a video file, from as few of its frames as are needed."""
    decoders = VideoDecoder(passphrase), PacketDecoder(passphrase)
    with open_video(path) as container:
        for frame in frames(container):
            plane = luma(frame)
            for decoder in decoders:
                decoder.add(plane)
            if min(decoder.p_value() for decoder in decoders) < CERTAIN:
                break
    return min(min(decoder.p_value() for decoder in decoders) * len(decoders), 1.0)


def _detection(found: dict[str, float], warnings: tuple[str, ...] = ()) -> Detection:
    """Return the likeliest of the methods *found*, by name; its p-value is corrected for the number of methods."""
    best = min(found, key=lambda name: found[name], default="")
    rate = min(len(found) * found.get(best, 1.0), 1.0)
    present = rate < MAX_FALSE_POSITIVE_RATE
    return Detection(present, best if present else None, rate, tuple(found), warnings)
