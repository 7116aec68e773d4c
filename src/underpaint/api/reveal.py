"""Revealing: every method is asked, and exactly one may answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from underpaint.errors import AmbiguousError, DamagedError, NotFoundError, TemplateError, UsageError
from underpaint.media import FORMATS, read
from underpaint.media.video import is_video
from underpaint.methods import METHODS, Method
from underpaint.types import SMALLEST_SIDE, Payload, as_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from underpaint.media import Picture
    from underpaint.types import Image


def reveal(container: Image, *, passphrase: str | None = None, method: str | None = None) -> Payload:
    """Return exactly what was hidden in *container*, by whatever method or by the one named.

    Raises:
        NotFoundError: nothing was found, which a wrong passphrase cannot be told from.
        DamagedError: a payload is there, but beyond repair.
        AmbiguousError: there is more than one payload.
        TemplateError: somebody can be recognised, and nothing restored.
        UsageError: no such method.
    """
    methods = METHODS.values() if method is None else [named(method)]
    return _restorable(*found_in(as_image(container), passphrase, methods))[0]


def reveal_file(
    path: str | Path,
    *,
    passphrase: str | None = None,
    method: str | None = None,
    progress: Callable[[str, float], None] | None = None,
) -> tuple[Payload, str, tuple[str, ...]]:
    """Return what was hidden in a picture file, the method that found it, and what the reader warned of.

    A video goes to :func:`underpaint.api.video.reveal_video`; *progress* is told how far that is.

    Raises:
        ImageError: the file cannot be read.
        NotFoundError, DamagedError, AmbiguousError, TemplateError, UsageError: as in :func:`reveal`.
    """
    chosen = None if method is None else [named(method)]
    if is_video(path):
        from underpaint.api import video

        video.refuse(method=method not in (None, video.METHOD))
        return video.reveal_video(path, passphrase=passphrase, progress=progress), video.METHOD, ()
    picture = read(path)
    return *_restorable(*found_in(picture.pixels, passphrase, chosen or possible(picture))), picture.warnings


def possible(picture: Picture) -> list[Method]:
    """The methods by which a payload may be in *picture*.

    What needs every bit has no chance in a JPEG file; asking it costs time, and a key derivation.
    """
    return [each for each in METHODS.values() if FORMATS[picture.format].lossless or not each.needs_lossless]


def named(name: str) -> Method:
    """Return the method called *name*.

    Raises:
        UsageError: there is none.
    """
    if name not in METHODS:
        raise UsageError(f"no method is called '{name}'", hint=f"the methods are {', '.join(METHODS)}")
    return METHODS[name]


def found_in(
    container: Image, passphrase: str | None, methods: Iterable[Method], *, template: bool = False
) -> tuple[Payload, str]:
    """Return what is hidden in *container*, and the method that found it.

    A picture and the template of whom it shows may be in one container: then *template* says which is meant.

    Raises:
        NotFoundError, DamagedError, AmbiguousError: as in :func:`reveal`.
    """
    if min(container.shape[:2]) < SMALLEST_SIDE:
        raise NotFoundError(f"no payload found: the picture is smaller than {SMALLEST_SIDE}×{SMALLEST_SIDE}")
    answers, damages = ask(container, passphrase, methods)
    answers = [answer for answer in answers if (answer[0].kind == "template") == template] or answers
    if len(answers) > 1:
        found = " and ".join(name for _, name in answers)
        raise AmbiguousError(f"there is more than one payload, by {found}", hint="name one with --method")
    if answers:
        return answers[0]
    if damages:
        raise damages[0]
    if passphrase is None:
        hint = "if it was hidden with a passphrase, give that; else it is unmarked or has changed too much"
    elif any(ask(container, None, methods)):
        hint = "a payload without a passphrase is here: run reveal without a passphrase"
    else:
        hint = "another passphrase, an unmarked picture, or one that has changed too much: they look the same"
    raise NotFoundError("no payload found", hint=hint)


def _restorable(payload: Payload, method: str) -> tuple[Payload, str]:
    """Both, unless *payload* is a template."""
    if payload.kind == "template":
        hint = "'underpaint recognise' says who it is, of those whose pictures you have"
        raise TemplateError(f"somebody is hidden here by {method}, to be recognised and not restored", hint=hint)
    return payload, method


def ask(
    container: Image, passphrase: str | None, methods: Iterable[Method]
) -> tuple[list[tuple[Payload, str]], list[DamagedError]]:
    """Return every method's answer with its name, and the errors of those that found something damaged."""
    answers, damages = [], []
    for method in methods:
        try:
            answers.append((method.reveal(container, passphrase), method.name))
        except NotFoundError:
            continue
        except DamagedError as error:
            damages.append(error)
    return answers, damages
