"""Recognising a person by the biometric template in a container; no picture is restored.

::

    pictures of people ─► templates ─► gallery ─┐
    container ─► the template hidden there ─────┴► most similar person, if the similarity reaches the threshold
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from underpaint.api.choice import method_named, methods_for
from underpaint.api.reveal import find_payload
from underpaint.coding.template import Template, cosine_similarity, pack, unpack
from underpaint.errors import DamagedError, UnderpaintError, UsageError
from underpaint.media import EXTENSIONS, check_target, read, write_bytes
from underpaint.methods import METHODS
from underpaint.models.face import MIN_SIMILARITY, template
from underpaint.types import as_image

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from underpaint.methods import Method
    from underpaint.types import Image

#: Value of ``format`` in a gallery file.
_GALLERY_FORMAT = "underpaint gallery 1"


@dataclass(frozen=True)
class Recognition:
    """The person whose template is in a container."""

    #: Name of the most similar person in the gallery; None if the similarity is below the threshold.
    name: str | None
    #: Cosine similarity of every person in the gallery, highest first, -1–1.
    scores: dict[str, float]
    #: Lowest similarity that counts as the same person.
    threshold: float
    #: Method that the template was hidden by.
    method: str
    #: Warnings about the container's file.
    warnings: tuple[str, ...] = ()


def recognise(
    container: Image,
    gallery: Mapping[str, Template],
    *,
    passphrase: str | None = None,
    method: str | None = None,
    threshold: float | None = None,
) -> Recognition:
    """Compare the template in *container* with those of a gallery.

    Args:
        container: ``uint8 (H, W, 3)``, with a template in it.
        gallery: templates by name, as of :func:`enrolled` or :func:`read_gallery`.
        passphrase: the one that the template was hidden with.
        method: key of :data:`underpaint.methods.METHODS`; None tries all.
        threshold: lowest similarity that counts, -1–1; None for :data:`underpaint.models.face.MIN_SIMILARITY`.

    Raises:
        NotFoundError: no template, or a wrong passphrase.
        DamagedError, AmbiguousError: as in :func:`reveal`.
        UnderpaintError: another payload is hidden here, which :func:`reveal` takes.
        UsageError: the gallery is empty, or *threshold* is out of range.
    """
    methods = METHODS.values() if method is None else [method_named(method)]
    return _recognised(as_image(container), gallery, passphrase, methods, threshold)


def recognise_file(
    container: str | Path,
    gallery: str | Path,
    *,
    passphrase: str | None = None,
    method: str | None = None,
    threshold: float | None = None,
) -> Recognition:
    """Compare the template in a picture file with those of a gallery, as :func:`recognise`.

    Args:
        container: picture file; ``-`` is standard input.
        gallery: a folder as for :func:`enrolled`, or a file as for :func:`read_gallery`.
        passphrase: as in :func:`recognise`.
        method: as in :func:`recognise`.
        threshold: as in :func:`recognise`.

    Raises:
        ImageError: a picture cannot be read.
        NotFoundError, DamagedError, AmbiguousError, UnderpaintError, UsageError: as in :func:`recognise`.
    """
    people = enrolled(gallery) if Path(gallery).is_dir() else read_gallery(gallery)
    picture = read(container)
    methods = methods_for(picture) if method is None else [method_named(method)]
    found = _recognised(picture.pixels, people, passphrase, methods, threshold)
    return replace(found, warnings=picture.warnings)


def enrolled(folder: str | Path) -> dict[str, Template]:
    """Return the template of every person in *folder*, by name.

    Args:
        folder: ``NAME.jpg``, in any picture format, is one person; so are all pictures in the subfolder ``NAME``.

    Raises:
        UsageError: there is no such folder, or no picture in it.
        ImageError: a picture cannot be read.
    """
    return _templates(_pictures(folder))


def enrol_files(folder: str | Path, gallery: str | Path, *, force: bool = False) -> tuple[str, ...]:
    """Write the templates of every person in *folder* to a gallery file.

    Args:
        folder: as in :func:`enrolled`.
        gallery: JSON file to write.
        force: replace an existing file.

    Returns:
        Names of the people.

    Raises:
        UsageError, ImageError: as in :func:`enrolled`, or *gallery* must not be overwritten.
    """
    pictures = _pictures(folder)
    check_target(gallery, *(file for files in pictures.values() for file in files), force=force)
    people = _templates(pictures)
    encoded = {name: base64.b64encode(pack(each)).decode() for name, each in people.items()}
    text = json.dumps({"format": _GALLERY_FORMAT, "people": encoded}, indent=1)
    write_bytes(f"{text}\n".encode(), gallery)
    return tuple(people)


def read_gallery(file: str | Path) -> dict[str, Template]:
    """Return the templates in a gallery file, by name.

    Raises:
        UsageError: it is no file that :func:`enrol_files` wrote.
    """
    hint = "name a folder of pictures, or a file that 'underpaint enrol' wrote"
    try:
        text = Path(file).read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"there is no gallery {file}", hint=hint) from error
    except ValueError as error:
        raise UsageError(f"{file} is no gallery", hint=hint) from error
    try:
        content = json.loads(text)
        if content["format"] != _GALLERY_FORMAT or not content["people"]:
            raise UsageError(f"{file} is not a gallery of this version", hint=hint)
        if not all(map(str.isprintable, content["people"])):
            raise UsageError(f"{file} has names that cannot be shown", hint=hint)
        return {name: unpack(base64.b64decode(each, validate=True)) for name, each in content["people"].items()}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, DamagedError) as error:
        raise UsageError(f"{file} is no gallery", hint=hint) from error


def _pictures(folder: str | Path) -> dict[str, list[Path]]:
    """Return the picture files of every person in *folder*, by name; hidden files are left out."""
    hint = "it takes a picture NAME.jpg of each person, or a folder NAME of several"
    found: dict[str, list[Path]] = {}
    for file in sorted(Path(folder).rglob("*")) if str(folder) else []:
        parts = file.relative_to(folder).parts
        if file.suffix.lower() in EXTENSIONS and file.is_file() and not any(part.startswith(".") for part in parts):
            found.setdefault(parts[0] if len(parts) > 1 else file.stem, []).append(file)
    if not found:
        raise UsageError(f"there are no pictures in {folder or 'a folder without a name'}", hint=hint)
    for name in found:
        if not name.isprintable():
            raise UsageError(f"a name in {folder} cannot be shown: {name!r}", hint="give the file another one")
    return found


def _templates(pictures: Mapping[str, list[Path]]) -> dict[str, Template]:
    return {name: _mean([template(read(file).pixels) for file in files]) for name, files in pictures.items()}


def _recognised(
    container: Image,
    gallery: Mapping[str, Template],
    passphrase: str | None,
    methods: Iterable[Method],
    threshold: float | None,
) -> Recognition:
    if not gallery:
        raise UsageError("the gallery is empty", hint="enrol people first")
    threshold = MIN_SIMILARITY if threshold is None else threshold
    if not -1 <= threshold <= 1:
        raise UsageError(f"the threshold must be -1–1, not {threshold:g}")
    payload, method = find_payload(container, passphrase, methods, template=True)
    if payload.kind != "template":
        raise UnderpaintError(f"a {payload.kind} is hidden here by {method}", hint="'underpaint reveal' brings it back")
    hidden = unpack(payload.data)
    scores = {name: cosine_similarity(hidden, each) for name, each in gallery.items()}
    scores = dict(sorted(scores.items(), key=lambda each: -each[1]))
    nearest = next(iter(scores))
    return Recognition(nearest if scores[nearest] >= threshold else None, scores, threshold, method)


def _mean(templates: list[Template]) -> Template:
    """Return the normalised mean of several templates of one person."""
    mean: Template = np.mean(templates, axis=0)
    normalised: Template = mean / np.sqrt(np.mean(mean**2))
    return normalised
