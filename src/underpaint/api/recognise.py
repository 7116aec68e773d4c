"""Recognising: who is hidden in a container, of those that are enrolled; nothing is restored.

::

    pictures of people ─► templates ─► gallery ─┐
    container ─► the template hidden there ─────┴► who is most alike, and enough so?
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from underpaint.api.measure import check_target
from underpaint.api.reveal import found_in, named, possible
from underpaint.coding.template import Template, cosine_similarity, pack, unpack
from underpaint.errors import DamagedError, UnderpaintError, UsageError
from underpaint.media import EXTENSIONS, read, write_bytes
from underpaint.methods import METHODS
from underpaint.models.face import MIN_SIMILARITY, template
from underpaint.types import as_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from underpaint.methods import Method
    from underpaint.types import Image

#: What a gallery's file says that it is.
_FORMAT = "underpaint gallery 1"


@dataclass(frozen=True)
class Recognition:
    """Who is in a container."""

    #: The name of whom it is, or None if nobody in the gallery is enough alike.
    name: str | None
    #: How like everybody in the gallery is, most alike first, -1–1.
    scores: dict[str, float]
    #: The likeness from which on it is the same person.
    threshold: float
    #: The method that it was hidden by.
    method: str
    #: What the reader of the file warned of.
    warnings: tuple[str, ...] = ()


def recognise(
    container: Image,
    gallery: Mapping[str, Template],
    *,
    passphrase: str | None = None,
    method: str | None = None,
    threshold: float | None = None,
) -> Recognition:
    """Say who is hidden in *container*, ``uint8 (H, W, 3)``, without restoring anything.

    Args:
        container: what ``hide`` made of a template.
        gallery: whom there is to recognise, by name, as of :func:`enrolled`.
        passphrase: what it was hidden with.
        method: the one that it was hidden by; None asks all.
        threshold: the least likeness that counts, -1–1; None for that of
            :data:`~underpaint.models.face.MIN_SIMILARITY`.

    Raises:
        NotFoundError: nobody is hidden here, or it takes another passphrase.
        DamagedError, AmbiguousError: as in :func:`~underpaint.api.reveal`.
        UnderpaintError: something else is hidden here, which is revealed.
        UsageError: nobody is in the gallery, or the threshold makes no sense.
    """
    methods = METHODS.values() if method is None else [named(method)]
    return _recognised(as_image(container), gallery, passphrase, methods, threshold)


def recognise_file(
    container: str | Path,
    gallery: str | Path,
    *,
    passphrase: str | None = None,
    method: str | None = None,
    threshold: float | None = None,
) -> Recognition:
    """As :func:`recognise`, of a file, and a *gallery* that :func:`enrolled` or :func:`read_gallery` can read.

    Raises:
        ImageError: a picture cannot be read.
        NotFoundError, DamagedError, AmbiguousError, UnderpaintError, UsageError: as there.
    """
    people = enrolled(gallery) if Path(gallery).is_dir() else read_gallery(gallery)
    picture = read(container)
    methods = possible(picture) if method is None else [named(method)]
    found = _recognised(picture.pixels, people, passphrase, methods, threshold)
    return Recognition(found.name, found.scores, found.threshold, found.method, picture.warnings)


def enrolled(folder: str | Path) -> dict[str, Template]:
    """Return the template of everybody in *folder*: ``NAME.jpg`` is one person, and so are all pictures in ``NAME/``.

    Raises:
        UsageError: there is no such folder, or no picture in it.
        ImageError: a picture cannot be read.
    """
    return _templates(_pictures(folder))


def enrol_files(folder: str | Path, gallery: str | Path, *, force: bool = False) -> tuple[str, ...]:
    """Write the templates of everybody in *folder* to the file *gallery*, and return their names.

    Raises:
        UsageError, ImageError: as of :func:`enrolled`, or *gallery* may not be written over.
    """
    pictures = _pictures(folder)
    check_target(gallery, *(file for files in pictures.values() for file in files), force=force)
    people = _templates(pictures)
    told = {name: base64.b64encode(pack(each)).decode() for name, each in people.items()}
    text = json.dumps({"format": _FORMAT, "people": told}, indent=1)
    write_bytes(f"{text}\n".encode(), gallery)
    return tuple(people)


def read_gallery(file: str | Path) -> dict[str, Template]:
    """Return who is in a *file* that :func:`enrol_files` wrote.

    Raises:
        UsageError: it is none.
    """
    hint = "name a folder of pictures, or a file that 'underpaint enrol' wrote"
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"there is no gallery {file}", hint=hint) from error
    except ValueError as error:
        raise UsageError(f"{file} is no gallery", hint=hint) from error
    try:
        told = json.loads(text)
        if told["format"] != _FORMAT or not told["people"]:
            raise UsageError(f"{file} is not a gallery of this version", hint=hint)
        if not all(map(str.isprintable, told["people"])):
            raise UsageError(f"{file} has names that cannot be shown", hint=hint)
        return {name: unpack(base64.b64decode(each, validate=True)) for name, each in told["people"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, DamagedError) as error:
        raise UsageError(f"{file} is no gallery", hint=hint) from error


def _pictures(folder: str | Path) -> dict[str, list[Path]]:
    """The pictures of everybody in *folder*, by name; what is hidden is left out."""
    hint = "it takes a picture NAME.jpg of each person, or a folder NAME of several"
    found: dict[str, list[Path]] = {}
    for file in sorted(Path(folder).rglob("*")) if str(folder) else []:
        parts = file.relative_to(folder).parts
        if file.suffix.lower() in EXTENSIONS and file.is_file() and not any(part.startswith(".") for part in parts):
            found.setdefault(parts[0] if len(parts) > 1 else file.stem, []).append(file)
    if not found:
        raise UsageError(f"there is nobody in {folder or 'a folder without a name'}", hint=hint)
    for name in found:
        if not name.isprintable():
            raise UsageError(f"a name in {folder} cannot be shown: {name!r}", hint="give the file another one")
    return found


def _templates(pictures: Mapping[str, list[Path]]) -> dict[str, Template]:
    return {name: _together([template(read(file).pixels) for file in files]) for name, files in pictures.items()}


def _recognised(
    container: Image,
    gallery: Mapping[str, Template],
    passphrase: str | None,
    methods: Iterable[Method],
    threshold: float | None,
) -> Recognition:
    if not gallery:
        raise UsageError("there is nobody in the gallery", hint="enrol somebody")
    threshold = MIN_SIMILARITY if threshold is None else threshold
    if not -1 <= threshold <= 1:
        raise UsageError(f"the threshold must be -1–1, not {threshold:g}")
    payload, method = found_in(container, passphrase, methods, template=True)
    if payload.kind != "template":
        raise UnderpaintError(f"a {payload.kind} is hidden here by {method}", hint="'underpaint reveal' brings it back")
    asked = unpack(payload.data)
    scores = {name: cosine_similarity(asked, each) for name, each in gallery.items()}
    scores = dict(sorted(scores.items(), key=lambda each: -each[1]))
    nearest = next(iter(scores))
    return Recognition(nearest if scores[nearest] >= threshold else None, scores, threshold, method)


def _together(found: list[Template]) -> Template:
    """One template of several of one person."""
    mean: Template = np.mean(found, axis=0)
    together: Template = mean / np.sqrt(np.mean(mean**2))
    return together
