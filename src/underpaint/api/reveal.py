"""Revealing: every method is tried, and exactly one may find a payload."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np

from underpaint.api.choice import method_named, methods_for, refuse_settings
from underpaint.api.transparency import views
from underpaint.api.video import METHOD as VIDEO_METHOD
from underpaint.api.video import reveal_video
from underpaint.errors import AmbiguousError, DamagedError, NotFoundError, TemplateError
from underpaint.media import read
from underpaint.media.video import is_video
from underpaint.methods import FOUND_BY_NETWORK, FOUND_TURNED, METHODS, Searching
from underpaint.models import INSTALL_HINT, onnxruntime_installed
from underpaint.types import SMALLEST_SIDE, as_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from underpaint.media import Picture
    from underpaint.methods import Method
    from underpaint.types import Image, Payload, Search


def reveal(
    container: Image, *, passphrase: str | None = None, method: str | None = None, search: Search = "normal"
) -> Payload:
    """Return exactly what was hidden in *container*.

    Args:
        container: ``uint8 (H, W, 3)``.
        passphrase: the one that the payload was hidden with; None if there was none.
        method: key of :data:`underpaint.methods.METHODS`; None tries all.
        search: ``quick`` looks for a payload in the picture as it is, ``normal`` also in one that was turned, mirrored,
            cropped or framed, ``thorough`` takes seconds.

    Raises:
        NotFoundError: no payload, or a wrong passphrase.
        DamagedError: a payload was detected, but cannot be restored.
        AmbiguousError: more than one payload.
        TemplateError: a biometric template, which :func:`recognise` takes.
        UsageError: no such method, or *container* is no image.
    """
    methods = METHODS.values() if method is None else [method_named(method)]
    return _restorable(*find_payload(as_image(container), passphrase, methods, search=search))[0]


def reveal_file(
    path: str | Path,
    *,
    passphrase: str | None = None,
    method: str | None = None,
    search: Search = "normal",
    progress: Callable[[str, float], None] | None = None,
) -> tuple[Payload, str, tuple[str, ...]]:
    """Return exactly what was hidden in a picture or video file.

    Args:
        path: picture or video file; ``-`` is standard input.
        passphrase: the one that the payload was hidden with; None if there was none.
        method: key of :data:`underpaint.methods.METHODS`; None tries all.
        search: as in :func:`reveal`.
        progress: called with the current step and its completed share, 0–1, for a video.

    Returns:
        The payload, the name of the method that found it, and warnings about the file.

    Raises:
        ImageError: the file cannot be read.
        NotFoundError, DamagedError, AmbiguousError, TemplateError, UsageError: as in :func:`reveal`.
        MissingExtraError: a video, and PyAV is not installed.
    """
    methods = None if method is None else [method_named(method)]
    if is_video(path):
        refuse_settings(method=method not in (None, VIDEO_METHOD))
        return reveal_video(path, passphrase=passphrase, progress=progress), VIDEO_METHOD, ()
    picture = read(path)
    found = _find_in_file(picture, passphrase, methods or methods_for(picture), search)
    return *_restorable(*found), picture.warnings


def _find_in_file(
    picture: Picture, passphrase: str | None, methods: list[Method], search: Search
) -> tuple[Payload, str]:
    """Return the payload of a picture file: watermarks lie in what is shown, others in the colours themselves."""
    shown, *more = views(picture.pixels, picture.alpha)
    watermarks = [method for method in methods if not method.needs_lossless]
    if more and watermarks:
        with suppress(NotFoundError, DamagedError):
            return find_payload(shown, passphrase, watermarks, search=search)
    return find_payload(picture.pixels, passphrase, methods, search=search)


def turned(image: Image) -> Iterator[Image]:
    """Yield the seven other ways up of *image*: quarter turns, mirrored or not, those of a camera first."""
    for mirrored, quarters in ((0, 1), (0, 3), (0, 2), (1, 0), (1, 2), (1, 1), (1, 3)):
        yield np.ascontiguousarray(np.rot90(image[:, ::-1] if mirrored else image, quarters))


def find_payload(
    container: Image,
    passphrase: str | None,
    methods: Iterable[Method],
    *,
    search: Search = "normal",
    template: bool = False,
) -> tuple[Payload, str]:
    """Return the payload of *container*, and the name of the method that found it.

    Args:
        container: ``uint8 (H, W, 3)``.
        passphrase: the one that the payload was hidden with.
        methods: methods to try.
        template: the payload to prefer where one container holds a template and a picture.
        search: effort of the search for a picture that was moved.

    Raises:
        NotFoundError, DamagedError, AmbiguousError: as in :func:`reveal`.
        ModelError: the named method needs a network, or a template is looked for, and ONNX Runtime is missing.
    """
    methods = list(methods)
    if min(container.shape[:2]) < SMALLEST_SIDE:
        raise NotFoundError(f"no payload found: the picture is smaller than {SMALLEST_SIDE}×{SMALLEST_SIDE}")
    found, damages = _try_methods(container, passphrase, methods, "quick", template=template)
    if not found and search != "quick":
        searching = [each for each in methods if isinstance(each, Searching)]
        found, more = _try_methods(container, passphrase, searching, search, template=template)
        damages += more
    if not found and not damages and search != "quick":
        found, damages = _try_turned(container, passphrase, methods, template=template)
    found = [each for each in found if (each[0].kind == "template") == template] or found
    if len(found) > 1:
        names = " and ".join(name for _, name in found)
        raise AmbiguousError(f"there is more than one payload, by {names}", hint="name one with --method")
    if found:
        return found[0]
    if damages:
        raise damages[0]
    if passphrase is None:
        hint = "if it was hidden with a passphrase, give that; else it is unmarked or has changed too much"
    elif any(each.holds(container, None) for each in methods if each.name not in FOUND_BY_NETWORK):
        hint = "a payload without a passphrase is here: run reveal without a passphrase"
    else:
        hint = "another passphrase, an unmarked picture, or one that has changed too much: they look the same"
    if any(method.name in FOUND_BY_NETWORK for method in methods) and not onnxruntime_installed():
        hint += f"; face templates by {', '.join(FOUND_BY_NETWORK)} were not looked for: {INSTALL_HINT}"
    raise NotFoundError("no payload found", hint=hint)


def _restorable(payload: Payload, method: str) -> tuple[Payload, str]:
    """Return both, or refuse a template."""
    if payload.kind == "template":
        hint = "'underpaint recognise' compares it with the faces that you have"
        raise TemplateError(f"a face template is hidden here by {method}: it is recognised, not revealed", hint=hint)
    return payload, method


def _try_turned(
    container: Image, passphrase: str | None, methods: Sequence[Method], *, template: bool
) -> tuple[list[tuple[Payload, str]], list[DamagedError]]:
    """Return what :func:`_try_methods` finds in the first of the seven other ways up in which it finds anything.

    Methods that search for a turned picture themselves are left out, and those that run a network, which takes long,
    unless a template is looked for.
    """
    left_out = FOUND_TURNED if template else FOUND_TURNED | FOUND_BY_NETWORK
    methods = [each for each in methods if each.name not in left_out]
    for other in turned(container) if methods else ():
        found, damages = _try_methods(other, passphrase, methods, "quick", template=template)
        if found or damages:
            return found, damages
    return [], []


def _try_methods(
    container: Image, passphrase: str | None, methods: Sequence[Method], search: Search, *, template: bool
) -> tuple[list[tuple[Payload, str]], list[DamagedError]]:
    """Return all payloads, each with the name of its method, and the errors of the damaged ones.

    Of several methods those that are found by a network come last: to look for a template, or if no other is found.
    """
    found: list[tuple[Payload, str]] = []
    damages = []
    for method in sorted(methods, key=lambda each: each.name in FOUND_BY_NETWORK):
        if len(methods) > 1 and method.name in FOUND_BY_NETWORK:
            if found and not template:
                continue
            if (found or not template) and not onnxruntime_installed():
                continue
        try:
            if isinstance(method, Searching):
                found.append((method.reveal_by_search(container, passphrase, search), method.name))
            else:
                found.append((method.reveal(container, passphrase), method.name))
        except NotFoundError:
            continue
        except DamagedError as error:
            damages.append(error)
    return found, damages
